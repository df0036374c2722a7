//! YAML with line numbers: the tree that the pipeline file and the manifests are read from.
//! Scalars follow YAML 1.1's booleans (`yes/no/on/off`); dates stay text; a key given twice, an unknown tag or a second document is an error.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number, Value};
use std::collections::{HashMap, HashSet};

/// A value together with the place where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What stands there.
    pub kind: Kind,
    /// Line in its file, from 1.
    pub line: usize,
    /// Column in its line, from 1.
    pub column: usize,
}

/// The value of a [`Node`].
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `null`, `~` or nothing.
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Bool(bool),
    /// An integer or a float.
    Number(Number),
    /// Everything else, and all that is quoted.
    String(String),
    /// A list.
    Seq(Vec<Node>),
    /// A mapping in the order of the file.
    Map(Vec<Entry>),
}

/// One key of a mapping and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key as text.
    pub key: String,
    /// Line of the key, from 1.
    pub line: usize,
    /// What the key holds.
    pub value: Node,
}

/// Why a text is no usable YAML document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct YamlError {
    /// Line from 1 (0 where the text has none).
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

/// Nested deeper than this, a document is refused (it would exhaust the stack further on).
const MAX_DEPTH: usize = 100;
/// More nodes than this, aliases expanded, and a document is refused (an alias bomb).
const MAX_NODES: usize = 2_000_000;

/// Reads one YAML document.
///
/// # Errors
/// Broken YAML, no document or more than one, a key given twice, a key that is not a scalar, more than 100 levels.
pub fn parse(text: &str) -> Result<Node, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let last = text.split(['\n', '\r']).count();
    read(text, last).map_err(|error| YamlError { line: error.line.min(last), ..error })
}

fn read(text: &str, last: usize) -> Result<Node, YamlError> {
    let mut builder = Builder { anchors: HashMap::new(), nodes: 0, kept: 0, last };
    let mut parser = Parser::new_from_str(text);
    let mut root = None;
    loop {
        let (event, span) = next(&mut parser)?;
        match event {
            Event::StreamEnd => break,
            Event::DocumentStart(_) if root.is_some() => {
                return Err(at(&span, "a second document starts here; one file holds one document"));
            }
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            event => root = Some(builder.node(event, &span, &mut parser, 0)?),
        }
    }
    match root {
        Some(node) if node.kind != Kind::Null => Ok(node),
        _ => Err(YamlError { line: 0, message: "the file is empty".into() }),
    }
}

type Events<'a> = Parser<'a, saphyr_parser::StrInput<'a>>;

fn next<'a>(parser: &mut Events<'a>) -> Result<(Event<'a>, Span), YamlError> {
    match parser.next_event() {
        Some(Ok(found)) => Ok(found),
        Some(Err(error)) => {
            Err(YamlError { line: error.marker().line(), message: format!("not valid YAML: {}", error.info()) })
        }
        None => Err(YamlError { line: 0, message: "not valid YAML: the text ends too early".into() }),
    }
}

fn at(span: &Span, message: impl Into<String>) -> YamlError {
    YamlError { line: span.start.line(), message: message.into() }
}

fn too_deep(span: &Span) -> YamlError {
    at(span, format!("nested deeper than {MAX_DEPTH} levels"))
}

/// How many levels stand below a node.
fn levels(node: &Node) -> usize {
    match &node.kind {
        Kind::Seq(items) => items.iter().map(|item| 1 + levels(item)).max().unwrap_or(0),
        Kind::Map(entries) => entries.iter().map(|entry| 1 + levels(&entry.value)).max().unwrap_or(0),
        _ => 0,
    }
}

struct Builder {
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    /// Nodes in the copies that anchors keep: anchors inside anchors keep the same ones again.
    kept: usize,
    /// The text's last line: the parser takes its end for a line of its own.
    last: usize,
}

/// What an alias stands for.
#[derive(Clone)]
struct Anchored {
    node: Node,
    nodes: usize,
    levels: usize,
}

impl Builder {
    fn node<'a>(
        &mut self,
        event: Event<'a>,
        span: &Span,
        parser: &mut Events<'a>,
        depth: usize,
    ) -> Result<Node, YamlError> {
        let before = self.nodes;
        self.nodes += 1;
        if depth > MAX_DEPTH {
            return Err(too_deep(span));
        }
        let (kind, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let quoted = style != ScalarStyle::Plain;
                let kind = match tag.as_deref() {
                    None => scalar(&text, quoted),
                    Some(tag) if tag.suffix == "str" => Kind::String(text.into_owned()),
                    Some(tag) if tag.is_yaml_core_schema() => scalar(&text, false),
                    Some(tag) => return Err(at(span, format!("unknown tag `{}{}`", tag.handle, tag.suffix))),
                };
                (kind, anchor)
            }
            Event::SequenceStart(anchor, _) => (self.sequence(parser, depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.mapping(parser, depth)?, anchor),
            Event::Alias(id) => {
                let found = self.anchors.get(&id).ok_or_else(|| at(span, "an alias without its anchor"))?;
                self.nodes += found.nodes;
                if self.nodes > MAX_NODES {
                    return Err(at(span, "the document's aliases expand without bound"));
                }
                // An alias inside the next alias, and so on: each of them is shallow, all of them are not.
                if depth + found.levels > MAX_DEPTH {
                    return Err(too_deep(span));
                }
                (found.node.kind.clone(), 0)
            }
            _ => return Err(at(span, "unexpected YAML structure")),
        };
        let node = Node { kind, line: span.start.line().min(self.last), column: span.start.col() + 1 };
        if anchor > 0 {
            let nodes = self.nodes - before;
            self.kept += nodes;
            if self.kept > MAX_NODES {
                return Err(at(span, "the document's anchors hold too much"));
            }
            self.anchors.insert(anchor, Anchored { levels: levels(&node), node: node.clone(), nodes });
        }
        Ok(node)
    }

    fn sequence<'a>(&mut self, parser: &mut Events<'a>, depth: usize) -> Result<Kind, YamlError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = next(parser)?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Kind::Seq(items));
            }
            items.push(self.node(event, &span, parser, depth + 1)?);
        }
    }

    fn mapping<'a>(&mut self, parser: &mut Events<'a>, depth: usize) -> Result<Kind, YamlError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = Merged::default();
        let mut seen: HashMap<String, usize> = HashMap::new();
        loop {
            let (event, span) = next(parser)?;
            let (key, plain) = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, style, _, _) => (text.into_owned(), style == ScalarStyle::Plain),
                _ => return Err(at(&span, "a key must be a plain text")),
            };
            let (event, value_span) = next(parser)?;
            let value = self.node(event, &value_span, parser, depth + 1)?;
            if key == "<<" && plain {
                merged.add(value, &span)?;
                continue;
            }
            let line = span.start.line().min(self.last);
            if let Some(first) = seen.insert(key.clone(), line) {
                return Err(at(&span, format!("the key `{key}` is given twice (first on line {first})")));
            }
            entries.push(Entry { key, line, value });
        }
        entries.extend(merged.entries.into_iter().filter(|entry| !seen.contains_key(&entry.key)));
        Ok(Kind::Map(entries))
    }
}

/// YAML 1.1's merge key: `<<: *defaults` or a list of such. Of a key that several give, the first counts.
#[derive(Default)]
struct Merged {
    entries: Vec<Entry>,
    keys: HashSet<String>,
}

impl Merged {
    fn add(&mut self, value: Node, span: &Span) -> Result<(), YamlError> {
        match value.kind {
            Kind::Map(entries) => {
                for entry in entries {
                    if self.keys.insert(entry.key.clone()) {
                        self.entries.push(entry);
                    }
                }
                Ok(())
            }
            Kind::Seq(items) => items.into_iter().try_for_each(|item| self.add(item, span)),
            _ => Err(at(span, "`<<` takes a mapping or a list of mappings")),
        }
    }
}

fn scalar(text: &str, quoted: bool) -> Kind {
    if quoted {
        return Kind::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Kind::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Kind::Bool(false),
        _ => number(text).map_or_else(|| Kind::String(text.to_owned()), Kind::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    // "00501" is a code, not a number: YAML 1.1 would read it as octal.
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits[1..].starts_with(['.', 'e', 'E']);
    if leading_zero {
        return None;
    }
    let plain = text.strip_prefix('+').unwrap_or(text);
    if let Ok(integer) = plain.parse::<i64>() {
        return Some(integer.into());
    }
    if let Ok(integer) = plain.parse::<u64>() {
        return Some(integer.into());
    }
    let float = digits.contains(['.', 'e', 'E']) && digits.contains(|c: char| c.is_ascii_digit());
    if float { plain.parse::<f64>().ok().and_then(Number::from_f64) } else { None }
}

impl Node {
    /// The value without its places, as JSON.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(value) => Value::Number(value.clone()),
            Kind::String(value) => Value::String(value.clone()),
            Kind::Seq(items) => items.iter().map(Self::to_json).collect(),
            Kind::Map(entries) => {
                Value::Object(entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect::<Map<_, _>>())
            }
        }
    }

    /// The entries of a mapping, else none.
    pub fn entries(&self) -> &[Entry] {
        if let Kind::Map(entries) = &self.kind { entries } else { &[] }
    }

    /// The items of a list, else none.
    pub fn items(&self) -> &[Node] {
        if let Kind::Seq(items) = &self.kind { items } else { &[] }
    }

    /// The value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The text of a string scalar.
    pub fn as_str(&self) -> Option<&str> {
        if let Kind::String(text) = &self.kind { Some(text) } else { None }
    }

    /// The node at a JSON pointer (`/sources/0/streams`), or the deepest one on the way to it.
    pub fn nearest(&self, pointer: &str) -> &Node {
        let mut node = self;
        for segment in pointer.split('/').skip(1) {
            let key = segment.replace("~1", "/").replace("~0", "~");
            let next = match &node.kind {
                Kind::Map(_) => node.get(&key),
                Kind::Seq(items) => key.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => None,
            };
            match next {
                Some(found) => node = found,
                None => return node,
            }
        }
        node
    }

    /// The line of a key of this mapping, or the mapping's own line.
    pub fn line_of(&self, key: &str) -> usize {
        self.entries().iter().find(|entry| entry.key == key).map_or(self.line, |entry| entry.line)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod fuzz;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_follow_yaml_1_1_but_keep_codes_and_dates_as_text() {
        let cases = [
            ("12", json!(12)),
            ("-3", json!(-3)),
            ("1.5", json!(1.5)),
            ("00501", json!("00501")),
            ("2024-01-01", json!("2024-01-01")),
            ("yes", json!(true)),
            ("off", json!(false)),
            ("'12'", json!("12")),
            ("~", json!(null)),
            ("1.2.3", json!("1.2.3")),
            (".", json!(".")),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(&format!("a: {text}")).unwrap().to_json(), json!({ "a": expected }), "{text}");
        }
    }

    #[test]
    fn places_are_known() {
        let root = parse("a:\n  b:\n    - x\n    - y: 1\n").unwrap();
        assert_eq!(root.nearest("/a/b/1/y").line, 4);
        assert_eq!(root.nearest("/a/b/7").line, root.nearest("/a/b").line);
        assert_eq!(root.nearest("/a").line_of("b"), 2);
    }

    #[test]
    fn errors_name_the_line() {
        let cases = [
            ("", 0, "empty"),
            ("# nothing\n", 0, "empty"),
            ("a: 1\nb: 2\na: 3\n", 3, "twice"),
            ("a: [1, 2\nb: 3", 2, "not valid YAML"),
            ("a: *x", 1, "not valid YAML"),
            ("a: !weird 3", 1, "unknown tag"),
            ("a: 1\n---\nb: 2\n", 2, "second document"),
        ];
        for (text, line, part) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains(part), "{text:?}: {error}");
            assert_eq!(error.line, line, "{text:?}: {error}");
        }
    }

    #[test]
    fn anchors_and_merge_keys_expand_and_bombs_do_not() {
        let root = parse("d: &d {a: 1, b: 2}\ne:\n  <<: *d\n  b: 3\n").unwrap();
        assert_eq!(root.get("e").unwrap().to_json(), json!({"b": 3, "a": 1}));
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..12 {
            let inner = vec![format!("*a{}", level - 1); 10].join(",");
            bomb.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
        }
        assert!(parse(&bomb).unwrap_err().message.contains("without bound"));
        // Aliases inside aliases: few nodes, but more levels than any stack holds.
        let (open, close) = ("[".repeat(90), "]".repeat(90));
        let mut deep = format!("a0: &a0 {open}{close}\n");
        (1..200).for_each(|level| deep.push_str(&format!("a{level}: &a{level} {open}*a{}{close}\n", level - 1)));
        assert_eq!(parse(&deep).unwrap_err(), YamlError { line: 2, message: "nested deeper than 100 levels".into() });
        // Every anchor keeps what it holds, so anchors inside anchors keep it many times.
        let anchors: String = (0..90).map(|level| format!("&a{level} [")).collect();
        let nested = format!("{anchors}{}{}", "x,".repeat(30_000), "]".repeat(90));
        assert!(parse(&nested).unwrap_err().message.contains("too much"));
    }
}
