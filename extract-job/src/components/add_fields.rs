//! AddFields: new or changed fields by templates, in order, so that a later one sees the earlier ones.
//! A value is typed by the literal rule, or kept as text where `value_type` asks for another kind than it has.

use super::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::record::tree::Tree;
use crate::template::{Names, Shared};
use contract::yaml::{Kind, Node};
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct AddFields {
    fields: Vec<AddedField>,
    condition: Option<Expression>,
}

/// AddedFieldDefinition.
#[derive(Debug)]
struct AddedField {
    /// Names as they are written: the format evaluates no templates here.
    path: Vec<String>,
    value: Expression,
    kind: Option<ValueType>,
}

/// The kind that a value must have to be more than text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueType {
    String,
    Number,
    Integer,
    Boolean,
}

impl AddFields {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        reader.required("fields");
        let listed = reader.children("fields");
        if listed.is_empty() && reader.has("fields") {
            reader.error_at("fields", "must list at least one field");
        }
        let fields = listed.iter().filter_map(AddedField::read).collect();
        let condition = reader.expression("condition", Names::ADDED);
        reader.finish();
        Some(Self { fields, condition })
    }

    /// Whether a path leads to or through one of the fields.
    pub(crate) fn makes(&self, path: &[&str]) -> bool {
        self.fields
            .iter()
            .any(|field| field.path.len() <= path.len() && field.path.iter().zip(path).all(|(a, b)| a == b))
    }

    /// The scope holds whatever templates may see, but for the record, its new value and its path.
    pub(crate) fn apply(&self, record: &mut Tree, scope: &Scope) -> Result<(), String> {
        for field in &self.fields {
            let seen = scope.clone().with(Names::RECORD, Shared::of(record));
            let path = &field.path;
            let failed = |error: &dyn std::fmt::Display| format!("the added field `{}`: {error}", path.join("."));
            let value = field.value(&seen).map_err(|error| failed(&error))?;
            if let Some(condition) = &self.condition {
                let shown = seen.with(Names::VALUE, &value).with(Names::PATH, Value::from(path.clone()));
                if !condition.condition(&shown).map_err(|error| failed(&error))? {
                    continue;
                }
            }
            record.set(path, Tree::from(&value));
        }
        Ok(())
    }
}

impl AddedField {
    fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "AddedFieldDefinition" {
            reader.unsupported("AddedFieldDefinition");
            return None;
        }
        let node = reader.required("path");
        let segment = |node: &Node| match &node.kind {
            Kind::String(text) => Some(text.clone()),
            Kind::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let path: Vec<String> = node.map(Node::items).unwrap_or_default().iter().filter_map(segment).collect();
        let value = reader.required_expression("value", Names::RECORD_FIELDS);
        let kind = reader.text("value_type").and_then(|text| {
            let kind = match text.as_str() {
                "string" => Some(ValueType::String),
                "number" => Some(ValueType::Number),
                "integer" => Some(ValueType::Integer),
                "boolean" => Some(ValueType::Boolean),
                _ => None,
            };
            if kind.is_none() {
                reader.error_at("value_type", "must be string, number, integer or boolean");
            }
            kind
        });
        if path.is_empty() && reader.has("path") {
            reader.error_at("path", "must be a list of names");
        }
        reader.finish();
        Some(Self { path, value: value?, kind })
    }

    fn value(&self, scope: &Scope) -> Result<Value, super::expression::ExpressionError> {
        match self.kind {
            None => self.value.value(scope),
            Some(kind) => self.value.value_if(scope, |value| kind.takes(value)),
        }
    }
}

impl ValueType {
    /// As Python's types are: a boolean is an integer too.
    fn takes(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_f64(),
            Self::Integer => value.is_i64() || value.is_u64() || value.is_boolean(),
            Self::Boolean => value.is_boolean(),
        }
    }
}
