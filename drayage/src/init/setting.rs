//! The settings of a connector as its spec describes them: what each is called, what helps to answer it, in which order they are asked.

use contract::pipeline::key_path;
use serde_json::Value;

/// Settings without an order of their own come after those with one.
const LAST: i64 = i64::MAX;

/// A setting and its place.
#[derive(Debug, Clone)]
pub(crate) struct Setting<'a> {
    /// The keys that lead to it.
    pub(crate) path: Vec<String>,
    pub(crate) schema: &'a Value,
    pub(crate) is_required: bool,
}

/// How a setting is asked for.
#[derive(Debug)]
pub(crate) enum Kind<'a> {
    /// There is only one answer.
    Fixed(&'a Value),
    /// One of these.
    Choice(Vec<&'a Value>),
    /// Yes or no.
    Flag,
    /// A text that is not shown.
    Secret,
    /// A text or a number.
    Text,
    /// Texts or numbers, separated by commas.
    List,
    /// Settings of its own.
    Group,
    /// Settings of its own, of one of several kinds.
    OneOf(Vec<Setting<'a>>),
    /// Anything else, as JSON.
    Json,
}

/// The settings that a schema describes, in the order in which they are asked: what is required first.
pub(crate) fn settings<'a>(schema: &'a Value, path: &[String]) -> Vec<Setting<'a>> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let mut settings: Vec<Setting<'a>> = properties
        .filter(|(_, property)| property["airbyte_hidden"] != true)
        .map(|(key, property)| Setting {
            path: path.iter().chain([key]).cloned().collect(),
            schema: property,
            is_required: required.contains(&key.as_str()),
        })
        .collect();
    // Stable: what has the same order stays as in the file.
    settings.sort_by_key(|setting| (!setting.is_required, setting.schema["order"].as_i64().unwrap_or(LAST)));
    settings
}

impl<'a> Setting<'a> {
    /// The schema that lies at a path of keys; where there are alternatives, the first that knows the key.
    pub(crate) fn schema_at(schema: &'a Value, path: &[&str]) -> Option<&'a Value> {
        let Some((first, rest)) = path.split_first() else { return Some(schema) };
        let here = schema["properties"].get(*first).and_then(|found| Self::schema_at(found, rest));
        here.or_else(|| branches(schema).find_map(|branch| Self::schema_at(branch, path)))
    }

    /// As the user would write its place: `credentials.client_id`.
    pub(crate) fn key(&self) -> String {
        key_path(&self.pointer())
    }

    /// Its place as a JSON pointer.
    pub(crate) fn pointer(&self) -> String {
        self.path.iter().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect()
    }

    /// What it is called.
    pub(crate) fn title(&self) -> &str {
        self.schema["title"].as_str().or(self.path.last().map(String::as_str)).unwrap_or_default()
    }

    /// What helps to answer it.
    pub(crate) fn help(&self) -> String {
        let mut help = self.schema["description"].as_str().unwrap_or_default().trim().to_owned();
        if let Some(form) = self.schema["pattern_descriptor"].as_str() {
            help.push_str(&format!(" ({form})"));
        } else if let Some(example) = self.schema["examples"].get(0) {
            help.push_str(&format!(" (for example {})", shown(example)));
        }
        help.trim_start().to_owned()
    }

    /// A reason, made plainer by what the spec says of the setting's form.
    pub(crate) fn plainly(&self, reason: &str) -> String {
        let form = self.schema["pattern_descriptor"].as_str().or(self.schema["pattern"].as_str());
        match form {
            Some(form) if reason.ends_with("`pattern`") => format!("it must have the form {form}"),
            _ if reason.ends_with("`minLength`") => "it is too short".into(),
            _ => reason.to_owned(),
        }
    }

    /// The value that counts where nothing is said.
    pub(crate) fn default(&self) -> Option<&'a Value> {
        self.schema.get("default")
    }

    /// Whether its value must not be shown.
    pub(crate) fn is_secret(&self) -> bool {
        self.schema["airbyte_secret"] == true
    }

    /// How it is asked for.
    pub(crate) fn kind(&self) -> Kind<'a> {
        if let Some(value) = self.schema.get("const") {
            return Kind::Fixed(value);
        }
        if let Some(values) = self.schema["enum"].as_array().filter(|values| !values.is_empty()) {
            return Kind::Choice(values.iter().collect());
        }
        let alternatives: Vec<&Value> = branches(self.schema).collect();
        if !alternatives.is_empty() && alternatives.iter().all(|branch| branch["properties"].is_object()) {
            let branch = |schema| Setting { path: self.path.clone(), schema, is_required: self.is_required };
            return Kind::OneOf(alternatives.into_iter().map(branch).collect());
        }
        match kind_of(self.schema) {
            "boolean" => Kind::Flag,
            // A schema without a type is no reason to show what is typed.
            "string" | "" if self.is_secret() => Kind::Secret,
            "string" | "integer" | "number" => Kind::Text,
            "array" if matches!(kind_of(&self.schema["items"]), "string" | "integer" | "number") => Kind::List,
            "object" if self.schema["properties"].is_object() => Kind::Group,
            _ => Kind::Json,
        }
    }
}

/// The type of a schema's values: the first that is not null.
pub(crate) fn kind_of(schema: &Value) -> &str {
    let kinds = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    schema["type"].as_str().or_else(|| kinds.into_iter().find(|kind| *kind != "null")).unwrap_or_default()
}

/// The alternatives of a schema.
pub(crate) fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    ["oneOf", "anyOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten()
}

/// A value as a person would type it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            items.iter().map(shown).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_required_comes_first_and_the_order_decides_the_rest() {
        let schema = json!({"required": ["z", "y"], "properties": {
            "a": {"order": 0}, "b": {}, "y": {"order": 5}, "z": {"order": 1}, "c": {"order": 0}, "h": {"airbyte_hidden": true}}});
        let keys: Vec<String> = settings(&schema, &[]).iter().map(Setting::key).collect();
        assert_eq!(keys, ["z", "y", "a", "c", "b"]);
    }

    #[test]
    fn each_kind_of_schema_is_asked_for_in_its_way() {
        for (schema, expected) in [
            (json!({"const": "x"}), "Fixed(String(\"x\"))"),
            (json!({"type": "string", "enum": ["a", "b"]}), "Choice([String(\"a\"), String(\"b\")])"),
            (json!({"type": "boolean"}), "Flag"),
            (json!({"type": ["null", "string"]}), "Text"),
            (json!({"type": "integer"}), "Text"),
            (json!({"type": "string", "airbyte_secret": true}), "Secret"),
            (json!({"type": "array", "items": {"type": "string"}}), "List"),
            (json!({"type": "array", "items": {"type": "object"}}), "Json"),
            (json!({"type": "object", "properties": {}}), "Group"),
            (json!({"type": "object"}), "Json"),
            (json!({}), "Json"),
        ] {
            let setting = Setting { path: vec!["x".into()], schema: &schema, is_required: true };
            assert_eq!(format!("{:?}", setting.kind()), expected, "{schema}");
        }
        let schema =
            json!({"type": "object", "oneOf": [{"properties": {"a": {}}}, {"properties": {"b": {"type": "string"}}}]});
        let setting = Setting { path: vec![], schema: &schema, is_required: true };
        assert!(matches!(setting.kind(), Kind::OneOf(branches) if branches.len() == 2));
        assert_eq!(Setting::schema_at(&schema, &["b"]).unwrap(), &json!({"type": "string"}));
        assert_eq!(Setting::schema_at(&schema, &["c"]), None);
    }
}
