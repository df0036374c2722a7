//! Spreads `$parameters`: every component gets those of the components around it, its own winning, and each of them as a field
//! where its own field is absent or falsy. The merged set stays under `$parameters`, for templates.

use super::component_types::DATA_FIELDS;
use contract::yaml::{Entry, Kind, Node};

/// The whole tree with its parameters spread.
pub(crate) fn spread(root: Node) -> Node {
    node(root, &[])
}

fn node(this: Node, inherited: &[Entry]) -> Node {
    let Kind::Map(mut entries) = this.kind else { return this };
    let mut merged = inherited.to_vec();
    if is_component(&entries) {
        if let Some(position) = entries.iter().position(|entry| entry.key == "$parameters") {
            let own = entries.remove(position);
            for parameter in own.value.entries() {
                merged.retain(|have| have.key != parameter.key);
                merged.push(parameter.clone());
            }
        }
        for parameter in &merged {
            match entries.iter_mut().find(|entry| entry.key == parameter.key) {
                Some(entry) if is_falsy(&entry.value) => entry.value = parameter.value.clone(),
                Some(_) => {}
                None => entries.push(parameter.clone()),
            }
        }
    }
    let mut entries: Vec<Entry> = entries.into_iter().map(|entry| field(entry, &merged)).collect();
    if !merged.is_empty() && is_component(&entries) {
        let value = Node { kind: Kind::Map(merged), line: this.line, column: this.column };
        entries.push(Entry { key: "$parameters".into(), line: this.line, value });
    }
    Node { kind: Kind::Map(entries), line: this.line, column: this.column }
}

/// Inside field F, the parameter named F is left out.
fn field(entry: Entry, merged: &[Entry]) -> Entry {
    if DATA_FIELDS.contains(&entry.key.as_str()) {
        return entry;
    }
    let passed: Vec<Entry> = merged.iter().filter(|parameter| parameter.key != entry.key).cloned().collect();
    let Node { kind, line, column } = entry.value;
    let kind = match kind {
        Kind::Seq(items) => Kind::Seq(items.into_iter().map(|item| node(item, &passed)).collect()),
        kind => node(Node { kind, line, column }, &passed).kind,
    };
    Entry { value: Node { kind, line, column }, ..entry }
}

/// A mapping with a `type`, JSON schemas excepted.
fn is_component(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| {
        entry.key == "type"
            && entry.value.as_str().is_some_and(|kind| kind.starts_with(|c: char| c.is_ascii_uppercase()))
    })
}

fn is_falsy(node: &Node) -> bool {
    match &node.kind {
        Kind::Null => true,
        Kind::Bool(value) => !value,
        Kind::Number(value) => value.as_f64() == Some(0.0),
        Kind::String(value) => value.is_empty(),
        Kind::Seq(items) => items.is_empty(),
        Kind::Map(entries) => entries.is_empty(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spread_text(text: &str) -> serde_json::Value {
        spread(contract::yaml::parse(text).unwrap()).to_json()
    }

    #[test]
    fn the_inner_one_wins_and_fills_only_what_is_absent_or_falsy() {
        let value = spread_text(
            "type: A\n$parameters: {path: /outer, name: n, size: 5}\nsize: 0\nname: own\n\
             child: {type: B, $parameters: {path: /inner}, plain: {x: 1}}\n",
        );
        assert_eq!(value["size"], 5);
        assert_eq!(value["name"], "own");
        assert_eq!(value["path"], "/outer");
        assert_eq!(value["child"]["path"], "/inner");
        assert_eq!(value["child"]["name"], "n");
        assert_eq!(value["child"]["plain"], json!({"x": 1}), "a mapping without a type is no component");
        assert_eq!(value["child"]["$parameters"], json!({"name": "n", "size": 5, "path": "/inner"}));
    }

    #[test]
    fn inside_a_field_its_namesake_is_left_out() {
        let value = spread_text("type: A\n$parameters: {child: {type: B}, other: 1}\n");
        assert_eq!(value["child"]["other"], 1);
        assert_eq!(value["child"].get("child"), None);
    }

    #[test]
    fn lists_are_walked_and_schemas_are_not() {
        let value = spread_text("type: A\n$parameters: {p: 1}\nitems: [{type: B}, 3]\nschema: {type: object}\n");
        assert_eq!(value["items"][0]["p"], 1);
        assert_eq!(value["schema"], json!({"type": "object"}));
    }
}
