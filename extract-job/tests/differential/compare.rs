//! Compares what two engines did: requests, records, states, outcomes and waits, each as the case asks for it.
//! Everything is brought into one written form first; the order of keys, parameters and (unless asked for) requests does not count.

use super::case::Case;
use super::engines::{Run, Side, Stream};
use sandbox::scripted::Request;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// Headers that HTTP libraries add on their own.
const OF_LIBRARIES: [&str; 8] = [
    "host",
    "user-agent",
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "transfer-encoding",
    "content-type",
];
/// Lines of a difference that are shown.
const SHOWN: usize = 12;

/// The kinds of results that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    Requests,
    Records,
    State,
    Outcome,
    Waits,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", format!("{self:?}").to_lowercase())
    }
}

/// Something that is not the same, and how.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) what: What,
    pub(super) text: String,
}

/// All that differs.
pub(super) fn differences(case: &Case, reference: &Side, ours: &Side) -> Vec<Difference> {
    let mut found = Vec::new();
    for (index, (theirs, our)) in reference.runs.iter().zip(&ours.runs).enumerate() {
        let run = if case.runs > 1 { format!("run {}: ", index + 1) } else { String::new() };
        let mut add = |what, text: String| found.push(Difference { what, text: format!("{what}: {run}{text}") });
        outcomes(theirs, our).into_iter().for_each(|text| add(What::Outcome, text));
        if theirs.refused.is_some() || our.refused.is_some() {
            continue;
        }
        let empty = Vec::new();
        let lines = |side: &Side| {
            let requests = side.requests.get(index).unwrap_or(&empty);
            let mut lines: Vec<String> = Vec::new();
            for request in requests {
                let line = line(request, &case.headers);
                if !(case.once.contains(&request.path) && lines.contains(&line)) {
                    lines.push(line);
                }
            }
            if !case.ordered {
                lines.sort();
            }
            lines
        };
        unequal("", &lines(reference), &lines(ours)).into_iter().for_each(|text| add(What::Requests, text));
        for (name, stream) in &theirs.streams {
            let Some(other) = our.streams.get(name) else { continue };
            // How far a stream comes before it fails is no promise.
            if stream.error.is_some() || other.error.is_some() {
                continue;
            }
            let label = format!("{name}: ");
            let records = unequal(&label, &records(stream), &records(other));
            records.into_iter().for_each(|text| add(What::Records, text));
            let state = unequal(&label, &state(stream), &state(other));
            state.into_iter().for_each(|text| add(What::State, text));
        }
        if case.waits && !alike(&theirs.waits, &our.waits) {
            add(What::Waits, format!("reference {:?}, ours {:?}", theirs.waits, our.waits));
        }
    }
    found
}

/// Ours are spread at random: by up to a second in place of the one that the reference adds, or by a quarter of a default wait.
fn alike(reference: &[f64], ours: &[f64]) -> bool {
    let fits = |(theirs, our): (&f64, &f64)| (theirs - 1.1..=theirs * 1.25 + 0.1).contains(our);
    reference.len() == ours.len() && reference.iter().zip(ours).all(fits)
}

fn outcomes(reference: &Run, ours: &Run) -> Option<String> {
    match (&reference.refused, &ours.refused) {
        (Some(_), Some(_)) => return None,
        (None, Some(why)) => return Some(format!("ours does not start: {why}")),
        (Some(why), None) => return Some(format!("the reference does not start: {why}")),
        (None, None) => {}
    }
    let ends = |run: &Run| -> BTreeMap<String, bool> {
        run.streams.iter().map(|(name, stream)| (name.clone(), stream.error.is_none())).collect()
    };
    let errors = |run: &Run| -> Vec<String> {
        run.streams.iter().filter_map(|(name, stream)| Some(format!("{name}: {}", stream.error.as_ref()?))).collect()
    };
    let same = ends(reference) == ends(ours);
    (!same).then(|| {
        let (theirs, our) = (ends(reference), ends(ours));
        format!("reference {theirs:?} {:?}, ours {our:?} {:?}", errors(reference), errors(ours))
    })
}

fn records(stream: &Stream) -> Vec<String> {
    let mut lines: Vec<String> = stream.records.iter().map(canonical).collect();
    lines.sort();
    lines
}

fn state(stream: &Stream) -> Vec<String> {
    stream.state.iter().map(|state| canonical(&settled(state))).collect()
}

/// A state without what depends on the run (the seconds that it took, the order in which partitions were finished) or says nothing.
fn settled(state: &Value) -> Value {
    match state {
        Value::Object(entries) => {
            let settle = |(key, value): (&String, &Value)| {
                let value = match (key.as_str(), value) {
                    ("lookback_window", Value::Number(_)) => "some seconds".into(),
                    ("states", Value::Array(items)) => {
                        let mut items: Vec<Value> = items.iter().map(settled).collect();
                        items.sort_by_key(canonical);
                        items.into()
                    }
                    (_, other) => settled(other),
                };
                (key.clone(), value)
            };
            let says =
                |(key, value): &(&String, &Value)| *key != "parent_state" || **value != Value::Object(Map::new());
            Value::Object(entries.iter().filter(says).map(settle).collect())
        }
        Value::Array(items) => items.iter().map(settled).collect(),
        other => other.clone(),
    }
}

/// What stands in one list and not in the other.
fn unequal(label: &str, reference: &[String], ours: &[String]) -> Option<String> {
    if reference == ours {
        return None;
    }
    let mut text = format!("{label}reference {}, ours {}", reference.len(), ours.len());
    let missing = |from: &[String], other: &[String]| {
        let mut rest = other.to_vec();
        let mut missing = Vec::new();
        for line in from {
            match rest.iter().position(|candidate| candidate == line) {
                Some(at) => drop(rest.swap_remove(at)),
                None => missing.push(line.clone()),
            }
        }
        missing
    };
    let (theirs, our) = (missing(reference, ours), missing(ours, reference));
    if theirs.is_empty() && our.is_empty() {
        text.push_str(", the same in another order");
        return Some(format!(
            "{text}\n  reference:\n    {}\n  ours:\n    {}",
            reference.join("\n    "),
            ours.join("\n    ")
        ));
    }
    theirs.iter().take(SHOWN).for_each(|line| text.push_str(&format!("\n  only the reference: {line}")));
    our.iter().take(SHOWN).for_each(|line| text.push_str(&format!("\n  only ours:          {line}")));
    Some(text)
}

/// A request in one line.
pub(super) fn line(request: &Request, headers: &[String]) -> String {
    let mut parameters = request.parameters.clone();
    parameters.sort();
    let mut line = format!("{} {}", request.method, request.path);
    for (index, (name, value)) in parameters.iter().enumerate() {
        line.push_str(&format!("{}{name}={value}", if index == 0 { " ?" } else { " &" }));
    }
    let mut shown: Vec<String> = request
        .headers
        .iter()
        .filter(|(name, _)| !OF_LIBRARIES.contains(&name.as_str()) || headers.contains(name))
        .map(|(name, value)| format!(" {name}: {value}"))
        .collect();
    shown.sort();
    shown.iter().for_each(|header| line.push_str(&format!(" |{header}")));
    if !request.body.is_empty() {
        let kind = request.header("content-type").and_then(|kind| kind.split(';').next()).unwrap_or("no type");
        line.push_str(&format!(" | {kind} {}", canonical(&request.content())));
    }
    line
}

/// A value as JSON with sorted keys.
pub(super) fn canonical(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(sorted).collect(),
            Value::Object(entries) => {
                let mut entries: Vec<(String, Value)> =
                    entries.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
                entries.sort_by(|(left, _), (right, _)| left.cmp(right));
                Value::Object(entries.into_iter().collect())
            }
            other => other.clone(),
        }
    }
    sorted(value).to_string()
}
