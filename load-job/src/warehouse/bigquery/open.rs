//! A table of BigQuery that is open for a load: what is there, where its parts are staged, and what its sessions take away when they end.
//! Everything before the apply lies in the staging dataset and the landing zone, and expires by itself.

use super::apply_note::{ApplyNote, Next};
use super::client::Client;
use super::core::BigQuery;
use super::cost;
use super::job::JobOrder;
use super::memory;
use super::schema::{self, StagedKind};
use super::sql::render;
use super::staging;
use super::table;
use crate::shape::{ColumnPlan, ColumnType, Hint};
use crate::warehouse::{Commit, ExistingTable, TableName, TableOrder, Target, WarehouseError};
use arrow::array::RecordBatch;
use chrono::{DateTime, TimeDelta, Utc};
use contract::pipeline::PartitionEvery;
use crossbeam_channel::Receiver;
use gcp_bigquery_client::model::job_configuration_load::JobConfigurationLoad;
use gcp_bigquery_client::model::table_reference::TableReference;
use gcp_bigquery_client::model::table_schema::TableSchema;
use serde_json::{Value, json};

/// Staging tables that are left behind go after this time.
const EXPIRES_AFTER: TimeDelta = TimeDelta::hours(24);

/// The table.
pub(super) struct Open<'w> {
    pub(super) warehouse: &'w BigQuery,
    /// For this table: it counts what its statements cost.
    pub(super) client: Client,
    pub(super) table: TableName,
    pub(super) partition_by: Option<(String, PartitionEvery)>,
    pub(super) existing: Option<ExistingTable>,
    /// `tables.get`.
    pub(super) found: Option<Value>,
    /// Of the apply's job, without the number of the attempt.
    pub(super) apply_stem: String,
    pub(super) apply_next: Next,
    pub(super) expires: DateTime<Utc>,
    /// Begins the name of every staging table.
    stem: String,
    /// Where the Parquet files lie.
    folder: String,
    staged: Vec<String>,
    tables: Vec<String>,
}

impl<'w> Open<'w> {
    pub(super) fn describe(warehouse: &'w BigQuery, order: &TableOrder) -> Result<Self, WarehouseError> {
        let table = &order.table;
        let unique = format!("{:08x}", rand::random::<u32>());
        let run = order.run_id.as_str();
        let whole = format!("{}.{}.{}", warehouse.place.project, table.schema, table.table);
        let digest = &blake3::hash(whole.as_bytes()).to_hex()[..16];
        let client = warehouse.client_for(order);
        let apply_stem = format!("drayage_apply_{run}_{digest}");
        // First of all: another attempt of this run may have left its statement running. What it does must be seen by all that follows.
        let what = format!("look for earlier loads of {table}");
        let apply_next = ApplyNote::settle(&client, warehouse.landing.as_ref(), &what, &apply_stem)?;
        let found = client.table(&table.schema, &table.table)?;
        let described =
            |found: &Value| Ok(ExistingTable { id: memory::identity(found), columns: table::columns(table, found)? });
        Ok(Self {
            warehouse,
            client,
            table: table.clone(),
            partition_by: order.partition_by.clone(),
            existing: found.as_ref().map(described).transpose()?,
            found,
            apply_stem,
            apply_next,
            expires: Utc::now() + EXPIRES_AFTER,
            stem: format!("{}__{}__{unique}", table.table, run.replace('-', "_")),
            folder: format!("staging/{run}/{}-{unique}", table.table),
            staged: Vec::new(),
            tables: Vec::new(),
        })
    }

    /// The path of the target, for the templates.
    pub(super) fn target_path(&self) -> Value {
        json!([self.warehouse.place.project, self.table.schema, self.table.table])
    }

    /// The path of a staging table, for the templates.
    pub(super) fn staging_path(&self, part: &str) -> Value {
        json!([self.warehouse.place.project, self.warehouse.place.staging_dataset, self.staging_name(part)])
    }

    fn staging_name(&self, part: &str) -> String {
        format!("{}__{part}", self.stem)
    }

    /// A staging table that a statement makes goes with the others.
    pub(super) fn will_make(&mut self, part: &str) {
        self.tables.push(self.staging_name(part));
    }

    /// Stages rows until the channel closes: as Parquet files in the landing zone, loaded by one job into a table of the staging dataset.
    /// How many there were.
    pub(super) fn stage(
        &mut self,
        part: &str,
        columns: &[ColumnPlan],
        kind: StagedKind,
        rows: &Receiver<RecordBatch>,
    ) -> Result<u64, WarehouseError> {
        let (landing, runtime) = (self.warehouse.landing.clone(), self.client.runtime.clone());
        let folder = format!("{}/{part}", self.folder);
        let written = staging::write(columns, rows, landing.as_ref(), &runtime, &folder, &mut self.staged)?;
        let what = format!("load the staged {part} of {}", self.table);
        let place = &self.warehouse.place;
        let fields = schema::staging_fields(columns, kind);
        // Made beforehand, because a load job cannot say when its table expires.
        let body = json!({
            "schema": { "fields": fields },
            "expirationTime": self.expires.timestamp_millis().to_string(),
            "labels": self.client.labels.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect::<serde_json::Map<String, Value>>(),
        });
        self.will_make(part);
        self.client.create_table(&place.staging_dataset, &self.staging_name(part), body)?;
        if written.paths.is_empty() {
            return Ok(0);
        }
        let bucket = landing.location().trim_end_matches('/').to_owned();
        let load = JobConfigurationLoad {
            source_uris: Some(written.paths.iter().map(|path| format!("{bucket}/{path}")).collect()),
            source_format: Some("PARQUET".into()),
            schema: Some(TableSchema { fields: Some(fields) }),
            destination_table: Some(TableReference::new(
                &place.project,
                &place.staging_dataset,
                &self.staging_name(part),
            )),
            create_disposition: Some("CREATE_NEVER".into()),
            // Nothing is there yet: were a load run twice, the second would fail instead of doubling the rows.
            write_disposition: Some("WRITE_EMPTY".into()),
            decimal_target_types: Some(vec!["NUMERIC".into()]),
            ..JobConfigurationLoad::default()
        };
        let configuration = json!({ "load": load });
        let job = self.client.run(&JobOrder::fresh(&what, "load", &self.client.nonce, configuration))?;
        let told = cost::number(&job["statistics"]["load"]["outputRows"]);
        if told != Some(written.rows) {
            let message = format!("{} rows were staged, but the load job reports {told:?}", written.rows);
            return Err(WarehouseError::Statement { what, message });
        }
        Ok(written.rows)
    }

    /// Gives a table that is there the identity that it lacks.
    pub(super) fn identify(&self, commit: &Commit<'_>) -> Result<(), WarehouseError> {
        match (&self.found, commit.identity) {
            (Some(found), Some(identity)) if identity.is_new => {
                memory::identify(&self.client, &self.table, found, &identity.id)
            }
            _ => Ok(()),
        }
    }

    /// A client for statements about the log, whose costs are not the table's.
    pub(super) fn logging(&self) -> (Client, &'w str) {
        (self.client.clone(), &self.warehouse.place.log_dataset)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        for path in &self.staged {
            if let Err(error) = self.client.runtime.block_on(self.warehouse.landing.remove(path)) {
                tracing::debug!(%error, path, "failed to remove a staged file; the bucket's lifecycle rule does");
            }
        }
        for table in &self.tables {
            if let Err(error) = self.client.drop_table(&self.warehouse.place.staging_dataset, table) {
                tracing::warn!(table = %self.table, %error, "failed to drop the staging table; it expires by itself");
            }
        }
    }
}

impl Target for Open<'_> {
    fn table(&self) -> &TableName {
        &self.table
    }

    fn existing(&self) -> Option<&ExistingTable> {
        self.existing.as_ref()
    }

    fn is_exact_as_double(&mut self, column: &str) -> Result<bool, WarehouseError> {
        let text = render("is_exact_as_double", &json!({ "target": self.target_path(), "column": column }))?;
        let rows = self.client.rows("check a column's values", "check", &text, &[])?;
        Ok(rows.first().and_then(|row| row.first()?.as_deref()) == Some("true"))
    }

    /// "ALTER COLUMN SET DATA TYPE" (documentation of data definition statements) changes whole numbers into wider ones alone.
    fn can_change(&mut self, column: &str, from: ColumnType, to: &Hint) -> Result<bool, WarehouseError> {
        match (from, to.ty) {
            (ColumnType::Int64, ColumnType::Numeric) => Ok(true),
            (ColumnType::Int64, ColumnType::Float64) => self.is_exact_as_double(column),
            _ => Ok(false),
        }
    }

    fn dropping(&self, column: &str) -> Result<String, WarehouseError> {
        render("drop_column", &json!({ "target": self.target_path(), "column": column }))
    }
}
