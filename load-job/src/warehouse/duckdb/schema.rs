//! DuckDB's names for our types, and what a table of ours looks like in its catalogue.
//! A column remembers its field in its comment, so that names stay stable when fields clash.

use crate::shape::{ColumnPlan, ColumnType, ExistingColumn};
use crate::warehouse::column_note::{self, ColumnNote};
use chrono::{DateTime, Utc};

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

fn type_of(name: &str, remembered: Option<&ColumnNote>) -> Option<ColumnType> {
    let found = ColumnType::ALL.into_iter().find(|ty| type_name(*ty) == name)?;
    let datetime = found == ColumnType::Datetime || found == ColumnType::Timestamp;
    match remembered {
        // DATETIME and TIMESTAMP look alike in the catalogue.
        Some(note) if datetime && note.ty.as_deref() == Some("DATETIME") => Some(ColumnType::Datetime),
        _ if datetime => Some(ColumnType::Timestamp),
        _ => Some(found),
    }
}

/// An instant as DuckDB reads it, in UTC.
pub(super) fn timestamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// The comment of a planned column.
pub(super) fn comment(column: &ColumnPlan) -> String {
    ColumnNote::of(column).with_type(column.ty).text()
}

/// A data column of the catalogue; `None` for an audit column.
pub(super) fn existing(name: String, type_name: &str, comment: Option<&str>) -> Option<ExistingColumn> {
    column_note::existing(name, type_of(type_name, ColumnNote::read(comment).as_ref()), comment)
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
