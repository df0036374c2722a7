//! Runs a load job: BigQuery's checks, then all files into a passing table, then all rows at once into the destination.
//! So a load is whole or not at all and goes by column names, which the emulator's own loads do not.

use reqwest::Method;
use serde_json::{Value, json};

use super::field::{self, Field};
use super::gate::{Gate, TableId};
use super::job::{Ended, canonical_location};
use super::label::check_id;
use super::reply::JobError;
use super::shape::Shape;
use super::source_files::{self, ParquetOptions, SourceFile};
use super::upstream::Upstream;

const MOST_URIS: usize = 10_000;

/// What the request asks for, once it makes sense.
struct Load<'a> {
    load: &'a Value,
    table: TableId,
    uris: Vec<String>,
    format: &'a str,
    disposition: &'a str,
    /// The columns as given.
    fields: Option<Vec<Field>>,
}

/// Runs the load of a job's configuration.
///
/// # Errors
/// When the request itself is refused: no job comes of it.
pub(crate) async fn run(gate: &Gate, project: &str, location: &str, configuration: &Value) -> Result<Ended, JobError> {
    let request = Load::parse(&configuration["load"], project)?;
    let existing = gate.shape(&request.table).await?;
    if request.fields.is_none() && (existing.is_none() || request.disposition == "WRITE_TRUNCATE") {
        return Err(JobError::limit("a load without a schema that would make the table from the files"));
    }
    Ok(request.run(gate, location, existing).await.unwrap_or_else(Ended::failed))
}

impl<'a> Load<'a> {
    fn parse(load: &'a Value, project: &str) -> Result<Self, JobError> {
        let invalid = |message: String| JobError::new("invalid", message);
        let uris: Option<Vec<String>> = load["sourceUris"]
            .as_array()
            .map(|uris| uris.iter().filter_map(|uri| uri.as_str()).map(str::to_owned).collect());
        let uris = uris.filter(|uris| !uris.is_empty() && uris.len() <= MOST_URIS);
        let uris = uris.ok_or_else(|| invalid(format!("Between 1 and {MOST_URIS} source URIs must be given")))?;
        let part = |name: &str| load["destinationTable"][name].as_str();
        let (Some(dataset), Some(table)) = (part("datasetId"), part("tableId")) else {
            return Err(invalid("Required parameter is missing: destinationTable".to_owned()));
        };
        let table = TableId {
            project: part("projectId").unwrap_or(project).to_owned(),
            dataset: dataset.to_owned(),
            table: table.to_owned(),
        };
        check_id("table", &table.table, true)?;
        let format = load["sourceFormat"].as_str().unwrap_or("CSV");
        if !["PARQUET", "NEWLINE_DELIMITED_JSON"].contains(&format) {
            return Err(JobError::limit(format!("sourceFormat {format}")));
        }
        if load["autodetect"] == true {
            return Err(JobError::limit("autodetect"));
        }
        let known = |name: &str, default: &'static str, values: &[&str]| {
            let value = load[name].as_str().unwrap_or(default);
            if values.contains(&value) { Ok(value) } else { Err(invalid(format!("Invalid value for {name}: {value}"))) }
        };
        let writes = ["WRITE_APPEND", "WRITE_TRUNCATE", "WRITE_TRUNCATE_DATA", "WRITE_EMPTY"];
        let disposition = known("writeDisposition", "WRITE_APPEND", &writes)?;
        known("createDisposition", "CREATE_IF_NEEDED", &["CREATE_IF_NEEDED", "CREATE_NEVER"])?;
        let updates = load["schemaUpdateOptions"].as_array().is_some_and(|options| !options.is_empty());
        if updates && !["WRITE_APPEND", "WRITE_TRUNCATE_DATA"].contains(&disposition) {
            let message = "Schema update options should only be specified with WRITE_APPEND disposition, or with WRITE_TRUNCATE \
                           disposition on a table partition.";
            return Err(invalid(message.to_owned()));
        }
        let fields = &load["schema"]["fields"];
        let fields = if fields.is_null() { None } else { Some(Field::list(fields)?) };
        Ok(Self { load, table, uris, format, disposition, fields })
    }

    async fn run(&self, gate: &Gate, location: &str, existing: Option<Shape>) -> Result<Ended, JobError> {
        let table = &self.table;
        match gate.location_of(&table.project, &table.dataset).await {
            Ok(found) if canonical_location(&found) == canonical_location(location) => {}
            Err(error) if error.reason != "notFound" => return Err(error),
            _ => {
                let message = format!(
                    "Not found: Dataset {}:{} was not found in location {location}",
                    table.project, table.dataset
                );
                return Err(JobError::new("notFound", message));
            }
        }
        if existing.is_none() && self.load["createDisposition"] == "CREATE_NEVER" {
            return Err(table.not_found());
        }
        let target = self.target_shape(gate, existing.as_ref()).await?;
        let fields = self.fields.as_ref().unwrap_or(&target.fields);
        if self.format == "PARQUET" && has_json(fields) {
            return Err(JobError::new("invalid", "Unsupported field type: JSON"));
        }
        if self.disposition == "WRITE_EMPTY" && existing.is_some() && self.rows(gate).await? > 0 {
            return Err(JobError::new("duplicate", format!("Already Exists: Table {table}")));
        }
        let files = self.files(gate, fields).await?;
        let passing = TableId { table: format!("_{}", Upstream::fresh_job_id()), ..table.clone() };
        let loaded = self.load_into(gate, &passing, &files.0, &files.1).await;
        let written = match &loaded {
            Ok(_) => self.write(gate, &passing, &files.1, existing.as_ref(), target).await,
            Err(error) => Err(error.clone()),
        };
        // Also when the load failed half-way.
        let _ = gate.upstream.call(Method::DELETE, &passing.rest(), None).await;
        written?;
        let bytes: u64 = files.0.iter().map(|file| file.bytes).sum();
        let statistics = json!({"load": {
            "inputFiles": files.0.len().to_string(), "inputFileBytes": bytes.to_string(),
            "outputRows": loaded?.to_string(), "outputBytes": bytes.to_string(), "badRecords": "0",
        }});
        Ok(Ended { error: None, statistics, emulator_job: None })
    }

    /// What the table is to be after the load.
    async fn target_shape(&self, gate: &Gate, existing: Option<&Shape>) -> Result<Shape, JobError> {
        let given = self.fields.as_ref();
        let mut target = match (existing, given) {
            (Some(existing), None) => existing.clone(),
            (Some(existing), Some(fields)) if self.disposition == "WRITE_TRUNCATE" => {
                Shape { fields: fields.clone(), primary_key: Vec::new(), ..existing.clone() }
            }
            (Some(existing), Some(fields)) => {
                Shape { fields: self.merged(&existing.fields, fields)?, ..existing.clone() }
            }
            (None, fields) => {
                let expiration = gate.default_expiration(&self.table).await?;
                Shape { fields: fields.cloned().unwrap_or_default(), expiration, ..Shape::default() }
            }
        };
        if existing.is_none() || self.disposition == "WRITE_TRUNCATE" {
            let keys = ["timePartitioning", "clustering"].into_iter().filter(|key| !self.load[key].is_null());
            let properties: serde_json::Map<_, _> = keys.map(|key| (key.to_owned(), self.load[key].clone())).collect();
            target.change(&Value::from(properties))?;
            target.change(&self.load["destinationTableProperties"])?;
        }
        target.check()?;
        Ok(target)
    }

    /// The table's columns with those that the load may add.
    fn merged(&self, existing: &[Field], given: &[Field]) -> Result<Vec<Field>, JobError> {
        let options = self.load["schemaUpdateOptions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mismatch = |message: String| {
            Err(JobError::new("invalid", format!("Provided Schema does not match Table {}. {message}", self.table)))
        };
        let mut merged = existing.to_vec();
        for field in given {
            match merged.iter_mut().find(|other| other.name.eq_ignore_ascii_case(&field.name)) {
                Some(old) if old.kind != field.kind => {
                    return mismatch(format!(
                        "Field {} has changed type from {} to {}",
                        old.name, old.kind, field.kind
                    ));
                }
                Some(old) if old.mode == "REQUIRED" && field.mode == "NULLABLE" => {
                    if !options.contains(&json!("ALLOW_FIELD_RELAXATION")) {
                        return mismatch(format!("Field {} has changed mode from REQUIRED to NULLABLE", old.name));
                    }
                    "NULLABLE".clone_into(&mut old.mode);
                }
                Some(old) if old.is_repeated() != field.is_repeated() => {
                    return mismatch(format!(
                        "Field {} has changed mode from {} to {}",
                        old.name, old.mode, field.mode
                    ));
                }
                Some(_) => {}
                None if field.mode == "REQUIRED" || !options.contains(&json!("ALLOW_FIELD_ADDITION")) => {
                    return mismatch(format!("Cannot add fields (field: {})", field.name));
                }
                None => merged.push(field.clone()),
            }
        }
        let missing = existing.iter().find(|old| old.mode == "REQUIRED" && field::find(given, &old.name).is_none());
        missing.map_or(Ok(merged), |field| mismatch(format!("Field {} is missing in new schema", field.name)))
    }

    async fn rows(&self, gate: &Gate) -> Result<i64, JobError> {
        gate.upstream.number(&self.table.project, &format!("SELECT COUNT(*) FROM {}", self.table.sql()), None).await
    }

    /// The files, and the columns in the order in which they hold them.
    async fn files(&self, gate: &Gate, fields: &[Field]) -> Result<(Vec<SourceFile>, Vec<Field>), JobError> {
        let (root, uris, fields) = (gate.emulator.gcs_root().to_owned(), self.uris.clone(), fields.to_vec());
        let options = (self.format == "PARQUET").then(|| ParquetOptions::of_load(self.load));
        let read = move || {
            let files = source_files::find(&root, &uris)?;
            let fields = match options {
                Some(options) => source_files::parquet_order(&files, &fields, &options)?,
                None => fields,
            };
            Ok((files, fields))
        };
        let failed = |error: tokio::task::JoinError| JobError::new("internalError", error.to_string());
        tokio::task::spawn_blocking(read).await.map_err(failed)?
    }

    /// Loads the files and returns the number of their rows.
    async fn load_into(
        &self,
        gate: &Gate,
        passing: &TableId,
        files: &[SourceFile],
        fields: &[Field],
    ) -> Result<u64, JobError> {
        let uris: Vec<_> = files.iter().map(|file| file.uri.as_str()).collect();
        let TableId { project, dataset, table } = passing;
        let body = json!({
            "jobReference": {"projectId": project, "jobId": Upstream::fresh_job_id()},
            "configuration": {"load": {
                "sourceUris": uris, "sourceFormat": self.format, "schema": {"fields": fields},
                "destinationTable": {"projectId": project, "datasetId": dataset, "tableId": table},
            }},
        });
        let (status, answer) = gate.upstream.call(Method::POST, &format!("{project}/jobs"), Some(&body)).await?;
        if let Some(error) = JobError::of_answer(status, &answer) {
            return Err(error);
        }
        Ok(answer["statistics"]["load"]["outputRows"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default())
    }

    async fn write(
        &self,
        gate: &Gate,
        passing: &TableId,
        fields: &[Field],
        existing: Option<&Shape>,
        target: Shape,
    ) -> Result<(), JobError> {
        let (table, project) = (&self.table, &self.table.project);
        let columns: Vec<_> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
        let columns = columns.join(", ");
        if existing.is_none() || self.disposition == "WRITE_TRUNCATE" {
            let new = if existing.is_some() {
                TableId { table: format!("{}_new", passing.table), ..table.clone() }
            } else {
                table.clone()
            };
            gate.upstream.rows(project, &target.create(&new.sql()), None).await?;
            let filled = format!("INSERT INTO {} ({columns}) SELECT {columns} FROM {}", new.sql(), passing.sql());
            if let Err(error) = gate.upstream.rows(project, &filled, None).await {
                gate.upstream.call(Method::DELETE, &new.rest(), None).await?;
                return Err(constraint(error));
            }
            if existing.is_some() {
                // The emulator cannot rename a table, so the new rows are copied once more when they are known to fit.
                gate.upstream.call(Method::DELETE, &table.rest(), None).await?;
                gate.upstream.rows(project, &target.create(&table.sql()), None).await?;
                let moved = format!("INSERT INTO {} ({columns}) SELECT {columns} FROM {}", table.sql(), new.sql());
                gate.upstream.rows(project, &moved, None).await?;
                gate.upstream.call(Method::DELETE, &new.rest(), None).await?;
            }
        } else {
            let old = existing.map(|shape| shape.fields.as_slice()).unwrap_or_default();
            for field in target.fields.iter().filter(|field| field::find(old, &field.name).is_none()) {
                let sql = format!("ALTER TABLE {} ADD COLUMN {}", table.sql(), field.ddl());
                gate.upstream.rows(project, &sql, None).await?;
            }
            for field in target.fields.iter().filter(|field| field.mode == "NULLABLE") {
                if field::find(old, &field.name).is_some_and(|old| old.mode == "REQUIRED") {
                    let sql = format!("ALTER TABLE {} ALTER COLUMN `{}` DROP NOT NULL", table.sql(), field.name);
                    gate.upstream.rows(project, &sql, None).await?;
                }
            }
            if self.disposition == "WRITE_TRUNCATE_DATA" {
                gate.upstream.rows(project, &format!("DELETE FROM {} WHERE TRUE", table.sql()), None).await?;
            }
            let sql = format!("INSERT INTO {} ({columns}) SELECT {columns} FROM {}", table.sql(), passing.sql());
            gate.upstream.rows(project, &sql, None).await.map_err(constraint)?;
        }
        gate.settle(table, target).await
    }
}

fn has_json(fields: &[Field]) -> bool {
    fields.iter().any(|field| field.kind == "JSON" || has_json(&field.fields))
}

/// A row that the table does not take is an error of the data.
fn constraint(error: JobError) -> JobError {
    JobError::new("invalid", format!("Error while reading data, error message: {}", error.message))
}
