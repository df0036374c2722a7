//! BigQuery's side of [`Warehouse`]: staging, change set, apply.
//! Everything before `apply` lives in the staging dataset and expires by itself; `apply` is one atomic statement whose job id
//! every attempt of the same run would choose, so that it is never run twice.

mod statement;

use statement::{changes_template, counts};

use super::adopt;
use super::apply_note::{ApplyNote, Next};
use super::client::{Client, Param};
use super::cost;
use super::job::JobOrder;
use super::logs;
use super::memory;
use super::partition::Partitioning;
use super::places::{Place, Prepared};
use super::schema;
use super::sql::{render, timestamp};
use super::staging::{self, Staged};
use super::table;
use crate::shape::{ColumnPlan, ColumnType, Hint, TablePlan};
use crate::warehouse::{
    Adopted, Adoption, Applied, ChangeRequest, Commit, Counts, Decision, ExistingTable, LastApplied, Spent, TableId,
    TableName, TableOrder, Warehouse, WarehouseError,
};
use arrow::array::RecordBatch;
use chrono::{DateTime, TimeDelta, Utc};
use contract::batch::Write;
use contract::landing::Landing;
use contract::report::UnitReport;
use contract::run_id::RunId;
use contract::unit::Unit;
use crossbeam_channel::Receiver;
use gcp_bigquery_client::model::job_configuration_load::JobConfigurationLoad;
use gcp_bigquery_client::model::table_reference::TableReference;
use gcp_bigquery_client::model::table_schema::TableSchema;
use serde_json::{Value, json};
use std::sync::Arc;

/// Staging tables that are left behind go after this time.
const EXPIRES_AFTER: TimeDelta = TimeDelta::hours(24);

/// The longest value of a label ("Requirements for labels").
const LONGEST_LABEL: usize = 63;

/// One place's BigQuery, for one table at a time.
#[derive(Debug)]
pub struct BigQuery {
    place: Place,
    prepared: Arc<Prepared>,
    landing: Arc<dyn Landing>,
    client: Client,
    work: Work,
}

/// What is known of the table that is being loaded.
#[derive(Debug, Default)]
struct Work {
    partition_by: Option<(String, contract::pipeline::PartitionEvery)>,
    /// Where the Parquet files lie.
    folder: String,
    staging: String,
    changes: String,
    /// Without the number of the attempt.
    apply_stem: String,
    apply_next: Next,
    /// `tables.get`.
    target: Option<Value>,
    staged: Staged,
    columns: Vec<ColumnPlan>,
    counts: Vec<(String, Counts)>,
    expires: DateTime<Utc>,
    has_tables: bool,
}

impl BigQuery {
    pub(super) fn new(place: Place, prepared: Arc<Prepared>, landing: Arc<dyn Landing>) -> Self {
        let client = prepared.client.clone();
        Self { place, prepared, landing, client, work: Work::default() }
    }

    fn path(&self, table: &str) -> Value {
        json!([self.place.project, self.place.staging_dataset, table])
    }

    fn target(&self, table: &TableName) -> Value {
        json!([self.place.project, table.schema, table.table])
    }

    /// Loads the staged files into the staging table, once for the whole table.
    fn load(&mut self, what: &str) -> Result<(), WarehouseError> {
        let dataset = self.place.staging_dataset.clone();
        let fields = schema::staging_fields(&self.work.columns);
        // Made beforehand, because a load job cannot say when its table expires.
        let body = json!({
            "schema": { "fields": fields },
            "expirationTime": self.work.expires.timestamp_millis().to_string(),
            "labels": self.client.labels.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect::<serde_json::Map<String, Value>>(),
        });
        self.work.has_tables = true;
        self.client.create_table(&dataset, &self.work.staging, body)?;
        if self.work.staged.paths.is_empty() {
            return Ok(());
        }
        let bucket = self.landing.location().trim_end_matches('/').to_owned();
        let load = JobConfigurationLoad {
            source_uris: Some(self.work.staged.paths.iter().map(|path| format!("{bucket}/{path}")).collect()),
            source_format: Some("PARQUET".into()),
            schema: Some(TableSchema { fields: Some(fields) }),
            destination_table: Some(TableReference::new(&self.place.project, &dataset, &self.work.staging)),
            create_disposition: Some("CREATE_NEVER".into()),
            // Nothing is there yet: were a load run twice, the second would fail instead of doubling the rows.
            write_disposition: Some("WRITE_EMPTY".into()),
            decimal_target_types: Some(vec!["NUMERIC".into()]),
            ..JobConfigurationLoad::default()
        };
        let configuration = json!({ "load": load });
        let job = self.client.run(&JobOrder::fresh(what, "load", &self.client.nonce, configuration))?;
        let told = cost::number(&job["statistics"]["load"]["outputRows"]);
        if told != Some(self.work.staged.rows) {
            let message = format!("{} rows were staged, but the load job reports {told:?}", self.work.staged.rows);
            return Err(WarehouseError::Statement { what: what.into(), message });
        }
        Ok(())
    }

    /// Gives a table that is there the identity that it lacks.
    fn identify(&self, table: &TableName, commit: &Commit<'_>) -> Result<(), WarehouseError> {
        match (&self.work.target, commit.identity) {
            (Some(found), Some(identity)) if identity.is_new => {
                memory::identify(&self.client, table, found, &identity.id)
            }
            _ => Ok(()),
        }
    }
}

impl Warehouse for BigQuery {
    fn begin(&mut self, order: &TableOrder) {
        let label = |text: &str| -> String {
            let lower = text.to_lowercase();
            let plain = lower.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' });
            plain.take(LONGEST_LABEL).collect()
        };
        let mut labels = vec![("run".to_owned(), label(order.run_id.as_str()))];
        if let Some(unit) = order.units.first() {
            labels.push(("source".into(), label(&unit.source)));
            labels.push(("stream".into(), label(&unit.stream)));
        }
        let unique = format!("{:08x}", rand::random::<u32>());
        let run = order.run_id.as_str();
        let name = format!("{}__{}__{unique}", order.table.table, run.replace('-', "_"));
        let whole = format!("{}.{}.{}", self.place.project, order.table.schema, order.table.table);
        let digest = &blake3::hash(whole.as_bytes()).to_hex()[..16];
        self.client = self.prepared.client.labelled(labels);
        self.work = Work {
            partition_by: order.partition_by.clone(),
            folder: format!("staging/{run}/{}-{unique}", order.table.table),
            changes: format!("{name}__changes"),
            staging: name,
            apply_stem: format!("drayage_apply_{run}_{digest}"),
            expires: Utc::now() + EXPIRES_AFTER,
            ..Work::default()
        };
    }

    fn describe(&mut self, table: &TableName) -> Result<Option<ExistingTable>, WarehouseError> {
        // First of all: another attempt of this run may have left its statement running. What it does must be seen by all that follows.
        let what = format!("look for earlier loads of {table}");
        self.work.apply_next = ApplyNote::settle(&self.client, self.landing.as_ref(), &what, &self.work.apply_stem)?;
        self.work.target = self.client.table(&table.schema, &table.table)?;
        let described =
            |found: &Value| Ok(ExistingTable { id: memory::identity(found), columns: table::columns(table, found)? });
        self.work.target.as_ref().map(described).transpose()
    }

    fn remembered(&mut self, id: Option<&TableId>, unit: &Unit) -> Result<Vec<Applied>, WarehouseError> {
        let is_meant = |applied: &&Applied| {
            let is_of_table = id.is_some() && applied.table_id.as_ref() == id;
            applied.unit == *unit || (is_of_table && applied.unit.account == unit.account)
        };
        Ok(self.prepared.memory.iter().filter(is_meant).cloned().collect())
    }

    fn is_exact_as_double(&mut self, table: &TableName, column: &str) -> Result<bool, WarehouseError> {
        let text = render("is_exact_as_double", &json!({ "target": self.target(table), "column": column }))?;
        let rows = self.client.rows("check a column's values", "check", &text, &[])?;
        Ok(rows.first().and_then(|row| row.first()?.as_deref()) == Some("true"))
    }

    /// "ALTER COLUMN SET DATA TYPE" (documentation of data definition statements) changes whole numbers into wider ones alone.
    fn can_change(
        &mut self,
        table: &TableName,
        column: &str,
        from: ColumnType,
        to: &Hint,
    ) -> Result<bool, WarehouseError> {
        match (from, to.ty) {
            (ColumnType::Int64, ColumnType::Numeric) => Ok(true),
            (ColumnType::Int64, ColumnType::Float64) => self.is_exact_as_double(table, column),
            _ => Ok(false),
        }
    }

    fn dropping(&self, table: &TableName, column: &str) -> Result<String, WarehouseError> {
        render("drop_column", &json!({ "target": self.target(table), "column": column }))
    }

    fn stage(&mut self, plan: &TablePlan, rows: &Receiver<RecordBatch>) -> Result<(), WarehouseError> {
        self.work.columns.clone_from(&plan.columns);
        let runtime = self.client.runtime.clone();
        let before = std::mem::take(&mut self.work.staged);
        // A second pass writes the same names from the first on; what it does not reach would be loaded with it.
        self.work.staged = staging::write(&plan.columns, rows, self.landing.as_ref(), &runtime, &self.work.folder)?;
        for path in before.paths.iter().filter(|path| !self.work.staged.paths.contains(path)) {
            if let Err(error) = runtime.block_on(self.landing.remove(path)) {
                tracing::debug!(%error, path, "failed to remove a staged file; the bucket's lifecycle rule does");
            }
        }
        Ok(())
    }

    fn change_set(&mut self, request: &ChangeRequest) -> Result<Vec<Counts>, WarehouseError> {
        let what = format!("compare with {}", request.table);
        self.load(&format!("load the staged rows of {}", request.table))?;
        let accounts: Vec<String> = request.accounts.iter().map(|account| account.account.clone()).collect();
        let may_delete: Vec<String> = request
            .accounts
            .iter()
            .filter(|account| account.may_delete)
            .map(|account| account.account.clone())
            .collect();
        let partitioning = self.partitioning(request);
        let names = json!({
            "target": self.target(&request.table),
            "staging": self.path(&self.work.staging),
            "changes": self.path(&self.work.changes),
            "expires": timestamp(self.work.expires),
            "table_exists": request.table_exists,
            "keys": self.keys(request),
            "rewrite": request.rewrite,
            "partition": partitioning.as_ref().map(|partitioning| partitioning.column.clone()),
            "partition_type": partitioning.as_ref().map(|partitioning| partitioning.ty.name()),
            "write": request.write,
            "named": request.accounts.iter().any(|account| account.named.is_some()),
        });
        let (template, params): (&str, Vec<(&str, Param<'_>)>) = match (request.write, request.table_exists) {
            (_, false) => (changes_template(request.write), Vec::new()),
            (Write::Append, true) => ("append_changes", vec![("accounts", Param::Texts(&accounts))]),
            (write, true) => (
                changes_template(write),
                vec![("accounts", Param::Texts(&accounts)), ("may_delete", Param::Texts(&may_delete))],
            ),
        };
        let text = render(template, &names)?;
        let is_named = |account: &&crate::warehouse::AccountChange| account.named.is_some();
        let named_accounts: Vec<String> =
            request.accounts.iter().filter(is_named).map(|account| account.account.clone()).collect();
        let named: Vec<String> =
            request.accounts.iter().filter_map(|account| account.named.as_ref()).flatten().cloned().collect();
        let mut params = params;
        if text.contains("@named_accounts") {
            params.extend([("named_accounts", Param::Texts(&named_accounts)), ("named", Param::Texts(&named))]);
        }
        self.client.statement(&what, "changes", &text, &params)?;
        let text = render("counts", &names)?;
        let rows = self.client.rows(&what, "counts", &text, &[("accounts", Param::Texts(&accounts))])?;
        let counted: Vec<(String, Counts)> = rows.into_iter().filter_map(|row| counts(row, request.write)).collect();
        let of = |account: &String| counted.iter().find(|(id, _)| id == account).map(|(_, counts)| *counts);
        let found: Option<Vec<Counts>> = accounts.iter().map(of).collect();
        let Some(found) = found else {
            return Err(WarehouseError::Statement { what, message: "the counts lack an account".into() });
        };
        self.work.counts = accounts.into_iter().zip(found.iter().copied()).collect();
        Ok(found)
    }

    fn absent(&mut self, request: &ChangeRequest) -> Result<Vec<String>, WarehouseError> {
        let names = json!({ "changes": self.path(&self.work.changes), "keys": self.keys(request) });
        let text = render("absent", &names)?;
        let what = format!("list the rows that are missing from {}", request.table);
        let rows = self.client.rows(&what, "absent", &text, &[])?;
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }

    fn apply(
        &mut self,
        request: &ChangeRequest,
        plan: &TablePlan,
        decision: &Decision,
        commit: &Commit<'_>,
    ) -> Result<(), WarehouseError> {
        let table = &request.table;
        let what = format!("write into {table}");
        let log_dataset = self.place.log_dataset.clone();
        let mut logging = self.client.clone();
        memory::forget(&mut logging, &log_dataset, table, commit)?;
        if request.table_exists {
            self.identify(table, commit)?;
            table::alter(&mut self.client, request, plan)?;
        } else {
            let partitioning = self.work.partition_by.as_ref().map(|(field, every)| {
                let column = plan.own_column(field);
                Partitioning::plan(column, field, *every)
                    .map_err(|message| WarehouseError::Table { table: table.to_string(), message })
            });
            let Some(identity) = commit.identity else {
                let message = "internal error: a new table without an identity".to_owned();
                return Err(WarehouseError::Table { table: table.to_string(), message });
            };
            table::create(&self.client, request, plan, &identity.id, partitioning.transpose()?.as_ref())?;
        }
        logs::schema_changes(&mut logging, &log_dataset, request, plan, commit)?;
        if let Some((text, expected)) = self.statement(request, plan, decision)? {
            let mut params =
                vec![("synced", Param::Instant(commit.synced)), ("excluded", Param::Texts(&decision.excluded))];
            if text.contains("@keep") {
                params.push(("keep", Param::Texts(&decision.keep)));
            }
            if text.contains("@spare") {
                params.push(("spare", Param::Texts(&decision.spare)));
            }
            // The last moment: a lost lease means that another run may be at work.
            if let Some(reason) = self.client.shutdown.reason() {
                return Err(WarehouseError::Statement {
                    what,
                    message: format!("stopped by {reason} before anything was changed"),
                });
            }
            let note = ApplyNote::new(&self.work.apply_stem, self.work.apply_next.attempt);
            note.write(&self.client, self.landing.as_ref())?;
            let configuration = self.client.query_configuration("apply", &text, &params);
            let job =
                self.client.run(&JobOrder::fixed(&what, &self.work.apply_stem, self.work.apply_next, configuration))?;
            // Nobody needs to look for it any more. Without this word the next load does.
            if let Err(error) = note.ended().write(&self.client, self.landing.as_ref()) {
                tracing::debug!(%error, "failed to note that the statement has ended");
            }
            cost::add(&mut self.client.spent, &job);
            let changed = cost::number(&job["statistics"]["query"]["numDmlAffectedRows"]);
            if let (Some(expected), Some(changed)) = (expected, changed)
                && expected != changed
            {
                let message = format!(
                    "{expected} rows were to change, but {changed} did: someone else has changed the table meanwhile; load the run again"
                );
                return Err(WarehouseError::Statement { what, message });
            }
        }
        let mut units = commit.units.to_vec();
        self.client.spent.share(&mut units);
        logs::units(&mut logging, &log_dataset, commit.run_id, &commit.stage, &units)?;
        memory::learn(&mut logging, &log_dataset, table, commit)
    }

    fn record(&mut self, table: &TableName, commit: &Commit<'_>) -> Result<(), WarehouseError> {
        let log_dataset = self.place.log_dataset.clone();
        let mut logging = self.client.clone();
        memory::forget(&mut logging, &log_dataset, table, commit)?;
        self.identify(table, commit)?;
        logs::units(&mut logging, &log_dataset, commit.run_id, &commit.stage, commit.units)?;
        memory::learn(&mut logging, &log_dataset, table, commit)
    }

    fn spent(&self) -> Spent {
        self.client.spent
    }

    fn take_more_memory(&mut self) -> Result<bool, WarehouseError> {
        Ok(false)
    }

    fn drop_staging(&mut self) -> Result<(), WarehouseError> {
        let staged = std::mem::take(&mut self.work.staged);
        for path in &staged.paths {
            if let Err(error) = self.client.runtime.block_on(self.landing.remove(path)) {
                tracing::debug!(%error, path, "failed to remove a staged file; the bucket's lifecycle rule does");
            }
        }
        if !std::mem::take(&mut self.work.has_tables) {
            return Ok(());
        }
        let dataset = &self.place.staging_dataset;
        self.client.drop_table(dataset, &self.work.staging)?;
        self.client.drop_table(dataset, &self.work.changes)
    }

    fn last_applied(&mut self, unit: &Unit) -> Result<Option<LastApplied>, WarehouseError> {
        Ok(self.prepared.applied.get(unit).cloned())
    }

    fn adopt(&mut self, adoption: &Adoption<'_>) -> Result<Adopted, WarehouseError> {
        adopt::adopt(&mut self.client, &self.place.log_dataset, adoption)
    }

    fn log(&mut self, run_id: &RunId, stage: &str, units: &[UnitReport]) -> Result<(), WarehouseError> {
        let mut logging = self.client.clone();
        logs::units(&mut logging, &self.place.log_dataset, run_id, stage, units)
    }
}
