//! Resolves references inside a manifest: a mapping's `$ref` key, or a plain text that starts with `#/`.
//! Every node keeps the line where it was written; a missing target, a cycle or an expansion without bound is an error.

use super::problem::Problems;
use contract::yaml::{Entry, Kind, Node};
use std::collections::HashSet;

/// Parts of a manifest that count only when something refers to them.
const LIBRARY_KEYS: [&str; 3] = ["definitions", "schemas", "metadata"];
/// A manifest that expands to more nodes than this is refused.
const MAX_NODES: usize = 2_000_000;
/// Deeper than this, a chain of references is refused.
const MAX_DEPTH: usize = 200;

/// The manifest without its libraries, all references replaced by what they name.
pub(crate) fn resolve(root: &Node, problems: &Problems) -> Node {
    if !matches!(root.kind, Kind::Map(_)) {
        problems.error(root.line, "a manifest is a mapping with `type: DeclarativeSource`");
    }
    let mut resolver = Resolver { root, problems, active: Vec::new(), nodes: 0, depth: 0, exhausted: false };
    let entries = root
        .entries()
        .iter()
        .filter(|entry| !LIBRARY_KEYS.contains(&entry.key.as_str()))
        .map(|entry| resolver.entry(entry))
        .collect();
    Node { kind: Kind::Map(entries), line: root.line, column: root.column }
}

struct Resolver<'a> {
    root: &'a Node,
    problems: &'a Problems,
    /// The references that are being resolved right now, outermost first.
    active: Vec<String>,
    nodes: usize,
    depth: usize,
    exhausted: bool,
}

impl Resolver<'_> {
    fn node(&mut self, node: &Node) -> Node {
        self.nodes += 1;
        if self.nodes > MAX_NODES || self.depth > MAX_DEPTH {
            if !self.exhausted {
                self.problems.error(node.line, "the manifest's references expand without bound");
            }
            self.exhausted = true;
            return null_at(node);
        }
        self.depth += 1;
        let resolved = match &node.kind {
            Kind::String(text) if text.starts_with("#/") => self.target(text, node),
            Kind::Seq(items) => {
                let items = items.iter().map(|item| self.node(item)).collect();
                Node { kind: Kind::Seq(items), ..*node }
            }
            Kind::Map(_) => self.mapping(node),
            _ => node.clone(),
        };
        self.depth -= 1;
        resolved
    }

    fn entry(&mut self, entry: &Entry) -> Entry {
        Entry { key: entry.key.clone(), line: entry.line, value: self.node(&entry.value) }
    }

    fn mapping(&mut self, node: &Node) -> Node {
        let mut own = Vec::new();
        let mut reference = None;
        for entry in node.entries() {
            if entry.key == "$ref" {
                reference = Some(entry);
            } else if entry.key == "config_overrides" {
                own.push(entry.clone());
            } else {
                own.push(self.entry(entry));
            }
        }
        let Some(reference) = reference else {
            return Node { kind: Kind::Map(own), ..*node };
        };
        let Some(text) = reference.value.as_str() else {
            self.problems.error(reference.line, "`$ref` must be a text such as \"#/definitions/requester\"");
            return Node { kind: Kind::Map(own), ..*node };
        };
        let target = self.target(text, &reference.value);
        match target.kind {
            Kind::Map(entries) => Node { kind: Kind::Map(overlay(entries, own)), ..*node },
            kind => Node { kind, ..*node },
        }
    }

    fn target(&mut self, reference: &str, place: &Node) -> Node {
        if self.active.iter().any(|active| active == reference) {
            let chain = self.active.join(" → ");
            self.problems.error(place.line, format!("the reference `{reference}` leads back to itself ({chain})"));
            return null_at(place);
        }
        let Some(target) = reference.strip_prefix("#/").and_then(|path| look_up(self.root, path)) else {
            self.problems.error(place.line, format!("the reference `{reference}` names nothing in this file"));
            return null_at(place);
        };
        self.active.push(reference.to_owned());
        let resolved = self.node(target);
        self.active.pop();
        resolved
    }
}

fn null_at(node: &Node) -> Node {
    Node { kind: Kind::Null, ..*node }
}

/// The target's keys, each replaced whole by the sibling of the same name, then the siblings that are new.
fn overlay(target: Vec<Entry>, own: Vec<Entry>) -> Vec<Entry> {
    let siblings: HashSet<&str> = own.iter().map(|sibling| sibling.key.as_str()).collect();
    let mut merged: Vec<Entry> = target.into_iter().filter(|entry| !siblings.contains(entry.key.as_str())).collect();
    merged.extend(own);
    merged
}

/// At each level the whole remaining text as one key first, then its first segment.
fn look_up<'a>(node: &'a Node, path: &str) -> Option<&'a Node> {
    if let Some(found) = node.get(path) {
        return Some(found);
    }
    let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let next = match &node.kind {
        Kind::Map(_) => node.get(first),
        Kind::Seq(items) => first.parse::<usize>().ok().and_then(|index| items.get(index)),
        _ => None,
    }?;
    rest.map_or(Some(next), |rest| look_up(next, rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resolved(text: &str) -> (serde_json::Value, Vec<String>) {
        let problems = Problems::default();
        let node = resolve(&contract::yaml::parse(text).unwrap(), &problems);
        (node.to_json(), problems.into_sorted().0.iter().map(|p| format!("{}: {}", p.line, p.message)).collect())
    }

    #[test]
    fn both_spellings_and_shallow_siblings() {
        let (value, problems) = resolved(
            "definitions:\n  base: {a: {x: 1, y: 2}, b: 3}\n  list: [10, 20]\n  a/b: slash\n\
             one: {$ref: '#/definitions/base', a: {x: 9}}\ntwo: '#/definitions/list/1'\nthree: '#/definitions/a/b'\n\
             four: {$ref: '#/definitions/list'}\nfive: {config_overrides: '#/definitions/base'}\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(
            value,
            json!({"one": {"b": 3, "a": {"x": 9}}, "two": 20, "three": "slash", "four": [10, 20],
                   "five": {"config_overrides": "#/definitions/base"}})
        );
    }

    #[test]
    fn references_are_resolved_inside_their_targets() {
        let (value, problems) = resolved(
            "definitions:\n  inner: {z: 1}\n  outer: {i: {$ref: '#/definitions/inner'}}\na: '#/definitions/outer'\n",
        );
        assert!(problems.is_empty());
        assert_eq!(value, json!({"a": {"i": {"z": 1}}}));
    }

    #[test]
    fn what_is_missing_or_circular_is_named_with_its_line() {
        let cases = [
            ("a: 1\nb: '#/definitions/nope'\n", "2: the reference `#/definitions/nope` names nothing"),
            ("a: {$ref: '#/a'}\n", "leads back to itself"),
            (
                "definitions: {x: '#/definitions/y', y: '#/definitions/x'}\na: '#/definitions/x'\n",
                "leads back to itself",
            ),
            ("a: {$ref: 3}\n", "must be a text"),
        ];
        for (text, part) in cases {
            let (_, problems) = resolved(text);
            assert!(problems.iter().any(|problem| problem.contains(part)), "{text}: {problems:?}");
        }
    }

    #[test]
    fn a_bomb_of_references_ends() {
        let mut text = String::from("definitions:\n  l0: [1,1,1,1,1,1,1,1,1,1]\n");
        for level in 1..12 {
            let items = vec![format!("'#/definitions/l{}'", level - 1); 10].join(",");
            text.push_str(&format!("  l{level}: [{items}]\n"));
        }
        text.push_str("a: '#/definitions/l11'\n");
        let (_, problems) = resolved(&text);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains("without bound"), "{problems:?}");
    }
}
