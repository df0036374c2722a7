//! The SQL templates of `sql/bigquery`, and the one place that quotes a BigQuery identifier.
//! Values never go into the text, but for the few places that take no parameter (descriptions, expiry, partition bounds).

use crate::warehouse::WarehouseError;
use crate::warehouse::templates::{Quoting, Templates};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::sync::OnceLock;

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../sql/bigquery/", $name, ".sql")))),*]
    };
}

/// Every template by its file's name.
pub(super) const TEMPLATES: &[(&str, &str)] = templates![
    "absent",
    "add_column",
    "adopt_rows",
    "adopt_table",
    "append_changes",
    "append_counts",
    "changed_partitions",
    "changed_rows",
    "claim_batches",
    "counts",
    "drop_column",
    "forget_batches",
    "insert",
    "is_exact_as_double",
    "key_problems",
    "last_applied",
    "log_schema_change",
    "log_unit",
    "merge",
    "merge_changes",
    "merge_counts",
    "remember_batch",
    "remembered",
    "replace",
    "replace_changes",
    "replace_counts",
    "widen_column",
];

/// Quotes an identifier ("Lexical structure": backticks, the escapes of string literals).
fn quote(identifier: &str) -> String {
    format!("`{}`", escape(identifier).replace('`', "\\`"))
}

/// A text literal.
fn literal(text: &str) -> String {
    format!("'{}'", escape(text))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// An instant as BigQuery reads it.
pub(super) fn timestamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string()
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
    fn identifiers_and_literals_cannot_leave_their_quotes() {
        assert_eq!(quote("select"), "`select`");
        assert_eq!(quote("a`; DROP TABLE b; --"), "`a\\`; DROP TABLE b; --`");
        assert_eq!(quote("a\\"), "`a\\\\`");
        assert_eq!(literal("it's \\ \n"), "'it\\'s \\\\ \\n'");
    }

    #[test]
    fn every_file_of_the_folder_is_a_template_that_parses() {
        crate::warehouse::templates::check_folder("bigquery", TEMPLATES);
    }
}
