//! What a column of ours says of itself in its comment: the field that it is for, so that names stay stable when fields clash.

use crate::shape::{AUDIT_COLUMNS, ColumnPlan, ColumnType, ExistingColumn};
use serde::{Deserialize, Serialize};

/// A column's comment, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ColumnNote {
    pub(super) field: String,
    /// The name of its type, where the warehouse's own does not tell it.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub(super) ty: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    sibling: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    canonical: bool,
}

impl ColumnNote {
    /// The note of a planned column.
    pub(super) fn of(column: &ColumnPlan) -> Self {
        Self { field: column.field.clone(), ty: None, sibling: column.sibling, canonical: column.is_canonical }
    }

    /// Also tells the type.
    #[cfg(feature = "duckdb")]
    pub(super) fn with_type(self, ty: ColumnType) -> Self {
        Self { ty: Some(ty.name().to_owned()), ..self }
    }

    /// The note as it is written down.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The note that a comment is; `None` for a comment of somebody else.
    pub(super) fn read(comment: Option<&str>) -> Option<Self> {
        serde_json::from_str(comment?).ok()
    }
}

/// A data column as the catalogue has it, with its comment; `None` for an audit column.
pub(super) fn existing(name: String, ty: Option<ColumnType>, comment: Option<&str>) -> Option<ExistingColumn> {
    if AUDIT_COLUMNS.contains(&name.to_lowercase().as_str()) {
        return None;
    }
    let note = ColumnNote::read(comment);
    Some(ExistingColumn {
        ty,
        sibling: note.as_ref().is_some_and(|note| note.sibling),
        is_canonical: note.as_ref().is_some_and(|note| note.canonical),
        is_described: note.is_none() && comment.is_some_and(|text| !text.is_empty()),
        field: note.map(|note| note.field),
        name,
    })
}
