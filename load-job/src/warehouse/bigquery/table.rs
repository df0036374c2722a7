//! The target table as `tables.get` and `tables.insert` know it: what is there, how a new one is laid out, and how it changes.
//! A table that someone else has changed is adapted to where nothing can be lost, else refused by name.

use super::client::Client;
use super::memory;
use super::partition::Partitioning;
use super::schema;
use super::sql::render;
use crate::shape::{AUDIT_COLUMNS, ColumnType, ExistingColumn, SchemaChangeKind, TablePlan};
use crate::warehouse::{ChangeRequest, TableId, TableName, WarehouseError, refuse_foreign};
use serde_json::{Value, json};

/// BigQuery clusters by four columns at most ("Clustered tables").
const MOST_CLUSTERING: usize = 4;
/// A primary key has sixteen columns at most ("Use primary and foreign keys").
const MOST_KEYS: usize = 16;

/// The data columns of `tables.get`.
///
/// # Errors
/// It is no table, or lacks an audit column: it is not ours to write.
pub(super) fn columns(name: &TableName, table: &Value) -> Result<Vec<ExistingColumn>, WarehouseError> {
    let refuse = |message: String| WarehouseError::Table { table: name.to_string(), message };
    match table["type"].as_str() {
        None | Some("TABLE") => {}
        Some(other) => return Err(refuse(format!("it is a {other}, no table; name another `table`"))),
    }
    let fields: Vec<&Value> = table["schema"]["fields"].as_array().into_iter().flatten().collect();
    let named = |audit: &str| {
        fields.iter().find(|field| field["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(audit)))
    };
    refuse_foreign(name, |audit| named(audit).is_some())?;
    for audit in AUDIT_COLUMNS {
        let expected = if audit == "_etl_synced" { "TIMESTAMP" } else { "STRING" };
        let found = named(audit).and_then(|field| field["type"].as_str()).unwrap_or("of no type");
        if found != expected {
            return Err(refuse(format!(
                "its column {audit} is {found}, not {expected}: it was changed since Drayage made it; restore it, or drop the table and extract with --full-refresh"
            )));
        }
    }
    Ok(fields.into_iter().filter_map(schema::existing).collect())
}

/// Makes the target table of a plan.
///
/// # Errors
/// Someone else has made a table of that name meanwhile.
pub(super) fn create(
    client: &Client,
    table: &TableName,
    request: &ChangeRequest,
    id: &TableId,
    partitioning: Option<&Partitioning>,
) -> Result<(), WarehouseError> {
    let (plan, keys) = (&request.plan, &request.keys);
    let mut body = json!({
        "schema": { "fields": schema::target_fields(&plan.columns) },
        "labels": { "managed_by": "drayage", memory::LABEL: id.as_str() },
    });
    let mut clustering = vec!["_etl_account"];
    // Neither type can be clustered by.
    let clusterable = keys.iter().filter(|key| !matches!(key.ty, ColumnType::Json | ColumnType::Float64));
    clustering.extend(clusterable.map(|key| key.name.as_str()).take(MOST_CLUSTERING - 1));
    body["clustering"] = json!({ "fields": clustering });
    // The optimiser trusts a declared key, so only what the MERGE keeps unique is declared.
    let plain = !keys.iter().any(|key| matches!(key.ty, ColumnType::Json | ColumnType::Float64 | ColumnType::Bool));
    if request.write.is_by_key() && plain && keys.len() < MOST_KEYS {
        let names: Vec<&str> =
            std::iter::once("_etl_account").chain(keys.iter().map(|key| key.name.as_str())).collect();
        body["tableConstraints"] = json!({ "primaryKey": { "columns": names } });
    }
    if let Some(partitioning) = partitioning {
        body["timePartitioning"] = partitioning.to_json();
    }
    client.create_table(&table.schema, &table.table, body)?;
    let made = client.table(&table.schema, &table.table)?;
    if made.as_ref().and_then(memory::identity).as_ref() == Some(id) {
        return Ok(());
    }
    let message = "someone else has made it meanwhile; load the run again".to_owned();
    Err(WarehouseError::Table { table: table.to_string(), message })
}

/// Adds and widens columns. Each change may be repeated.
pub(super) fn alter(client: &mut Client, table: &TableName, plan: &TablePlan) -> Result<(), WarehouseError> {
    let target = json!([table.project, table.schema, table.table]);
    let changed = |kind: fn(SchemaChangeKind) -> bool| {
        plan.changes.iter().filter(move |change| kind(change.kind)).map(|change| &plan.columns[change.column])
    };
    let is_new = |kind| matches!(kind, SchemaChangeKind::Added | SchemaChangeKind::Split);
    let added: Vec<Value> = changed(is_new)
        .map(|column| {
            json!({
                "name": column.name,
                "type": column.ty.name(),
                "description": schema::description(column).unwrap_or_default(),
            })
        })
        .collect();
    if !added.is_empty() {
        let text = render("add_column", &json!({ "target": target, "columns": added }))?;
        client.statement(&format!("add columns to {table}"), "alter", &text, &[])?;
    }
    for column in changed(|kind| matches!(kind, SchemaChangeKind::Widened | SchemaChangeKind::Retyped)) {
        let text =
            render("widen_column", &json!({ "target": target, "column": column.name, "type": column.ty.name() }))?;
        client.statement(&format!("widen column {} of {table}", column.name), "alter", &text, &[])?;
    }
    Ok(())
}
