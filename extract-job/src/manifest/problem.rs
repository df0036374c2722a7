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
    /// Fields that the format does not know, with the one that is meant: told beside errors, which they may be the cause of.
    misspelt: RefCell<BTreeSet<Problem>>,
    settings: RefCell<Vec<SettingRead>>,
    slices: RefCell<Vec<SettingRead>>,
    /// Templates that have been parsed: shared definitions bring the same ones for every stream.
    templates: RefCell<HashMap<(String, Names), Template>>,
}

/// A place where a template reads a setting of the user's, or a field of the slice.
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

    /// A field that is ignored; `near` names the one that seems to be meant, if one does.
    pub(crate) fn unknown_field(&self, line: usize, message: &str, near: &str) {
        push(&self.warnings, line, format!("{message}{near}; it is ignored"));
        if !near.is_empty() {
            push(&self.misspelt, line, format!("{message}{near}"));
        }
    }

    pub(crate) fn reads_slice(&self, line: usize, place: &str, name: &str) {
        self.slices.borrow_mut().push(SettingRead { line, place: place.to_owned(), name: name.to_owned() });
    }

    /// How often templates have read a field of the slice so far.
    pub(crate) fn slice_reads(&self) -> usize {
        self.slices.borrow().len()
    }

    /// Where they have done so since then; nobody is told of those again.
    pub(crate) fn slice_reads_since(&self, before: usize) -> Vec<SettingRead> {
        let mut slices = self.slices.borrow_mut();
        let before = before.min(slices.len());
        slices.split_off(before)
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
        if self.has_errors() {
            self.errors.borrow_mut().append(&mut self.misspelt.borrow_mut());
        }
        let sorted = |found: RefCell<BTreeSet<Problem>>| found.into_inner().into_iter().collect();
        (sorted(self.errors), sorted(self.warnings))
    }
}

/// The same problem is told once, although a shared definition is read for every stream that refers to it.
fn push(into: &RefCell<BTreeSet<Problem>>, line: usize, message: String) {
    into.borrow_mut().insert(Problem { line, key: String::new(), message });
}
