//! Spreads `$parameters`: every component gets those of the components around it, its own winning, and each of them as a field
//! where its own field is absent or falsy. The merged set stays under `$parameters`, for templates.

use super::component_types::DATA_FIELDS;
use super::problem::Problems;
use contract::yaml::{Entry, Kind, Node};
use std::collections::{HashMap, HashSet};

/// A manifest whose parameters are copied to more nodes than this is refused: parameters that are components get one another.
const MAX_NODES: usize = 1_000_000;
/// Deeper than this, parameters inside parameters are refused.
const MAX_DEPTH: usize = 250;

/// The whole tree with its parameters spread; unfinished where they grow without bound, which is then a problem.
pub(crate) fn spread(root: Node, problems: &Problems) -> Node {
    Spreader { problems, nodes: 0, depth: 0, exhausted: false }.node(root, &[])
}

struct Spreader<'a> {
    problems: &'a Problems,
    nodes: usize,
    depth: usize,
    exhausted: bool,
}

impl Spreader<'_> {
    fn node(&mut self, this: Node, inherited: &[Entry]) -> Node {
        let Kind::Map(mut entries) = this.kind else { return this };
        // Each parameter is copied three times at most: to the fields of this node, and of its children, and under `$parameters`.
        self.nodes += 1 + 3 * inherited.iter().map(|entry| weight(&entry.value)).sum::<usize>();
        if self.nodes > MAX_NODES || self.depth > MAX_DEPTH {
            if !self.exhausted {
                self.problems.error(this.line, "the manifest's `$parameters` expand without bound");
            }
            self.exhausted = true;
            return Node { kind: Kind::Null, ..this };
        }
        let mut merged = inherited.to_vec();
        if is_component(&entries) {
            if let Some(position) = entries.iter().position(|entry| entry.key == "$parameters") {
                let own = entries.remove(position).value;
                let names: HashSet<&str> = own.entries().iter().map(|parameter| parameter.key.as_str()).collect();
                merged.retain(|have| !names.contains(have.key.as_str()));
                merged.extend_from_slice(own.entries());
            }
            fill_in(&mut entries, &merged);
        }
        self.depth += 1;
        let mut entries: Vec<Entry> = entries.into_iter().map(|entry| self.field(entry, &merged)).collect();
        self.depth -= 1;
        if !merged.is_empty() && is_component(&entries) {
            let value = Node { kind: Kind::Map(merged), line: this.line, column: this.column };
            entries.push(Entry { key: "$parameters".into(), line: this.line, value });
        }
        Node { kind: Kind::Map(entries), line: this.line, column: this.column }
    }

    /// Inside field F, the parameter named F is left out.
    fn field(&mut self, entry: Entry, merged: &[Entry]) -> Entry {
        if DATA_FIELDS.contains(&entry.key.as_str()) || !matches!(entry.value.kind, Kind::Map(_) | Kind::Seq(_)) {
            return entry;
        }
        let passed: Vec<Entry> = merged.iter().filter(|parameter| parameter.key != entry.key).cloned().collect();
        let Node { kind, line, column } = entry.value;
        let kind = match kind {
            Kind::Seq(items) => Kind::Seq(items.into_iter().map(|item| self.node(item, &passed)).collect()),
            kind => self.node(Node { kind, line, column }, &passed).kind,
        };
        Entry { value: Node { kind, line, column }, ..entry }
    }
}

/// Each parameter as a field where the component's own is absent or falsy.
fn fill_in(entries: &mut Vec<Entry>, parameters: &[Entry]) {
    let places: HashMap<String, usize> =
        entries.iter().enumerate().map(|(place, entry)| (entry.key.clone(), place)).collect();
    for parameter in parameters {
        match places.get(&parameter.key).and_then(|place| entries.get_mut(*place)) {
            Some(entry) if is_falsy(&entry.value) => entry.value = parameter.value.clone(),
            Some(_) => {}
            None => entries.push(parameter.clone()),
        }
    }
}

/// How many nodes a copy has.
fn weight(node: &Node) -> usize {
    match &node.kind {
        Kind::Seq(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|entry| weight(&entry.value)).sum::<usize>(),
        _ => 1,
    }
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
        let problems = Problems::default();
        let value = spread(contract::yaml::parse(text).unwrap(), &problems).to_json();
        assert!(!problems.has_errors());
        value
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

    #[test]
    fn components_among_the_parameters_do_not_multiply() {
        let parameters: Vec<String> = (0..12).map(|index| format!("p{index}: {{type: B}}")).collect();
        let text = format!("type: A\n$parameters: {{{}}}\nchild: {{type: C}}\n", parameters.join(", "));
        let problems = Problems::default();
        spread(contract::yaml::parse(&text).unwrap(), &problems);
        let (errors, _) = problems.into_sorted();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].message.contains("without bound"), "{errors:?}");
    }
}
