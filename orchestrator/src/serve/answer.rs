//! What the server answers: JSON with a status, never kept by a browser or a proxy.
//! Every answer that is no success has a `message`.

use crate::error::RunError;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use contract::exit::Exit;
use contract::run_id::RunId;
use serde_json::{Value, json};

/// One answer.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    pub(super) fn json(status: StatusCode, body: Value) -> Self {
        Self { status, headers: HeaderMap::new(), body }
    }

    pub(super) fn message(status: StatusCode, message: impl Into<String>) -> Self {
        Self::json(status, json!({ "message": message.into() }))
    }

    /// That another run is going on.
    pub(super) fn busy(holder: &RunId, why: &str) -> Self {
        let message = format!("there can be one run at a time; run {holder}: {why}");
        Self::json(StatusCode::CONFLICT, json!({ "run_id": holder, "message": message }))
    }

    /// Why a run could not begin.
    pub(super) fn of(error: &RunError) -> Self {
        if let Some(holder) = error.holder() {
            return Self::json(StatusCode::CONFLICT, json!({ "run_id": holder, "message": error.to_string() }));
        }
        let status = match error {
            RunError::UnknownRun { .. } | RunError::NoLatest { .. } => StatusCode::NOT_FOUND,
            // The request was in order; the pipeline file is not.
            RunError::Pipeline(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ if error.exit() == Exit::Usage => StatusCode::BAD_REQUEST,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut body = json!({ "message": error.to_string() });
        if let Some(hint) = error.hint() {
            body["hint"] = hint.into();
        }
        Self::json(status, body)
    }

    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let fixed = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
        (self.status, self.headers, fixed, format!("{}\n", self.body)).into_response()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use contract::landing::LandingError;
    use contract::lease::LeaseError;
    use contract::pipeline::Problems;

    #[test]
    fn errors_have_their_status() {
        let run_id: RunId = "20260131T235900Z-a1b2c3".parse().unwrap();
        let held = LeaseError::Held {
            run_id: run_id.clone(),
            program: "orchestrator".into(),
            pid: 7,
            host: "h".into(),
            age: 1,
        };
        let io = std::io::Error::other("gone");
        let table: Vec<(RunError, u16)> = vec![
            (held.into(), 409),
            (RunError::Usage("--account x".into()), 400),
            (RunError::UnknownRun { run_id, location: "l".into() }, 404),
            (RunError::NoLatest { location: "l".into() }, 404),
            (Problems::one("p.yaml", 3, "landing", "missing").into(), 500),
            (LandingError::Unavailable { what: "read", path: "runs".into(), source: io }.into(), 503),
            (LeaseError::Stopped("SIGTERM".into()).into(), 503),
        ];
        for (error, status) in table {
            let answer = Answer::of(&error);
            assert_eq!(answer.status.as_u16(), status, "{error}");
            assert_eq!(answer.body["message"], error.to_string());
            assert_eq!(answer.body.get("run_id").is_some(), status == 409);
        }
    }
}
