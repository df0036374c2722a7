//! Typed access to the fields of one component, gathering every problem instead of stopping at the first.
//! What a component never asked for is warned about; what it knows but does not support is an error by name and line.

use super::component_types;
use super::problem::Problems;
use crate::components::expression::Expression;
use crate::template::{Names, Shared};
use contract::pipeline::did_you_mean;
use contract::yaml::{Kind, Node};
use serde_json::Value;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One component of a resolved manifest.
pub(crate) struct Reader<'a> {
    node: &'a Node,
    kind: &'a str,
    /// Where it stands, for messages: `stream jobs: retriever.requester`.
    place: String,
    problems: &'a Problems,
    asked: RefCell<BTreeSet<&'a str>>,
    /// What was asked for and is not there: the names that a misspelt field may have meant.
    missing: RefCell<BTreeSet<String>>,
    parameters: Arc<Value>,
    /// The same as templates see them, made when the first one needs them.
    shared: OnceCell<Shared>,
}

impl<'a> Reader<'a> {
    /// Reads a component; a node that is no mapping or has no type is a problem, and then nothing comes back.
    pub(crate) fn new(node: &'a Node, place: String, problems: &'a Problems) -> Option<Self> {
        if !matches!(node.kind, Kind::Map(_)) {
            problems.error(node.line, format!("{place}: expected a component (a mapping with a `type`)"));
            return None;
        }
        let Some(kind) = node.get("type").and_then(Node::as_str) else {
            let field = place.rsplit('.').next().unwrap_or_default();
            let choice = component_types::choice(field.split('[').next().unwrap_or_default());
            problems.error(node.line, format!("{place}: this component has no `type`{choice}"));
            return None;
        };
        let parameters = node.get("$parameters").map_or_else(|| Value::Object(serde_json::Map::new()), Node::to_json);
        let asked = RefCell::new(BTreeSet::from(["type", "$parameters"]));
        let (missing, shared, parameters) = (RefCell::default(), OnceCell::new(), Arc::new(parameters));
        Some(Self { node, kind, place, problems, asked, missing, parameters, shared })
    }

    /// Where it stands, for messages.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    pub(crate) fn kind(&self) -> &'a str {
        self.kind
    }

    /// A problem of the component as a whole.
    pub(crate) fn error(&self, message: impl std::fmt::Display) {
        self.problems.error(self.node.line, format!("{}: {message}", self.place));
    }

    /// A problem of one of its fields.
    pub(crate) fn error_at(&self, key: &str, message: impl std::fmt::Display) {
        self.problems.error(self.node.line_of(key), format!("{}: `{key}` {message}", self.place));
    }

    /// The problems of the whole manifest, for what is judged of several components together.
    pub(crate) fn problems(&self) -> &'a Problems {
        self.problems
    }

    /// Refuses this component: its type exists in the format, or does not, but nothing here implements it.
    pub(crate) fn unsupported(&self, expected: &str) {
        let line = self.node.get("type").map_or(self.node.line, |_| self.node.line_of("type"));
        let class = self.node.get("class_name").and_then(Node::as_str);
        let what = match class {
            Some(class) => format!("the custom component {} (class_name `{class}`)", self.kind),
            None => format!("the component {}", self.kind),
        };
        let message = format!("{}: {what} is not supported; supported here: {expected}", self.place);
        self.problems.error(line, message);
    }

    /// The raw node of a field; null counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        let Some(entry) = self.node.entries().iter().find(|entry| entry.key == key) else {
            self.missing.borrow_mut().insert(key.to_owned());
            return None;
        };
        self.asked.borrow_mut().insert(&entry.key);
        (entry.value.kind != Kind::Null).then_some(&entry.value)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.node.get(key).is_some_and(|node| node.kind != Kind::Null)
    }

    pub(crate) fn required(&self, key: &str) -> Option<&'a Node> {
        let found = self.get(key);
        if found.is_none() {
            self.error(format!("{} needs `{key}`", self.kind));
        }
        found
    }

    /// A plain text.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        let node = self.get(key)?;
        let text = scalar_text(node);
        if text.is_none() {
            self.error_at(key, "must be a text");
        }
        text
    }

    pub(crate) fn boolean(&self, key: &str, default: bool) -> bool {
        match self.get(key).map(|node| &node.kind) {
            None => default,
            Some(Kind::Bool(value)) => *value,
            Some(_) => {
                self.error_at(key, "must be true or false");
                default
            }
        }
    }

    /// An integer of at least `least`.
    pub(crate) fn integer(&self, key: &str, least: u64) -> Option<u64> {
        let node = self.get(key)?;
        let value = match &node.kind {
            Kind::Number(number) => number.as_u64(),
            Kind::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let value = value.filter(|value| *value >= least);
        if value.is_none() {
            self.error_at(key, format!("must be an integer of at least {least}"));
        }
        value
    }

    /// A number of at least 0.
    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        let node = self.get(key)?;
        let value = match &node.kind {
            Kind::Number(number) => number.as_f64(),
            Kind::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let value = value.filter(|value| value.is_finite() && *value >= 0.0);
        if value.is_none() {
            self.error_at(key, "must be a number of at least 0");
        }
        value
    }

    /// A template over the given names.
    pub(crate) fn expression(&self, key: &str, names: Names) -> Option<Expression> {
        let node = self.get(key)?;
        match scalar_text(node) {
            Some(text) => self.parse(key, &text, names, node.line),
            None => {
                self.error_at(key, "must be a text or a template");
                None
            }
        }
    }

    pub(crate) fn required_expression(&self, key: &str, names: Names) -> Option<Expression> {
        self.required(key)?;
        self.expression(key, names)
    }

    /// Parses the text of a template that stands at (or inside) a field.
    pub(crate) fn parse(&self, key: &str, text: &str, names: Names, line: usize) -> Option<Expression> {
        match self.problems.template(text, names) {
            Ok(template) => {
                template.keys_of("config").for_each(|name| self.problems.reads_setting(line, &self.place, name));
                for name in ["stream_slice", "stream_partition"] {
                    template.keys_of(name).for_each(|key| self.problems.reads_slice(line, &self.place, key));
                }
                let parameters = self.shared.get_or_init(|| Shared::from(&*self.parameters));
                Some(Expression::new(template, parameters))
            }
            Err(error) => {
                self.problems.error(line, format!("{}: `{key}`: {error}", self.place));
                None
            }
        }
    }

    /// A mapping of names to templates, as headers and parameters are given.
    pub(crate) fn expressions(&self, key: &str, names: Names) -> Vec<(Expression, Expression)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let Kind::Map(entries) = &node.kind else {
            self.error_at(key, "must be a mapping (a text is not supported here)");
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for entry in entries {
            let Some(text) = scalar_text(&entry.value) else {
                if entry.value.kind != Kind::Null {
                    self.problems.error(entry.line, format!("{}: `{key}.{}` must be a text", self.place, entry.key));
                }
                continue;
            };
            let name = self.parse(key, &entry.key, names, entry.line);
            let value = self.parse(&format!("{key}.{}", entry.key), &text, names, entry.value.line);
            pairs.extend(name.zip(value));
        }
        pairs
    }

    /// A list of templates (one text counts as a list of one).
    pub(crate) fn expression_list(&self, key: &str, names: Names) -> Vec<Expression> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let items = if let Kind::Seq(items) = &node.kind { items.as_slice() } else { std::slice::from_ref(node) };
        items
            .iter()
            .filter_map(|item| match scalar_text(item) {
                Some(text) => self.parse(key, &text, names, item.line),
                None => {
                    self.error_at(key, "must hold texts");
                    None
                }
            })
            .collect()
    }

    /// The component under a field.
    pub(crate) fn child(&self, key: &str) -> Option<Reader<'a>> {
        Reader::new(self.get(key)?, format!("{}.{key}", self.place), self.problems)
    }

    pub(crate) fn required_child(&self, key: &str) -> Option<Reader<'a>> {
        Reader::new(self.required(key)?, format!("{}.{key}", self.place), self.problems)
    }

    /// The components of a list under a field.
    pub(crate) fn children(&self, key: &str) -> Vec<Reader<'a>> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let Kind::Seq(items) = &node.kind else {
            self.error_at(key, "must be a list");
            return Vec::new();
        };
        let place = |index: usize| format!("{}.{key}[{index}]", self.place);
        items.iter().enumerate().filter_map(|(index, item)| Reader::new(item, place(index), self.problems)).collect()
    }

    /// The components of a mapping under a field, with their names.
    pub(crate) fn named_children(&self, key: &str) -> Vec<(String, Reader<'a>)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        if !matches!(node.kind, Kind::Map(_)) {
            self.error_at(key, "must be a mapping");
        }
        let read = |entry: &'a contract::yaml::Entry| {
            let place = format!("{}.{key}.{}", self.place, entry.key);
            Some((entry.key.clone(), Reader::new(&entry.value, place, self.problems)?))
        };
        node.entries().iter().filter_map(read).collect()
    }

    /// Fields that the format knows and nothing here implements: each that is given (and not falsy) is an error.
    pub(crate) fn refuse(&self, keys: &[&str]) {
        for key in keys {
            let Some(node) = self.get(key) else { continue };
            let inert = match &node.kind {
                Kind::Bool(value) => !value,
                Kind::Seq(items) => items.is_empty(),
                _ => false,
            };
            if inert {
                continue;
            }
            let kind = node.get("type").and_then(Node::as_str);
            let of = kind.map(|kind| format!(" ({kind})")).unwrap_or_default();
            self.error_at(key, format!("of {}{of} is not supported", self.kind));
        }
    }

    /// Fields of the format without any effect here.
    pub(crate) fn accept(&self, keys: &[&str]) {
        for key in keys {
            self.get(key);
        }
    }

    /// Warns about what nobody asked for; parameters that were spread into the component do not count.
    pub(crate) fn finish(&self) {
        let asked = self.asked.borrow();
        for entry in self.node.entries() {
            let key = entry.key.as_str();
            if !asked.contains(key) && self.parameters.get(key).is_none() {
                let near = did_you_mean(key, self.missing.borrow().iter().map(String::as_str));
                let message = format!("{}: {} has no field `{key}`", self.place, self.kind);
                self.problems.unknown_field(entry.line, &message, near.trim_end_matches('?'));
            }
        }
    }

    /// The same component under another name in messages.
    pub(crate) fn at(mut self, place: String) -> Self {
        self.place = place;
        self
    }
}

/// Scalars as templates see them: Python's notation, as the reference engine prints them.
fn scalar_text(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::String(text) => Some(text.clone()),
        Kind::Number(number) => Some(number.to_string()),
        Kind::Bool(true) => Some("True".into()),
        Kind::Bool(false) => Some("False".into()),
        _ => None,
    }
}
