//! Taking over a table of another ETL in a DuckDB file, in one transaction.

use super::client::Client;
use super::schema;
use super::sql::render;
use super::{memory, schema::timestamp};
use crate::shape::{AUDIT_COLUMNS, ColumnPlan, ColumnType, ExistingColumn};
use crate::warehouse::adoption::needs_its_field;
use crate::warehouse::{Adopted, Adoption, Commit, Identity, Remember, TableId, WarehouseError};
use duckdb::params;
use serde_json::{Value, json};

/// Types of other ETLs, and those of ours that hold all of their values.
const WIDENED: [(&str, ColumnType); 7] = [
    ("TINYINT", ColumnType::Int64),
    ("SMALLINT", ColumnType::Int64),
    ("INTEGER", ColumnType::Int64),
    ("UTINYINT", ColumnType::Int64),
    ("USMALLINT", ColumnType::Int64),
    ("UINTEGER", ColumnType::Int64),
    ("FLOAT", ColumnType::Float64),
];

/// A column of the catalogue.
struct Found {
    name: String,
    ty: String,
    comment: Option<String>,
}

pub(super) fn adopt(client: &Client, log_schema: &str, adoption: &Adoption<'_>) -> Result<Adopted, WarehouseError> {
    let table = adoption.table;
    let what = format!("adopt {table}");
    let sql = render("describe_table", &json!({}))?;
    let found = client.query("read the catalogue", &sql, params![table.schema, table.table], |row| {
        Ok(Found { name: row.get(0)?, ty: row.get(1)?, comment: row.get(2)? })
    })?;
    if found.is_empty() {
        return Err(adoption.refuse("there is no such table".into()));
    }
    let sql = render("unique_constraints", &json!({}))?;
    let constraints =
        client.query("read the catalogue", &sql, params![table.schema, table.table], |row| row.get::<_, String>(0))?;
    if let Some(constraint) = constraints.first() {
        return Err(adoption.refuse(format!(
            "it has a constraint ({constraint}), which DuckDB can neither drop nor keep while rows of several accounts are merged into it; make a copy of it without one (CREATE TABLE … AS SELECT * FROM …) and put that in its place"
        )));
    }
    let added = missing(adoption, &found)?;
    let mut columns: Vec<ExistingColumn> = Vec::new();
    let mut widened = Vec::new();
    for column in &found {
        let Some(mut existing) = schema::existing(column.name.clone(), &column.ty, column.comment.as_deref()) else {
            continue;
        };
        if existing.ty.is_none()
            && let Some((_, ty)) = WIDENED.iter().find(|(name, _)| *name == column.ty)
        {
            existing.ty = Some(*ty);
            widened.push(json!({ "name": column.name, "type": schema::type_name(*ty) }));
        }
        columns.push(existing);
    }
    let keys = adoption.key_columns(&columns)?;
    let names = json!({ "schema": table.schema, "table": table.table });
    let has_account = !added.contains(&"_etl_account".to_owned());
    if !keys.is_empty() {
        let mut context = names.clone();
        (context["keys"], context["has_account"]) = (json!(keys), has_account.into());
        let sql = render("key_problems", &context)?;
        let rows = client.query(&what, &sql, params![adoption.unit.account], |row| row.get::<_, u64>(0))?;
        if let Some(rows) = rows.first().copied().filter(|rows| *rows > 0) {
            return Err(adoption.doubled(&keys, rows));
        }
    }
    let is_free = |name: &str| found.iter().any(|column| column.name == name && column.comment.is_none());
    let remembered: Vec<Value> = columns
        .iter()
        .filter(|column| needs_its_field(column) && is_free(&column.name))
        .filter_map(|column| {
            let plan = ColumnPlan {
                name: column.name.clone(),
                ty: column.ty?,
                field: column.name.clone(),
                sibling: false,
                is_key: false,
                is_canonical: false,
            };
            Some(json!({ "name": column.name, "comment": schema::comment(&plan) }))
        })
        .collect();
    let mut changes = names.clone();
    changes["added"] = added.iter().map(|name| json!({ "name": name, "type": audit_type(name) })).collect();
    (changes["widened"], changes["remembered"]) = (widened.into(), remembered.into());
    let data = columns.iter().map(|column| column.name.as_str());
    changes["columns"] = data.collect();
    let before = memory::comment(client, table)?;
    let id = before.as_deref().and_then(TableId::in_comment);
    let identity = Identity { is_new: id.is_none(), id: id.unwrap_or_else(TableId::of_new_table) };
    let rows = client.transaction(|| {
        client.batch(&what, &render("adopt_table", &changes)?)?;
        let rows = client.execute(
            &what,
            &render("adopt_rows", &names)?,
            params![timestamp(adoption.at), adoption.unit.account],
        )?;
        let remember = [Remember::adoption(adoption)];
        let commit = Commit {
            run_id: adoption.run_id,
            stage: "adopt".into(),
            synced: adoption.at,
            units: &[],
            identity: Some(&identity),
            remember: &remember,
        };
        memory::write(client, log_schema, table, &commit)?;
        Ok(rows)
    })?;
    let foreign = columns.into_iter().filter(|column| column.ty.is_none()).map(|column| column.name).collect();
    Ok(Adopted { rows: rows as u64, added, foreign, id: identity.id })
}

fn audit_type(name: &str) -> &'static str {
    if name == "_etl_synced" { "TIMESTAMP" } else { "VARCHAR" }
}

/// The audit columns that the table lacks.
fn missing(adoption: &Adoption<'_>, found: &[Found]) -> Result<Vec<String>, WarehouseError> {
    let mut missing = Vec::new();
    for audit in AUDIT_COLUMNS {
        match found.iter().find(|column| column.name.eq_ignore_ascii_case(audit)) {
            None => missing.push(audit.to_owned()),
            Some(column) if column.ty != audit_type(audit) => {
                return Err(adoption.refuse(format!(
                    "its column {audit} is {}, not {}; change its type, or rename it",
                    column.ty,
                    audit_type(audit)
                )));
            }
            Some(_) => {}
        }
    }
    Ok(missing)
}
