//! DefaultPaginator: how a slice is cut into pages. Our `x-` keys tell what the format cannot: the total, the API's own word on
//! whether more follows, and how many pages may be in flight.

use super::cursor_pagination::CursorPagination;
use super::expression::{Expression, ExpressionError, Scope};
use super::offset_increment::OffsetIncrement;
use super::page_increment::{PageIncrement, evaluate_page_size};
use super::request_option::{Injection, Place, RequestOption};
use crate::manifest::reader::Reader;
use crate::template::Names;
use serde_json::Value;

/// The most pages in flight for one slice unless `x-read-ahead` says otherwise.
const READ_AHEAD: u64 = 8;

#[derive(Debug)]
pub(crate) enum Strategy {
    Page(PageIncrement),
    Offset(OffsetIncrement),
    Cursor(CursorPagination),
}

#[derive(Debug)]
pub(crate) struct DefaultPaginator {
    strategy: Strategy,
    page_token_option: Option<RequestOption>,
    page_size_option: Option<RequestOption>,
    total: Option<Expression>,
    has_more: Option<Expression>,
    read_ahead: usize,
}

impl DefaultPaginator {
    /// Reads a paginator; `NoPagination` gives none. The outer option is empty where it cannot be read.
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Option<Self>> {
        match reader.kind() {
            "NoPagination" => {
                reader.finish();
                return Some(None);
            }
            "DefaultPaginator" => {}
            _ => {
                reader.unsupported("DefaultPaginator, NoPagination");
                return None;
            }
        }
        let strategy = reader.required_child("pagination_strategy").and_then(|child| match child.kind() {
            "PageIncrement" => PageIncrement::read(&child).map(Strategy::Page),
            "OffsetIncrement" => OffsetIncrement::read(&child).map(Strategy::Offset),
            "CursorPagination" => CursorPagination::read(&child).map(Strategy::Cursor),
            _ => {
                child.unsupported("PageIncrement, OffsetIncrement, CursorPagination");
                None
            }
        });
        let page_token_option = reader.child("page_token_option").and_then(|child| RequestOption::read(&child));
        let page_size_option = reader.child("page_size_option").and_then(|child| RequestOption::read(&child));
        let total = reader.expression("x-total", Names::PAGINATION);
        let has_more = reader.expression("x-has-more", Names::PAGINATION);
        let read_ahead = reader.integer("x-read-ahead", 1).unwrap_or(READ_AHEAD).min(64);
        // Obsolete in the format; the requester's own base is used.
        reader.accept(&["url_base", "decoder"]);
        let strategy = strategy?;
        if has_more.is_some() && matches!(strategy, Strategy::Cursor(_)) {
            reader.error_at("x-has-more", "goes with PageIncrement and OffsetIncrement; use `stop_condition` here");
        }
        if page_size_option.is_some() && strategy.page_size().is_none() {
            reader.error_at("page_size_option", "needs a `page_size` in the pagination strategy");
        }
        reader.finish();
        let read_ahead = usize::try_from(read_ahead).unwrap_or(1);
        Some(Some(Self { strategy, page_token_option, page_size_option, total, has_more, read_ahead }))
    }

    pub(crate) fn strategy(&self) -> &Strategy {
        &self.strategy
    }

    /// Whether paging looks at the records' own place in the answer, whose first key is `key` (none: anywhere).
    pub(crate) fn may_read_records(&self, key: Option<&str>) -> bool {
        self.expressions().any(|expression| expression.may_read("response", key))
    }

    /// Whether paging looks at the last record of a page.
    pub(crate) fn reads_last_record(&self) -> bool {
        self.expressions().any(|expression| expression.may_read("last_record", None))
    }

    /// The templates that look at an answer.
    fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let cursor = match &self.strategy {
            Strategy::Cursor(cursor) => Some(cursor.expressions()),
            _ => None,
        };
        let own = self.total.iter().chain(&self.has_more).chain(self.strategy.page_size());
        own.chain(cursor.into_iter().flatten())
    }

    /// The most pages in flight: 1 where only an answer tells the next page.
    pub(crate) fn read_ahead(&self) -> usize {
        if matches!(self.strategy, Strategy::Cursor(_)) { 1 } else { self.read_ahead }
    }

    /// The page size; nothing where it is not known before the first answer.
    pub(crate) fn page_size(&self, scope: &Scope) -> Result<Option<u64>, String> {
        if !scope.has(Names::RESPONSE) && self.strategy.page_size().is_some_and(|size| size.may_read("response", None))
        {
            return Ok(None);
        }
        self.strategy.page_size().map(|size| evaluate_page_size(size, scope)).transpose()
    }

    /// Whether the last token is the stream's state.
    pub(crate) fn keeps_token(&self) -> bool {
        matches!(&self.strategy, Strategy::Cursor(cursor) if cursor.keeps_token())
    }

    /// What the paginator adds to the request of a page.
    pub(crate) fn injections(&self, token: Option<&Value>, scope: &Scope) -> Result<Vec<Injection>, String> {
        let mut injections = Vec::new();
        if let (Some(option), Some(token)) = (&self.page_token_option, token) {
            injections.push(option.inject(token.clone(), scope).map_err(|error| error.to_string())?);
        }
        if let (Some(option), Some(size)) = (&self.page_size_option, self.page_size(scope)?) {
            injections.push(option.inject(Value::from(size), scope).map_err(|error| error.to_string())?);
        }
        // A link to the next page comes with its own parameters; one that it names already is not sent twice.
        let link = injections.iter().find(|injection| injection.place == Place::Path).and_then(|i| i.value.as_str());
        let query = link.and_then(|link| link.split_once('?')).map(|(_, query)| query.to_owned()).unwrap_or_default();
        let named = |name: &str| url::form_urlencoded::parse(query.as_bytes()).any(|(have, _)| have == name);
        let is_named = |injection: &Injection| injection.field.first().is_some_and(|name| named(name));
        injections.retain(|injection| injection.place != Place::Parameter || !is_named(injection));
        Ok(injections)
    }

    /// The total number of records, where the manifest knows where the API tells it.
    pub(crate) fn total(&self, scope: &Scope) -> Result<Total, ExpressionError> {
        self.total.as_ref().map_or(Ok(Total::NotDeclared), |total| total.value(scope).map(|value| Total::of(&value)))
    }

    /// The API's own word on whether more pages follow.
    pub(crate) fn has_more(&self, scope: &Scope) -> Result<Option<bool>, ExpressionError> {
        self.has_more.as_ref().map(|more| more.condition(scope)).transpose()
    }
}

/// What an answer tells of the total number of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Total {
    /// The manifest has no `x-total`.
    NotDeclared,
    /// So many.
    Told(u64),
    /// `x-total` gives something that is no whole number; what kind of thing.
    Unusable(&'static str),
}

impl Total {
    fn of(value: &Value) -> Self {
        let number = match value {
            Value::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
            // Thousands are often set apart.
            Value::String(text) => text.trim().replace([',', ' ', '_', '\u{a0}', '\u{202f}'], "").parse().ok(),
            _ => None,
        };
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number with a fraction or a sign",
            Value::String(_) => "a text",
            Value::Array(_) | Value::Object(_) => "a list or an object",
        };
        number.map_or(Self::Unusable(kind), Self::Told)
    }

    /// The number, if there is one.
    pub(crate) fn told(&self) -> Option<u64> {
        match self {
            Self::Told(total) => Some(*total),
            Self::NotDeclared | Self::Unusable(_) => None,
        }
    }
}

/// A double that is a whole number, and exact.
fn whole(value: f64) -> Option<u64> {
    let exact = value.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&value);
    exact.then_some(value as u64)
}

impl Strategy {
    /// The token of the first page; a cursor has none.
    pub(crate) fn first_token(&self) -> Option<Value> {
        match self {
            Self::Page(strategy) => strategy.token(0),
            Self::Offset(strategy) => strategy.token(0),
            Self::Cursor(_) => None,
        }
    }

    pub(crate) fn page_size(&self) -> Option<&Expression> {
        match self {
            Self::Page(strategy) => strategy.page_size(),
            Self::Offset(strategy) => strategy.page_size(),
            Self::Cursor(strategy) => strategy.page_size(),
        }
    }
}
