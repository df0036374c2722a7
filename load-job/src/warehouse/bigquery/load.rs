//! The load of a table into BigQuery up to its change set, which lies in the staging dataset.

use super::changes::Changes;
use super::client::{Param, Row};
use super::open::Open;
use super::partition::Partitioning;
use super::schema::StagedKind;
use super::sql::{render, timestamp};
use super::{logs, memory};
use crate::shape::{ColumnPlan, ColumnType};
use crate::warehouse::templates::with;
use crate::warehouse::{
    AccountChange, ChangeRequest, ChangeSet, Commit, Counts, History, Staged, TableLoad, Target, WarehouseError,
};
use arrow::array::RecordBatch;
use chrono::DateTime;
use crossbeam_channel::Receiver;
use serde_json::{Value, json};

/// A table that is open.
pub(super) struct Load<'w> {
    pub(super) open: Open<'w>,
}

/// A table whose records' keys are staged.
struct Keys<'w> {
    open: Open<'w>,
}

impl<'w> TableLoad<'w> for Load<'w> {
    fn target(&mut self) -> &mut dyn Target {
        &mut self.open
    }

    fn history(&self) -> &History {
        &self.open.warehouse.prepared.history
    }

    fn keys(
        mut self: Box<Self>,
        keys: &[ColumnPlan],
        rows: &Receiver<RecordBatch>,
    ) -> Result<Box<dyn Staged<'w> + 'w>, WarehouseError> {
        self.open.stage("keys", keys, StagedKind::Keys, rows)?;
        Ok(Box::new(Keys { open: self.open }))
    }
}

impl<'w> Staged<'w> for Keys<'w> {
    fn target(&mut self) -> &mut dyn Target {
        &mut self.open
    }

    fn compare(mut self: Box<Self>, request: ChangeRequest) -> Result<Box<dyn ChangeSet<'w> + 'w>, WarehouseError> {
        let open = &mut self.open;
        let what = format!("compare with {}", open.table);
        let of = |account: &AccountChange| account.account.clone();
        let accounts: Vec<String> = request.accounts.iter().map(of).collect();
        let may_delete: Vec<String> = request.accounts.iter().filter(|account| account.may_delete).map(of).collect();
        let named_accounts: Vec<String> =
            request.accounts.iter().filter(|account| account.named.is_some()).map(of).collect();
        let named: Vec<String> =
            request.accounts.iter().filter_map(|account| account.named.as_ref()).flatten().cloned().collect();
        let partitioning = partitioning(open, &request);
        let names = json!({
            "target": open.target_path(),
            "staging": open.staging_path("keys"),
            "changes": open.staging_path("changes"),
            "expires": timestamp(open.expires),
            "table_exists": open.existing.is_some(),
            "keys": keys(&request),
            "rewrite": request.rewrite,
            "partition": partitioning.as_ref().map(|partitioning| partitioning.column.clone()),
            "partition_type": partitioning.as_ref().map(|partitioning| partitioning.ty.name()),
            "named": !named_accounts.is_empty(),
        });
        let word = request.write.as_str();
        let text = render(&format!("{word}_changes"), &names)?;
        let given = [
            ("accounts", Param::Texts(&accounts)),
            ("may_delete", Param::Texts(&may_delete)),
            ("named_accounts", Param::Texts(&named_accounts)),
            ("named", Param::Texts(&named)),
        ];
        open.will_make("changes");
        open.client.statement(&what, "changes", &text, &used(&text, &given))?;
        let net = render(&format!("{word}_counts"), &names)?;
        let text = render("counts", &with(&names, json!({ "net": net })))?;
        let rows = open.client.rows(&what, "counts", &text, &used(&text, &given))?;
        let counted: Vec<(String, Counts)> = rows.into_iter().filter_map(counts).collect();
        let of = |account: &String| counted.iter().find(|(id, _)| id == account).map(|(_, counts)| *counts);
        let found: Option<Vec<Counts>> = accounts.iter().map(of).collect();
        let Some(counts) = found else {
            return Err(WarehouseError::Statement { what, message: "the counts lack an account".into() });
        };
        Ok(Box::new(Changes { open: self.open, request, counts, partitioning }))
    }

    fn record(self: Box<Self>, commit: &Commit<'_>) -> Result<(), WarehouseError> {
        record(&self.open, commit)
    }
}

/// Writes the log rows and the memory of what changes nothing.
pub(super) fn record(open: &Open<'_>, commit: &Commit<'_>) -> Result<(), WarehouseError> {
    let (mut client, dataset) = open.logging();
    memory::forget(&mut client, dataset, &open.table, commit)?;
    open.identify(commit)?;
    logs::units(&mut client, dataset, commit.run_id, &commit.stage, commit.units)?;
    memory::learn(&mut client, dataset, &open.table, commit)
}

/// The parameters that a statement has: BigQuery is told of no others.
pub(super) fn used<'p>(text: &str, params: &[(&'p str, Param<'p>)]) -> Vec<(&'p str, Param<'p>)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names: Vec<&str> = text.split('@').skip(1).filter_map(|rest| rest.split(|c| !is_word(c)).next()).collect();
    params.iter().filter(|(name, _)| names.contains(name)).cloned().collect()
}

/// What a template sees of the key.
pub(super) fn keys(request: &ChangeRequest) -> Vec<Value> {
    let kind = |key: &ColumnPlan| match key.ty {
        // Neither type can be compared or grouped by.
        ColumnType::Json => "json",
        ColumnType::Float64 => "float",
        // Staged as an instant, and neither type becomes the other by itself.
        ColumnType::Datetime => "datetime",
        _ => "plain",
    };
    request.keys.iter().map(|key| json!({ "name": key.name, "kind": kind(key) })).collect()
}

/// How the existing target is partitioned, if by a column of the plan.
fn partitioning(open: &Open<'_>, request: &ChangeRequest) -> Option<Partitioning> {
    let columns = &request.plan.columns;
    let found = open.found.as_ref().and_then(|table| Partitioning::of_table(table, columns));
    if open.existing.is_some()
        && let Some((field, _)) = &open.partition_by
        && !found
            .as_ref()
            .is_some_and(|found| columns.iter().any(|column| column.name == found.column && column.field == *field))
    {
        tracing::warn!(table = %open.table, "partition_by: {field} has no effect: a table's partitioning cannot be changed once it is made");
    }
    found
}

/// A row of `counts.sql`.
fn counts(row: Row) -> Option<(String, Counts)> {
    let mut cells = row.into_iter();
    let account = cells.next()??;
    let newest = cells.next_back()?;
    let newest = newest.and_then(|text| DateTime::from_timestamp_micros(text.parse().ok()?));
    let numbers: Option<Vec<u64>> = cells.map(|cell| cell?.parse().ok()).collect();
    let [staged, distinct, inserted, updated, deleted, unchanged, written, live]: [u64; 8] =
        numbers?.try_into().ok()?;
    Some((account, Counts { staged, distinct, inserted, updated, deleted, unchanged, written, live, newest }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_told_of_its_own_parameters_alone() {
        let given = ["named", "named_accounts", "accounts"].map(|name| (name, Param::Text("")));
        let found = |text: &str| used(text, &given).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(found("x IN UNNEST(@named_accounts) AND y = @accounts"), ["named_accounts", "accounts"]);
        assert_eq!(found("SELECT 1"), Vec::<&str>::new());
        assert_eq!(found("@named"), ["named"]);
    }
}
