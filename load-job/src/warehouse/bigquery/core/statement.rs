//! What is said of a change set: which template makes it, how its counts are read, and the statement that applies it, with its partitions.

use super::BigQuery;
use crate::shape::{ColumnType, TablePlan};
use crate::warehouse::bigquery::client::{Param, Row};
use crate::warehouse::bigquery::partition::Partitioning;
use crate::warehouse::bigquery::sql::render;
use crate::warehouse::{ChangeRequest, Counts, Decision, WarehouseError};
use chrono::{DateTime, NaiveDate};
use contract::batch::Write;
use serde_json::{Value, json};

impl BigQuery {
    pub(super) fn keys(&self, request: &ChangeRequest) -> Vec<Value> {
        let kind =
            |key: &String| match self.work.columns.iter().find(|column| column.name == *key).map(|column| column.ty) {
                // Neither type can be compared or grouped by.
                Some(ColumnType::Json) => "json",
                Some(ColumnType::Float64) => "float",
                // Staged as an instant, and neither type becomes the other by itself.
                Some(ColumnType::Datetime) => "datetime",
                _ => "plain",
            };
        request.keys.iter().map(|key| json!({ "name": key, "kind": kind(key) })).collect()
    }

    /// How the existing target is partitioned, if by a column of the plan.
    pub(super) fn partitioning(&self, request: &ChangeRequest) -> Option<Partitioning> {
        let found = self.work.target.as_ref().and_then(|table| Partitioning::of_table(table, &self.work.columns));
        if request.table_exists
            && let Some((field, _)) = &self.work.partition_by
            && !found.as_ref().is_some_and(|found| {
                self.work.columns.iter().any(|column| column.name == found.column && column.field == *field)
            })
        {
            tracing::warn!(table = %request.table, "partition_by: {field} has no effect: a table's partitioning cannot be changed once it is made");
        }
        found.filter(|_| request.table_exists)
    }

    /// The statement that applies the change set, with its parameters' values, and how many rows it must change; `None`: nothing to do.
    pub(super) fn statement(
        &mut self,
        request: &ChangeRequest,
        plan: &TablePlan,
        decision: &Decision,
    ) -> Result<Option<(String, Option<u64>)>, WarehouseError> {
        let mut sum = Counts::default();
        for (account, counts) in &self.work.counts {
            if !decision.excluded.contains(account) {
                sum.inserted += counts.inserted;
                sum.updated += counts.updated;
                sum.deleted += if decision.keep.contains(account) { 0 } else { counts.deleted };
            }
        }
        sum.deleted = sum.deleted.saturating_sub(decision.spare.len() as u64);
        let columns: Vec<Value> =
            plan.columns.iter().map(|column| json!({ "name": column.name, "type": column.ty.name() })).collect();
        let mut names = json!({
            "target": self.target(&request.table),
            "staging": self.path(&self.work.staging),
            "changes": self.path(&self.work.changes),
            "columns": columns,
        });
        if sum.updated + sum.deleted == 0 {
            let text = if sum.inserted == 0 { None } else { Some((render("insert", &names)?, Some(sum.inserted))) };
            return Ok(text);
        }
        if request.write == Write::Replace {
            return Ok(Some((render("replace", &names)?, None)));
        }
        names["keys"] = self.keys(request).into();
        names["deletions"] = (sum.deleted > 0).into();
        names["spare"] = (!decision.spare.is_empty()).into();
        let partitioning = self.partitioning(request);
        names["partition"] = partitioning.as_ref().map(|partitioning| partitioning.column.clone()).into();
        if let Some(partitioning) = partitioning {
            let (days, without) = self.changed_partitions(request, decision)?;
            names["ranges"] = partitioning.ranges(&days).into();
            names["without_partition"] = without.into();
        }
        Ok(Some((render("merge", &names)?, Some(sum.inserted + sum.updated + sum.deleted))))
    }

    /// The days of the rows that change, and whether some have none.
    fn changed_partitions(
        &mut self,
        request: &ChangeRequest,
        decision: &Decision,
    ) -> Result<(Vec<NaiveDate>, bool), WarehouseError> {
        let what = format!("find the partitions of {} that change", request.table);
        let text = render("changed_partitions", &json!({ "changes": self.path(&self.work.changes) }))?;
        let params = [("excluded", Param::Texts(&decision.excluded)), ("keep", Param::Texts(&decision.keep))];
        let rows = self.client.rows(&what, "partitions", &text, &params)?;
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
}

/// The template of the change set's statement.
pub(super) fn changes_template(write: Write) -> &'static str {
    match write {
        Write::Merge => "merge_changes",
        Write::Append => "append_changes",
        Write::Replace => "replace_changes",
    }
}

/// A row of `counts.sql`.
pub(super) fn counts(row: Row, write: Write) -> Option<(String, Counts)> {
    let mut cells = row.into_iter();
    let account = cells.next()??;
    let newest = cells.next_back()?;
    let newest = newest.and_then(|text| DateTime::from_timestamp_micros(text.parse().ok()?));
    let numbers: Option<Vec<u64>> = cells.map(|cell| cell?.parse().ok()).collect();
    let [staged, distinct, inserted, updated, deleted, live]: [u64; 6] = numbers?.try_into().ok()?;
    let unchanged = match write {
        Write::Replace => staged.saturating_sub(inserted),
        Write::Merge | Write::Append => distinct.saturating_sub(inserted + updated),
    };
    Some((account, Counts { staged, distinct, inserted, updated, deleted, unchanged, live, newest }))
}
