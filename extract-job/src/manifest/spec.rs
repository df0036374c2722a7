//! `spec.connection_specification`: the JSON Schema of a connector's settings. Defaults are filled in, then the settings are checked.
//! No message shows the value of a secret: of a setting that the schema marks as one, or that refers to one.

use contract::pipeline::{Problem, check, check_hiding};
use contract::yaml::{Entry, Kind, Node};
use serde_json::Value;

/// The connector's description of its settings.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    schema: Value,
}

impl Spec {
    /// A spec from its schema.
    pub(crate) fn new(schema: Value) -> Self {
        Self { schema }
    }

    /// The schema itself.
    pub(crate) fn schema(&self) -> &Value {
        &self.schema
    }

    /// The settings with the schema's defaults where they say nothing. Lines stay those of the given node.
    pub(crate) fn complete(&self, config: Node) -> Node {
        with_defaults(&self.schema, config)
    }

    /// Everything that is wrong with completed settings. Those at the places of `referring` (JSON pointers) are secrets, whatever the
    /// schema says.
    pub(crate) fn problems(&self, config: &Node, referring: &[String]) -> Vec<Problem> {
        let secrets = self.secret_settings(&config.to_json()).into_iter().map(|(pointer, _)| pointer);
        let secrets: Vec<String> = secrets.chain(referring.iter().cloned()).collect();
        match check_hiding(&self.schema, config, &secrets) {
            Ok(problems) => problems,
            Err(message) => vec![Problem { line: 0, key: "spec".into(), message }],
        }
    }

    /// The settings that the schema marks as secret: where they stand (JSON pointers), and their values.
    pub(crate) fn secret_settings(&self, config: &Value) -> Vec<(String, String)> {
        let mut found = Vec::new();
        collect_secrets(&self.schema, config, "", &mut found);
        found
    }

    /// The names of all settings, where the schema allows no others.
    pub(crate) fn closed_names(&self) -> Option<Vec<&str>> {
        let closed = self.schema.get("additionalProperties") == Some(&Value::Bool(false));
        let properties = self.schema.get("properties").and_then(Value::as_object).filter(|_| closed)?;
        Some(properties.keys().map(String::as_str).collect())
    }

    /// Whether settings can be checked by it at all.
    pub(crate) fn is_valid_schema(&self) -> Result<(), String> {
        let empty = Node { kind: Kind::Map(Vec::new()), line: 0, column: 0 };
        check(&self.schema, &empty).map(drop)
    }
}

fn with_defaults(schema: &Value, node: Node) -> Node {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return node };
    let Kind::Map(mut entries) = node.kind else { return node };
    for entry in &mut entries {
        if let Some(property) = properties.get(&entry.key) {
            let value = std::mem::replace(&mut entry.value, Node { kind: Kind::Null, line: 0, column: 0 });
            entry.value = with_defaults(property, value);
        }
    }
    for (key, property) in properties {
        if let Some(default) = property.get("default")
            && entries.iter().all(|entry| entry.key != *key)
        {
            entries.push(Entry { key: key.clone(), line: node.line, value: node_of(default, node.line) });
        }
    }
    Node { kind: Kind::Map(entries), line: node.line, column: node.column }
}

/// JSON as a tree with one line for all of it.
pub(crate) fn node_of(value: &Value, line: usize) -> Node {
    let kind = match value {
        Value::Null => Kind::Null,
        Value::Bool(value) => Kind::Bool(*value),
        Value::Number(number) => Kind::Number(number.clone()),
        Value::String(text) => Kind::String(text.clone()),
        Value::Array(items) => Kind::Seq(items.iter().map(|item| node_of(item, line)).collect()),
        Value::Object(map) => Kind::Map(
            map.iter().map(|(key, value)| Entry { key: key.clone(), line, value: node_of(value, line) }).collect(),
        ),
    };
    Node { kind, line, column: 1 }
}

/// The values of `value` with the lines of `places`, as far as both have the same shape.
pub(crate) fn with_lines(value: &Value, places: &Node) -> Node {
    let kind = match (value, &places.kind) {
        (Value::Object(map), Kind::Map(_)) => Kind::Map(
            map.iter()
                .map(|(key, value)| {
                    let line = places.line_of(key);
                    let value = places.get(key).map_or_else(|| node_of(value, line), |place| with_lines(value, place));
                    Entry { key: key.clone(), line, value }
                })
                .collect(),
        ),
        (Value::Array(values), Kind::Seq(items)) if values.len() == items.len() => {
            Kind::Seq(values.iter().zip(items).map(|(value, place)| with_lines(value, place)).collect())
        }
        _ => node_of(value, places.line).kind,
    };
    Node { kind, line: places.line, column: places.column }
}

fn collect_secrets(schema: &Value, config: &Value, pointer: &str, found: &mut Vec<(String, String)>) {
    if schema.get("airbyte_secret") == Some(&Value::Bool(true)) {
        texts(config, pointer, found);
    }
    if let (Some(properties), Some(map)) = (schema.get("properties").and_then(Value::as_object), config.as_object()) {
        for (key, property) in properties {
            if let Some(value) = map.get(key) {
                collect_secrets(property, value, &below(pointer, key), found);
            }
        }
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        let branches = schema.get(key).and_then(Value::as_array).into_iter().flatten();
        branches.for_each(|branch| collect_secrets(branch, config, pointer, found));
    }
    if let (Some(items), Some(values)) = (schema.get("items"), config.as_array()) {
        let values = values.iter().enumerate();
        values.for_each(|(index, value)| collect_secrets(items, value, &format!("{pointer}/{index}"), found));
    }
}

/// All texts and numbers of a secret, which may be a list or a mapping.
fn texts(value: &Value, pointer: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => found.push((pointer.to_owned(), text.clone())),
        Value::Number(number) => found.push((pointer.to_owned(), number.to_string())),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| texts(item, &format!("{pointer}/{index}"), found));
        }
        Value::Object(map) => map.iter().for_each(|(key, item)| texts(item, &below(pointer, key), found)),
        Value::Null | Value::Bool(_) => {}
    }
}

fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec() -> Spec {
        Spec::new(json!({
            "type": "object", "required": ["id", "secret"], "additionalProperties": false,
            "properties": {
                "id": {"type": "string"},
                "secret": {"type": "string", "airbyte_secret": true, "pattern": "^s-"},
                "size": {"type": "integer", "default": 5000, "maximum": 5000},
                "nested": {"type": "object", "properties": {"deep": {"type": "string", "default": "x", "airbyte_secret": true}}},
            }
        }))
    }

    #[test]
    fn defaults_fill_what_is_missing() {
        let config = contract::yaml::parse("id: a\nsecret: s-1\nnested: {}\n").unwrap();
        let complete = spec().complete(config);
        assert_eq!(complete.to_json(), json!({"id": "a", "secret": "s-1", "nested": {"deep": "x"}, "size": 5000}));
        assert_eq!(spec().problems(&complete, &[]), vec![]);
        let secrets = spec().secret_settings(&complete.to_json());
        let pair = |pointer: &str, value: &str| (pointer.to_owned(), value.to_owned());
        assert_eq!(secrets, vec![pair("/secret", "s-1"), pair("/nested/deep", "x")]);
    }

    #[test]
    fn everything_wrong_is_told_with_its_line_and_without_values() {
        let config = contract::yaml::parse("secret: hush\nsize: 9000\nidd: a\n").unwrap();
        let problems = spec().problems(&spec().complete(config), &[]);
        let text = problems.iter().map(|p| format!("{} {} {}\n", p.line, p.key, p.message)).collect::<String>();
        for part in ["`id` is missing", "unknown key `idd`; did you mean `id`?", "2 size", "1 secret"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("hush") && !text.contains("9000"), "{text}");
    }

    #[test]
    fn a_secret_that_is_none_of_the_words_is_not_shown() {
        let secret = json!({"type": "string", "enum": ["hushed", "loud"], "airbyte_secret": true});
        let union = json!({"oneOf": [
            {"type": "object", "properties": {"kind": {"const": "hushed"}, "key": {"type": "string"}}, "required": ["kind"]},
            {"type": "object", "properties": {"kind": {"const": "loud"}}, "required": ["kind"]},
        ]});
        let whole = json!({"enum": [{"a": "x"}, {"a": "y"}]});
        let mixed = json!({"oneOf": [{"const": "hushed"}, {"type": "integer"}], "airbyte_secret": true});
        let cases = [
            (secret.clone(), "hush-hush", ""),
            (json!({"type": "array", "items": secret}), "[hush-hush]", ""),
            (union, "{kind: hush-hush}", "/setting/kind"),
            (whole, "{a: hush-hush}", "/setting/a"),
            (mixed, "hush-hush", ""),
            (json!({"type": "string", "enum": ["hushed"]}), "hush-hush", "/setting"),
            (json!({"const": "hushed"}), "hush-hush", "/setting"),
        ];
        for (schema, written, reference) in cases {
            let spec = Spec::new(json!({"type": "object", "properties": {"setting": schema}}));
            let node = contract::yaml::parse(&format!("setting: {written}\n")).unwrap();
            let referring: Vec<String> =
                Some(reference.to_owned()).filter(|place| !place.is_empty()).into_iter().collect();
            let problems = spec.problems(&spec.complete(node), &referring);
            let text: String = problems.iter().map(|problem| format!("{} {}", problem.key, problem.message)).collect();
            assert!(text.contains("setting") && !text.contains("hush-hush"), "{schema}: {text}");
            assert!(!text.contains("did you mean"), "what it is like tells as much: {text}");
        }
    }

    #[test]
    fn lines_survive_resolved_values() {
        let places = contract::yaml::parse("a: ${env:X}\nb:\n  c: [1, '${env:Y}']\n").unwrap();
        let node = with_lines(&json!({"a": "x", "b": {"c": [1, "y"]}}), &places);
        assert_eq!(node.to_json(), json!({"a": "x", "b": {"c": [1, "y"]}}));
        assert_eq!(node.nearest("/b/c/1").line, 3);
    }
}
