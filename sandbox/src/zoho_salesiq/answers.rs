//! The answers of the API's calls: what a list holds, in which order, and which part of it a request gets.
//! No list tells a total or where it ends; parameters that are not served are refused, never passed over.

use serde_json::{Value, json};

use super::conversations::Conversation;
use super::query::Query;
use super::records::{self, MODULES};
use super::refusal::Refusal;
use super::world::{Entry, World};

const LARGEST_PAGE: usize = 99;
const DEFAULT_PAGE: usize = 20;
const DEPARTMENTS: usize = 20;
/// Real parameters of the list which the stand-in does not serve.
const NOT_SERVED: [&str; 3] = ["app_id", "fields", "visitor_type"];

/// How a request is bent: by the options, or by a fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bend {
    pub(crate) inclusive: bool,
    pub(crate) first_page_again: bool,
}

/// The answer to a path below the portal's name.
pub(crate) fn answer(world: &World, url: &str, path: &str, query: &Query, bend: Bend) -> Result<Value, Refusal> {
    let parts: Vec<&str> = path.split('/').collect();
    let conversation = |id: &str| world.conversation(id).ok_or_else(Refusal::bad_url);
    let (object, data) = match parts.as_slice() {
        ["conversations"] => ("list", Value::Array(conversations(world, query, bend)?)),
        ["conversations", id] => ("conversation", conversation(id)?.detail.clone()),
        ["conversations", id, "messages"] => ("list", Value::Array(messages(conversation(id)?, query, bend)?)),
        ["tags"] => ("list", Value::Array(tags(world, query)?)),
        ["departments"] => ("list", Value::Array(departments(world, query, bend)?)),
        ["operators"] => ("list", Value::Array(live(&world.operators))),
        _ => return Err(Refusal::bad_url()),
    };
    Ok(json!({"url": url, "object": object, "data": data}))
}

fn conversations(world: &World, query: &Query, bend: Bend) -> Result<Vec<Value>, Refusal> {
    if let Some(name) = NOT_SERVED.iter().find(|name| query.get(name).is_some()) {
        return Err(Refusal::parameter(name));
    }
    let started = query.period("from_time", "to_time", bend.inclusive)?;
    let updated = query.period("updated_from_time", "updated_till_time", bend.inclusive)?;
    let current = records::department_id(0);
    let department = query.get("department_id").unwrap_or(&current);
    let wanted = |conversation: &&Conversation| {
        let equals = |name: &str, value: Option<&str>| query.get(name).is_none_or(|wanted| Some(wanted) == value);
        conversation.life.removed.is_none()
            && records::department_id(conversation.department) == department
            && started.holds(conversation.start)
            && updated.holds(conversation.modified)
            && equals("status", Some(conversation.status))
            && equals("attender_id", conversation.attender.as_deref())
            && equals("email", conversation.detail.pointer("/visitor/email").and_then(Value::as_str))
    };
    let mut found: Vec<_> = world.conversations.iter().filter(wanted).collect();
    match query.get("sort_by").unwrap_or("in_time") {
        "in_time" => found.sort_by_key(|conversation| conversation.start),
        "end_time" => found.sort_by_key(|conversation| conversation.end.unwrap_or(i64::MAX)),
        "updated_time" => found.sort_by_key(|conversation| conversation.modified),
        _ => return Err(Refusal::parameter("sort_by")),
    }
    let limit = query.number("limit", DEFAULT_PAGE, LARGEST_PAGE)?;
    let page = if bend.first_page_again { 1 } else { query.number("page", 1, usize::MAX / LARGEST_PAGE)? };
    // The newest come first.
    Ok(found.into_iter().rev().skip((page - 1) * limit).take(limit).map(Conversation::listed).collect())
}

/// With a lower bound alone the oldest come first, else the newest. There are no pages.
fn messages(conversation: &Conversation, query: &Query, bend: Bend) -> Result<Vec<Value>, Refusal> {
    let limit = query.number("limit", DEFAULT_PAGE, LARGEST_PAGE)?;
    let mut period = query.period("from_time", "to_time", bend.inclusive)?;
    if bend.first_page_again {
        period.to = None;
    }
    let found = conversation.messages.iter().filter(|(time, _)| period.holds(*time));
    let found: Vec<_> = match (period.from, period.to) {
        (Some(_), None) => found.take(limit).collect(),
        _ => found.rev().take(limit).collect(),
    };
    Ok(found.into_iter().map(|(_, message)| message.clone()).collect())
}

fn tags(world: &World, query: &Query) -> Result<Vec<Value>, Refusal> {
    let module = MODULES.iter().position(|module| Some(*module) == query.get("module"));
    let entries = module.and_then(|module| world.tags.get(module)).ok_or_else(|| Refusal::parameter("module"))?;
    Ok(live(entries))
}

fn departments(world: &World, query: &Query, bend: Bend) -> Result<Vec<Value>, Refusal> {
    let index = if bend.first_page_again { 1 } else { query.number("index", 1, usize::MAX / DEPARTMENTS)? };
    let since = query.time("last_sync_time")?;
    let modified =
        |record: &Value| record.get("modified_time").and_then(Value::as_str).and_then(|time| time.parse().ok());
    let changed = |record: &Value| since.is_none_or(|since| modified(record).is_some_and(|time: i64| time > since));
    let found = live(&world.departments).into_iter().filter(changed);
    Ok(found.skip((index - 1) * DEPARTMENTS).take(DEPARTMENTS).collect())
}

fn live(entries: &[Entry]) -> Vec<Value> {
    entries.iter().filter(|entry| entry.life.removed.is_none()).map(|entry| entry.record.clone()).collect()
}
