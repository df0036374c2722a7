//! The SQL templates of `sql/bigquery`, rendered; the one place that quotes a BigQuery identifier.
//! Values never go into the text, but for the few places that take no parameter (descriptions, expiry, partition bounds).

use crate::warehouse::WarehouseError;
use chrono::{DateTime, Utc};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
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
    "changed_partitions",
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
    "remember_batch",
    "remembered",
    "replace",
    "replace_changes",
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

/// Renders a template; `{{ name | id }}` quotes an identifier, `{{ table | path }}` a list of them, `{{ text | lit }}` a literal.
/// A name that is not given is an error.
pub(super) fn render(name: &str, context: &Value) -> Result<String, WarehouseError> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    let environment = ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        // Block tags stand on lines of their own and leave none behind. The default delimiters always build.
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        environment.add_filter("id", |text: String| quote(&text));
        environment.add_filter("path", |parts: Vec<String>| {
            parts.iter().map(|part| quote(part)).collect::<Vec<_>>().join(".")
        });
        environment.add_filter("lit", |text: String| literal(&text));
        environment.add_filter("lit_timestamp", |text: String| format!("TIMESTAMP {}", literal(&text)));
        for (name, text) in TEMPLATES {
            // A template that does not parse shows at its first use, and in the test below.
            let _ = environment.add_template(name, text);
        }
        environment
    });
    let failed = |error: minijinja::Error| WarehouseError::Statement {
        what: format!("render the statement {name}.sql"),
        message: format!("{error:#}"),
    };
    environment
        .get_template(name)
        .and_then(|template| template.render(minijinja::Value::from(Serde(context))))
        .map_err(failed)
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
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/bigquery");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let mut names: Vec<&str> = TEMPLATES.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        assert_eq!(files, names);
        for (name, text) in TEMPLATES {
            Environment::new().add_template(name, text).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}
