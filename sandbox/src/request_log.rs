//! What a stand-in saw: every request in order of arrival, for tests that ask what a client really sent.
//! No secret is kept: of the `Authorization` header only whether it was there. The newest 100 000 requests stay.

use std::collections::VecDeque;
use std::time::Instant;

const KEPT: usize = 100_000;

/// One request as the server saw it.
#[derive(Debug, Clone)]
pub struct RequestSeen {
    pub method: String,
    pub path: String,
    /// The query as sent, without the question mark.
    pub query: String,
    /// The tenant's id, from the path or from the credentials of a token request.
    pub tenant: Option<String>,
    /// The status answered; 0 while the answer is under way, or when the client left before it came.
    pub status: u16,
    /// When it arrived.
    pub at: Instant,
    pub has_authorization: bool,
}

/// The log; entries are numbered, so that a status can be added when the answer is ready.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    first: u64,
    seen: VecDeque<RequestSeen>,
}

impl RequestLog {
    pub(crate) fn begin(&mut self, request: RequestSeen) -> u64 {
        if self.seen.len() == KEPT {
            self.seen.pop_front();
            self.first += 1;
        }
        self.seen.push_back(request);
        self.first + self.seen.len() as u64 - 1
    }

    pub(crate) fn entry(&mut self, number: u64) -> Option<&mut RequestSeen> {
        let index = number.checked_sub(self.first)?;
        self.seen.get_mut(usize::try_from(index).ok()?)
    }

    pub(crate) fn all(&self) -> Vec<RequestSeen> {
        self.seen.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.first += self.seen.len() as u64;
        self.seen.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_a_clear() {
        let request = RequestSeen {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            tenant: None,
            status: 0,
            at: Instant::now(),
            has_authorization: false,
        };
        let mut log = RequestLog::default();
        let old = log.begin(request.clone());
        log.clear();
        let new = log.begin(request);
        assert!(log.entry(old).is_none());
        if let Some(entry) = log.entry(new) {
            entry.status = 200;
        }
        assert_eq!(log.all().iter().map(|seen| seen.status).collect::<Vec<_>>(), [200]);
    }
}
