//! DefaultErrorHandler: the first response filter that matches says what is done with an answer, else a table by status does.
//! It also says how often a request is tried and how long to wait in between.

use super::backoff::{BackoffStrategy, Wait};
use super::expression::{Expression, Scope};
use super::http_response_filter::{Action, AnswerView, HttpResponseFilter};
use crate::manifest::reader::Reader;
use crate::template::Names;
use reqwest::header::HeaderMap;

const DEFAULT_RETRIES: u32 = 5;
/// A manifest cannot make the engine try for ever.
const MOST_RETRIES: u64 = 100;

/// What is to be done with one answer, and the manifest's own words about it.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) action: Action,
    pub(crate) message: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct DefaultErrorHandler {
    filters: Vec<HttpResponseFilter>,
    strategies: Vec<BackoffStrategy>,
    max_retries: Option<Expression>,
}

impl DefaultErrorHandler {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "DefaultErrorHandler" {
            reader.unsupported("DefaultErrorHandler");
            return None;
        }
        let filters = reader.children("response_filters").iter().filter_map(HttpResponseFilter::read).collect();
        let strategies = reader.children("backoff_strategies").iter().filter_map(BackoffStrategy::read).collect();
        let max_retries = reader.expression("max_retries", Names::ANYWHERE);
        reader.finish();
        Some(Self { filters, strategies, max_retries })
    }

    /// How many tries may follow the first.
    pub(crate) fn retries(&self, scope: &Scope) -> u32 {
        let told = self.max_retries.as_ref().and_then(|retries| retries.value(scope).ok()?.as_u64());
        told.map_or(DEFAULT_RETRIES, |retries| u32::try_from(retries.min(MOST_RETRIES)).unwrap_or(DEFAULT_RETRIES))
    }

    /// Whether the verdict on an answer of this status needs its decoded body (a large page need not be parsed twice).
    pub(crate) fn needs_body(&self, status: u16) -> bool {
        !(200..400).contains(&status) || self.filters.iter().any(HttpResponseFilter::looks_into_bodies)
    }

    /// The scope holds `response` and `headers` if [`Self::needs_body`] said so.
    pub(crate) fn verdict(&self, answer: &AnswerView<'_>, scope: &Scope) -> Verdict {
        for filter in &self.filters {
            if let Some(action) = filter.matches(answer, scope) {
                return Verdict { action, message: filter.message(scope) };
            }
        }
        Verdict { action: by_status(answer.status), message: None }
    }

    /// The first strategy that gives a time.
    pub(crate) fn wait(&self, tries: u32, headers: Option<&HeaderMap>, scope: &Scope) -> Option<Wait> {
        self.strategies.iter().find_map(|strategy| strategy.wait(tries, headers, scope))
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
