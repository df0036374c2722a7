//! The SQL templates of `sql/duckdb`, and the one place that quotes a DuckDB identifier.
//! Values never go into the text: they are bound.

use crate::warehouse::WarehouseError;
use crate::warehouse::templates::{Quoting, Templates};
use serde_json::Value;
use std::sync::OnceLock;

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../sql/duckdb/", $name, ".sql")))),*]
    };
}

/// Every template by its file's name.
pub(super) const TEMPLATES: &[(&str, &str)] = templates![
    "add_column",
    "adopt_rows",
    "adopt_table",
    "append_changes",
    "append_counts",
    "changed_rows",
    "changed_value",
    "changes_exactly",
    "claim_batches",
    "counts",
    "create_log_tables",
    "create_staging",
    "create_table",
    "delete_log",
    "describe_table",
    "drop_column",
    "exclude_accounts",
    "forget_batches",
    "has_duplicates",
    "identify_table",
    "insert",
    "is_exact_as_double",
    "key_problems",
    "last_applied",
    "log_schema_change",
    "log_unit",
    "mark_deleted",
    "merge",
    "merge_changes",
    "merge_counts",
    "remember_batch",
    "remembered",
    "replace",
    "replace_changes",
    "replace_counts",
    "stage",
    "table_comment",
    "take_out",
    "unique_constraints",
    "units",
    "widen_column",
];

/// Quotes an identifier.
pub(super) fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// A text literal, for the few places that take no bound value (comments on columns).
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Renders a template.
pub(super) fn render(name: &str, context: &Value) -> Result<String, WarehouseError> {
    static ALL: OnceLock<Templates> = OnceLock::new();
    ALL.get_or_init(|| Templates::new(TEMPLATES, Quoting { identifier: quote, literal })).render(name, context)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_cannot_leave_their_quotes() {
        assert_eq!(quote("select"), "\"select\"");
        assert_eq!(quote("a\"; DROP TABLE b; --"), "\"a\"\"; DROP TABLE b; --\"");
        assert_eq!(literal("it's"), "'it''s'");
    }

    #[test]
    fn every_file_of_the_folder_is_a_template_that_parses() {
        crate::warehouse::templates::check_folder("duckdb", TEMPLATES);
    }
}
