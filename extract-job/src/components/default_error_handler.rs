//! DefaultErrorHandler: the first response filter that matches says what is done with an answer, else a table by status does.
//! It also says how often a request is tried and how long to wait in between.

use super::backoff::BackoffStrategy;
use super::expression::Scope;
use super::http_response_filter::{Action, AnswerView, HttpResponseFilter, PagingAction};
use super::number::Number;
use crate::manifest::reader::Reader;
use crate::template::Sought;

const DEFAULT_RETRIES: u32 = 5;
/// A manifest cannot make the engine try for ever.
const MOST_RETRIES: u64 = 100;

/// What is to be done with one answer, and the manifest's own words about it.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) action: Action,
    pub(crate) message: Option<String>,
    /// A filter of the manifest says so, and not the table by status.
    pub(crate) named: bool,
}

/// What of an answer has to be seen before it can be judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sight {
    /// Its headers, in the scope.
    pub(crate) headers: bool,
    /// Parts of its body, in the scope.
    pub(crate) body: Option<Sought>,
    /// What the body says of an error.
    pub(crate) message: bool,
}

impl Sight {
    /// Adds what another one asks for.
    pub(super) fn merge(mut self, other: &Self) -> Self {
        self.headers |= other.headers;
        self.message |= other.message;
        if let Some(sought) = &other.body {
            self.body.get_or_insert_default().merge(sought);
        }
        self
    }
}

#[derive(Debug, Default)]
pub(crate) struct DefaultErrorHandler {
    filters: Vec<HttpResponseFilter>,
    strategies: Vec<BackoffStrategy>,
    max_retries: Option<Number>,
}

impl DefaultErrorHandler {
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        let filters = reader.children("response_filters").iter().filter_map(HttpResponseFilter::read).collect();
        let strategies = reader.children("backoff_strategies").iter().filter_map(BackoffStrategy::read).collect();
        let max_retries = Number::read_whole(reader, "max_retries", 0);
        reader.finish();
        Some(Self { filters, strategies, max_retries })
    }

    /// How many tries may follow the first.
    pub(super) fn retries(&self, scope: &Scope) -> Result<u32, String> {
        let Some(told) = &self.max_retries else { return Ok(DEFAULT_RETRIES) };
        let retries = told.whole(scope, 0)?.min(MOST_RETRIES);
        Ok(u32::try_from(retries).unwrap_or(DEFAULT_RETRIES))
    }

    pub(super) fn sight(&self, status: u16) -> Sight {
        self.filters.iter().fold(Sight::default(), |sight, filter| sight.merge(&filter.sight(status)))
    }

    pub(super) fn strategies(&self) -> &[BackoffStrategy] {
        &self.strategies
    }

    pub(super) fn uses(&self, action: PagingAction) -> bool {
        self.filters.iter().any(|filter| filter.action() == Some(Action::Paging(action)))
    }

    pub(crate) fn verdict(&self, answer: &AnswerView<'_>, scope: &Scope) -> Verdict {
        for filter in &self.filters {
            match filter.matches(answer, scope) {
                Ok(Some(action)) => {
                    return Verdict { action, message: filter.message(scope), named: filter.names(answer.status) };
                }
                Ok(None) => {}
                // Passing over a rule that cannot be read could take an error for a page.
                Err(why) => return Verdict { action: Action::Fail, message: Some(why), named: true },
            }
        }
        Verdict { action: by_status(answer.status), message: None, named: false }
    }
}

fn by_status(status: u16) -> Action {
    match status {
        200..400 => Action::Success,
        400 | 401 | 403 | 404 | 405 => Action::Fail,
        429 => Action::RateLimited,
        _ => Action::Retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_table() {
        let cases = [
            (Action::Success, vec![200, 201, 204, 304]),
            (Action::Fail, vec![400, 401, 403, 404, 405]),
            (Action::RateLimited, vec![429]),
            (Action::Retry, vec![408, 409, 410, 418, 422, 500, 501, 502, 503, 504, 599]),
        ];
        for (action, statuses) in cases {
            for status in statuses {
                assert_eq!(by_status(status), action, "{status}");
            }
        }
    }
}
