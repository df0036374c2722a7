//! DuckDB's names for our types, and what a table of ours looks like in its catalogue.
//! A column remembers its field in its comment, so that names stay stable when fields clash.

use crate::shape::{AUDIT_COLUMNS, ColumnPlan, ColumnType, ExistingColumn};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The type in DDL. TIMESTAMP holds UTC; DuckDB's zoned type would need an extension to be read.
pub(super) fn type_name(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::Bool => "BOOLEAN",
        ColumnType::Int64 => "BIGINT",
        ColumnType::Float64 => "DOUBLE",
        ColumnType::Numeric => "DECIMAL(38,9)",
        ColumnType::String => "VARCHAR",
        ColumnType::Date => "DATE",
        ColumnType::Datetime | ColumnType::Timestamp => "TIMESTAMP",
        ColumnType::Json => "JSON",
    }
}

/// The type in the staging table: JSON arrives as text and is cast on the way into the target.
pub(super) fn staged_type_name(ty: ColumnType) -> &'static str {
    if ty == ColumnType::Json { "VARCHAR" } else { type_name(ty) }
}

fn type_of(name: &str, remembered: Option<&Comment>) -> Option<ColumnType> {
    let found = ColumnType::ALL.into_iter().find(|ty| type_name(*ty) == name)?;
    let datetime = found == ColumnType::Datetime || found == ColumnType::Timestamp;
    match remembered {
        // DATETIME and TIMESTAMP look alike in the catalogue.
        Some(comment) if datetime && comment.ty == "DATETIME" => Some(ColumnType::Datetime),
        _ if datetime => Some(ColumnType::Timestamp),
        _ => Some(found),
    }
}

/// An instant as DuckDB reads it, in UTC.
pub(super) fn timestamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// What a column's comment says.
#[derive(Debug, Serialize, Deserialize)]
struct Comment {
    field: String,
    #[serde(rename = "type")]
    ty: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    sibling: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    canonical: bool,
}

/// The comment of a planned column.
pub(super) fn comment(column: &ColumnPlan) -> String {
    let comment = Comment {
        field: column.field.clone(),
        ty: column.ty.name().into(),
        sibling: column.sibling,
        canonical: column.is_canonical,
    };
    serde_json::to_string(&comment).unwrap_or_default()
}

/// A data column of the catalogue; `None` for an audit column.
pub(super) fn existing(name: String, type_name: &str, comment: Option<&str>) -> Option<ExistingColumn> {
    if AUDIT_COLUMNS.contains(&name.to_lowercase().as_str()) {
        return None;
    }
    let remembered: Option<Comment> = comment.and_then(|text| serde_json::from_str(text).ok());
    Some(ExistingColumn {
        ty: type_of(type_name, remembered.as_ref()),
        sibling: remembered.as_ref().is_some_and(|comment| comment.sibling),
        is_canonical: remembered.as_ref().is_some_and(|comment| comment.canonical),
        is_described: remembered.is_none() && comment.is_some_and(|text| !text.is_empty()),
        field: remembered.map(|comment| comment.field),
        name,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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
            let read = existing("c".into(), type_name(ty), Some(&comment(&plan))).unwrap();
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
        assert_eq!(existing("t".into(), "INTEGER[]", None).unwrap().ty, None);
        assert_eq!(existing("_etl_synced".into(), "TIMESTAMP", None), None);
    }
}
