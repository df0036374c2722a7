//! The REST calls about tables and datasets: BigQuery's rules, then the emulator, then what the gate remembers.
//! A table is made by DDL, since the emulator honours NOT NULL there alone.

use reqwest::Method;
use serde_json::{Value, json};

use super::field::{self, Field};
use super::gate::{Gate, TableId};
use super::label::{check_id, check_labels};
use super::reply::{Answer, JobError};
use super::shape::Shape;

pub(crate) async fn insert_table(gate: &Gate, project: &str, dataset: &str, body: &Value) -> Result<Value, JobError> {
    let reference = &body["tableReference"];
    let name = reference["tableId"].as_str().unwrap_or_default();
    check_id("table", name, true)?;
    for (key, own) in [("projectId", project), ("datasetId", dataset)] {
        if reference[key].as_str().is_some_and(|given| given != own) {
            return Err(JobError::new("invalid", format!("Value in tableReference.{key} differs from the URL")));
        }
    }
    let table = TableId { project: project.to_owned(), dataset: dataset.to_owned(), table: name.to_owned() };
    let _turn = gate.turn().await;
    gate.location_of(project, dataset).await?;
    if gate.shape(&table).await?.is_some() {
        return Err(JobError::new("duplicate", format!("Already Exists: Table {table}")));
    }
    if !body["view"].is_null() || !body["materializedView"].is_null() {
        return Err(JobError::limit("views by tables.insert; make them with CREATE VIEW"));
    }
    let mut shape = Shape::of_resource(body)?;
    if shape.fields.is_empty() {
        return Err(JobError::limit("a table without a schema"));
    }
    if body["expirationTime"].is_null() {
        shape.expiration = gate.default_expiration(&table).await?;
    }
    gate.upstream.rows(project, &shape.create(&table.sql()), None).await?;
    gate.settle(&table, shape).await?;
    resource(gate, &table).await
}

pub(crate) async fn get_table(gate: &Gate, table: &TableId) -> Result<Value, JobError> {
    let _turn = gate.turn().await;
    resource(gate, table).await
}

/// The table as the REST API shows it.
async fn resource(gate: &Gate, table: &TableId) -> Result<Value, JobError> {
    let (status, mut answer) = gate.upstream.call(Method::GET, &table.rest(), None).await?;
    if status == 404 {
        gate.location_of(&table.project, &table.dataset).await?;
        return Err(table.not_found());
    }
    let shape = gate.shape(table).await?.unwrap_or_default();
    let location = gate.location_of(&table.project, &table.dataset).await?;
    let is_table = answer["type"] == "TABLE";
    // The emulator counts when it loads, not when a statement changes rows.
    let rows = if is_table {
        gate.upstream.number(&table.project, &format!("SELECT COUNT(*) FROM {}", table.sql()), None).await?
    } else {
        0
    };
    if let Some(answer) = answer.as_object_mut() {
        shape.write_into(answer);
        answer.insert("location".to_owned(), json!(location));
        answer.insert("numRows".to_owned(), json!(rows.to_string()));
    }
    Ok(answer)
}

pub(crate) async fn patch_table(
    gate: &Gate,
    table: &TableId,
    body: &Value,
    if_match: Option<&str>,
) -> Result<Value, JobError> {
    let _turn = gate.turn().await;
    let current = resource(gate, table).await?;
    if if_match.is_some_and(|etag| etag != "*" && current["etag"] != etag) {
        return Err(JobError::new("conditionNotMet", "Precondition check failed."));
    }
    let mut shape = gate.shape(table).await?.unwrap_or_default();
    let fields = &body["schema"]["fields"];
    let mut added = Vec::new();
    if !fields.is_null() {
        added = changed_fields(table, &mut shape, Field::list(fields)?)?;
    }
    let partitioning =
        |shape: &Shape| (shape.time_partitioning["type"].clone(), shape.time_partitioning["field"].clone());
    let before = partitioning(&shape);
    shape.change(body)?;
    if partitioning(&shape) != before {
        let message = format!("Cannot change partitioning of table {table}.");
        return Err(JobError::new("invalid", message));
    }
    shape.check()?;
    for sql in added {
        gate.upstream.rows(&table.project, &sql, None).await?;
    }
    gate.settle(table, shape).await?;
    resource(gate, table).await
}

/// Takes over a new schema as far as BigQuery allows it, and returns the statements that bring the emulator there.
fn changed_fields(table: &TableId, shape: &mut Shape, new: Vec<Field>) -> Result<Vec<String>, JobError> {
    let mismatch = |message: String| {
        Err(JobError::new("invalid", format!("Provided Schema does not match Table {table}. {message}")))
    };
    let mut statements = Vec::new();
    for old in &shape.fields {
        match field::find(&new, &old.name) {
            None => return mismatch(format!("Field {} is missing in new schema", old.name)),
            Some(field) if field.kind != old.kind || field.fields.len() < old.fields.len() => {
                return mismatch(format!("Field {} has changed type from {} to {}", old.name, old.kind, field.kind));
            }
            Some(field) if field.fields.len() != old.fields.len() => {
                return Err(JobError::limit("new fields inside a record"));
            }
            Some(field) if field.mode == old.mode => {}
            Some(field) if (old.mode.as_str(), field.mode.as_str()) == ("REQUIRED", "NULLABLE") => {
                statements.push(format!("ALTER TABLE {} ALTER COLUMN `{}` DROP NOT NULL", table.sql(), old.name));
            }
            Some(field) => {
                return mismatch(format!("Field {} has changed mode from {} to {}", old.name, old.mode, field.mode));
            }
        }
    }
    for field in new.iter().filter(|field| field::find(&shape.fields, &field.name).is_none()) {
        if field.mode == "REQUIRED" {
            return mismatch(format!("Cannot add required fields to an existing schema. (field: {})", field.name));
        }
        statements.push(format!("ALTER TABLE {} ADD COLUMN {}", table.sql(), field.ddl()));
    }
    // New columns stand after the old ones, whatever their place in the request.
    let kept = shape.fields.iter().filter_map(|old| field::find(&new, &old.name)).cloned();
    let fresh = new.iter().filter(|field| field::find(&shape.fields, &field.name).is_none()).cloned();
    let fields = kept.chain(fresh).collect();
    shape.fields = fields;
    Ok(statements)
}

pub(crate) async fn delete_table(gate: &Gate, table: &TableId) -> Answer {
    let _turn = gate.turn().await;
    match gate.upstream.call(Method::DELETE, &table.rest(), None).await {
        Ok((404, _)) => Answer::Refused(table.not_found()),
        Ok(_) => {
            gate.forget(table);
            Answer::Empty
        }
        Err(error) => Answer::Refused(error),
    }
}

pub(crate) async fn list_tables(gate: &Gate, project: &str, dataset: &str, query: &str) -> Result<Value, JobError> {
    let _turn = gate.turn().await;
    gate.location_of(project, dataset).await?;
    pass(gate, Method::GET, &format!("{project}/datasets/{dataset}/tables?{query}"), None).await
}

pub(crate) async fn insert_dataset(gate: &Gate, project: &str, body: &Value) -> Result<Value, JobError> {
    let name = body["datasetReference"]["datasetId"].as_str().unwrap_or_default();
    check_id("dataset", name, false)?;
    check_labels(&body["labels"])?;
    let _turn = gate.turn().await;
    if gate.location_of(project, name).await.is_ok() {
        return Err(JobError::new("duplicate", format!("Already Exists: Dataset {project}:{name}")));
    }
    pass(gate, Method::POST, &format!("{project}/datasets"), Some(body)).await
}

pub(crate) async fn get_dataset(gate: &Gate, project: &str, dataset: &str) -> Result<Value, JobError> {
    gate.location_of(project, dataset).await?;
    pass(gate, Method::GET, &format!("{project}/datasets/{dataset}"), None).await
}

pub(crate) async fn patch_dataset(gate: &Gate, project: &str, dataset: &str, body: &Value) -> Result<Value, JobError> {
    check_labels(&body["labels"])?;
    let _turn = gate.turn().await;
    let location = gate.location_of(project, dataset).await?;
    if body["location"].as_str().is_some_and(|given| given != location) {
        return Err(JobError::new("invalid", "Cannot change the location of a dataset."));
    }
    pass(gate, Method::PATCH, &format!("{project}/datasets/{dataset}"), Some(body)).await
}

pub(crate) async fn delete_dataset(gate: &Gate, project: &str, dataset: &str, with_tables: bool) -> Answer {
    let _turn = gate.turn().await;
    if let Err(error) = gate.location_of(project, dataset).await {
        return Answer::Refused(error);
    }
    let path = format!("{project}/datasets/{dataset}");
    if !with_tables {
        let tables = gate.upstream.call(Method::GET, &format!("{path}/tables"), None).await;
        if tables.is_ok_and(|(_, answer)| answer["tables"].as_array().is_some_and(|tables| !tables.is_empty())) {
            let message = format!("Dataset {project}:{dataset} is still in use");
            return Answer::Refused(JobError::new("resourceInUse", message));
        }
    }
    match pass(gate, Method::DELETE, &format!("{path}?deleteContents={with_tables}"), None).await {
        Ok(_) => {
            gate.forget_dataset(project, dataset);
            Answer::Empty
        }
        Err(error) => Answer::Refused(error),
    }
}

pub(crate) async fn list_datasets(gate: &Gate, project: &str, query: &str) -> Result<Value, JobError> {
    pass(gate, Method::GET, &format!("{project}/datasets?{query}"), None).await
}

/// What the emulator says, unchanged.
async fn pass(gate: &Gate, method: Method, path: &str, body: Option<&Value>) -> Result<Value, JobError> {
    let (status, answer) = gate.upstream.call(method, path, body).await?;
    JobError::of_answer(status, &answer).map_or(Ok(answer), Err)
}
