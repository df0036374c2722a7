//! The way of a request: log, let in, fault, answer, in this order.
//! A fault strikes only requests that would have been served, so that scripts count exactly.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State as Shared};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;

use super::call::{Call, Operation};
use super::content_range::ContentRange;
use super::fault::{FaultAction, Seen};
use super::log::RequestSeen;
use super::parameters::without_secrets;
use super::reply::{self, Refusal};
use super::state::State;
use super::{buckets, change, download, listing, resumable, upload};

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new().fallback(serve).with_state(state)
}

async fn serve(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    // A client that goes away in the middle must not stop what it has begun: the real service goes on, too.
    let job = tokio::spawn(async move { answer(&state, request).await });
    job.await.unwrap_or_else(|_| Refusal::internal("The stand-in failed.").response(false))
}

async fn answer(state: &Arc<State>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut incoming = Incoming(body.into_data_stream());
    let mut call = Call::read(&parts);
    if let Some(call) = call.as_mut().filter(|call| call.operation == Operation::Query) {
        call.operation = query_or_finish(state, call).await;
    }
    let admission = admit(state, &parts, call.as_ref());
    let number = state.log().begin(RequestSeen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: without_secrets(parts.uri.query().unwrap_or_default()),
        operation: call.as_ref().map(|call| call.operation),
        bucket: call.as_ref().map(|call| call.bucket.clone()).filter(|bucket| !bucket.is_empty()),
        object: call.as_ref().and_then(|call| call.object.clone()),
        status: 0,
        authorised: admission.is_ok(),
        at: Instant::now(),
    });
    let as_text = call.as_ref().is_some_and(|call| call.operation == Operation::Download);
    let result = match (admission, call) {
        (Err(refusal), _) => Err(refusal),
        (Ok(()), None) => Err(Refusal::new(404, "notFound", "Not Found")),
        (Ok(()), Some(call)) => faulty(state, parts.method.as_str(), &call, &mut incoming).await,
    };
    let result = match result {
        Ok(Answer::Cut) => return reply::cut(),
        Ok(Answer::Response(response)) => Ok(response),
        Err(refusal) => Err(refusal),
    };
    // A client that is still sending would lose an answer that comes together with a reset.
    incoming.drain().await;
    let response = result.unwrap_or_else(|refusal| refusal.response(as_text));
    state.log().answered(number, response.status().as_u16());
    response
}

enum Answer {
    Response(Response),
    Cut,
}

/// Does what the call asks for, and what the fault script has against it.
async fn faulty(state: &Arc<State>, method: &str, call: &Call, incoming: &mut Incoming) -> Result<Answer, Refusal> {
    let seen = Seen { method, object: call.object.as_deref(), operation: call.operation };
    let fault = state.script().take(&seen);
    match &fault {
        Some(FaultAction::Cut) => return Ok(Answer::Cut),
        Some(FaultAction::Status { code, retry_after }) => return Err(Refusal::of_status(*code, *retry_after)),
        Some(FaultAction::Slow(wait)) => tokio::time::sleep(*wait).await,
        _ => {}
    }
    let result = dispatch(state, call, incoming, fault.as_ref()).await;
    match fault {
        Some(FaultAction::DoneThenCut) => Ok(Answer::Cut),
        Some(FaultAction::DoneThenStatus(code)) => Err(Refusal::of_status(code, None)),
        _ => result.map(Answer::Response),
    }
}

async fn dispatch(
    state: &Arc<State>,
    call: &Call,
    incoming: &mut Incoming,
    fault: Option<&FaultAction>,
) -> Result<Response, Refusal> {
    match call.operation {
        Operation::BucketList => buckets::list(state, call).await,
        Operation::BucketGet => buckets::get(state, call).await,
        Operation::BucketCreate => buckets::create(state, incoming).await,
        Operation::List => listing::list(state, call).await,
        Operation::Metadata => download::metadata(state, call).await,
        Operation::Download => download::media(state, call, fault).await,
        Operation::Upload => upload::upload(state, call, incoming).await,
        Operation::Start => resumable::start(state, call, incoming).await,
        Operation::Chunk | Operation::Finish | Operation::Query => {
            let keep = match fault {
                Some(FaultAction::KeepPart { bytes }) => Some(*bytes),
                _ => None,
            };
            resumable::receive(state, call, incoming, keep).await
        }
        Operation::Cancel => resumable::cancel(state, call).await,
        Operation::Delete => change::delete(state, call).await,
        Operation::Update => change::update(state, call, incoming).await,
        Operation::Compose => change::compose(state, call, incoming).await,
        Operation::Rewrite => change::copy(state, call, incoming).await,
    }
}

/// `bytes */TOTAL` ends the upload when all bytes are there; else it is a question.
async fn query_or_finish(state: &Arc<State>, call: &Call) -> Operation {
    let range = ContentRange::read(call.header("content-range"));
    let Ok(ContentRange::Nothing { total: Some(total) }) = range else { return Operation::Query };
    let id = call.parameters.get("upload_id").unwrap_or_default();
    if state.sessions.has_all(id, total).await { Operation::Finish } else { Operation::Query }
}

/// The id of an upload session is a secret itself: it needs no token, but a wrong one is refused all the same.
fn admit(state: &State, parts: &Parts, call: Option<&Call>) -> Result<(), Refusal> {
    let Some(token) = &state.token else { return Ok(()) };
    let sent = parts.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let in_session = call.is_some_and(|call| {
        let operation = call.operation;
        matches!(operation, Operation::Chunk | Operation::Finish | Operation::Query | Operation::Cancel)
    });
    match sent {
        Some(sent) if sent.strip_prefix("Bearer ") == Some(token.as_str()) => Ok(()),
        None if in_session => Ok(()),
        Some(_) => Err(Refusal::of_status(401, None)),
        None => Err(Refusal::new(401, "required", "Anonymous caller does not have access to this resource.")),
    }
}

/// The body of a request, as it arrives.
pub(crate) struct Incoming(BodyDataStream);

impl Incoming {
    /// `None` at the end; an error when the connection breaks before it.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Refusal>> {
        let frame = self.0.next().await?;
        Some(frame.map_err(|_| Refusal::bad("The connection broke before the end of the request.")))
    }

    /// The whole body in memory.
    pub(crate) async fn all(&mut self) -> Result<Bytes, Refusal> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await {
            all.extend_from_slice(&bytes?);
        }
        Ok(Bytes::from(all))
    }

    async fn drain(&mut self) {
        while let Some(Ok(_)) = self.0.next().await {}
    }
}

impl From<Bytes> for Incoming {
    fn from(bytes: Bytes) -> Self {
        Self(Body::from(bytes).into_data_stream())
    }
}
