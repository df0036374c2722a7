//! The secrets of a pipeline that this process can resolve. Jobs strip their own errors; this is for what they may have missed.
//! References that cannot be resolved here are nothing to strip: the orchestrator needs no credentials of APIs.

use contract::pipeline::Pipeline;
use contract::secret::{self, Machine, Redactor};
use serde_json::Value;

/// A redactor of the accounts' secrets that come from the environment and from files.
pub(super) fn secrets(pipeline: &Pipeline) -> Redactor {
    let mut redactor = Redactor::default();
    for account in pipeline.sources.iter().flat_map(|source| &source.accounts) {
        account.config.values().for_each(|value| collect(value, pipeline, &mut redactor));
    }
    redactor
}

/// Text by text, so that one reference that cannot be resolved does not hide the others.
fn collect(value: &Value, pipeline: &Pipeline, redactor: &mut Redactor) {
    match value {
        Value::String(text) if text.contains("${") => {
            if let Ok((_, secrets)) = secret::resolve(value, &pipeline.base, &Machine) {
                secrets.into_iter().for_each(|secret| redactor.add(secret));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, pipeline, redactor)),
        Value::Object(map) => map.values().for_each(|item| collect(item, pipeline, redactor)),
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_resolves_is_stripped_and_the_rest_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "k-123456\n").unwrap();
        let text = "landing: l\nwarehouse: {type: duckdb, path: w}\nsources:\n  - connector: servicetitan\n    accounts:\n      \
                    - {id: a, config: {x: '${file:none}', y: ['${file:key}'], z: plain}}\n";
        let pipeline = Pipeline::parse("p.yaml", text, folder.path(), &Machine).unwrap();
        assert_eq!(secrets(&pipeline).redact("401 for k-123456, plain"), "401 for ***, plain");
    }
}
