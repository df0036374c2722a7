//! HttpResponseFilter: which answers it speaks about, and what is to be done with them.
//! Status codes, predicate and text are alternatives: any of them matches. Without an action a filter never matches.

use super::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::template::Names;
use serde_json::Value;
use std::collections::BTreeSet;

/// What is done with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Success,
    Fail,
    Retry,
    Ignore,
    RateLimited,
    RefreshTokenThenRetry,
}

/// Another way of paging that an answer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PagingAction {
    /// RESET_PAGINATION
    Reset,
    /// SPLIT_REQUEST_WINDOW
    SplitWindow,
}

/// An answer as filters and templates see it.
#[derive(Debug)]
pub(crate) struct AnswerView<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

/// One filter.
#[derive(Debug)]
pub(crate) struct HttpResponseFilter {
    action: Option<Action>,
    codes: BTreeSet<u16>,
    predicate: Option<Expression>,
    contains: Option<String>,
    message: Option<Expression>,
}

impl HttpResponseFilter {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "HttpResponseFilter" {
            reader.unsupported("HttpResponseFilter");
            return None;
        }
        let filter = Self {
            action: read_action(reader),
            codes: read_codes(reader),
            predicate: reader.expression("predicate", Names::ERROR),
            contains: reader.text("error_message_contains"),
            message: reader.expression("error_message", Names::ERROR),
        };
        // How the reference engine classes a failure for its own platform; the message says enough here.
        reader.accept(&["failure_type"]);
        reader.finish();
        Some(filter)
    }

    /// The action, if this filter speaks about the answer. The scope holds the decoded body and the headers.
    pub(crate) fn matches(&self, answer: &AnswerView<'_>, scope: &Scope) -> Option<Action> {
        let action = self.action?;
        let predicate = || self.predicate.as_ref().is_some_and(|predicate| predicate.condition(scope).unwrap_or(false));
        let text = || self.contains.as_ref().is_some_and(|text| message_of(answer.body).contains(text.as_str()));
        (self.codes.contains(&answer.status) || predicate() || text()).then_some(action)
    }

    /// Whether a successful answer's body has to be decoded to know whether this filter matches.
    pub(crate) fn looks_into_bodies(&self) -> bool {
        self.action.is_some() && (self.predicate.is_some() || self.contains.is_some())
    }

    pub(crate) fn message(&self, scope: &Scope) -> Option<String> {
        self.message.as_ref().and_then(|message| message.text(scope).ok()).filter(|text| !text.is_empty())
    }
}

fn read_action(reader: &Reader<'_>) -> Option<Action> {
    let text = reader.text("action")?;
    Some(match text.as_str() {
        "SUCCESS" => Action::Success,
        "FAIL" => Action::Fail,
        "RETRY" => Action::Retry,
        "IGNORE" => Action::Ignore,
        "RATE_LIMITED" => Action::RateLimited,
        "REFRESH_TOKEN_THEN_RETRY" => Action::RefreshTokenThenRetry,
        other => {
            reader.error_at("action", format!("`{other}` is not supported"));
            return None;
        }
    })
}

fn read_codes(reader: &Reader<'_>) -> BTreeSet<u16> {
    let Some(node) = reader.get("http_codes") else { return BTreeSet::new() };
    let mut codes = BTreeSet::new();
    for item in node.items() {
        match item.to_json().as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| (100..600).contains(code))
        {
            Some(code) => drop(codes.insert(code)),
            None => reader.error_at("http_codes", "must hold status codes (100 to 599)"),
        }
    }
    if node.items().is_empty() {
        reader.error_at("http_codes", "must be a list of status codes");
    }
    codes
}

/// The message an error body carries: the first telling field, followed down, or the raw text if it is no JSON.
pub(crate) fn message_of(body: &[u8]) -> String {
    const FIELDS: [&str; 13] = [
        "message",
        "messages",
        "error",
        "errors",
        "failures",
        "failure",
        "detail",
        "err",
        "error_message",
        "msg",
        "reason",
        "status_message",
        "title",
    ];
    fn dig(value: &Value, depth: usize) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Array(items) if depth < 8 => {
                let texts: Vec<String> = items.iter().filter_map(|item| dig(item, depth + 1)).collect();
                (!texts.is_empty()).then(|| texts.join(", "))
            }
            Value::Object(map) if depth < 8 => {
                FIELDS.iter().find_map(|field| map.get(*field).and_then(|value| dig(value, depth + 1)))
            }
            _ => None,
        }
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => dig(&value, 0).unwrap_or_default(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_deep_down() {
        let cases = [
            (r#"{"message": "a"}"#, "a"),
            (r#"{"error": {"message": "b"}}"#, "b"),
            (r#"{"errors": [{"detail": "c"}, {"detail": "d"}]}"#, "c, d"),
            (r#"{"type": "x", "title": "not found", "errors": {}}"#, "not found"),
            ("plain text", "plain text"),
            (r#"{"x": 1}"#, ""),
        ];
        for (body, expected) in cases {
            assert_eq!(message_of(body.as_bytes()), expected, "{body}");
        }
    }
}
