//! What an answer without records is, though its status is no error's: a list that is empty, an error in disguise, an answer of another shape
//! than the manifest says, or one that tells nothing. Only the first proves that there are no records.
//!
//! The rules are stricter than the reference engine's, which takes all of these for an empty list and loses rows.

use crate::components::error_message;
use serde_json::{Map, Value};
use std::ops::Range;

/// How deep lists of objects are looked for.
const DEEPEST: usize = 4;
/// Lists that many APIs send beside the records.
const BESIDE: [&str; 7] = ["link", "links", "_links", "fields", "columns", "headers", "included"];
/// The longest text of an answer that a verdict repeats. What shows it to people takes secrets out first, and shortens it then.
const LONGEST: usize = 4000;

/// What an answer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It has records.
    Records,
    /// The declared place is there and holds an empty list.
    Empty,
    /// It tells an error, or is of another kind than a page; why.
    Error(String),
    /// The records are elsewhere than the manifest says; where.
    Elsewhere(String),
    /// The place is missing or null, and nothing else is told. Answers of one shape are alike.
    Nothing { shape: String },
}

/// What stands at the declared place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// A value that is neither a list nor an object, or a list on the way where an object was meant.
    OtherKind(&'static str),
    Absent,
    Null,
    /// An empty object: some servers write an empty list so, others a failure.
    Hollow,
    Found,
}

/// Judges an answer that has given no records.
pub(crate) fn judge(body: &Value, path: &[String]) -> Verdict {
    let place = at_root(body, path);
    let name = if path.is_empty() { "the body".to_owned() } else { format!("`{}`", path.join(".")) };
    if let Some(sign) = sign_of_error(body, place, path) {
        return Verdict::Error(format!("the answer has a status of success, but tells an error: {sign}"));
    }
    match place {
        Place::Found => Verdict::Empty,
        Place::OtherKind(kind) if path.is_empty() => {
            Verdict::Error(format!("the answer is {kind} where records are expected: {}", shown(body)))
        }
        Place::OtherKind(kind) => {
            Verdict::Error(format!("the answer has {kind} where {name} leads to records: {}", shown(body)))
        }
        Place::Absent | Place::Null => match elsewhere(body, path) {
            Some((found, count)) => Verdict::Elsewhere(format!(
                "{name} is not in the answer; it has `{found}` ({count} objects). If that is how the API writes an empty list, say it by \
                 `x-empty-when` in the extractor"
            )),
            None => nothing(body, place),
        },
        Place::Hollow => nothing(body, place),
    }
}

/// Fields that an answer has which tells an error and nothing else.
const OF_ERRORS: [&str; 11] =
    ["error", "errors", "fault", "success", "ok", "status", "code", "message", "msg", "errorcode", "errormessage"];

/// The error that an answer tells which is taken for a record itself, as a whole. `is_keyless`: it lacks the fields of the primary key, so that
/// it is none; where a stream has no key, only what names an error counts.
pub(crate) fn error_in_record(body: &Value, is_keyless: bool) -> Option<String> {
    let map = body.as_object()?;
    let sign = if is_keyless {
        sign_in(map, Place::Absent)?
    } else {
        // What has anything else is an entity, whose own such fields can be.
        let is_of_errors = |key: &String| OF_ERRORS.iter().any(|of_errors| key.eq_ignore_ascii_case(of_errors));
        if !map.keys().all(is_of_errors) {
            return None;
        }
        sign_in(map, Place::Found)?
    };
    Some(format!("the answer has a status of success, but tells an error: {sign}"))
}

/// The kind of a list that holds no object at all: it is an answer of another kind. A single record that is none among others is rejected
/// by the load.
pub(crate) fn kind_of_records(body: &[u8], records: &[Range<usize>]) -> Option<&'static str> {
    let first_byte = |range: &Range<usize>| body.get(range.clone())?.iter().find(|byte| !byte.is_ascii_whitespace());
    if records.iter().any(|range| first_byte(range) == Some(&b'{')) {
        return None;
    }
    match first_byte(records.first()?) {
        Some(b'"') => Some("a list of texts"),
        Some(b'[') => Some("a list of lists"),
        Some(b'n' | b't' | b'f') => Some("a list of single words"),
        Some(_) => Some("a list of numbers"),
        None => None,
    }
}

fn at_root(body: &Value, path: &[String]) -> Place {
    match body {
        Value::Null => Place::OtherKind("`null`"),
        // The path leads into each element of a body that is a list.
        Value::Array(elements) if !path.is_empty() => {
            let best = elements.iter().map(|element| at(element, path)).max();
            best.filter(|place| *place == Place::Found).unwrap_or(Place::OtherKind("a list"))
        }
        _ => at(body, path),
    }
}

fn at(value: &Value, path: &[String]) -> Place {
    let Some((segment, below)) = path.split_first() else {
        return match value {
            Value::Array(_) => Place::Found,
            Value::Object(map) if map.is_empty() => Place::Hollow,
            Value::Object(_) => Place::Found,
            Value::Null => Place::Null,
            other => Place::OtherKind(kind(other)),
        };
    };
    let best = |values: &mut dyn Iterator<Item = &Value>| values.map(|value| at(value, below)).max();
    match value {
        Value::Object(map) if segment == "*" => best(&mut map.values()).unwrap_or(Place::Found),
        Value::Array(items) if segment == "*" => best(&mut items.iter()).unwrap_or(Place::Found),
        Value::Object(map) => map.get(segment).map_or(Place::Absent, |value| at(value, below)),
        Value::Array(items) => match segment.parse::<usize>() {
            Ok(index) => items.get(index).map_or(Place::Absent, |value| at(value, below)),
            Err(_) => Place::OtherKind("a list"),
        },
        Value::Null => Place::Null,
        other => Place::OtherKind(kind(other)),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "`null`",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The part of the answer that tells an error, in its own words.
fn sign_of_error(body: &Value, place: Place, path: &[String]) -> Option<String> {
    let around = match body {
        Value::Array(elements) => elements.first()?.as_object()?,
        other => other.as_object()?,
    };
    if let Some(sign) = sign_in(around, place) {
        return Some(sign);
    }
    // `{"data": {"error": …}}` where `data.items` is declared.
    let mut value = body;
    for segment in path {
        let Some(below) = value.get(segment) else { break };
        value = below;
        if let Some(sign) = value.as_object().and_then(|map| sign_in(map, place)) {
            return Some(sign);
        }
    }
    None
}

fn sign_in(map: &Map<String, Value>, place: Place) -> Option<String> {
    let is_absent = place < Place::Found;
    let field = |name: &str| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let says = |name: &&str| field(name).is_some_and(|value| says_something(value) && !is_good(value));
    let has_message = ["message", "msg"].iter().any(says) || is_absent && ["description", "detail"].iter().any(says);
    let tells_success = ["success", "ok"].iter().any(|name| field(name) == Some(&Value::Bool(true)))
        || field("code").is_some_and(|code| whole_number(code).is_some_and(is_code_of_success));
    let named = |(key, value): &(&String, &Value)| match key.to_ascii_lowercase().as_str() {
        "error" | "errors" | "fault" | "errorcode" | "error_code" | "errormessage" | "error_message" => {
            names_an_error(value)
        }
        _ => false,
    };
    let told = |(key, value): &(&String, &Value)| match key.to_ascii_lowercase().as_str() {
        "success" | "ok" => **value == Value::Bool(false),
        // An entity with an empty list may have failed itself.
        "status" => tells_failure(value) && (is_absent || has_message),
        "code" => has_message && is_error_code(value, is_absent),
        // "No records" is said beside an empty list too.
        "message" => is_absent && !tells_success && says_something(value) && !is_good(value),
        _ => false,
    };
    // What names the error says more than that there is one.
    let (key, value) = map.iter().find(named).or_else(|| map.iter().find(told))?;
    let mut alone = Map::new();
    alone.insert(key.clone(), value.clone());
    let words = error_message::for_people(Value::Object(alone).to_string().as_bytes());
    let words = words.filter(|words| !words.is_empty()).map_or_else(|| shown(value), |words| cut(&words));
    Some(format!("`{key}`: {words}"))
}

/// What is not empty, null, false or zero.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// What is under a key that is for errors, unless it says that there is none: `{"error": {"code": "ok", "message": ""}}`.
fn names_an_error(value: &Value) -> bool {
    const NONE: [&str; 5] = ["0", "none", "null", "false", "no error"];
    match value {
        Value::String(text) => {
            says_something(value) && !is_good(value) && !NONE.contains(&text.trim().to_ascii_lowercase().as_str())
        }
        Value::Object(map) => {
            let is_nothing = |key: &&str| map.get(*key).is_none_or(|value| !names_an_error(value));
            says_something(value) && !(map.contains_key("code") && ["code", "message"].iter().all(is_nothing))
        }
        other => says_something(other),
    }
}

fn tells_failure(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let text = text.to_ascii_lowercase();
            text.contains("error") || text.contains("fail")
        }
        Value::Number(number) => number.as_u64().is_some_and(|status| (400..600).contains(&status)),
        _ => false,
    }
}

/// Zero and 2xx are the codes of success; a word may be one.
fn is_error_code(code: &Value, is_absent: bool) -> bool {
    match (whole_number(code), code) {
        (Some(number), _) => !is_code_of_success(number),
        (None, Value::String(_)) => is_absent && !is_good(code),
        (None, _) => false,
    }
}

fn is_code_of_success(code: i64) -> bool {
    code == 0 || (200..300).contains(&code)
}

fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn is_good(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        let text = text.trim().to_ascii_lowercase();
        let text = text.trim_end_matches(['.', '!']);
        ["ok", "done"].contains(&text)
            || text.contains("success") && !text.contains("unsuccess") && !text.contains("not ")
    })
}

/// The longest list of objects elsewhere in the answer, with its path.
fn elsewhere(body: &Value, path: &[String]) -> Option<(String, usize)> {
    let mut search = Search { path, at: Vec::new(), found: None };
    search.see(body);
    search.found
}

struct Search<'a> {
    /// The declared place.
    path: &'a [String],
    at: Vec<&'a str>,
    found: Option<(String, usize)>,
}

impl<'a> Search<'a> {
    fn see(&mut self, value: &'a Value) {
        match value {
            Value::Object(map) if self.at.len() < DEEPEST => {
                for (key, value) in map {
                    let name = key.to_ascii_lowercase();
                    if !BESIDE.contains(&name.as_str()) && !name.ends_with("headers") {
                        self.at.push(key);
                        self.see(value);
                        self.at.pop();
                    }
                }
            }
            Value::Array(items) if !self.at.is_empty() && !self.is_on_the_way() && are_records(items) => {
                let most = self.found.as_ref().map_or(0, |(_, count)| *count);
                if items.len() > most {
                    self.found = Some((self.at.join("."), items.len()));
                }
            }
            _ => {}
        }
    }

    /// The declared path leads through this list: it holds what the records are looked for in.
    fn is_on_the_way(&self) -> bool {
        let is_same = |(declared, at): (&String, &&str)| declared == at || declared == "*";
        self.at.len() <= self.path.len() && self.path.iter().zip(&self.at).all(is_same)
    }
}

/// Objects, and not what an API says of the answer itself.
fn are_records(items: &[Value]) -> bool {
    let is_said = |item: &Value| ["code", "message"].iter().any(|key| item.get(key).is_some());
    items.iter().any(Value::is_object) && !items.iter().filter(|item| item.is_object()).all(is_said)
}

fn nothing(body: &Value, place: Place) -> Verdict {
    let mut keys: Vec<&str> = body.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
    keys.sort_unstable();
    Verdict::Nothing { shape: format!("{place:?}: {}", keys.join(", ")) }
}

fn shown(value: &Value) -> String {
    cut(&value.to_string())
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(LONGEST).collect::<String>())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
