//! What is wrong with a manifest, gathered: every problem with its line, so that all are told at once.
//! An error stops the load of the manifest; a warning does not.

use crate::template::{Names, Template, TemplateError};
use contract::pipeline::Problem;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::collections::HashMap;

/// The problems found so far while one manifest is read.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    errors: RefCell<BTreeSet<Problem>>,
    warnings: RefCell<BTreeSet<Problem>>,
    settings: RefCell<Vec<SettingRead>>,
    /// Templates that have been parsed: shared definitions bring the same ones for every stream.
    templates: RefCell<HashMap<(String, Names), Template>>,
}

/// A place where a template reads a setting of the user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettingRead {
    pub(crate) line: usize,
    pub(crate) place: String,
    pub(crate) name: String,
}

impl Problems {
    pub(crate) fn error(&self, line: usize, message: impl Into<String>) {
        push(&self.errors, line, message.into());
    }

    pub(crate) fn warning(&self, line: usize, message: impl Into<String>) {
        push(&self.warnings, line, message.into());
    }

    pub(crate) fn reads_setting(&self, line: usize, place: &str, name: &str) {
        self.settings.borrow_mut().push(SettingRead { line, place: place.to_owned(), name: name.to_owned() });
    }

    pub(crate) fn settings_read(&self) -> Vec<SettingRead> {
        self.settings.borrow().clone()
    }

    /// Parses a template, once for each place that it is allowed in.
    pub(crate) fn template(&self, text: &str, names: Names) -> Result<Template, TemplateError> {
        let key = (text.to_owned(), names);
        if let Some(known) = self.templates.borrow().get(&key) {
            return Ok(known.clone());
        }
        let template = Template::parse(text, names)?;
        self.templates.borrow_mut().insert(key, template.clone());
        Ok(template)
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.borrow().is_empty()
    }

    /// Errors and warnings, each in the order of the file.
    pub(crate) fn into_sorted(self) -> (Vec<Problem>, Vec<Problem>) {
        let sorted = |found: RefCell<BTreeSet<Problem>>| found.into_inner().into_iter().collect();
        (sorted(self.errors), sorted(self.warnings))
    }
}

/// The same problem is told once, although a shared definition is read for every stream that refers to it.
fn push(into: &RefCell<BTreeSet<Problem>>, line: usize, message: String) {
    into.borrow_mut().insert(Problem { line, key: String::new(), message });
}
