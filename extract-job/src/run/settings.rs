//! The settings of an account: references resolved, defaults filled in, and what is wrong with them.

use super::wrong::Wrong;
use crate::components::declarative_stream::DeclarativeStream;
use crate::components::expression::Scope;
use crate::manifest::Manifest;
use crate::manifest::spec::with_lines;
use crate::redactor::Redactor;
use crate::template::Names;
use chrono::Utc;
use contract::pipeline::{AccountEntry, Pipeline, Problem, Source, key_path};
use contract::secret::{self, SecretSource};
use serde_json::Value;

/// Where an account stands in the pipeline file, as a JSON pointer.
pub(super) fn place_of(source: &Source, entry: &AccountEntry) -> String {
    let index = source.accounts.iter().position(|account| account.id == entry.id).unwrap_or_default();
    format!("/sources/{}/accounts/{index}", source.index)
}

/// What is wrong with the range that the settings give a stream; nothing of settings that are not known.
pub(super) fn range_problem(stream: &DeclarativeStream, config: &Value) -> Option<String> {
    let cursor = stream.cursor.as_ref().filter(|_| !config.is_null())?;
    cursor.range_problem(&Scope::new(Utc::now()).with(Names::CONFIG, config))
}

/// The account's settings: references resolved, defaults filled in, checked by the connector's spec.
pub(super) fn config(
    pipeline: &Pipeline,
    source: &Source,
    entry: &AccountEntry,
    manifest: &Manifest,
    redactor: &Redactor,
    from: &dyn SecretSource,
    wrong: &mut Wrong,
) -> Option<Value> {
    let (value, secrets) = match pipeline.resolve_config(source, &entry.id, from) {
        Ok(resolved) => resolved,
        Err(problems) => {
            wrong.extend(problems);
            return None;
        }
    };
    secrets.iter().for_each(|secret| redactor.add(secret.expose()));
    let pointer = format!("{}/config", place_of(source, entry));
    let place = pipeline.node(&pointer);
    let referring = secret::referring(&Value::Object(entry.config.clone()));
    let (config, problems) = complete(manifest, with_lines(&value, place), &referring, redactor);
    let is_right = problems.is_empty();
    wrong.extend_list(&pipeline.name, problems.into_iter().map(|problem| placed(problem, &pointer)).collect());
    is_right.then_some(config)
}

/// What is wrong with an account's settings whatever its secrets are.
pub(super) fn config_without_secrets(
    pipeline: &Pipeline,
    source: &Source,
    entry: &AccountEntry,
    manifest: &Manifest,
) -> Vec<Problem> {
    let pointer = format!("{}/config", place_of(source, entry));
    let config = Value::Object(entry.config.clone());
    let referring = secret::referring(&config);
    let (_, mut problems) =
        complete(manifest, with_lines(&config, pipeline.node(&pointer)), &referring, &Redactor::default());
    // A reference is not the value that is judged, nor is what holds it.
    let unknown: Vec<String> = referring.iter().map(|place| key_path(place)).collect();
    problems.retain(|problem| problem.key.is_empty() || !unknown.iter().any(|key| key.starts_with(&problem.key)));
    problems.into_iter().map(|problem| placed(problem, &pointer)).collect()
}

/// A problem of an account's settings, at its place in the pipeline file.
fn placed(problem: Problem, pointer: &str) -> Problem {
    let separator = if problem.key.is_empty() || problem.key.starts_with('[') { "" } else { "." };
    Problem { key: format!("{}{separator}{}", key_path(pointer), problem.key), ..problem }
}

/// Settings with the spec's defaults, and what is wrong with them; secret values become known to the redactor. At the places of
/// `referring` (JSON pointers) stood references to secrets.
pub(crate) fn complete(
    manifest: &Manifest,
    config: contract::yaml::Node,
    referring: &[String],
    redactor: &Redactor,
) -> (Value, Vec<Problem>) {
    let Some(spec) = &manifest.source.spec else { return (config.to_json(), Vec::new()) };
    let node = spec.complete(config);
    let value = node.to_json();
    spec.secret_settings(&value).iter().for_each(|(_, secret)| redactor.add(secret));
    (value, spec.problems(&node, referring))
}
