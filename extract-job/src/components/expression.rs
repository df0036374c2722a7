//! A template together with the `$parameters` of the component it stands in.

use crate::template::{Names, Shared, Sought, Template};
use chrono::DateTime;
use serde_json::Value;

pub(crate) use crate::template::{Context as Scope, TemplateError as ExpressionError};

/// A field that is evaluated when a request is made or an answer has come.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    template: Template,
    parameters: Shared,
}

impl Expression {
    pub(crate) fn new(template: Template, parameters: &Shared) -> Self {
        Self { template, parameters: parameters.clone() }
    }

    fn scope(&self, scope: &Scope) -> Scope {
        scope.clone().with(Names::PARAMETERS, &self.parameters)
    }

    /// Whether it may look at `name.key`; without a key, at anything below `name`.
    pub(crate) fn may_read(&self, name: &str, key: Option<&str>) -> bool {
        self.template.may_read(name, key)
    }

    /// The text, where it depends on no setting.
    pub(crate) fn plain(&self) -> Option<String> {
        let text = || self.text(&Scope::new(DateTime::UNIX_EPOCH)).ok();
        if self.may_read("config", None) { None } else { text().filter(|text| !text.is_empty()) }
    }

    /// What it looks at of the value of a name; nothing if it does not look there.
    pub(crate) fn reads(&self, name: &str) -> Option<&Sought> {
        self.template.reads(name)
    }

    /// The value by the literal rule of the format.
    pub(crate) fn value(&self, scope: &Scope) -> Result<Value, ExpressionError> {
        self.template.value(&self.scope(scope))
    }

    /// The value by the literal rule where `is_wanted` takes its kind; the text itself otherwise.
    pub(crate) fn value_if(&self, scope: &Scope, is_wanted: impl Fn(&Value) -> bool) -> Result<Value, ExpressionError> {
        self.template.value_if(&self.scope(scope), is_wanted)
    }

    /// The value as text.
    pub(crate) fn text(&self, scope: &Scope) -> Result<String, ExpressionError> {
        self.template.text(&self.scope(scope))
    }

    pub(crate) fn condition(&self, scope: &Scope) -> Result<bool, ExpressionError> {
        self.template.condition(&self.scope(scope))
    }

    /// The text of a header; nothing drops the header.
    pub(crate) fn header(&self, scope: &Scope) -> Result<Option<String>, ExpressionError> {
        self.template.header(&self.scope(scope))
    }

    /// The value of a body field; nothing drops the field.
    pub(crate) fn option(&self, scope: &Scope) -> Result<Option<Value>, ExpressionError> {
        self.template.option(&self.scope(scope))
    }

    /// The values of a query parameter or form field; nothing drops it, several repeat it.
    pub(crate) fn parameter(&self, scope: &Scope) -> Result<Option<Vec<String>>, ExpressionError> {
        self.template.parameter(&self.scope(scope))
    }
}
