//! ListPartitionRouter: one partition a value; the values stand in the manifest, or a template gives a list.

use super::expression::{Expression, Scope};
use super::partition_router::Partition;
use super::request_option::{Injection, RequestOption};
use crate::manifest::reader::Reader;
use crate::template::Names;
use contract::yaml::Kind;
use serde_json::{Map, Value};

#[derive(Debug)]
pub(crate) struct ListPartitionRouter {
    values: Values,
    field: Expression,
    option: Option<RequestOption>,
}

#[derive(Debug)]
enum Values {
    Fixed(Vec<Value>),
    Template(Expression),
}

impl ListPartitionRouter {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let values = match &reader.required("values")?.kind {
            Kind::Seq(items) => Values::Fixed(items.iter().map(contract::yaml::Node::to_json).collect()),
            _ => Values::Template(reader.expression("values", Names::ANYWHERE)?),
        };
        let field = reader.required_expression("cursor_field", Names::ANYWHERE);
        let option = reader.child("request_option").and_then(|child| RequestOption::read(&child));
        reader.finish();
        Some(Self { values, field: field?, option })
    }

    /// The field of its partitions, where it depends on no setting.
    pub(super) fn plain_field(&self) -> Option<String> {
        self.field.plain()
    }

    /// The partitions, in the order of the list.
    ///
    /// # Errors
    /// A template that cannot be evaluated, or gives no list.
    pub(crate) fn partitions(&self, scope: &Scope) -> Result<Vec<Partition>, String> {
        let field = self.field.text(scope).map_err(|error| format!("`cursor_field`: {error}"))?;
        let values = match &self.values {
            Values::Fixed(values) => values.clone(),
            Values::Template(template) => match template.value(scope).map_err(|error| format!("`values`: {error}"))? {
                Value::Array(items) => items,
                _ => return Err("`values` of the ListPartitionRouter is no list".into()),
            },
        };
        let partition = |value: Value| Partition { keys: Map::from_iter([(field.clone(), value)]), extra: Map::new() };
        Ok(values.into_iter().map(partition).collect())
    }

    pub(super) fn injections(&self, partition: &Partition, scope: &Scope) -> Result<Vec<Injection>, String> {
        let Some(option) = &self.option else { return Ok(Vec::new()) };
        let field = self.field.text(scope).map_err(|error| format!("`cursor_field`: {error}"))?;
        match partition.keys.get(&field) {
            Some(value) if is_given(value) => {
                Ok(vec![option.inject(value.clone(), scope).map_err(|error| error.to_string())?])
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// An empty value adds nothing to a request.
pub(super) fn is_given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        _ => true,
    }
}
