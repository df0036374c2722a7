//! Checks a YAML document against a JSON Schema and reports every error with its line and, for a misspelt key, the nearest valid one.
//! The pipeline file's own schema is generated from its types; a manifest's `spec` goes through the same check.

use super::file::PipelineFile;
use super::problem::{Problem, did_you_mean, key_path};
use crate::yaml::Node;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

/// The JSON Schema of the pipeline file, for editors.
pub fn pipeline_schema() -> Value {
    schemars::schema_for!(PipelineFile).to_value()
}

/// All errors of `node` against `schema`, in the order of lines.
///
/// # Errors
/// The schema itself is none.
pub fn check(schema: &Value, node: &Node) -> Result<Vec<Problem>, String> {
    check_hiding(schema, node, &[])
}

/// As [`check`]; of the values at these places (JSON pointers) no message shows anything.
///
/// # Errors
/// The schema itself is none.
pub fn check_hiding(schema: &Value, node: &Node, secrets: &[String]) -> Result<Vec<Problem>, String> {
    let validator: Validator =
        jsonschema::options().build(schema).map_err(|error| format!("the schema is not valid: {error}"))?;
    let value = node.to_json();
    let mut problems = Vec::new();
    for error in validator.iter_errors(&value) {
        explain(schema, node, secrets, &error, &mut problems);
    }
    problems.sort();
    problems.dedup();
    Ok(problems)
}

/// Whether a value is a secret, lies in one, or holds one.
fn is_hidden(secrets: &[String], pointer: &str) -> bool {
    let is_below = |below: &str, above: &str| {
        below.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    secrets.iter().any(|secret| is_below(secret, pointer) || is_below(pointer, secret))
}

fn explain(schema: &Value, node: &Node, secrets: &[String], error: &ValidationError<'_>, out: &mut Vec<Problem>) {
    let pointer = error.instance_path().as_str();
    let place = node.nearest(pointer);
    let mut add = |line: usize, message: String| out.push(Problem { line, key: key_path(pointer), message });
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let valid = valid_keys(schema, error.schema_path().as_str());
            for key in unexpected {
                let near = did_you_mean(key, valid.iter().map(String::as_str));
                let list = if near.is_empty() && !valid.is_empty() {
                    format!("; valid keys are {}", valid.join(", "))
                } else {
                    String::new()
                };
                add(place.line_of(key), format!("unknown key `{key}`{near}{list}"));
            }
        }
        ValidationErrorKind::Required { property } => {
            add(place.line, format!("the key `{}` is missing", property.as_str().unwrap_or_default()));
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            if let Some((tag, words)) = missing_tag(context, pointer, schema, error.schema_path().as_str()) {
                add(place.line, format!("the key `{tag}` is missing: {}", words.join(" or ")));
            } else if let Some(branch) = fitting_branch(context, pointer) {
                branch.iter().for_each(|inner| explain(schema, node, secrets, inner, out));
            } else if let Some(tags) = unknown_tag(context, pointer) {
                let key = tags.first().map_or(pointer, |(key, _)| key);
                let at = node.nearest(key);
                let words = tags.iter().map(|(_, word)| word.clone()).collect();
                let written = plain(&at.to_json());
                let message = not_one_of((!is_hidden(secrets, key)).then_some(&written), words);
                out.push(Problem { line: at.line, key: key_path(key), message });
            } else {
                add(place.line, fits_nothing(context, error.instance(), is_hidden(secrets, pointer)));
            }
        }
        ValidationErrorKind::Enum { options } => {
            let words = options.as_array().into_iter().flatten().map(plain).collect();
            let written = plain(error.instance());
            add(place.line, not_one_of((!is_hidden(secrets, pointer)).then_some(&written), words));
        }
        ValidationErrorKind::Minimum { limit } => add(place.line, format!("must be at least {limit}")),
        ValidationErrorKind::Maximum { limit } => add(place.line, format!("must be at most {limit}")),
        ValidationErrorKind::Pattern { pattern } if pattern == super::span::PATTERN => {
            add(place.line, super::span::FORM.into());
        }
        ValidationErrorKind::MinItems { .. } => add(place.line, "the list is empty".into()),
        _ => match expected(error) {
            Some(wanted) => add(place.line, format!("expected {wanted}, found {}", kind_of(error.instance()))),
            // The library's own text quotes the value; a config value may be a secret.
            None => add(place.line, format!("the value does not fit the schema's `{}`", error.kind().keyword())),
        },
    }
}

type Branches<'a> = [Vec<ValidationError<'a>>];

/// The tag that every branch of a tagged union misses, and the words it may be, by the union's place in the schema.
fn missing_tag<'a>(
    context: &'a Branches<'_>,
    pointer: &str,
    schema: &Value,
    union: &str,
) -> Option<(&'a str, Vec<String>)> {
    let missing = |branch: &'a Vec<ValidationError<'_>>| {
        branch.iter().filter(|error| error.instance_path().as_str() == pointer).filter_map(|error| match error.kind() {
            ValidationErrorKind::Required { property } => property.as_str(),
            _ => None,
        })
    };
    let words = |tag: &str| -> Option<Vec<String>> {
        let branches = schema.pointer(union)?.as_array()?;
        branches.iter().map(|branch| branch.pointer(&format!("/properties/{tag}/const")).map(plain)).collect()
    };
    missing(context.first()?)
        .filter(|tag| context.iter().all(|branch| missing(branch).any(|other| other == *tag)))
        .find_map(|tag| Some((tag, words(tag)?)))
}

/// Of a union's branches the one that the user meant: the one whose own type and tag fit, with the fewest errors.
fn fitting_branch<'a, 'b>(context: &'a Branches<'b>, pointer: &str) -> Option<&'a Vec<ValidationError<'b>>> {
    let is_meant = |branch: &&Vec<ValidationError<'_>>| {
        !branch.iter().any(|error| misses(error, pointer) || tag_of(error, pointer).is_some())
    };
    context.iter().filter(is_meant).min_by_key(|branch| branch.len())
}

/// Whether the value itself is of the wrong kind, not something inside it.
fn misses(error: &ValidationError<'_>, pointer: &str) -> bool {
    error.instance_path().as_str() == pointer
        && match error.kind() {
            ValidationErrorKind::Type { .. }
            | ValidationErrorKind::Enum { .. }
            | ValidationErrorKind::Constant { .. } => true,
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                context.iter().all(|branch| branch.iter().any(|inner| misses(inner, pointer)))
            }
            _ => false,
        }
}

/// The place and the word of a tag that is another one than the branch wants.
fn tag_of(error: &ValidationError<'_>, pointer: &str) -> Option<(String, String)> {
    let ValidationErrorKind::Constant { expected_value } = error.kind() else { return None };
    let place = error.instance_path().as_str();
    let is_inside = place.strip_prefix(pointer).is_some_and(|rest| rest.matches('/').count() == 1);
    is_inside.then(|| (place.to_owned(), plain(expected_value)))
}

/// Where no branch of a tagged union has the tag that is written: its place, and the words there are.
fn unknown_tag(context: &Branches<'_>, pointer: &str) -> Option<Vec<(String, String)>> {
    context.iter().map(|branch| branch.iter().find_map(|error| tag_of(error, pointer))).collect()
}

/// A value that is nothing of what its place may hold.
fn fits_nothing(context: &Branches<'_>, instance: &Value, is_hidden: bool) -> String {
    let (mut words, mut kinds) = (Vec::new(), Vec::new());
    alternatives(context, &mut words, &mut kinds);
    match instance.as_str() {
        Some(written) if kinds.is_empty() => not_one_of((!is_hidden).then_some(written), words),
        written => {
            let found = written.filter(|_| !words.is_empty() && !is_hidden).map(|text| format!("`{text}`"));
            kinds.splice(0..0, words.iter().map(|word| format!("`{word}`")));
            format!("expected {}, found {}", kinds.join(" or "), found.unwrap_or_else(|| kind_of(instance).into()))
        }
    }
}

/// The fixed words and the kinds of values that a union takes.
fn alternatives(context: &Branches<'_>, words: &mut Vec<String>, kinds: &mut Vec<String>) {
    for branch in context {
        let found = words.len();
        for error in branch {
            match error.kind() {
                ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                    alternatives(context, words, kinds);
                }
                ValidationErrorKind::Constant { expected_value } => words.push(plain(expected_value)),
                ValidationErrorKind::Enum { options } => {
                    words.extend(options.as_array().into_iter().flatten().map(plain));
                }
                _ => {}
            }
        }
        // A fixed word says more than its type does.
        if words.len() == found {
            kinds.extend(branch.iter().filter_map(expected).filter(|kind| kind != "null"));
        }
    }
    kinds.dedup();
}

/// A secret is not written, nor what it is like.
fn not_one_of(written: Option<&str>, words: Vec<String>) -> String {
    let Some(written) = written else { return format!("the value is not one of {}", words.join(", ")) };
    let near = did_you_mean(written, words.iter().map(String::as_str));
    format!("`{written}` is not one of {}{near}", words.join(", "))
}

fn expected(error: &ValidationError<'_>) -> Option<String> {
    match error.kind() {
        ValidationErrorKind::Type { kind: TypeKind::Single(one) } => Some(name(one.as_str())),
        ValidationErrorKind::Type { kind: TypeKind::Multiple(several) } => {
            let names: Vec<String> = several.iter().map(|t| name(t.as_str())).filter(|n| n != "null").collect();
            Some(names.join(" or "))
        }
        ValidationErrorKind::Constant { expected_value } => Some(format!("`{}`", plain(expected_value))),
        _ => None,
    }
}

fn name(json_type: &str) -> String {
    match json_type {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "text",
        "integer" => "an integer",
        "number" => "a number",
        "boolean" => "true or false",
        other => other,
    }
    .to_owned()
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The keys that are allowed where a schema path's `additionalProperties` stands.
fn valid_keys(schema: &Value, schema_path: &str) -> Vec<String> {
    let parent = schema_path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let properties = schema.pointer(parent).and_then(|found| found.get("properties")).and_then(Value::as_object);
    properties.map(|map| map.keys().cloned().collect()).unwrap_or_default()
}
