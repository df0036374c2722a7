//! Taking over a table of another ETL in BigQuery. Each step may be repeated: what a broken adoption has left is finished by the next.

use super::client::{Client, Param};
use super::sql::render;
use super::{cost, memory, schema, table};
use crate::shape::{AUDIT_COLUMNS, ColumnPlan, ColumnType, ExistingColumn};
use crate::warehouse::adoption::needs_its_field;
use crate::warehouse::{Adopted, Adoption, Commit, Identity, Remember, TableId, WarehouseError};
use serde_json::{Value, json};

pub(super) fn adopt(
    client: &mut Client,
    log_dataset: &str,
    adoption: &Adoption<'_>,
) -> Result<Adopted, WarehouseError> {
    let name = adoption.table;
    let what = format!("adopt {name}");
    let missing_table = || adoption.refuse("there is no such table".into());
    let found = client.table(&name.schema, &name.table)?.ok_or_else(missing_table)?;
    if let Some(kind) = found["type"].as_str().filter(|kind| *kind != "TABLE") {
        return Err(adoption.refuse(format!("it is a {kind}, no table")));
    }
    let fields: Vec<Value> = found["schema"]["fields"].as_array().cloned().unwrap_or_default();
    let added = missing(adoption, &fields)?;
    let columns: Vec<ExistingColumn> = fields.iter().filter_map(schema::existing).collect();
    let keys = adoption.key_columns(&columns)?;
    let target = json!([client.project, name.schema, name.table]);
    if !keys.is_empty() {
        let has_account = !added.contains(&"_etl_account".to_owned());
        let text = render("key_problems", &json!({ "target": target, "keys": keys, "has_account": has_account }))?;
        let account = [("account", Param::Text(&adoption.unit.account))];
        let rows = client.rows(&what, "check", &text, if has_account { &account } else { &[] })?;
        let wrong = rows.first().and_then(|row| row.first()?.as_deref()?.parse::<u64>().ok());
        match wrong {
            Some(0) => {}
            Some(rows) => return Err(adoption.doubled(&keys, rows)),
            None => return Err(WarehouseError::Statement { what, message: "the keys were not counted".into() }),
        }
    }
    let actions = actions(&fields, &columns, &added);
    if !actions.is_empty() {
        let text = render("adopt_table", &json!({ "target": target, "actions": actions }))?;
        client.statement(&what, "alter", &text, &[])?;
    }
    let text = render("adopt_rows", &json!({ "target": target }))?;
    let values = [("synced", Param::Instant(adoption.at)), ("account", Param::Text(&adoption.unit.account))];
    let job = client.statement(&what, "adopt", &text, &values)?;
    let rows = cost::number(&job["statistics"]["query"]["numDmlAffectedRows"]).unwrap_or(0);
    let found = client.table(&name.schema, &name.table)?.ok_or_else(missing_table)?;
    let columns = table::columns(name, &found)?;
    let id = memory::identity(&found);
    let identity = Identity { is_new: id.is_none(), id: id.unwrap_or_else(TableId::of_new_table) };
    if identity.is_new {
        memory::identify(client, name, &found, &identity.id)?;
    }
    let remember = [Remember::adoption(adoption)];
    let commit = Commit {
        run_id: adoption.run_id,
        stage: "adopt".into(),
        synced: adoption.at,
        units: &[],
        identity: Some(&identity),
        remember: &remember,
    };
    memory::forget(client, log_dataset, name, &commit)?;
    memory::learn(client, log_dataset, name, &commit)?;
    let foreign = columns.into_iter().filter(|column| column.ty.is_none()).map(|column| column.name).collect();
    Ok(Adopted { rows, added, foreign, id: identity.id })
}

fn audit_type(name: &str) -> &'static str {
    if name == "_etl_synced" { "TIMESTAMP" } else { "STRING" }
}

/// The audit columns that the table lacks.
fn missing(adoption: &Adoption<'_>, fields: &[Value]) -> Result<Vec<String>, WarehouseError> {
    let mut missing = Vec::new();
    for audit in AUDIT_COLUMNS {
        let found =
            fields.iter().find(|field| field["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(audit)));
        match found.map(|field| field["type"].as_str().unwrap_or_default()) {
            None => missing.push(audit.to_owned()),
            Some(ty) if ty != audit_type(audit) => {
                return Err(adoption.refuse(format!(
                    "its column {audit} is {ty}, not {}; change its type, or rename it",
                    audit_type(audit)
                )));
            }
            Some(_) => {}
        }
    }
    Ok(missing)
}

/// The changes of the table's columns, all in one statement: a table takes five changes of its metadata in ten seconds.
fn actions(fields: &[Value], columns: &[ExistingColumn], added: &[String]) -> Vec<Value> {
    let mut actions: Vec<Value> = added.iter().map(|name| json!({ "add": name, "type": audit_type(name) })).collect();
    for field in fields {
        let Some(column) = columns.iter().find(|column| field["name"] == column.name.as_str()) else { continue };
        if field["mode"] == "REQUIRED" {
            actions.push(json!({ "nullable": column.name }));
        }
        let is_free = field["description"].as_str().is_none_or(str::is_empty);
        if needs_its_field(column) && is_free {
            let ty = column.ty.unwrap_or(ColumnType::String);
            let plan = ColumnPlan {
                name: column.name.clone(),
                ty,
                field: column.name.clone(),
                sibling: false,
                is_key: false,
                is_canonical: false,
            };
            actions.extend(schema::description(&plan).map(|text| json!({ "describe": column.name, "text": text })));
        }
    }
    actions
}
