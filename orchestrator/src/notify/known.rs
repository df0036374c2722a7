//! The secrets of a pipeline that this process can resolve, stripped from texts. Jobs strip their own errors; this is for what
//! they may have missed. References that cannot be resolved here are nothing to strip: the orchestrator needs no credentials of APIs.

use contract::pipeline::Pipeline;
use contract::secret::{Machine, Secret};
use serde_json::Value;

/// Shorter secrets cannot be told from other text.
const SHORTEST: usize = 5;
const STRIPPED: &str = "***";

/// Secrets that must not be told.
#[derive(Debug, Default)]
pub(super) struct Known(Vec<Secret>);

impl Known {
    /// The accounts' secrets that come from the environment, from `.env` and from files.
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        let mut known = Self::default();
        for account in pipeline.sources.iter().flat_map(|source| &source.accounts) {
            account.config.values().for_each(|value| known.collect(value, pipeline));
        }
        known
    }

    /// Adds a secret, and the form it takes inside a URL.
    pub(super) fn add(&mut self, secret: Secret) {
        if secret.expose().len() >= SHORTEST {
            self.0.extend(in_url(&secret).filter(|encoded| *encoded != secret));
            self.0.push(secret);
            // The longest first, so that a secret inside another leaves no rest behind.
            self.0.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        }
    }

    /// The text without secrets.
    pub(super) fn strip(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose(), STRIPPED))
    }

    /// Text by text, so that one reference that cannot be resolved does not hide the others.
    fn collect(&mut self, value: &Value, pipeline: &Pipeline) {
        match value {
            Value::String(text) if text.contains("${") => {
                if let Ok((_, secrets)) = pipeline.resolve(value, &Machine) {
                    secrets.into_iter().for_each(|secret| self.add(secret));
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, pipeline)),
            Value::Object(map) => map.values().for_each(|item| self.collect(item, pipeline)),
            _ => {}
        }
    }
}

fn in_url(secret: &Secret) -> Option<Secret> {
    let mut url = reqwest::Url::parse("http://localhost").ok()?;
    url.query_pairs_mut().append_key_only(secret.expose());
    url.query().map(Secret::new)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_resolves_is_stripped_and_the_rest_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "k-123&456\n").unwrap();
        std::fs::write(folder.path().join("short"), "401\n").unwrap();
        std::fs::write(folder.path().join(".env"), "KNOWN_TEST_SECRET='e-789$'\n").unwrap();
        let text = "landing: l\nwarehouse: {type: duckdb, path: w}\nsources:\n  - connector: servicetitan\n    accounts:\n      \
                    - {id: a, config: {x: '${file:none}', y: ['${file:key}'], z: plain, s: '${file:short}', e: '${env:KNOWN_TEST_SECRET}'}}\n";
        let pipeline = Pipeline::parse("p.yaml", text, folder.path(), &Machine).unwrap();
        let mut known = Known::of(&pipeline);
        known.add(Secret::new("k-123&456-long"));
        assert_eq!(
            known.strip("401 for k-123&456 and k-123&456-long, plain, ?key=k-123%26456, e-789$"),
            "401 for *** and ***, plain, ?key=***, ***"
        );
        assert!(!format!("{known:?}").contains("k-123"));
    }
}
