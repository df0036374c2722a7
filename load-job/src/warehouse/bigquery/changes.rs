//! The change set of a table in BigQuery, and its application: one atomic statement, whose job id every attempt of the same run would choose, so
//! that it is never run twice.

use super::apply_note::ApplyNote;
use super::client::Param;
use super::job::JobOrder;
use super::load::{keys, record, used};
use super::open::Open;
use super::partition::Partitioning;
use super::schema::StagedKind;
use super::sql::render;
use super::{cost, logs, memory, table};
use crate::shape::Wanted;
use crate::warehouse::{
    ChangeRequest, ChangeSet, Commit, Counts, Decision, Ready, Spent, Target, WarehouseError, wanted_of,
};
use arrow::array::RecordBatch;
use chrono::{DateTime, NaiveDate, Utc};
use crossbeam_channel::Receiver;
use serde_json::{Value, json};

/// A table with its change set.
pub(super) struct Changes<'w> {
    pub(super) open: Open<'w>,
    pub(super) request: ChangeRequest,
    pub(super) counts: Vec<Counts>,
    /// How the table is partitioned that is there.
    pub(super) partitioning: Option<Partitioning>,
}

/// A change set whose rows are staged.
struct Rows<'w> {
    changes: Changes<'w>,
    decision: Decision,
    synced: DateTime<Utc>,
    rows: u64,
}

impl<'w> ChangeSet<'w> for Changes<'w> {
    fn target(&mut self) -> &mut dyn Target {
        &mut self.open
    }

    fn counts(&self) -> &[Counts] {
        &self.counts
    }

    fn absent(&mut self) -> Result<Vec<String>, WarehouseError> {
        let names = json!({ "changes": self.open.staging_path("changes"), "keys": keys(&self.request) });
        let text = render("absent", &names)?;
        let what = format!("list the rows that are missing from {}", self.open.table);
        let rows = self.open.client.rows(&what, "absent", &text, &[])?;
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }

    fn changed(&mut self, records: u64) -> Result<Wanted, WarehouseError> {
        let Self { open, counts, .. } = self;
        wanted_of(counts, records, || {
            let what = format!("list the rows of {} that change", open.table);
            let text = render("changed_rows", &json!({ "changes": open.staging_path("changes") }))?;
            let rows = open.client.rows(&what, "changed", &text, &[])?;
            let word = |row: Vec<Option<String>>| {
                let [block, bits]: [Option<String>; 2] = row.try_into().ok()?;
                Some((block?.parse().ok()?, bits?.parse().ok()?))
            };
            let words: Option<Vec<(u64, u64)>> = rows.into_iter().map(word).collect();
            words.ok_or_else(|| WarehouseError::Statement { what, message: "it lists something else".into() })
        })
    }

    fn rows(
        mut self: Box<Self>,
        decision: Decision,
        synced: DateTime<Utc>,
        rows: &Receiver<RecordBatch>,
    ) -> Result<Box<dyn Ready + 'w>, WarehouseError> {
        let plan = self.request.plan.clone();
        let rows = self.open.stage("rows", &plan.columns, StagedKind::Rows, rows)?;
        Ok(Box::new(Rows { changes: *self, decision, synced, rows }))
    }

    fn record(self: Box<Self>, commit: &Commit<'_>) -> Result<Spent, WarehouseError> {
        record(&self.open, commit).map(|()| self.open.client.spent)
    }
}

impl Ready for Rows<'_> {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn apply(mut self: Box<Self>, commit: &Commit<'_>) -> Result<Spent, WarehouseError> {
        let (mut logging, log_dataset) = self.changes.open.logging();
        memory::forget(&mut logging, log_dataset, &self.changes.open.table, commit)?;
        self.alter(commit)?;
        let Changes { open, request, .. } = &self.changes;
        logs::schema_changes(&mut logging, log_dataset, &open.table, &request.plan, commit)?;
        if let Some((text, expected)) = self.statement()? {
            self.run(&text, expected)?;
        }
        let open = &self.changes.open;
        let spent = open.client.spent;
        let mut units = commit.units.to_vec();
        spent.share(&mut units);
        logs::units(&mut logging, log_dataset, commit.run_id, &commit.stage, &units)?;
        memory::learn(&mut logging, log_dataset, &open.table, commit)?;
        Ok(spent)
    }
}

impl Rows<'_> {
    /// Makes the table, or changes its columns.
    fn alter(&mut self, commit: &Commit<'_>) -> Result<(), WarehouseError> {
        let Changes { open, request, .. } = &mut self.changes;
        let plan = &request.plan;
        if open.existing.is_some() {
            open.identify(commit)?;
            return table::alter(&mut open.client, &open.table, plan);
        }
        let partitioning = open.partition_by.as_ref().map(|(field, every)| {
            let column = plan.own_column(field);
            Partitioning::plan(column, field, *every)
                .map_err(|message| WarehouseError::Table { table: open.table.to_string(), message })
        });
        let Some(identity) = commit.identity else {
            let message = "internal error: a new table without an identity".to_owned();
            return Err(WarehouseError::Table { table: open.table.to_string(), message });
        };
        table::create(&open.client, &open.table, request, &identity.id, partitioning.transpose()?.as_ref())
    }

    /// The statement that applies the change set, and how many rows it must change; `None`: nothing to do.
    fn statement(&mut self) -> Result<Option<(String, Option<u64>)>, WarehouseError> {
        let (request, decision) = (&self.changes.request, &self.decision);
        let mut sum = Counts::default();
        for (account, counts) in request.accounts.iter().zip(&self.changes.counts) {
            if !decision.excluded.contains(&account.account) {
                sum.inserted += counts.inserted;
                sum.updated += counts.updated;
                sum.deleted += if decision.keep.contains(&account.account) { 0 } else { counts.deleted };
            }
        }
        sum.deleted = sum.deleted.saturating_sub(decision.spare.len() as u64);
        let open = &self.changes.open;
        let columns: Vec<Value> = request
            .plan
            .columns
            .iter()
            .map(|column| json!({ "name": column.name, "type": column.ty.name() }))
            .collect();
        let mut names = json!({
            "target": open.target_path(),
            "rows": open.staging_path("rows"),
            "changes": open.staging_path("changes"),
            "columns": columns,
        });
        if sum.updated + sum.deleted == 0 {
            let text = if sum.inserted == 0 { None } else { Some((render("insert", &names)?, Some(sum.inserted))) };
            return Ok(text);
        }
        let word = request.write.as_str();
        if request.write.removes_absent() {
            return Ok(Some((render(word, &names)?, None)));
        }
        names["keys"] = keys(request).into();
        names["deletions"] = (sum.deleted > 0).into();
        names["spare"] = (!decision.spare.is_empty()).into();
        let partitioning = self.changes.partitioning.clone();
        names["partition"] = partitioning.as_ref().map(|partitioning| partitioning.column.clone()).into();
        if let Some(partitioning) = partitioning {
            let (days, without) = self.changed_partitions()?;
            names["ranges"] = partitioning.ranges(&days).into();
            names["without_partition"] = without.into();
        }
        Ok(Some((render(word, &names)?, Some(sum.inserted + sum.updated + sum.deleted))))
    }

    /// The days of the rows that change, and whether some have none.
    fn changed_partitions(&mut self) -> Result<(Vec<NaiveDate>, bool), WarehouseError> {
        let open = &mut self.changes.open;
        let what = format!("find the partitions of {} that change", open.table);
        let text = render("changed_partitions", &json!({ "changes": open.staging_path("changes") }))?;
        let params = [("excluded", Param::Texts(&self.decision.excluded)), ("keep", Param::Texts(&self.decision.keep))];
        let rows = open.client.rows(&what, "partitions", &text, &params)?;
        let mut days = Vec::new();
        let mut without = false;
        for cell in rows.into_iter().flatten() {
            match cell.map(|text| text.parse::<NaiveDate>()) {
                None => without = true,
                Some(Ok(day)) => days.push(day),
                Some(Err(error)) => return Err(WarehouseError::Statement { what, message: error.to_string() }),
            }
        }
        Ok((days, without))
    }

    /// Runs the statement under its foreseeable id.
    fn run(&mut self, text: &str, expected: Option<u64>) -> Result<(), WarehouseError> {
        let open = &mut self.changes.open;
        let what = format!("write into {}", open.table);
        let params = used(
            text,
            &[
                ("synced", Param::Instant(self.synced)),
                ("excluded", Param::Texts(&self.decision.excluded)),
                ("keep", Param::Texts(&self.decision.keep)),
                ("spare", Param::Texts(&self.decision.spare)),
            ],
        );
        // The last moment: a lost lease means that another run may be at work.
        if let Some(reason) = open.client.shutdown.reason() {
            let message = format!("stopped by {reason} before anything was changed");
            return Err(WarehouseError::Statement { what, message });
        }
        let landing = open.warehouse.landing.clone();
        let note = ApplyNote::new(&open.apply_stem, open.apply_next.attempt);
        note.write(&open.client, landing.as_ref())?;
        let configuration = open.client.query_configuration("apply", text, &params);
        let job = open.client.run(&JobOrder::fixed(&what, &open.apply_stem, open.apply_next, configuration))?;
        // Nobody needs to look for it any more. Without this word the next load does.
        if let Err(error) = note.ended().write(&open.client, landing.as_ref()) {
            tracing::debug!(%error, "failed to note that the statement has ended");
        }
        cost::add(&mut open.client.spent, &job);
        let changed = cost::number(&job["statistics"]["query"]["numDmlAffectedRows"]);
        match (expected, changed) {
            (Some(expected), Some(changed)) if expected != changed => {
                let message = format!(
                    "{expected} rows were to change, but {changed} did: someone else has changed the table meanwhile; load the run again"
                );
                Err(WarehouseError::Statement { what, message })
            }
            _ => Ok(()),
        }
    }
}
