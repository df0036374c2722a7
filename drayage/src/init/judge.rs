//! Whether settings hold, by the connector's own spec. References are resolved for it where that is possible here; of one that is not,
//! nothing is known yet, so that its place is not judged.

use super::setting::Setting;
use contract::pipeline::{Problem, key_path};
use contract::secret::{Dotenv, Machine, WithDotenv, holds_reference, resolve};
use extract_job::Manifest;
use serde_json::Value;
use std::path::PathBuf;

/// What settings are judged by.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) manifest: Manifest,
    /// The pipeline file's folder.
    pub(crate) base: PathBuf,
    /// The `.env` that is there already.
    pub(crate) dotenv: Dotenv,
}

impl Judge {
    /// Everything that is wrong with settings.
    pub(crate) fn problems(&self, settings: &Value) -> Vec<Problem> {
        let mut resolved = settings.clone();
        let mut open = Vec::new();
        self.resolve(&mut resolved, String::new(), &mut open);
        let mut problems = self.manifest.check_settings(&resolved);
        problems.retain(|problem| !open.contains(&problem.key));
        problems
    }

    /// Why the value of one setting will not do, whatever is still missing elsewhere.
    pub(crate) fn reason(&self, settings: &Value, setting: &Setting<'_>) -> Option<String> {
        let key = setting.key();
        let is_inside = |problem: &Problem| match problem.key.strip_prefix(&key) {
            Some(rest) => rest.is_empty() || rest.starts_with(['.', '[']),
            None => false,
        };
        let problem = self.problems(settings).into_iter().find(is_inside)?;
        Some(setting.plainly(&problem.message))
    }

    /// The settings as they will be read, as far as that is known here.
    pub(crate) fn resolved(&self, settings: &Value) -> Value {
        let mut resolved = settings.clone();
        self.resolve(&mut resolved, String::new(), &mut Vec::new());
        resolved
    }

    /// Text by text, so that one reference that cannot be resolved does not hide the others.
    fn resolve(&self, value: &mut Value, pointer: String, open: &mut Vec<String>) {
        match value {
            Value::String(text) if holds_reference(text) => {
                match resolve(value, &self.base, &WithDotenv::new(&Machine, Ok(&self.dotenv))) {
                    Ok((resolved, _)) => *value = resolved,
                    Err(_) => open.push(key_path(&pointer)),
                }
            }
            Value::Array(items) => {
                let items = items.iter_mut().enumerate();
                items.for_each(|(index, item)| self.resolve(item, format!("{pointer}/{index}"), open));
            }
            Value::Object(map) => {
                map.iter_mut().for_each(|(key, item)| self.resolve(item, format!("{pointer}/{key}"), open));
            }
            _ => {}
        }
    }
}
