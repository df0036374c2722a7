//! What is looked at of an answer's body before anything is made of it: off the thread that waits for the network, and no more than the
//! error handler asks for.

use super::{Call, LONGEST, SendError, headers_value};
use crate::components::default_error_handler::{Sight, Verdict};
use crate::components::error_message;
use crate::components::http_response_filter::AnswerView;
use crate::http::client::Answer;
use crate::record_slicer;
use crate::template::{Names, Shared};
use serde_json::{Map, Value};

/// The longest words of an API that are shown.
const LONGEST_WORDS: usize = 200;
/// So many bytes of them are searched for secrets before they are cut.
const SEARCHED: usize = 64 * 1024;
/// Larger bodies are looked into one at a time: a tree takes many times what its text does.
const LARGE: usize = 1 << 20;

impl Call<'_> {
    /// The manifest's message for an answer; or its status and the API's own short message.
    pub(super) async fn words(&self, message: Option<&str>, answer: &mut Answer) -> Result<String, SendError> {
        let redactor = &self.account.redactor;
        if let Some(message) = message {
            return Ok(redactor.for_people(message, LONGEST));
        }
        let told = self.look(answer, |body| {
            let mut told = error_message::for_people(body).unwrap_or_default();
            told.truncate(told.floor_char_boundary(SEARCHED));
            told
        });
        let message = redactor.for_people(&told.await?, LONGEST_WORDS);
        let message = if message.is_empty() { message } else { format!(": {message}") };
        Ok(format!("the API answered {}{message}", answer.status))
    }

    /// What the error handler says of an answer. Of the body, no more than its filters look at is made a tree; of a large one, one tree at a
    /// time, which is gone before the body is decoded.
    pub(super) async fn verdict(&self, answer: &mut Answer, sight: Sight) -> Result<Verdict, SendError> {
        let Sight { headers, body, message } = sight;
        let mut scope = self.scope.clone();
        if headers {
            scope = scope.with(Names::HEADERS, headers_value(&answer.headers));
        }
        let is_large = body.is_some() && answer.body.len() > LARGE;
        let turn = if is_large { self.account.client.trees.clone().acquire_owned().await.ok() } else { None };
        if let Some(sought) = body {
            let read = move |body: &[u8]| {
                Shared::from(record_slicer::members(body, &sought).unwrap_or_else(|| Value::Object(Map::new())))
            };
            let response = self.look(answer, read).await?;
            scope = scope.with(Names::RESPONSE, response);
        }
        let message = if message { self.look(answer, error_message::of).await? } else { String::new() };
        let view = AnswerView { status: answer.status, message: &message };
        let verdict = self.requester.error_handler.verdict(&view, &scope);
        if is_large {
            // It may have millions of leaves, which are given up one by one.
            tokio::task::spawn_blocking(move || drop((scope, turn)));
        }
        Ok(verdict)
    }

    /// Reads in an answer's body, off the thread that waits for the network.
    async fn look<T: Send + 'static>(
        &self,
        answer: &mut Answer,
        read: impl FnOnce(&[u8]) -> T + Send + 'static,
    ) -> Result<T, SendError> {
        let body = std::mem::take(&mut answer.body);
        let read = move || {
            let found = read(&body);
            (body, found)
        };
        let (body, found) = self.account.client.cpu.run(read).await.map_err(|why| self.unsent(&why))?;
        answer.body = body;
        Ok(found)
    }
}
