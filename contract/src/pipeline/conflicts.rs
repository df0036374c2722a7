//! What no schema can say of a pipeline file: names that clash or cannot stand in a path, settings that do not go together,
//! and paths that lead nowhere when the file itself lies in Cloud Storage.

use super::problem::{Problem, key_path};
use super::source_name;
use crate::landing::paths::is_safe_segment;
use crate::location::Location;
use crate::secret::references;
use crate::table_name::table_name_problem;
use crate::yaml::{Kind, Node};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// The settings of an account's `warehouse`, by the warehouse that they are for.
const DUCKDB_OVERRIDES: [&str; 1] = ["schema"];
const BIGQUERY_OVERRIDES: [&str; 5] = ["project", "dataset", "staging_dataset", "log_dataset", "location"];
/// Where a manifest can be.
const ABSOLUTE: &str = "a built-in connector's name or a path on the machine (in the container image)";

/// What no schema can say: names that are doubled or cannot stand in a path, settings that do not fit the warehouse.
pub(super) fn conflicts(document: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut add = |line: usize, key: String, message: String| problems.push(Problem { line, key, message });
    let warehouse = document.nearest("/warehouse/type").as_str().unwrap_or_default();
    let mut sources = BTreeSet::new();
    for (s, source) in document.get("sources").map(Node::items).unwrap_or_default().iter().enumerate() {
        let connector = source.get("connector").and_then(Node::as_str).unwrap_or_default();
        if !is_path(connector) {
            let place = if is_bucket(connector) { "Cloud Storage" } else { "a URL" };
            let message = format!("`{connector}`: a manifest cannot be read from {place}; use {ABSOLUTE}");
            add(source.line_of("connector"), format!("sources[{s}].connector"), message);
        }
        let name = source_name(source.get("name").and_then(Node::as_str), connector);
        if !connector.is_empty() && !is_safe_segment(&name) {
            add(source.line, format!("sources[{s}].name"), unsafe_name(&name));
        }
        if !sources.insert(name.clone()) {
            add(
                source.line,
                format!("sources[{s}].name"),
                format!("the source name `{name}` is used twice; set `name`"),
            );
        }
        let mut accounts = BTreeSet::new();
        for (a, account) in source.get("accounts").map(Node::items).unwrap_or_default().iter().enumerate() {
            let key = format!("sources[{s}].accounts[{a}]");
            let Some(id) = account.get("id").and_then(Node::as_str) else { continue };
            if !is_safe_segment(id) {
                add(account.line_of("id"), format!("{key}.id"), unsafe_name(id));
            }
            if !accounts.insert(id.to_owned()) {
                add(account.line_of("id"), format!("{key}.id"), format!("the account `{id}` is listed twice"));
            }
            for entry in account.get("warehouse").map(Node::entries).unwrap_or_default() {
                if let Some(message) = misplaced(warehouse, &entry.key) {
                    add(entry.line, format!("{key}.warehouse.{}", entry.key), message);
                }
            }
        }
        let mut streams = BTreeSet::new();
        for (t, stream) in source.get("streams").map(Node::items).unwrap_or_default().iter().enumerate() {
            let Some(name) = stream.as_str().or_else(|| stream.get("name").and_then(Node::as_str)) else { continue };
            if let Some(message) = stream.get("table").and_then(Node::as_str).and_then(table_name_problem) {
                add(stream.line_of("table"), format!("sources[{s}].streams[{t}].table"), message);
            }
            if !streams.insert(name.to_owned()) {
                add(stream.line, format!("sources[{s}].streams[{t}]"), format!("the stream `{name}` is listed twice"));
            }
        }
    }
    problems
}

/// Why an account's warehouse setting does not go with the pipeline's warehouse; a key that no warehouse knows is the schema's affair.
fn misplaced(warehouse: &str, key: &str) -> Option<String> {
    let (own, other) = match warehouse {
        "duckdb" => (&DUCKDB_OVERRIDES[..], &BIGQUERY_OVERRIDES[..]),
        "bigquery" => (&BIGQUERY_OVERRIDES[..], &DUCKDB_OVERRIDES[..]),
        _ => return None,
    };
    other.contains(&key).then(|| {
        format!("not a setting of a {warehouse} warehouse, where an account can have its own {}", own.join(", "))
    })
}

fn unsafe_name(name: &str) -> String {
    format!(
        "`{}` cannot stand in a path: use letters, digits, `_`, `-` and `.`, not starting with a dot",
        name.escape_default()
    )
}

fn is_path(text: &str) -> bool {
    Location::parse(text).is_ok_and(|location| location.path().is_some())
}

fn is_bucket(text: &str) -> bool {
    matches!(Location::parse(text), Ok(Location::CloudStorage(_)))
}

/// Locations that only look like paths. `value` is the file with its references resolved.
pub(super) fn schemes(document: &Node, value: &Value) -> Vec<Problem> {
    let problem = |pointer: &str| {
        let text = value.pointer(pointer)?.as_str()?;
        let message = match Location::parse(text) {
            Err(unknown) => unknown.to_string(),
            Ok(location) if pointer == "/warehouse/path" && location.path().is_none() => {
                format!("`{text}`: a DuckDB file is not written in Cloud Storage; give a path")
            }
            Ok(_) => return None,
        };
        Some(Problem { line: document.nearest(pointer).line, key: key_path(pointer), message })
    };
    ["/landing", "/landing/path", "/warehouse/path"].into_iter().filter_map(problem).collect()
}

/// BigQuery reads the staged files by itself, and only from Cloud Storage. `value` is the file with its references resolved.
pub(super) fn staging(document: &Node, value: &Value) -> Option<Problem> {
    let landing = value["landing"].as_str().or(value["landing"]["path"].as_str())?;
    let wrong = value["warehouse"]["type"] == "bigquery" && is_path(landing) && !is_open(landing);
    wrong.then(|| Problem {
        line: document.line_of("landing"),
        key: "landing".into(),
        message: "BigQuery loads from Cloud Storage: with `type: bigquery` the landing zone must be gs://bucket/prefix"
            .into(),
    })
}

/// A bucket is not listed by this program, and deletes by itself what is old.
pub(super) fn keeping(document: &Node, value: &Value) -> Option<Problem> {
    let in_bucket = value["landing"]["path"].as_str().is_some_and(is_bucket);
    (in_bucket && !value["landing"]["keep"].is_null()).then(|| Problem {
        line: document.nearest("/landing/keep").line,
        key: "landing.keep".into(),
        message:
            "is for folders; give the bucket a lifecycle rule that deletes what is old under `batches/` and `rejects/`"
                .into(),
    })
}

/// Paths that start at the pipeline file's folder, where there is none. `value` is the file with its references resolved.
pub(super) fn without_folder(document: &Node, value: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut add = |pointer: &str, line: usize, what: &str, remedy: &str| {
        let message = format!("the pipeline file is in Cloud Storage, where a relative {what}; use {remedy}");
        problems.push(Problem { line, key: key_path(pointer), message });
    };
    for pointer in ["/landing", "/landing/path", "/warehouse/path"] {
        let Some(text) = value.pointer(pointer).and_then(Value::as_str) else { continue };
        if is_path(text) && !Path::new(text).is_absolute() && !is_open(text) {
            let remedy = if pointer == "/warehouse/path" { "an absolute path" } else { "gs://bucket/prefix" };
            add(pointer, document.nearest(pointer).line, "path leads nowhere", remedy);
        }
    }
    for (s, source) in document.get("sources").map(Node::items).unwrap_or_default().iter().enumerate() {
        let connector = source.get("connector").and_then(Node::as_str).unwrap_or_default();
        let looks_like_one = connector.contains('/') || connector.ends_with(".yaml") || connector.ends_with(".yml");
        if looks_like_one && is_path(connector) && !Path::new(connector).is_absolute() {
            let what = format!("manifest path (`{connector}`) leads nowhere");
            add(&format!("/sources/{s}/connector"), source.line_of("connector"), &what, ABSOLUTE);
        }
    }
    each_text(document, String::new(), &mut |pointer, line, text| {
        for reference in references(&Value::from(text)) {
            if reference.kind == "file" && !Path::new(&reference.name).is_absolute() {
                let what = format!("`${{file:{}}}` leads nowhere", reference.name);
                add(pointer, line, &what, "an absolute path, ${env:NAME} or ${secret:NAME}");
            }
        }
    });
    problems
}

/// A reference in it could not be resolved, which is reported by itself.
fn is_open(text: &str) -> bool {
    text.contains("${")
}

/// Every text of the file with its place.
fn each_text(node: &Node, pointer: String, found: &mut impl FnMut(&str, usize, &str)) {
    if let Some(text) = node.as_str() {
        found(&pointer, node.line, text);
    }
    match &node.kind {
        Kind::Seq(items) => {
            for (index, item) in items.iter().enumerate() {
                each_text(item, format!("{pointer}/{index}"), found);
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                each_text(&entry.value, format!("{pointer}/{}", entry.key), found);
            }
        }
        _ => {}
    }
}
