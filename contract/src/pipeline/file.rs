//! The pipeline file's types. Its JSON Schema is generated from them, and the same schema checks the file.
//! Every type is strict: a key that is not here is an error.

use super::launching::{NotifyEntry, OrchestratorEntry};
use super::redact::{Mask, RedactEntry};
use super::span::Span;
use crate::batch::Write;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A Drayage pipeline: which APIs to read, where the records land and which warehouse they go to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineFile {
    /// The landing zone: a folder (relative to this file) or `gs://bucket/prefix`.
    pub landing: LandingEntry,
    /// Where the tables are.
    pub warehouse: WarehouseEntry,
    /// What to read.
    #[schemars(length(min = 1))]
    pub sources: Vec<SourceEntry>,
    /// How many units a task works on at the same time (default 4).
    #[serde(default)]
    #[schemars(range(min = 1, max = 64))]
    pub concurrency: Option<usize>,
    /// The most MiB of one answer of an API, uncompressed (default 64). A larger one fails its stream: each page is in memory as a whole.
    #[serde(default)]
    #[schemars(range(min = 1, max = 4096))]
    pub max_page_mib: Option<u32>,
    /// How a run is started.
    #[serde(default)]
    pub orchestrator: OrchestratorEntry,
    /// Who is told when a run ends.
    #[serde(default)]
    pub notify: NotifyEntry,
    /// The secret that goes into the hashes of redacted fields: `${env:REDACT_SALT}`. With another salt the same value has another hash.
    #[serde(default)]
    pub redact_salt: Option<String>,
    /// When rows that a reading lacked are looked for once more, so that they can be marked as deleted (default `same_run`).
    #[serde(default)]
    pub confirm_deletes: Option<ConfirmDeletes>,
}

/// When rows that a complete reading lacked are looked for once more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmDeletes {
    /// The orchestrator reads the streams with such rows once more, in the same run.
    #[default]
    SameRun,
    /// The next run reads them anyway.
    NextRun,
}

/// The landing zone, as a path or as a map.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum LandingEntry {
    /// Only the place.
    Path(String),
    /// The place and how parts are compressed.
    Map(LandingMap),
}

/// The landing zone with its settings.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LandingMap {
    /// A folder or `gs://bucket/prefix`.
    pub path: String,
    /// How parts are compressed (default gzip).
    #[serde(default)]
    pub compression: Compression,
    /// A folder: how long batches and rejected records are kept, for example `30d` (default: for ever). What the next runs need stays.
    /// Cloud Storage has lifecycle rules for it.
    #[serde(default)]
    pub keep: Option<Span>,
}

/// The compression of parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// gzip, which BigQuery reads too.
    #[default]
    Gzip,
    /// Zstandard: smaller and faster.
    Zstd,
}

impl Compression {
    /// The end of a part's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Zstd => "zst",
        }
    }
}

/// The warehouse.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum WarehouseEntry {
    /// A DuckDB file on this machine.
    Duckdb {
        /// The file (relative to this file); it is created when missing.
        path: String,
        /// The schema of the tables (default `bronze`).
        #[serde(default = "bronze")]
        schema: String,
        /// The schema of the log tables (default `management`).
        #[serde(default = "management")]
        log_schema: String,
        /// The most memory that DuckDB may use, for example `2GB` (default: 64 MiB for rows on their way, and more where a table needs it).
        #[serde(default)]
        memory_limit: Option<String>,
        /// How long the load waits while another program has the file open (default `5m`).
        #[serde(default)]
        wait: Option<Span>,
    },
    /// Google BigQuery.
    Bigquery {
        /// The Google Cloud project.
        project: String,
        /// The dataset of the tables (default `bronze`).
        #[serde(default = "bronze")]
        dataset: String,
        /// The dataset of the staging tables (default `staging`).
        #[serde(default = "staging")]
        staging_dataset: String,
        /// The dataset of the log tables (default `management`).
        #[serde(default = "management")]
        log_dataset: String,
        /// The location, for example `US`.
        #[serde(default)]
        location: Option<String>,
        /// A query that would be billed for more bytes is refused.
        #[serde(default)]
        maximum_bytes_billed: Option<u64>,
    },
}

fn bronze() -> String {
    "bronze".into()
}

fn staging() -> String {
    "staging".into()
}

fn management() -> String {
    "management".into()
}

/// One source: a connector, its accounts and its streams.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceEntry {
    /// A built-in connector's name, or the path of a manifest.
    pub connector: String,
    /// The source's name in paths and logs (default: the connector's name); unique.
    #[serde(default)]
    pub name: Option<String>,
    /// The accounts (companies), each with its own credentials.
    #[schemars(length(min = 1))]
    pub accounts: Vec<AccountEntry>,
    /// The streams to read (default: all of the connector's).
    #[serde(default)]
    pub streams: Option<Vec<StreamEntry>>,
    /// Credentials may go over `http://` to another machine, where everybody on the way can read them (default false).
    #[serde(default)]
    pub allow_plain_http: bool,
}

/// One account of a source.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountEntry {
    /// The account's id in paths, logs and the column `_etl_account`; unique in its source.
    pub id: String,
    /// The connector's settings; secrets as `${env:NAME}`, `${file:PATH}` or `${secret:projects/P/secrets/S/versions/V}`.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// What is different in the warehouse for this account.
    #[serde(default)]
    pub warehouse: AccountWarehouse,
}

/// Where an account's tables lie.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TablePlace {
    /// BigQuery: the project; companies may have one each.
    pub project: Option<String>,
    /// Schema or dataset.
    pub schema: String,
}

impl WarehouseEntry {
    /// Where the tables of an account lie: in its own project, dataset or schema, or in the warehouse's.
    pub fn place(&self, own: &AccountWarehouse) -> TablePlace {
        match self {
            Self::Duckdb { schema, .. } => {
                TablePlace { project: None, schema: own.schema.clone().unwrap_or_else(|| schema.clone()) }
            }
            Self::Bigquery { project, dataset, .. } => TablePlace {
                project: Some(own.project.clone().unwrap_or_else(|| project.clone())),
                schema: own.dataset.clone().unwrap_or_else(|| dataset.clone()),
            },
        }
    }

    /// The schema or dataset of the log tables of an account.
    pub fn logs<'a>(&'a self, own: &'a AccountWarehouse) -> &'a str {
        match self {
            Self::Duckdb { log_schema, .. } => log_schema,
            Self::Bigquery { log_dataset, .. } => own.log_dataset.as_ref().unwrap_or(log_dataset),
        }
    }
}

/// Warehouse settings of one account; what is missing comes from the pipeline's warehouse.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountWarehouse {
    /// BigQuery: a project of its own.
    #[serde(default)]
    pub project: Option<String>,
    /// BigQuery: a dataset of its own.
    #[serde(default)]
    pub dataset: Option<String>,
    /// BigQuery: a staging dataset of its own.
    #[serde(default)]
    pub staging_dataset: Option<String>,
    /// BigQuery: a log dataset of its own.
    #[serde(default)]
    pub log_dataset: Option<String>,
    /// BigQuery: a location of its own.
    #[serde(default)]
    pub location: Option<String>,
    /// DuckDB: a schema of its own.
    #[serde(default)]
    pub schema: Option<String>,
}

/// A stream by name, or with overrides.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum StreamEntry {
    /// Only the name.
    Name(String),
    /// The name and what is different.
    Map(StreamSettings),
}

/// What the pipeline file says of one stream.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamSettings {
    /// The stream's name in the manifest.
    pub name: String,
    /// The target table (default: the stream's name, in letters, digits and underscores).
    #[serde(default)]
    pub table: Option<String>,
    /// How the table is written.
    #[serde(default)]
    pub write: Option<Write>,
    /// How the stream is read.
    #[serde(default)]
    pub mode: Option<StreamMode>,
    /// More rejected records than this fail the unit (default 0).
    #[serde(default)]
    pub max_bad_records: Option<u64>,
    /// A snapshot that would delete a larger share of an account's live rows fails (default 0.5).
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_delete_fraction: Option<f64>,
    /// The types of columns, by the record's field name; they win over the manifest's. The last three TIMESTAMPs are made of numbers, or
    /// of texts of digits, that count from 1970.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnHint>,
    /// Keeps each record as it was read in a JSON column `_etl_raw`, beside the typed columns (default false).
    #[serde(default)]
    pub raw: bool,
    /// Fields that must not be stored as they are, by name (nested ones by dots): `hash` (with the pipeline's `redact_salt`) or `drop`.
    /// A field that no record has fails the stream, unless it is written as `{how: hash, may_be_absent: true}`.
    #[serde(default)]
    pub redact: BTreeMap<String, RedactEntry>,
    /// What is found in any text and replaced by a hash (with the pipeline's `redact_salt`): e-mail addresses, phone numbers.
    #[serde(default)]
    pub mask: Vec<Mask>,
    /// BigQuery: partitions a new table by this field, which must become a DATE, DATETIME or TIMESTAMP column.
    #[serde(default)]
    pub partition_by: Option<PartitionEntry>,
    /// When rows that a reading lacked are looked for once more (default: as the whole pipeline has it).
    #[serde(default)]
    pub confirm_deletes: Option<ConfirmDeletes>,
    /// How often the stream is read at most, for example `24h`: runs in between leave it alone, unless they name it with `--stream`, or
    /// say `--full-refresh` or `--from` and `--to` (default: by every run).
    #[serde(default)]
    pub every: Option<Span>,
}

/// The field that a table is partitioned by; alone, the partitions are months.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PartitionEntry {
    /// Only the field: a partition a month.
    Field(String),
    /// The field and the length of a partition.
    Map(PartitionMap),
}

/// A field and the length of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartitionMap {
    /// The record's field.
    pub field: String,
    /// The length of a partition (default `month`: one statement may touch 4,000 partitions, which is eleven years of days).
    #[serde(default)]
    pub every: PartitionEvery,
}

/// The length of a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum PartitionEvery {
    Day,
    #[default]
    Month,
    Year,
}

impl PartitionEntry {
    /// The field and the length.
    pub fn parts(&self) -> (&str, PartitionEvery) {
        match self {
            Self::Field(field) => (field, PartitionEvery::default()),
            Self::Map(map) => (&map.field, map.every),
        }
    }
}

/// How a stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamMode {
    /// Everything, every time; what is absent is marked as deleted.
    Snapshot,
    /// What changed since the last run.
    Incremental,
    /// What is new since the last run; rows are only added.
    Append,
}

/// A column's type, as a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum ColumnHint {
    Bool,
    Int64,
    Float64,
    Numeric,
    String,
    Date,
    Datetime,
    Timestamp,
    #[serde(rename = "TIMESTAMP_SECONDS")]
    TimestampSeconds,
    #[serde(rename = "TIMESTAMP_MILLIS")]
    TimestampMillis,
    #[serde(rename = "TIMESTAMP_MICROS")]
    TimestampMicros,
    Json,
}
