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
    let validator: Validator =
        jsonschema::options().build(schema).map_err(|error| format!("the schema is not valid: {error}"))?;
    let value = node.to_json();
    let mut problems = Vec::new();
    for error in validator.iter_errors(&value) {
        explain(schema, node, &error, &mut problems);
    }
    problems.sort();
    problems.dedup();
    Ok(problems)
}

fn explain(schema: &Value, node: &Node, error: &ValidationError<'_>, out: &mut Vec<Problem>) {
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
            match fitting_branch(context, pointer) {
                Some(branch) => branch.iter().for_each(|inner| explain(schema, node, inner, out)),
                None => {
                    let kinds: Vec<String> = context.iter().flatten().filter_map(expected).collect();
                    add(place.line, format!("expected {}, found {}", kinds.join(" or "), kind_of(error.instance())));
                }
            }
        }
        ValidationErrorKind::Enum { options } => {
            let names: Vec<String> = options.as_array().into_iter().flatten().map(plain).collect();
            let written = plain(error.instance());
            let near = did_you_mean(&written, names.iter().map(String::as_str));
            add(place.line, format!("`{written}` is not one of {}{near}", names.join(", ")));
        }
        ValidationErrorKind::MinItems { .. } => add(place.line, "the list is empty".into()),
        _ => match expected(error) {
            Some(wanted) => add(place.line, format!("expected {wanted}, found {}", kind_of(error.instance()))),
            // The library's own text quotes the value; a config value may be a secret.
            None => add(place.line, format!("the value does not fit the schema's `{}`", error.kind().keyword())),
        },
    }
}

/// Of a union's branches the one that the user meant: the one whose own type (and tag) fits, with the fewest errors.
fn fitting_branch<'a, 'b>(
    context: &'a [Vec<ValidationError<'b>>],
    pointer: &str,
) -> Option<&'a Vec<ValidationError<'b>>> {
    let tag = |error: &ValidationError<'_>| matches!(error.kind(), ValidationErrorKind::Constant { .. });
    let wrong_type = |error: &ValidationError<'_>| {
        error.instance_path().as_str() == pointer
            && matches!(error.kind(), ValidationErrorKind::Type { .. } | ValidationErrorKind::Enum { .. })
    };
    let fits = context.iter().filter(|branch| !branch.iter().any(|e| wrong_type(e) || tag(e)));
    let known_tag = fits.min_by_key(|branch| branch.len());
    // No branch of a tagged union fits its tag: say which tags there are.
    known_tag
}

fn expected(error: &ValidationError<'_>) -> Option<String> {
    match error.kind() {
        ValidationErrorKind::Type { kind: TypeKind::Single(one) } => Some(name(one.as_str())),
        ValidationErrorKind::Type { kind: TypeKind::Multiple(several) } => {
            let names: Vec<String> = several.iter().map(|t| name(t.as_str())).filter(|n| n != "null").collect();
            Some(names.join(" or "))
        }
        ValidationErrorKind::Constant { expected_value } => Some(format!("`{}`", plain(expected_value))),
        ValidationErrorKind::Enum { options } => Some(
            options
                .as_array()
                .into_iter()
                .flatten()
                .map(|o| format!("`{}`", plain(o)))
                .collect::<Vec<_>>()
                .join(" or "),
        ),
        ValidationErrorKind::Minimum { limit } => Some(format!("at least {limit}")),
        ValidationErrorKind::Maximum { limit } => Some(format!("at most {limit}")),
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
