//! A manifest from its text to components: references, missing types, parameters, then typed reading.
//! Nothing is sent before all of this has succeeded; everything that is wrong is told at once.

pub(crate) mod component_types;
pub(crate) mod connectors;
pub(crate) mod describe;
pub(crate) mod dynamic_streams;
pub(crate) mod parameters;
pub(crate) mod problem;
pub(crate) mod reader;
pub(crate) mod references;
pub(crate) mod spec;

use crate::components::declarative_source::DeclarativeSource;
use crate::components::declarative_stream::DeclarativeStream;
use crate::components::expression::Scope;
use crate::template::Names;
use chrono::Utc;
use contract::pipeline::{Problem, Problems, did_you_mean};
use dynamic_streams::DynamicStreams;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// A manifest that can be run.
#[derive(Debug)]
pub struct Manifest {
    /// Its file, for messages.
    pub file: String,
    pub(crate) source: DeclarativeSource,
    dynamic: Vec<DynamicStreams>,
    /// What is ignored in it.
    pub warnings: Vec<Problem>,
}

impl Manifest {
    /// Loads a built-in connector by name, or a manifest file by path (relative to `base`).
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(connector: &str, base: &Path) -> Result<Self, Problems> {
        let (file, text) = connectors::find(connector, base)?;
        Self::parse(&file, &text)
    }

    /// Reads a manifest's text; `file` is its name for messages.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let root = contract::yaml::parse(text).map_err(|error| Problems::one(file, error.line, "", error.message))?;
        let found = problem::Problems::default();
        let resolved = references::resolve(&root, &found);
        let dynamic = DynamicStreams::read_all(&resolved, &found);
        let source = if found.has_errors() {
            None
        } else {
            let tree = parameters::spread(component_types::fill(resolved), &found);
            let reader = if found.has_errors() { None } else { reader::Reader::new(&tree, "manifest".into(), &found) };
            reader.and_then(|reader| DeclarativeSource::read(&reader))
        };
        if let Some(source) = &source {
            unknown_settings(source, &found);
        }
        let (errors, warnings) = found.into_sorted();
        match source {
            Some(source) if errors.is_empty() => Ok(Self { file: file.to_owned(), source, dynamic, warnings }),
            _ if errors.is_empty() => Err(Problems::one(file, root.line, "", "the manifest cannot be read")),
            _ => Err(Problems { file: file.to_owned(), list: errors }),
        }
    }

    /// Whether the settings of an account make streams of their own.
    pub(crate) fn has_dynamic_streams(&self) -> bool {
        !self.dynamic.is_empty()
    }

    /// All streams for an account with these settings.
    ///
    /// # Errors
    /// What is wrong with the streams that the settings make.
    pub(crate) fn streams(&self, config: &Value) -> Result<Vec<Arc<DeclarativeStream>>, Problems> {
        let mut streams = self.source.streams.clone();
        if self.dynamic.is_empty() {
            return Ok(streams);
        }
        let found = problem::Problems::default();
        let scope = Scope::new(Utc::now()).with(Names::CONFIG, config);
        for dynamic in &self.dynamic {
            streams.extend(dynamic.streams(config, &scope, &found));
        }
        let mut names = BTreeSet::new();
        for stream in &streams {
            if !names.insert(stream.name.as_str()) {
                found.error(0, format!("two streams are called `{}`", stream.name));
            }
        }
        let (errors, _) = found.into_sorted();
        if errors.is_empty() { Ok(streams) } else { Err(Problems { file: self.file.clone(), list: errors }) }
    }
}

/// Templates that read a setting which the spec does not know: they would quietly render to nothing.
fn unknown_settings(source: &DeclarativeSource, found: &problem::Problems) {
    let Some(known) = source.spec.as_ref().and_then(spec::Spec::closed_names) else { return };
    for read in found.settings_read() {
        if !known.contains(&read.name.as_str()) {
            let near = did_you_mean(&read.name, known.iter().copied());
            let message =
                format!("{}: the template reads config.{}, which the spec does not name{near}", read.place, read.name);
            found.error(read.line, message);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod fuzz;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
