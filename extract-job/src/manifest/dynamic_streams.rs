//! DynamicDeclarativeStream with a ConfigComponentsResolver: one stream for each item of a list in the settings. Each is a copy of the
//! template in which the mapped fields have the item's values. Streams that an API's answer would name are refused by name.

use super::problem::Problems;
use super::reader::Reader;
use super::spec::node_of;
use super::{component_types, parameters};
use crate::components::declarative_stream::DeclarativeStream;
use crate::components::expression::{Expression, Scope};
use crate::template::Names;
use contract::yaml::{Entry, Kind, Node};
use serde_json::Value;
use std::sync::Arc;

/// The streams that one template makes.
#[derive(Debug)]
pub(crate) struct DynamicStreams {
    template: Node,
    /// Where in the settings the list is.
    pointer: Vec<String>,
    mappings: Vec<Mapping>,
}

/// ComponentMappingDefinition: a field of the template and what takes its place.
#[derive(Debug)]
struct Mapping {
    path: Vec<String>,
    value: Expression,
    line: usize,
}

impl DynamicStreams {
    /// Reads `dynamic_streams` of a manifest whose references are resolved.
    pub(crate) fn read_all(root: &Node, problems: &Problems) -> Vec<Self> {
        let Some(node) = root.get("dynamic_streams").filter(|node| node.kind != Kind::Null) else { return Vec::new() };
        let place = |index: usize| format!("dynamic_streams[{index}]");
        let readers = node.items().iter().enumerate();
        readers.filter_map(|(index, item)| Self::read(item, &place(index), problems)).collect()
    }

    fn read(item: &Node, place: &str, problems: &Problems) -> Option<Self> {
        let template = item.get("stream_template").cloned();
        let filled = component_types::fill_as(item.clone(), "DynamicDeclarativeStream");
        let reader = Reader::new(&filled, place.to_owned(), problems)?;
        if reader.kind() != "DynamicDeclarativeStream" {
            reader.unsupported("DynamicDeclarativeStream");
            return None;
        }
        reader.required("stream_template");
        let resolver = reader.required_child("components_resolver")?;
        reader.accept(&["name", "use_parent_parameters"]);
        reader.finish();
        if resolver.kind() != "ConfigComponentsResolver" {
            resolver.unsupported("ConfigComponentsResolver");
            return None;
        }
        let pointer = read_pointer(&resolver);
        resolver.required("components_mapping");
        let mappings = resolver.children("components_mapping").iter().filter_map(Mapping::read).collect();
        resolver.finish();
        Some(Self { template: template?, pointer: pointer?, mappings })
    }

    /// The streams for an account with these settings.
    pub(crate) fn streams(&self, config: &Value, scope: &Scope, problems: &Problems) -> Vec<Arc<DeclarativeStream>> {
        let items = self.pointer.iter().try_fold(config, |value, segment| value.get(segment));
        let mut streams = Vec::new();
        for item in items.and_then(Value::as_array).into_iter().flatten() {
            let scope = scope.clone().with(Names::COMPONENTS_VALUES, item);
            let mut template = self.template.clone();
            for mapping in &self.mappings {
                match mapping.value.value(&scope) {
                    Ok(value) => set(&mut template, &mapping.path, node_of(&value, mapping.line)),
                    Err(error) => problems.error(mapping.line, format!("`{}`: {error}", mapping.path.join("."))),
                }
            }
            let tree = parameters::spread(component_types::fill_as(template, "DeclarativeStream"), problems);
            let name = tree.get("name").and_then(Node::as_str).unwrap_or("?");
            let place = format!("stream {name} (dynamic)");
            streams.extend(Reader::new(&tree, place, problems).and_then(|reader| DeclarativeStream::read(&reader)));
        }
        streams.into_iter().map(Arc::new).collect()
    }
}

impl Mapping {
    fn read(reader: &Reader<'_>) -> Option<Self> {
        let path = reader.required("field_path")?;
        let line = path.line;
        let path = path.items().iter().filter_map(|item| item.as_str().map(str::to_owned)).collect::<Vec<_>>();
        let value = reader.required_expression("value", Names::COMPONENTS);
        reader.accept(&["value_type", "create_or_update"]);
        reader.refuse(&["condition"]);
        reader.finish();
        if path.is_empty() {
            reader.error_at("field_path", "must be a list of names");
        }
        Some(Self { path, value: value?, line })
    }
}

fn read_pointer(resolver: &Reader<'_>) -> Option<Vec<String>> {
    let node = resolver.required("stream_config")?;
    let node = if let Kind::Seq(items) = &node.kind { items.first()? } else { node };
    let pointer = node.get("configs_pointer").map(Node::items).unwrap_or_default();
    let pointer: Vec<String> = pointer.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect();
    if pointer.is_empty() || node.get("default_values").is_some() {
        resolver.error_at("stream_config", "needs a `configs_pointer` (and takes nothing else)");
        return None;
    }
    Some(pointer)
}

/// Puts a node at a path; mappings that are missing on the way are made.
fn set(node: &mut Node, path: &[String], value: Node) {
    let Some((first, rest)) = path.split_first() else {
        *node = value;
        return;
    };
    if let (Kind::Seq(items), Ok(index)) = (&mut node.kind, first.parse::<usize>()) {
        if let Some(item) = items.get_mut(index) {
            set(item, rest, value);
        }
        return;
    }
    if !matches!(node.kind, Kind::Map(_)) {
        node.kind = Kind::Map(Vec::new());
    }
    let (line, column) = (node.line, node.column);
    let Kind::Map(entries) = &mut node.kind else { return };
    let place = entries.iter().position(|entry| entry.key == *first).unwrap_or_else(|| {
        entries.push(Entry { key: first.clone(), line, value: Node { kind: Kind::Null, line, column } });
        entries.len() - 1
    });
    set(&mut entries[place].value, rest, value);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use crate::manifest::Manifest;
    use serde_json::json;

    const MANIFEST: &str = r#"
type: DeclarativeSource
check: {type: CheckStream, stream_names: []}
streams: []
dynamic_streams:
  - type: DynamicDeclarativeStream
    name: things
    stream_template:
      type: DeclarativeStream
      name: ""
      primary_key: []
      retriever:
        requester: {url_base: "https://a.example", path: ""}
        record_selector: {extractor: {field_path: []}}
    components_resolver:
      type: ConfigComponentsResolver
      stream_config: {type: StreamConfig, configs_pointer: [things]}
      components_mapping:
        - {type: ComponentMappingDefinition, field_path: [name], value: "thing_{{ components_values.name }}"}
        - {type: ComponentMappingDefinition, field_path: [primary_key], value: "{{ components_values['keys'] }}"}
        - {type: ComponentMappingDefinition, field_path: [retriever, requester, path], value: "/{{ components_values.id }}/{{ '{{ stream_slice.x }}' }}"}
"#;

    #[test]
    fn each_item_of_the_settings_makes_a_stream() {
        let manifest = Manifest::parse("m.yaml", MANIFEST).unwrap();
        let config = json!({"things": [{"name": "a", "id": 7, "keys": ["x"]}, {"name": "b", "id": 8, "keys": []}]});
        let streams = manifest.streams(&config).unwrap();
        let names: Vec<&str> = streams.iter().map(|stream| stream.name.as_str()).collect();
        assert_eq!(names, ["thing_a", "thing_b"]);
        assert_eq!(streams[0].primary_key, ["x"]);
        assert!(manifest.streams(&json!({})).unwrap().is_empty());
        let twice = json!({"things": [{"name": "a", "id": 7, "keys": []}, {"name": "a", "id": 8, "keys": []}]});
        assert!(manifest.streams(&twice).unwrap_err().to_string().contains("two streams are called `thing_a`"));
    }

    #[test]
    fn other_resolvers_are_refused_by_name() {
        let text = MANIFEST.replace("type: ConfigComponentsResolver", "type: HttpComponentsResolver");
        let error = Manifest::parse("m.yaml", &text).unwrap_err().to_string();
        assert!(error.contains("m.yaml:16") && error.contains("HttpComponentsResolver is not supported"), "{error}");
    }
}
