//! The answers of the API's calls: which records a filter gives, which part of them a page holds, where the next begins.
//! `records.cursor` is absent on the last page; a window without calls is refused as the API refuses it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::cursor::Cursor;
use super::records::{self, Call, request_id};
use super::refusal::Refusal;
use super::window::Window;
use super::world::World;
use crate::servicetitan::dice::key_of;

/// More ids than this in one filter are refused.
const MOST_IDS: usize = 100;

/// What a request asks for: its path below `/v2/`, and its parameters or the fields of its body.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) path: &'a str,
    pub(crate) fields: Map<String, Value>,
    pub(crate) page_size: usize,
    pub(crate) now: Duration,
    pub(crate) cursor_lifetime: Duration,
    /// A fault: the cursor that was sent is given again, or the one of the first page.
    pub(crate) same_cursor: bool,
}

pub(crate) fn answer(world: &World, ask: &Ask<'_>) -> Result<Value, Refusal> {
    match ask.path {
        "calls" => {
            let filter = Filter::read(&ask.fields)?;
            if ["fromDateTime", "toDateTime"].iter().any(|name| !ask.fields.contains_key(*name)) {
                return Err(Refusal::bad_request("fromDateTime and toDateTime are required"));
            }
            page(world, ask, "calls", &filter.calls(world)?, |call| call.basic.clone())
        }
        "calls/extensive" => {
            let filter = Filter::read(object(&ask.fields, "filter")?)?;
            let selector = object(&ask.fields, "contentSelector")?;
            page(world, ask, "calls", &filter.calls(world)?, |call| extensive(call, selector))
        }
        "calls/transcript" => {
            let filter = Filter::read(object(&ask.fields, "filter")?)?;
            let transcripts: Vec<_> =
                filter.calls(world)?.into_iter().filter_map(|call| call.transcript.as_ref()).collect();
            page(world, ask, "callTranscripts", &transcripts, |transcript| (*transcript).clone())
        }
        "users" => {
            let users: Vec<_> = world.live_users().collect();
            page(world, ask, "users", &users, |user| user.record.clone())
        }
        _ => Err(Refusal::not_found()),
    }
}

/// The method with which a path is asked for.
pub(crate) fn takes_body(path: &str) -> bool {
    matches!(path, "calls/extensive" | "calls/transcript")
}

struct Filter {
    window: Window,
    ids: Option<BTreeSet<String>>,
    workspace: Option<String>,
}

impl Filter {
    fn read(fields: &Map<String, Value>) -> Result<Self, Refusal> {
        let window = Window::read(text(fields, "fromDateTime")?, text(fields, "toDateTime")?)?;
        let wrong = || Refusal::bad_request("callIds must be a list of texts");
        let ids = match fields.get("callIds") {
            None | Some(Value::Null) => None,
            Some(Value::Array(ids)) => {
                let ids: Option<BTreeSet<String>> = ids.iter().map(|id| id.as_str().map(str::to_owned)).collect();
                Some(ids.ok_or_else(wrong)?)
            }
            Some(_) => return Err(wrong()),
        };
        if ids.as_ref().is_some_and(|ids| ids.len() > MOST_IDS) {
            return Err(Refusal::bad_request("callIds must not hold more than 100 ids"));
        }
        Ok(Self { window, ids, workspace: text(fields, "workspaceId")?.map(str::to_owned) })
    }

    /// The calls that fit; none is an error of its own.
    fn calls<'a>(&self, world: &'a World) -> Result<Vec<&'a Call>, Refusal> {
        let fits = |call: &&Call| {
            self.window.holds(call.date)
                && self.ids.as_ref().is_none_or(|ids| ids.contains(&call.id))
                && self.workspace.as_deref().is_none_or(|workspace| workspace == records::WORKSPACE)
        };
        let calls: Vec<_> = world.live_calls().filter(fits).collect();
        if calls.is_empty() { Err(Refusal::nothing_found()) } else { Ok(calls) }
    }
}

/// The long form of a call, with what the selector chooses.
fn extensive(call: &Call, selector: &Map<String, Value>) -> Value {
    let mut record = Map::new();
    record.insert("metaData".to_owned(), call.basic.clone());
    let chosen = |name: &str| selector.get("exposedFields").and_then(|fields| fields.get(name));
    for (name, part) in &call.parts {
        let value = match name.as_str() {
            "context" => matches!(selector.get("context").and_then(Value::as_str), Some("Basic" | "Extended"))
                .then(|| part.clone()),
            "parties" | "media" => (chosen(name) == Some(&Value::Bool(true))).then(|| part.clone()),
            _ => chosen(name).and_then(Value::as_object).map(|chosen| choose(name, part, chosen)),
        };
        value.map(|value| record.insert(name.clone(), value));
    }
    Value::Object(record)
}

/// The fields of a part that are set to true; one of the interaction's is asked for by another name.
fn choose(part: &str, of: &Value, chosen: &Map<String, Value>) -> Value {
    let asked = |name: &str| match (part, name) {
        ("interaction", "interactionStats") => "personInteractionStats".to_owned(),
        _ => name.to_owned(),
    };
    let fields = of.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| chosen.get(&asked(name)) == Some(&Value::Bool(true)));
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn page<T>(
    world: &World,
    ask: &Ask<'_>,
    list: &str,
    all: &[T],
    record: impl Fn(&T) -> Value,
) -> Result<Value, Refusal> {
    let sent = text(&ask.fields, "cursor")?;
    let filter: Vec<String> = ask
        .fields
        .iter()
        .filter(|(name, _)| *name != "cursor")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let filter = key_of(u64::from(world.generation), &[ask.path, &filter.join("&")]);
    let start = match sent {
        Some(text) => Cursor::read(text, filter, ask.now, ask.cursor_lifetime)?.offset,
        None => 0,
    };
    let records: Vec<Value> = all.iter().skip(start).take(ask.page_size).map(record).collect();
    let end = start + records.len();
    let cursor = |offset| Cursor { offset, filter, made_at: ask.now }.text();
    let next = match (ask.same_cursor, sent) {
        (true, Some(sent)) => Some(sent.to_owned()),
        (true, None) => Some(cursor(0)),
        _ => (end < all.len()).then(|| cursor(end)),
    };
    let mut about = Map::new();
    about.insert("totalRecords".to_owned(), all.len().into());
    about.insert("currentPageSize".to_owned(), records.len().into());
    about.insert("currentPageNumber".to_owned(), (start / ask.page_size).into());
    next.map(|next| about.insert("cursor".to_owned(), next.into()));
    Ok(json!({"requestId": request_id(), "records": about, (list): records}))
}

/// A field that is a text or left out.
fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Refusal> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::bad_request(format!("{name} must be a text"))),
    }
}

fn object<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a Map<String, Value>, Refusal> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    match fields.get(name) {
        Some(Value::Object(object)) => Ok(object),
        None if name == "contentSelector" => Ok(&EMPTY),
        _ => Err(Refusal::bad_request(format!("{name} must be an object"))),
    }
}
