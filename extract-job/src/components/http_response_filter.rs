//! HttpResponseFilter: which answers it speaks about, and what is to be done with them.
//! Status codes, predicate and text are alternatives: any of them matches. Without an action a filter never matches.
//!
//! Filters see successful answers too. An undefined value makes a predicate false; one that fails in another way fails the
//! request, since nobody knows what the rule would have said. `failure_type` is checked and has no effect: it classes a
//! failure for the reference engine's own platform. REDUCE_PAGE_SIZE is not supported.

use super::default_error_handler::Sight;
use super::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::template::Names;
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
    /// The reader of pages has to do it.
    Paging(PagingAction),
}

/// What an answer can ask of the pages and windows of its slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PagingAction {
    /// RESET_PAGINATION: the slice starts anew.
    Reset,
    /// SPLIT_REQUEST_WINDOW: the window is read in two halves.
    SplitWindow,
}

/// An answer as filters and templates see it.
#[derive(Debug)]
pub(crate) struct AnswerView<'a> {
    pub(crate) status: u16,
    /// What its body says of an error, where a filter asks for it.
    pub(crate) message: &'a str,
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
    /// Whether a match says something of the answer itself: that 200 is a success says nothing.
    pub(super) fn names(&self, status: u16) -> bool {
        status != 200 || self.predicate.is_some() || self.contains.is_some()
    }

    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "HttpResponseFilter" {
            reader.unsupported("HttpResponseFilter");
            return None;
        }
        let filter = Self {
            action: read_action(reader),
            codes: read_codes(reader),
            predicate: reader.expression("predicate", Names::ERROR),
            contains: reader.text("error_message_contains").filter(|text| !text.is_empty()),
            message: reader.expression("error_message", Names::ERROR),
        };
        if let Some(kind) = reader.text("failure_type")
            && !["system_error", "config_error", "transient_error"].contains(&kind.as_str())
        {
            reader.error_at("failure_type", "must be system_error, config_error or transient_error");
        }
        reader.finish();
        Some(filter)
    }

    pub(super) fn action(&self) -> Option<Action> {
        self.action
    }

    /// The action, if this filter speaks about the answer. The scope holds what [`Self::sight`] asked for.
    ///
    /// # Errors
    /// A predicate that cannot be evaluated.
    pub(super) fn matches(&self, answer: &AnswerView<'_>, scope: &Scope) -> Result<Option<Action>, String> {
        let Some(action) = self.action else { return Ok(None) };
        if self.codes.contains(&answer.status) {
            return Ok(Some(action));
        }
        if let Some(predicate) = &self.predicate {
            let holds = predicate.condition(scope);
            let failed = |error| format!("the API answered {}; `predicate`: {error}", answer.status);
            if holds.map_err(failed)? {
                return Ok(Some(action));
            }
        }
        Ok(self.contains.as_ref().is_some_and(|text| answer.message.contains(text.as_str())).then_some(action))
    }

    /// What has to be in the scope to know whether an answer of this status matches, and to say so in its words.
    pub(super) fn sight(&self, status: u16) -> Sight {
        let mut sight = Sight::default();
        if self.action.is_none() {
            return sight;
        }
        let by_code = self.codes.contains(&status);
        // A message speaks only once the filter has matched, which codes alone cannot do for another status.
        if !by_code && self.predicate.is_none() && self.contains.is_none() {
            return sight;
        }
        sight.message = !by_code && self.contains.is_some();
        for template in [self.predicate.as_ref().filter(|_| !by_code), self.message.as_ref()].into_iter().flatten() {
            sight.headers = true;
            if let Some(sought) = template.reads("response") {
                sight.body.get_or_insert_default().merge(sought);
            }
        }
        sight
    }

    /// The manifest's own words about the answer, if it has any.
    pub(super) fn message(&self, scope: &Scope) -> Option<String> {
        self.message.as_ref().and_then(|message| message.text(scope).ok()).filter(|text| !text.trim().is_empty())
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
        "RESET_PAGINATION" => Action::Paging(PagingAction::Reset),
        "SPLIT_REQUEST_WINDOW" => Action::Paging(PagingAction::SplitWindow),
        other => {
            reader.error_at("action", format!("`{other}` is not supported"));
            return None;
        }
    })
}

/// Codes as numbers or as texts.
fn read_codes(reader: &Reader<'_>) -> BTreeSet<u16> {
    let Some(node) = reader.get("http_codes") else { return BTreeSet::new() };
    let mut codes = BTreeSet::new();
    for item in node.items() {
        let json = item.to_json();
        let code = json.as_u64().or_else(|| json.as_str()?.trim().parse().ok());
        match code.and_then(|code| u16::try_from(code).ok()).filter(|code| (100..1000).contains(code)) {
            Some(code) => drop(codes.insert(code)),
            None => reader.error_at("http_codes", "must hold status codes (100 to 999)"),
        }
    }
    if !matches!(node.kind, contract::yaml::Kind::Seq(_)) {
        reader.error_at("http_codes", "must be a list of status codes");
    }
    codes
}
