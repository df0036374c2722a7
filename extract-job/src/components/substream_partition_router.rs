//! SubstreamPartitionRouter: one partition for each record of its parent streams, one parent after the other.
//! A parent's record without the key gives none. Records of one key give one partition: it would only be read twice.

use super::declarative_stream::DeclarativeStream;
use super::expression::{Expression, Scope};
use super::list_partition_router::is_given;
use super::partition_router::{PARENT_SLICE, Partition};
use super::request_option::{Injection, RequestOption};
use crate::manifest::reader::Reader;
use crate::record::tree::Tree;
use crate::template::Names;
use contract::yaml::Kind;
use serde_json::{Map, Value};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct SubstreamPartitionRouter {
    parents: Vec<ParentStreamConfig>,
}

/// ParentStreamConfig: a parent, and what of its records makes a partition.
#[derive(Debug)]
pub(crate) struct ParentStreamConfig {
    pub(crate) stream: Arc<DeclarativeStream>,
    parent_key: Expression,
    partition_field: Expression,
    option: Option<RequestOption>,
    extra_fields: Vec<Vec<Expression>>,
    /// Only parents that have changed are read, from the parent's own state; that needs a cursor on the child.
    pub(crate) incremental_dependency: bool,
}

impl SubstreamPartitionRouter {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        reader.required("parent_stream_configs");
        let children = reader.children("parent_stream_configs");
        let parents: Vec<_> = children.iter().filter_map(ParentStreamConfig::read).collect();
        if children.is_empty() {
            reader.error_at("parent_stream_configs", "must list at least one parent stream");
        }
        reader.finish();
        (!parents.is_empty() && parents.len() == children.len()).then_some(Self { parents })
    }

    pub(crate) fn parents(&self) -> &[ParentStreamConfig] {
        &self.parents
    }

    pub(super) fn injections(&self, partition: &Partition, scope: &Scope) -> Result<Vec<Injection>, String> {
        let mut injections = Vec::new();
        for parent in &self.parents {
            let Some(option) = &parent.option else { continue };
            let field = parent.field(scope)?;
            if let Some(value) = partition.keys.get(&field).filter(|value| is_given(value)) {
                injections.push(option.inject(value.clone(), scope).map_err(|error| error.to_string())?);
            }
        }
        Ok(injections)
    }
}

impl ParentStreamConfig {
    /// The field of its partitions, where it depends on no setting.
    pub(super) fn plain_field(&self) -> Option<String> {
        self.partition_field.plain()
    }

    fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "ParentStreamConfig" {
            reader.unsupported("ParentStreamConfig");
            return None;
        }
        let stream = reader.required_child("stream").and_then(|child| {
            let name = child.get("name").and_then(contract::yaml::Node::as_str).unwrap_or("?").to_owned();
            let place = format!("{} (parent stream {name})", child.place());
            DeclarativeStream::read(&child.at(place))
        });
        let parent_key = reader.required_expression("parent_key", Names::ANYWHERE);
        let partition_field = reader.required_expression("partition_field", Names::ANYWHERE);
        let option = reader.child("request_option").and_then(|child| RequestOption::read(&child));
        let extra_fields = read_paths(reader);
        let incremental_dependency = reader.boolean("incremental_dependency", false);
        reader.refuse(&["lazy_read_pointer"]);
        reader.finish();
        Some(Self {
            stream: Arc::new(stream?),
            parent_key: parent_key?,
            partition_field: partition_field?,
            option,
            extra_fields,
            incremental_dependency,
        })
    }

    fn field(&self, scope: &Scope) -> Result<String, String> {
        self.partition_field.text(scope).map_err(|error| format!("`partition_field`: {error}"))
    }

    /// Evaluates the templates once for all records.
    ///
    /// # Errors
    /// A template that cannot be evaluated.
    pub(crate) fn keying(&self, scope: &Scope) -> Result<Keying, String> {
        let key = self.parent_key.text(scope).map_err(|error| format!("`parent_key`: {error}"))?;
        let text = |segment: &Expression| segment.text(scope).map_err(|error| format!("`extra_fields`: {error}"));
        let extra = self.extra_fields.iter().map(|path| path.iter().map(text).collect::<Result<Vec<_>, _>>());
        Ok(Keying {
            key: key.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect(),
            field: self.field(scope)?,
            extra: extra.collect::<Result<_, _>>()?,
        })
    }
}

/// How a parent's record becomes a partition.
#[derive(Debug, Clone)]
pub(crate) struct Keying {
    key: Vec<String>,
    field: String,
    extra: Vec<Vec<String>>,
}

impl Keying {
    /// The key's place in a parent's record, as the manifest spells it.
    pub(crate) fn key(&self) -> String {
        self.key.join("/")
    }

    /// The partition of a record; `parent` is the partition that the record itself was read in.
    pub(crate) fn partition(&self, record: &Tree, parent: &Partition) -> Option<Partition> {
        let value = record.at(&self.key).filter(|value| !value.is_null())?.to_value();
        let mut keys = Map::from_iter([(self.field.clone(), value)]);
        keys.insert(PARENT_SLICE.into(), Value::Object(parent.keys.clone()));
        let extra = self.extra.iter().map(|path| {
            let value = record.at(path).map_or(Value::Null, Tree::to_value);
            (path.join("."), value)
        });
        Some(Partition { keys, extra: extra.collect() })
    }
}

fn read_paths(reader: &Reader<'_>) -> Vec<Vec<Expression>> {
    let Some(node) = reader.get("extra_fields") else { return Vec::new() };
    let mut paths = Vec::new();
    for item in node.items() {
        let Kind::Seq(segments) = &item.kind else {
            reader.error_at("extra_fields", "must hold lists of names");
            continue;
        };
        let texts = segments.iter().filter_map(|segment| segment.as_str());
        paths.push(texts.filter_map(|text| reader.parse("extra_fields", text, Names::ANYWHERE, item.line)).collect());
    }
    paths
}
