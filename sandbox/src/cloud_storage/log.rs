//! What the stand-in saw: every request in order of arrival, for tests that ask what a client really sent.
//! No secret is kept: neither tokens nor the ids of upload sessions. The newest 100 000 requests stay.

use std::collections::VecDeque;
use std::time::Instant;

use super::call::Operation;

const KEPT: usize = 100_000;

/// One request as the server saw it.
#[derive(Debug, Clone)]
pub struct RequestSeen {
    pub method: String,
    /// As sent, still percent-encoded.
    pub path: String,
    /// As sent, without the question mark; the value of `upload_id` is left out.
    pub query: String,
    /// What was asked for; `None` where the path means nothing here.
    pub operation: Option<Operation>,
    pub bucket: Option<String>,
    /// The object's name, decoded.
    pub object: Option<String>,
    /// The status answered; 0 while the answer is under way, or when a fault cut the connection.
    pub status: u16,
    /// It was let in: with the right token, or because none is needed.
    pub authorised: bool,
    /// When it arrived.
    pub at: Instant,
}

/// The log; entries are numbered, so that a status can be added when the answer is ready.
#[derive(Debug, Default)]
pub(crate) struct Log {
    first: u64,
    seen: VecDeque<RequestSeen>,
}

impl Log {
    pub(crate) fn begin(&mut self, request: RequestSeen) -> u64 {
        if self.seen.len() == KEPT {
            self.seen.pop_front();
            self.first += 1;
        }
        self.seen.push_back(request);
        self.first + self.seen.len() as u64 - 1
    }

    pub(crate) fn answered(&mut self, number: u64, status: u16) {
        let index = number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = index.and_then(|index| self.seen.get_mut(index)) {
            entry.status = status;
        }
    }

    pub(crate) fn all(&self) -> Vec<RequestSeen> {
        self.seen.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.first += self.seen.len() as u64;
        self.seen.clear();
    }
}
