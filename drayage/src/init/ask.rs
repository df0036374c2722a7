//! How questions are asked: a trait, so that the interview can be tested without a terminal.

use super::stop::Stop;
use contract::secret::Secret;
use std::rc::Rc;

/// A question and what helps to answer it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Question {
    pub(crate) title: String,
    /// May be empty.
    pub(crate) help: String,
}

impl Question {
    pub(crate) fn new(title: impl Into<String>, help: impl Into<String>) -> Self {
        Self { title: title.into(), help: help.into() }
    }
}

/// Whether an answer will do, and if not, why. Never repeats the answer, which may be a secret.
pub(crate) type Check = Rc<dyn Fn(&str) -> Result<(), String>>;

/// Somebody who answers. A question is asked again, with the reason, until its check accepts the answer.
pub(crate) trait Ask {
    /// A line of text; an empty one stands for the default.
    ///
    /// # Errors
    /// The person has given up.
    fn text(&mut self, question: &Question, default: Option<&str>, check: Check) -> Result<String, Stop>;
    /// A text that is not shown while it is typed, nor later.
    ///
    /// # Errors
    /// As for [`text`](Self::text).
    fn secret(&mut self, question: &Question, check: Check) -> Result<Secret, Stop>;
    /// Yes or no.
    ///
    /// # Errors
    /// As for [`text`](Self::text).
    fn confirm(&mut self, question: &Question, default: bool) -> Result<bool, Stop>;
    /// One of several, by its place; `first` is the one that is offered.
    ///
    /// # Errors
    /// As for [`text`](Self::text).
    fn choose(&mut self, question: &Question, options: &[String], first: usize) -> Result<usize, Stop>;
    /// At least one of several, by their places, in their order. What is typed narrows the list.
    ///
    /// # Errors
    /// As for [`text`](Self::text).
    fn choose_some(&mut self, question: &Question, options: &[String]) -> Result<Vec<usize>, Stop>;
    /// Something to know before the next question.
    fn tell(&mut self, text: &str);
}
