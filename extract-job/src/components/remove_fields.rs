//! RemoveFields: takes fields out of a record. Pointers are lists of segments, where `*`, `?` and `[…]` stand for parts of a key or index and
//! `**` for any number of levels; a field that is not there is fine. An item of a list leaves a null, so that the others keep their places.

use super::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::record::tree::Tree;
use crate::template::{Names, Shared};
use contract::yaml::Kind;

#[derive(Debug)]
pub(crate) struct RemoveFields {
    pointers: Vec<Vec<Expression>>,
    condition: Option<Expression>,
}

impl RemoveFields {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let node = reader.required("field_pointers");
        let mut pointers = Vec::new();
        for pointer in node.map(contract::yaml::Node::items).unwrap_or_default() {
            let Kind::Seq(segments) = &pointer.kind else {
                reader.error_at("field_pointers", "must hold lists of names");
                continue;
            };
            let texts = segments.iter().filter_map(|segment| {
                let text =
                    segment.as_str().map(str::to_owned).or_else(|| segment.to_json().as_i64().map(|n| n.to_string()));
                if text.is_none() {
                    reader.error_at("field_pointers", "must hold lists of names");
                }
                reader.parse("field_pointers", &text?, Names::ANYWHERE, segment.line)
            });
            let segments: Vec<Expression> = texts.collect();
            if !segments.is_empty() {
                pointers.push(segments);
            }
        }
        let condition = reader.expression("condition", Names::REMOVED);
        reader.finish();
        Some(Self { pointers, condition })
    }

    pub(crate) fn apply(&self, record: &mut Tree, scope: &Scope) -> Result<(), String> {
        for pointer in &self.pointers {
            let segments = pointer.iter().map(|segment| segment.text(scope).map_err(|error| error.to_string()));
            let segments: Vec<String> = segments.collect::<Result<_, _>>()?;
            let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
            let mut failed = None;
            remove(record, &segments, &mut |value| {
                let Some(condition) = &self.condition else { return true };
                let seen = scope.clone().with(Names::PROPERTY, Shared::of(value));
                condition.condition(&seen).unwrap_or_else(|error| {
                    failed.get_or_insert_with(|| format!("`RemoveFields.condition`: {error}"));
                    false
                })
            });
            if let Some(failed) = failed {
                return Err(failed);
            }
        }
        Ok(())
    }
}

/// Removes what lies at the path and is to go.
pub(crate) fn remove(tree: &mut Tree, path: &[&str], goes: &mut dyn FnMut(&Tree) -> bool) {
    let Some((segment, rest)) = path.split_first() else { return };
    if *segment == "**" {
        // Any number of levels, none included.
        remove(tree, rest, goes);
        match tree {
            Tree::Map(entries) => entries.iter_mut().for_each(|(_, value)| remove(value, path, goes)),
            Tree::List(items) => items.iter_mut().for_each(|item| remove(item, path, goes)),
            Tree::Scalar(_) => {}
        }
        return;
    }
    let is_last = rest.is_empty();
    match tree {
        Tree::Map(entries) => entries.retain_mut(|(key, value)| {
            if !fits(segment, key) {
                return true;
            }
            if is_last {
                return !goes(value);
            }
            remove(value, rest, goes);
            true
        }),
        Tree::List(items) => {
            let items = items.iter_mut().enumerate().filter(|(index, _)| fits(segment, &index.to_string()));
            for (_, item) in items {
                match is_last {
                    true if goes(item) => *item = Tree::null(),
                    true => {}
                    false => remove(item, rest, goes),
                }
            }
        }
        Tree::Scalar(_) => {}
    }
}

/// Whether a key fits a segment with `*`, `?` and `[…]`, as file names fit a shell's patterns.
fn fits(segment: &str, key: &str) -> bool {
    if !segment.contains(['*', '?', '[']) {
        return segment == key;
    }
    let mut pattern = String::from("(?s)^");
    let mut rest = segment.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '*' => pattern.push_str(".*"),
            '?' => pattern.push('.'),
            '[' if rest.as_str().contains(']') => {
                let class: String = rest.by_ref().take_while(|c| *c != ']').collect();
                let (not, class) = class.strip_prefix('!').map_or(("", class.as_str()), |class| ("^", class));
                pattern.push_str(&format!(
                    "[{not}{}]",
                    class.replace('\\', r"\\").replace('[', r"\[").replace('&', r"\&")
                ));
            }
            letter => pattern.push_str(&regex::escape(&letter.to_string())),
        }
    }
    pattern.push('$');
    regex::Regex::new(&pattern).is_ok_and(|pattern| pattern.is_match(key))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_stars_reach_every_level() {
        let text = br#"{"a":{"x":1,"y":2},"b":[{"x":3},{"z":4}],"x":5}"#;
        let cases: [(&[&str], &str); 7] = [
            (&["a", "x"], r#"{"a":{"y":2},"b":[{"x":3},{"z":4}],"x":5}"#),
            (&["*", "x"], r#"{"a":{"y":2},"b":[{"x":3},{"z":4}],"x":5}"#),
            (&["b", "*", "x"], r#"{"a":{"x":1,"y":2},"b":[{},{"z":4}],"x":5}"#),
            (&["**", "x"], r#"{"a":{"y":2},"b":[{},{"z":4}]}"#),
            (&["b", "1"], r#"{"a":{"x":1,"y":2},"b":[{"x":3},null],"x":5}"#),
            (&["?", "[x-z]"], r#"{"a":{},"b":[{"x":3},{"z":4}],"x":5}"#),
            (&["none", "x"], r#"{"a":{"x":1,"y":2},"b":[{"x":3},{"z":4}],"x":5}"#),
        ];
        for (path, expected) in cases {
            let mut tree = Tree::parse(text).unwrap();
            remove(&mut tree, path, &mut |_| true);
            let mut out = Vec::new();
            tree.write(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{path:?}");
        }
    }
}
