//! BigQuery's names for our types, and what a table of ours looks like in `tables.get`.
//! A column remembers its field in its description, so that names stay stable when fields clash.

use crate::shape::{ColumnPlan, ColumnType, ExistingColumn};
use crate::warehouse::column_note::{self, ColumnNote};
use gcp_bigquery_client::model::field_type::FieldType;
use gcp_bigquery_client::model::table_field_schema::TableFieldSchema;
use serde_json::Value;

/// The longest description of a column ("Quotas and limits").
const LONGEST_DESCRIPTION: usize = 1024;

/// What is staged of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StagedKind {
    /// What decides about them: the columns of their keys, and their places among the versions of a key.
    Keys,
    /// Their whole rows.
    Rows,
}

/// The type of a column of the staging table. A Parquet load cannot fill a JSON column, and its documentation names no way into DATETIME:
/// both arrive as what it does name, and are converted on the way into the target.
fn staged_type(ty: ColumnType) -> FieldType {
    match ty {
        ColumnType::Bool => FieldType::Boolean,
        ColumnType::Int64 => FieldType::Int64,
        ColumnType::Float64 => FieldType::Float64,
        ColumnType::Numeric => FieldType::Numeric,
        ColumnType::String | ColumnType::Json => FieldType::String,
        ColumnType::Date => FieldType::Date,
        ColumnType::Datetime | ColumnType::Timestamp => FieldType::Timestamp,
    }
}

fn field(name: &str, r#type: FieldType) -> TableFieldSchema {
    let mut field = TableFieldSchema::string(name);
    field.r#type = r#type;
    field
}

/// The fields of a staging table: some columns, then what the load needs of each record.
pub(super) fn staging_fields(columns: &[ColumnPlan], kind: StagedKind) -> Vec<TableFieldSchema> {
    let mut fields: Vec<TableFieldSchema> =
        columns.iter().map(|column| field(&column.name, staged_type(column.ty))).collect();
    fields.extend([
        field("_etl_account", FieldType::String),
        field("_etl_row_hash", FieldType::String),
        field("_etl_seq", FieldType::Int64),
    ]);
    if kind == StagedKind::Keys {
        fields.push(field("_etl_order", FieldType::String));
    }
    fields
}

/// The fields of a new target table.
pub(super) fn target_fields(columns: &[ColumnPlan]) -> Vec<TableFieldSchema> {
    let target = |column: &ColumnPlan| {
        let ty = match column.ty {
            ColumnType::Json => FieldType::Json,
            ColumnType::Datetime => FieldType::Datetime,
            other => staged_type(other),
        };
        TableFieldSchema { description: description(column), ..field(&column.name, ty) }
    };
    let mut fields: Vec<TableFieldSchema> = columns.iter().map(target).collect();
    let audit = |name: &str, ty| TableFieldSchema { mode: Some("REQUIRED".into()), ..field(name, ty) };
    fields.extend([
        audit("_etl_synced", FieldType::Timestamp),
        audit("_etl_operation", FieldType::String),
        audit("_etl_account", FieldType::String),
        audit("_etl_row_hash", FieldType::String),
    ]);
    fields
}

/// The description of a planned column; none for a field whose name does not fit.
pub(super) fn description(column: &ColumnPlan) -> Option<String> {
    Some(ColumnNote::of(column).text()).filter(|text| text.chars().count() <= LONGEST_DESCRIPTION)
}

/// Our type of a field in `tables.get`, which knows old and new names. A narrowed type (`NUMERIC(10, 2)`) would lose values: it is none of ours.
fn type_of(field: &Value) -> Option<ColumnType> {
    let narrowed = ["precision", "maxLength"].iter().any(|key| field.get(key).is_some());
    if narrowed || field["mode"] == "REPEATED" {
        return None;
    }
    match field["type"].as_str()? {
        "BOOL" | "BOOLEAN" => Some(ColumnType::Bool),
        "INT64" | "INTEGER" => Some(ColumnType::Int64),
        "FLOAT64" | "FLOAT" => Some(ColumnType::Float64),
        name => ColumnType::ALL.into_iter().find(|ty| ty.name() == name),
    }
}

/// A data column of `tables.get`; `None` for an audit column.
pub(super) fn existing(field: &Value) -> Option<ExistingColumn> {
    let name = field["name"].as_str()?.to_owned();
    column_note::existing(name, type_of(field), field["description"].as_str())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_column_is_read_back_as_it_was_planned() {
        for ty in ColumnType::ALL {
            let plan = ColumnPlan {
                name: "c".into(),
                ty,
                field: "C's \"x\"".into(),
                sibling: true,
                is_key: false,
                is_canonical: false,
            };
            let sent = serde_json::to_value(&target_fields(std::slice::from_ref(&plan))[0]).unwrap();
            let read = existing(&sent).unwrap();
            assert_eq!(
                read,
                ExistingColumn {
                    name: "c".into(),
                    ty: Some(ty),
                    field: Some(plan.field),
                    is_described: false,
                    sibling: true,
                    is_canonical: false
                }
            );
        }
    }

    #[test]
    fn foreign_types_are_none_of_ours() {
        for field in [
            json!({"name": "a", "type": "STRING", "mode": "REPEATED"}),
            json!({"name": "a", "type": "NUMERIC", "precision": "10", "scale": "2"}),
            json!({"name": "a", "type": "STRING", "maxLength": "5"}),
            json!({"name": "a", "type": "BIGNUMERIC"}),
            json!({"name": "a", "type": "RECORD", "fields": []}),
            json!({"name": "a", "type": "RANGE"}),
        ] {
            assert_eq!(existing(&field).unwrap().ty, None, "{field}");
        }
        assert_eq!(existing(&json!({"name": "_ETL_synced", "type": "TIMESTAMP"})), None);
        let plain = existing(&json!({"name": "a", "type": "INTEGER", "description": "the id"})).unwrap();
        assert_eq!((plain.ty, plain.field), (Some(ColumnType::Int64), None));
    }
}
