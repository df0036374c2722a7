//! What the stand-in saw: every request in order of arrival with its body, for tests that ask what a client really sent.
//! The token itself is not kept, only whether there was one.

use std::time::Instant;

use super::fault::Call;

/// One request as the server saw it.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// The query as sent, without the question mark.
    pub query: String,
    /// The method of the API; `None` when the path is none.
    pub call: Option<Call>,
    pub body: String,
    pub has_authorization: bool,
    /// The status answered; 0 while the answer is under way, and when the connection was cut or the client left.
    pub status: u16,
    /// When it arrived.
    pub at: Instant,
}
