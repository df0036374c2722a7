//! What is done with an answer, how often a request is tried and how long it waits in between: one handler, or several joined.
//! A retriever without the component that an action needs is refused when the manifest is loaded.

use super::backoff::{Wait, first_wait};
use super::composite_error_handler::CompositeErrorHandler;
use super::default_error_handler::{DefaultErrorHandler, Sight, Verdict};
use super::expression::Scope;
use super::http_response_filter::{AnswerView, PagingAction};
use crate::manifest::reader::Reader;
use reqwest::header::HeaderMap;

/// The error handler of a requester.
#[derive(Debug)]
pub(crate) enum ErrorHandler {
    Default(DefaultErrorHandler),
    Composite(CompositeErrorHandler),
}

impl Default for ErrorHandler {
    fn default() -> Self {
        Self::Default(DefaultErrorHandler::default())
    }
}

impl ErrorHandler {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        match reader.kind() {
            "DefaultErrorHandler" => DefaultErrorHandler::read(reader).map(Self::Default),
            "CompositeErrorHandler" => CompositeErrorHandler::read(reader).map(Self::Composite),
            _ => {
                reader.unsupported("DefaultErrorHandler, CompositeErrorHandler");
                None
            }
        }
    }

    /// The plain handlers in order, those of joined ones included; the first one counts the tries.
    pub(super) fn leaves(&self) -> Vec<&DefaultErrorHandler> {
        match self {
            Self::Default(handler) => vec![handler],
            Self::Composite(handler) => handler.leaves(),
        }
    }

    /// How many tries may follow the first.
    ///
    /// # Errors
    /// A setting that gives no whole number.
    pub(crate) fn retries(&self, scope: &Scope) -> Result<u32, String> {
        self.leaves()
            .first()
            .map_or_else(|| DefaultErrorHandler::default().retries(scope), |first| first.retries(scope))
    }

    /// What the verdict on an answer of this status has to see of it: of a large page, no more is made a tree.
    pub(crate) fn sight(&self, status: u16) -> Sight {
        self.leaves().iter().fold(Sight::default(), |sight, handler| sight.merge(&handler.sight(status)))
    }

    /// The scope holds what [`Self::sight`] asked for.
    pub(crate) fn verdict(&self, answer: &AnswerView<'_>, scope: &Scope) -> Verdict {
        match self {
            Self::Default(handler) => handler.verdict(answer, scope),
            Self::Composite(handler) => handler.verdict(answer, scope),
        }
    }

    /// The first strategy that gives a time, over all joined handlers. `tries` counts those that have failed, from 1.
    pub(crate) fn wait(&self, tries: u32, headers: Option<&HeaderMap>, scope: &Scope) -> Option<Wait> {
        first_wait(self.leaves().iter().flat_map(|handler| handler.strategies()), tries, headers, scope)
    }

    /// Whether one of its filters asks for this.
    pub(crate) fn uses(&self, action: PagingAction) -> bool {
        self.leaves().iter().any(|handler| handler.uses(action))
    }

    /// Refuses actions on pages and windows where the retriever does not say how they are done.
    pub(crate) fn check_paging(&self, retriever: &Reader<'_>) {
        for (action, name, field) in [
            (PagingAction::Reset, "RESET_PAGINATION", "pagination_reset"),
            (PagingAction::SplitWindow, "SPLIT_REQUEST_WINDOW", "request_window_splitting"),
        ] {
            if self.uses(action) && !retriever.has(field) {
                retriever
                    .error(format!("the error handler's action {name} needs `{field}` on the {}", retriever.kind()));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
