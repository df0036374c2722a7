//! What the tests know of a stream: its table, its key, how runs change it, and the hints that the manifest gives for its columns.
//! Hints are read from the manifest's text, line by line; records keep the text of their values.

use crate::oracle::Record;
use crate::values::Type;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What becomes of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What is gone is marked as deleted.
    Snapshot,
    /// What is gone stays.
    Incremental,
    /// No key: the account's rows are what was read last.
    Replace,
}

#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) keys: Vec<String>,
    pub(crate) kind: Kind,
    pub(crate) hints: BTreeMap<String, Type>,
}

impl Stream {
    /// A stream whose hints stand in the manifest's schema of its own name, if there is one.
    pub(crate) fn new(manifest: &str, name: &str, keys: &[&str], kind: Kind) -> Self {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Self { name: name.to_owned(), keys, kind, hints: hints(manifest, name) }
    }
}

/// The hints of a schema: field and type. Empty where there is none of this name.
pub(crate) fn hints(manifest: &str, schema: &str) -> BTreeMap<String, Type> {
    let start = format!("  {schema}:");
    let schemas = manifest.lines().skip_while(|line| *line != "schemas:");
    let mine = schemas.skip_while(|line| *line != start).skip(1).take_while(|line| line.starts_with("   "));
    let text = mine.collect::<Vec<_>>().join("\n");
    let mut hints = BTreeMap::new();
    for (field, hint) in text.split([',', '{', '}', '\n']).filter_map(|word| word.trim().split_once(": *")) {
        let ty = match hint {
            "int" => Type::Bigint,
            "number" => Type::Double,
            "text" => Type::Varchar,
            "time" => Type::Timestamp,
            "bool" => Type::Boolean,
            "epoch" => Type::Epoch,
            "json" => Type::JsonText,
            "object" | "list" => Type::Json,
            other => panic!("unknown hint {other}"),
        };
        hints.insert(field.to_owned(), ty);
    }
    hints
}

/// A record by the texts of its values.
pub(crate) fn record(value: &Value) -> Record {
    let fields = value.as_object().unwrap();
    fields.iter().map(|(field, value)| (field.clone(), value.to_string())).collect()
}

/// The same of a record's own text.
pub(crate) fn record_of_text(text: &str) -> Record {
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).unwrap();
    fields.into_iter().map(|(field, value)| (field, value.get().to_owned())).collect()
}

/// `fromUser` → `from_user`, `_id` → `_id`, `JobNumber` → `job_number`.
pub(crate) fn column(field: &str) -> String {
    let mut name = String::new();
    for c in field.chars() {
        assert!(c.is_ascii_alphanumeric() || c == '_', "the oracle knows no rule for {field}");
        if c.is_ascii_uppercase() && !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

#[test]
fn names_and_hints() {
    for (field, wanted) in [
        ("fromUser", "from_user"),
        ("_id", "_id"),
        ("sender_id", "sender_id"),
        ("JobNumber", "job_number"),
        ("text", "text"),
    ] {
        assert_eq!(column(field), wanted);
    }
    let callio = include_str!("../../../../extract-job/connectors/callio.yaml");
    assert_eq!(hints(callio, "user_groups").len(), 2, "the last one, on one line");
    assert_eq!(hints(callio, "users")["group"], Type::JsonText);
    assert_eq!(hints(callio, "users").get("fromUser"), None);
    assert_eq!(hints(callio, "calls")["fromGroup"], Type::JsonText);
    assert!(hints(callio, "nothing").is_empty());
}
