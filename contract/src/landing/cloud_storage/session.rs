//! A resumable upload as Cloud Storage speaks it: a session is opened, takes pieces in order, tells how far it has come, and makes
//! the object with the last piece. Google's client has this too, but loses a piece when its connection breaks (release 1.21).

use super::failure::Failure;
use super::location::ObjectName;
use super::small::TOKEN;
use crate::google::{Rest, accepted, lost};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use reqwest::header::{CONTENT_RANGE, LOCATION, RANGE};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

/// For messages; the session's URL is a secret.
const CALL: &str = "Cloud Storage upload";

/// A session. Who knows its URL may write to it.
#[derive(Clone)]
pub(super) struct Session {
    url: Url,
}

/// How far an upload has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    /// So many bytes from the start are kept.
    Kept(u64),
    /// The object is there.
    Done(Stored),
}

/// What Cloud Storage says of a new object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) bytes: Option<u64>,
    pub(super) crc32c: Option<u32>,
    pub(super) generation: String,
}

/// The last piece's facts.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    /// Size of the whole object.
    pub(super) bytes: u64,
    /// Its crc32c.
    pub(super) crc32c: u32,
}

impl Session {
    /// Opens a session. Repeating it leaves an unused session behind, which ends by itself.
    pub(super) async fn open(rest: &Rest, object: &ObjectName, token: &str) -> Result<Self, Failure> {
        let settings = json!({"contentType": object.content_type(), "metadata": {TOKEN: token}});
        let path = format!("/upload/storage/v1/b/{}/o", object.bucket);
        let request = rest
            .request(Method::POST, &path)
            .query(&[("uploadType", "resumable"), ("name", &object.name)])
            .header("content-type", "application/json")
            .body(settings.to_string());
        let answer = accepted(CALL, rest.send(CALL, request).await?).await?;
        let url = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let url = url.and_then(|text| Url::parse(text).ok()).filter(|url| matches!(url.scheme(), "http" | "https"));
        url.map(|url| Self { url }).ok_or_else(|| Failure::lasting("the upload was opened without a session"))
    }

    /// Sends a piece that begins at byte `from`; with `end` it is the last one, and may be empty.
    pub(super) async fn send(
        &self,
        rest: &Rest,
        piece: Bytes,
        from: u64,
        end: Option<End>,
    ) -> Result<Progress, Failure> {
        let total = end.map_or_else(|| "*".to_owned(), |end| end.bytes.to_string());
        let range = match (piece.len() as u64).checked_sub(1) {
            Some(length) => format!("bytes {from}-{}/{total}", from + length),
            None => format!("bytes */{total}"),
        };
        let mut request = rest.request_to(Method::PUT, self.url.clone()).header(CONTENT_RANGE, range);
        if let Some(end) = end {
            // Bytes that do not fit are refused before there is an object.
            let crc32c = BASE64_STANDARD.encode(end.crc32c.to_be_bytes());
            request = request.header("x-goog-hash", format!("crc32c={crc32c}"));
        }
        progress(rest.send(CALL, request.body(piece)).await?).await
    }

    /// Asks how far the upload has come.
    pub(super) async fn ask(&self, rest: &Rest) -> Result<Progress, Failure> {
        let request = rest.request_to(Method::PUT, self.url.clone()).header(CONTENT_RANGE, "bytes */*").body("");
        progress(rest.send(CALL, request).await?).await
    }

    /// Gives the upload up.
    pub(super) async fn cancel(&self, rest: &Rest) {
        let request = rest.request_to(Method::DELETE, self.url.clone()).body("");
        // Its answer is 499; if it gets lost, the session ends by itself.
        let _ = rest.send(CALL, request).await;
    }
}

async fn progress(answer: Response) -> Result<Progress, Failure> {
    if answer.status() == StatusCode::PERMANENT_REDIRECT {
        let Some(range) = answer.headers().get(RANGE) else { return Ok(Progress::Kept(0)) };
        let last =
            range.to_str().ok().and_then(|text| text.strip_prefix("bytes=0-")).and_then(|last| last.parse().ok());
        let last: Option<u64> = last;
        return last
            .and_then(|last| last.checked_add(1))
            .map(Progress::Kept)
            .ok_or_else(|| Failure::lasting("the upload told its progress in an unknown form"));
    }
    let answer = accepted(CALL, answer).await?;
    let text = answer.text().await.map_err(|error| lost(CALL, error))?;
    let resource: Value = serde_json::from_str(&text).map_err(|error| Failure {
        is_transient: true,
        ..Failure::lasting(format!("the answer is no JSON: {error}"))
    })?;
    Ok(Progress::Done(Stored::of(&resource)))
}

impl Stored {
    fn of(resource: &Value) -> Self {
        let crc32c = resource["crc32c"].as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
        let crc32c = crc32c.and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)));
        let bytes = resource["size"].as_str().and_then(|text| text.parse().ok());
        Self { bytes, crc32c, generation: resource["generation"].as_str().unwrap_or_default().to_owned() }
    }
}
