//! What the stand-in saw, in order of arrival: each call with its SQL or its job's configuration, for tests that look.
//! No token is kept.

use serde_json::Value;

use super::fault::Operation;

/// One call.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// The query as sent, without the question mark.
    pub query: String,
    /// `None`: a path that BigQuery does not know.
    pub operation: Option<Operation>,
    /// The body as sent; null where there was none.
    pub body: Value,
    /// The status answered; 0 when the connection was cut, or while the answer is under way.
    pub status: u16,
}

impl Request {
    /// The SQL of a query job or of `jobs.query`.
    pub fn sql(&self) -> Option<&str> {
        self.body["configuration"]["query"]["query"]
            .as_str()
            .or_else(|| self.body["query"].as_str().filter(|_| self.operation == Some(Operation::Query)))
    }

    /// The id in a job's body.
    pub fn job_id(&self) -> Option<&str> {
        self.body["jobReference"]["jobId"].as_str()
    }
}
