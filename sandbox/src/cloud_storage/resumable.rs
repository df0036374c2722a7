//! Resumable uploads: a session is opened, takes its bytes in order, and becomes an object with the last of them.
//! A finished session goes on answering with its object, so that a client whose answer got lost can ask again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::header::{LOCATION, RANGE};
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use serde_json::Value;
use tokio::sync::OwnedMutexGuard;

use super::call::Call;
use super::content_range::ContentRange;
use super::parameters::encoded;
use super::reply::{self, Refusal};
use super::server::Incoming;
use super::spool::{Mark, Spool};
use super::state::{State, on_disk};
use super::store::Write;
use super::upload::{resource_sent, write};

/// All pieces but the last are a multiple of this.
const QUANTUM: u64 = 256 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    open: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Session>>>>,
}

#[derive(Debug)]
struct Session {
    write: Write,
    /// The size that the client gave at the start.
    length: Option<u64>,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    Open(Spool),
    /// The object's resource.
    Finished(Value),
    /// What the last bytes were refused with; nothing can be done about it.
    Failed(Refusal),
    Cancelled,
}

impl Sessions {
    fn table(&self) -> MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<Session>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, id: &str) -> Option<Arc<tokio::sync::Mutex<Session>>> {
        self.table().get(id).cloned()
    }

    /// An open session has kept exactly so many bytes.
    pub(crate) async fn has_all(&self, id: &str, total: u64) -> bool {
        let Some(session) = self.get(id) else { return false };
        matches!(&session.lock().await.progress, Progress::Open(spool) if spool.size() == total)
    }
}

pub(crate) async fn start(state: &Arc<State>, call: &Call, incoming: &mut Incoming) -> Result<Response, Refusal> {
    let mut sent = resource_sent(&incoming.all().await?)?;
    if sent.settings.content_type.is_none() {
        sent.settings.content_type = call.header("x-upload-content-type").map(str::to_owned);
    }
    let length = match call.header("x-upload-content-length") {
        Some(text) => Some(text.parse().map_err(|_| Refusal::bad("Invalid X-Upload-Content-Length."))?),
        None => None,
    };
    let expected = sent.expected();
    let write = write(call, sent, expected)?;
    let (session, bucket, name) = on_disk(state, move |state| {
        state.store.could_write(&write.bucket, &write.name, &write.preconditions)?;
        let (bucket, name) = (write.bucket.clone(), write.name.clone());
        let progress = Progress::Open(state.store.spool()?);
        Ok((Session { write, length, progress }, bucket, name))
    })
    .await?;
    let id = format!("{:032x}", rand::random::<u128>());
    let mut response = reply::empty(StatusCode::OK);
    let name = encoded(&name);
    let uri = format!("{}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&name={name}&upload_id={id}", state.url);
    reply::set(&mut response, LOCATION, &uri);
    reply::set(&mut response, HeaderName::from_static("x-guploader-uploadid"), &id);
    state.sessions.table().insert(id, Arc::new(tokio::sync::Mutex::new(session)));
    Ok(response)
}

/// Takes bytes, ends the upload, or tells how far it has come. Of the bytes sent only the first `keep` are kept.
pub(crate) async fn receive(
    state: &Arc<State>,
    call: &Call,
    incoming: &mut Incoming,
    keep: Option<u64>,
) -> Result<Response, Refusal> {
    let mut session = session(state, call)?.lock_owned().await;
    let range = ContentRange::read(call.header("content-range"))?;
    let length = session.length;
    let spool = match &mut session.progress {
        Progress::Open(spool) => spool,
        Progress::Finished(resource) => return Ok(reply::json(StatusCode::OK, resource)),
        Progress::Failed(refusal) => return Err(refusal.clone()),
        Progress::Cancelled => return Err(gone()),
    };
    let mark = spool.mark();
    match range {
        ContentRange::Nothing { total } if total != Some(spool.size()) => return Ok(progress(spool)),
        ContentRange::Nothing { .. } => {}
        ContentRange::Bytes { from, to, total } => {
            let taken = take(spool, incoming, (from, to), range.is_last(), keep).await;
            let size_is_wrong = |size: u64| [length, total].into_iter().flatten().any(|wanted| wanted != size);
            match taken {
                Ok(whole) if whole && range.is_last() && !size_is_wrong(spool.size()) => {}
                Ok(whole) if whole && range.is_last() => {
                    spool.cut_back(mark)?;
                    return Err(Refusal::bad("The object is not of the size that was announced."));
                }
                Ok(_) => return Ok(progress(spool)),
                Err(Lost::Connection(refusal)) => return Err(refusal),
                Err(Lost::Refused(refusal)) => {
                    spool.cut_back(mark)?;
                    return Err(refusal);
                }
            }
        }
    }
    if let Some(header) = call.header("x-goog-hash") {
        session.write.expected.add_header(header);
    }
    finish(state, session, mark).await
}

pub(crate) async fn cancel(state: &Arc<State>, call: &Call) -> Result<Response, Refusal> {
    let mut session = session(state, call)?.lock_owned().await;
    session.progress = Progress::Cancelled;
    let status = StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST);
    Ok(reply::empty(status))
}

/// Why not all bytes of a piece were taken.
enum Lost {
    /// What came before the break is kept, as the real service may.
    Connection(Refusal),
    /// Nothing of the piece may be kept.
    Refused(Refusal),
}

impl From<Refusal> for Lost {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<std::io::Error> for Lost {
    fn from(error: std::io::Error) -> Self {
        Self::Refused(error.into())
    }
}

/// Takes the bytes of one piece; bytes that are there already are passed over. True when all were kept.
async fn take(
    spool: &mut Spool,
    incoming: &mut Incoming,
    (from, to): (u64, Option<u64>),
    is_last: bool,
    keep: Option<u64>,
) -> Result<bool, Lost> {
    let length = to.map(|to| to - from + 1);
    if let Some(length) = length.filter(|length| !is_last && length % QUANTUM != 0) {
        let message = format!("Invalid request. {length} bytes are no multiple of {QUANTUM}, and not the last.");
        return Err(Refusal::bad(message).into());
    }
    let known = spool.size().checked_sub(from);
    let known = known.ok_or_else(|| Refusal::bad(format!("Invalid request. Expected byte {} next.", spool.size())))?;
    let end = keep.unwrap_or(u64::MAX);
    let mut received = 0_u64;
    while let Some(bytes) = incoming.next().await {
        let bytes = bytes.map_err(Lost::Connection)?;
        let inside = |position: u64| {
            let position = position.saturating_sub(received).min(bytes.len() as u64);
            usize::try_from(position).unwrap_or(0)
        };
        if let Some(fresh) = bytes.get(inside(known)..inside(end)) {
            spool.write(fresh)?;
        }
        received += bytes.len() as u64;
    }
    if length.is_some_and(|length| length != received) {
        return Err(Refusal::bad(format!("Invalid request. {received} bytes do not fit the Content-Range.")).into());
    }
    Ok(end >= received)
}

async fn finish(state: &Arc<State>, mut session: OwnedMutexGuard<Session>, mark: Mark) -> Result<Response, Refusal> {
    on_disk(state, move |state| {
        let Session { write, progress, .. } = &mut *session;
        let Progress::Open(spool) = progress else { return Err(gone()) };
        match state.store.put(write, spool) {
            Ok(stored) => {
                let resource = stored.resource(&state.url, &write.bucket, &write.name);
                let response = reply::json(StatusCode::OK, &resource);
                *progress = Progress::Finished(resource);
                Ok(response)
            }
            // The client may send the last bytes again.
            Err(refusal) if refusal.code == 429 || refusal.code >= 500 => {
                spool.cut_back(mark)?;
                Err(refusal)
            }
            Err(refusal) => {
                *progress = Progress::Failed(refusal.clone());
                Err(refusal)
            }
        }
    })
    .await
}

fn session(state: &State, call: &Call) -> Result<Arc<tokio::sync::Mutex<Session>>, Refusal> {
    let id = call.parameters.get("upload_id").unwrap_or_default();
    let session = state.sessions.get(id);
    session.ok_or_else(|| Refusal::new(404, "notFound", "The upload session does not exist."))
}

fn gone() -> Refusal {
    Refusal::new(410, "gone", "The upload session was cancelled.")
}

/// 308 and the bytes that are kept; without a range there are none.
fn progress(spool: &Spool) -> Response {
    let mut response = reply::empty(StatusCode::PERMANENT_REDIRECT);
    if let Some(last) = spool.size().checked_sub(1) {
        reply::set(&mut response, RANGE, &format!("bytes=0-{last}"));
    }
    response
}
