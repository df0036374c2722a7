//! What others may know of a manifest without running it: what its settings are, whether some of them hold, which streams they give.

use super::spec::node_of;
use super::{Manifest, connectors};
use crate::redactor::Redactor;
use crate::run::settings::complete;
use contract::pipeline::{Problem, Problems, StreamMode};
use serde_json::Value;

/// A connector that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its name in a pipeline file.
    pub name: &'static str,
    /// What it reads, in a line.
    pub summary: &'static str,
}

/// The connectors that are built in.
pub fn built_in() -> impl Iterator<Item = BuiltIn> {
    connectors::BUILT_IN.iter().map(|(name, text)| {
        // Every manifest of ours begins with a comment that says it.
        let first = text.lines().next().unwrap_or_default();
        BuiltIn { name, summary: first.trim_start_matches(['#', ' ']).trim_end_matches('.') }
    })
}

/// A stream as a reader of the manifest sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamDescription {
    /// Its name.
    pub name: String,
    /// How it is read, unless the pipeline file says otherwise.
    pub mode: StreamMode,
    /// The fields of the primary key.
    pub primary_key: Vec<String>,
}

impl Manifest {
    /// The JSON Schema of the settings, if the manifest has a spec.
    pub fn spec(&self) -> Option<&Value> {
        self.source.spec.as_ref().map(super::spec::Spec::schema)
    }

    /// Everything that is wrong with settings, once the spec's defaults are filled in. No message shows a secret.
    pub fn check_settings(&self, settings: &Value) -> Vec<Problem> {
        complete(self, node_of(settings, 0), &[], &Redactor::default()).1
    }

    /// The streams of an account with these settings.
    ///
    /// # Errors
    /// What is wrong with the streams that the settings make.
    pub fn describe_streams(&self, settings: &Value) -> Result<Vec<StreamDescription>, Problems> {
        let (settings, _) = complete(self, node_of(settings, 0), &[], &Redactor::default());
        let describe = |stream: &crate::components::declarative_stream::DeclarativeStream| StreamDescription {
            name: stream.name.clone(),
            mode: stream.mode(),
            primary_key: stream.primary_key.clone(),
        };
        Ok(self.streams(&settings)?.iter().map(|stream| describe(stream)).collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn every_built_in_connector_says_what_it_reads_and_describes_itself() {
        for BuiltIn { name, summary } in built_in() {
            assert!(summary.contains(": ") && summary.len() > 30 && !summary.contains('#'), "{name}: {summary}");
            let manifest = Manifest::load(name, Path::new(".")).unwrap();
            let properties = manifest.spec().and_then(|spec| spec["properties"].as_object()).unwrap();
            assert!(properties.values().all(|setting| setting["title"].is_string()), "{name}");
            assert!(!manifest.check_settings(&json!({})).is_empty(), "{name}");
            assert!(!manifest.describe_streams(&json!({})).unwrap().is_empty(), "{name}");
        }
    }

    #[test]
    fn settings_make_streams_and_are_checked_without_being_shown() {
        let manifest = Manifest::load("servicetitan", Path::new(".")).unwrap();
        let report = json!({"id": 7, "category": "operations", "name": "mine", "keys": ["a"]});
        let settings = json!({"reports": [report], "client_secret": 7, "environment": "hush"});
        let streams = manifest.describe_streams(&settings).unwrap();
        let mine = streams.iter().find(|stream| stream.name == "report_mine").unwrap();
        assert!(mine.primary_key.contains(&"a".to_owned()), "{mine:?}");
        let problems = manifest.check_settings(&settings);
        let of = |key: &str| problems.iter().filter(|problem| problem.key == key).count();
        assert_eq!((of("client_secret"), of("environment")), (1, 1), "{problems:?}");
    }
}
