//! CompositeErrorHandler: several error handlers, asked in order, until one gives an answer that ends the search.
//! SUCCESS, RETRY, IGNORE and the page and window actions do; FAIL, RATE_LIMITED and REFRESH_TOKEN_THEN_RETRY do not: if
//! none ends it, the last handler's answer stands. Retries are the first handler's, backoff strategies those of all.

use super::default_error_handler::{DefaultErrorHandler, Verdict};
use super::error_handler::ErrorHandler;
use super::expression::Scope;
use super::http_response_filter::{Action, AnswerView};
use crate::manifest::reader::Reader;

/// At least one handler; one that is itself joined counts as one.
#[derive(Debug)]
pub(crate) struct CompositeErrorHandler {
    first: Box<ErrorHandler>,
    others: Vec<ErrorHandler>,
}

impl CompositeErrorHandler {
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        reader.required("error_handlers");
        let children = reader.children("error_handlers");
        if reader.has("error_handlers") && children.is_empty() {
            reader.error_at("error_handlers", "must hold at least one error handler");
        }
        reader.finish();
        let read: Option<Vec<_>> = children.iter().map(ErrorHandler::read).collect();
        let mut handlers = read?.into_iter();
        Some(Self { first: Box::new(handlers.next()?), others: handlers.collect() })
    }

    pub(super) fn leaves(&self) -> Vec<&DefaultErrorHandler> {
        std::iter::once(&*self.first).chain(&self.others).flat_map(ErrorHandler::leaves).collect()
    }

    pub(super) fn verdict(&self, answer: &AnswerView<'_>, scope: &Scope) -> Verdict {
        let mut verdict = self.first.verdict(answer, scope);
        for handler in &self.others {
            if ends_the_search(verdict.action) {
                break;
            }
            verdict = handler.verdict(answer, scope);
        }
        verdict
    }
}

fn ends_the_search(action: Action) -> bool {
    match action {
        Action::Success | Action::Retry | Action::Ignore | Action::Paging(_) => true,
        Action::Fail | Action::RateLimited | Action::RefreshTokenThenRetry => false,
    }
}
