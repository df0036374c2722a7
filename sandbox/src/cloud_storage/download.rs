//! Reading objects: their resource, their bytes, and ranges of their bytes.

use std::io::SeekFrom;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG};
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::call::Call;
use super::fault::FaultAction;
use super::precondition::Preconditions;
use super::reply::{self, FLUSH, Refusal};
use super::state::{State, on_disk};
use super::stored::Stored;

const PIECE: u64 = 256 * 1024;

pub(crate) async fn metadata(state: &Arc<State>, call: &Call) -> Result<Response, Refusal> {
    let preconditions = Preconditions::read(&call.parameters, "if")?;
    let generation = call.parameters.number("generation")?;
    let (bucket, name) = (call.bucket.clone(), call.object().to_owned());
    let (stored, resource) = on_disk(state, move |state| {
        let stored = state.store.get(&bucket, &name, generation, &preconditions)?;
        let resource = stored.resource(&state.url, &bucket, &name);
        Ok((stored, resource))
    })
    .await?;
    let mut response = reply::json(StatusCode::OK, &resource);
    reply::set(&mut response, ETAG, &stored.etag());
    Ok(response)
}

pub(crate) async fn media(state: &Arc<State>, call: &Call, fault: Option<&FaultAction>) -> Result<Response, Refusal> {
    let preconditions = Preconditions::read(&call.parameters, "if")?;
    let generation = call.parameters.number("generation")?;
    let (bucket, name) = (call.bucket.clone(), call.object().to_owned());
    let (stored, file) =
        on_disk(state, move |state| state.store.read(&bucket, &name, generation, &preconditions)).await?;
    let range = match call.header("range").and_then(Range::parse) {
        Some(range) => Some(range.within(stored.size).ok_or_else(|| out_of_range(stored.size))?),
        None => None,
    };
    let (from, to) = range.unwrap_or((0, stored.size));
    let mut file = File::from_std(file);
    file.seek(SeekFrom::Start(from)).await?;
    let mut response = Response::new(body(file, to - from, fault));
    *response.status_mut() = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    reply::set(&mut response, CONTENT_LENGTH, &(to - from).to_string());
    if range.is_some() {
        reply::set(&mut response, CONTENT_RANGE, &format!("bytes {from}-{}/{}", to - 1, stored.size));
    }
    describe(&mut response, &stored);
    Ok(response)
}

fn describe(response: &mut Response, stored: &Stored) {
    let settings = &stored.settings;
    let hash = match &stored.md5 {
        Some(md5) => format!("crc32c={},md5={md5}", stored.crc32c),
        None => format!("crc32c={}", stored.crc32c),
    };
    let encoding = settings.content_encoding.as_deref();
    let headers = [
        (CONTENT_TYPE, Some(stored.content_type().to_owned())),
        (ACCEPT_RANGES, Some("bytes".to_owned())),
        (ETAG, Some(stored.etag())),
        (HeaderName::from_static("x-goog-generation"), Some(stored.generation.to_string())),
        (HeaderName::from_static("x-goog-metageneration"), Some(stored.metageneration.to_string())),
        (HeaderName::from_static("x-goog-hash"), Some(hash)),
        (HeaderName::from_static("x-goog-storage-class"), Some(stored.storage_class().to_owned())),
        (HeaderName::from_static("x-goog-stored-content-length"), Some(stored.size.to_string())),
        (HeaderName::from_static("x-goog-stored-content-encoding"), Some(encoding.unwrap_or("identity").to_owned())),
        (HeaderName::from_static("content-encoding"), encoding.map(str::to_owned)),
        (HeaderName::from_static("content-disposition"), settings.content_disposition.clone()),
        (HeaderName::from_static("content-language"), settings.content_language.clone()),
        (HeaderName::from_static("cache-control"), settings.cache_control.clone()),
    ];
    for (name, value) in headers {
        if let Some(value) = value {
            reply::set(response, name, &value);
        }
    }
    for (name, value) in &settings.metadata {
        if let Ok(name) = HeaderName::from_bytes(format!("x-goog-meta-{name}").as_bytes()) {
            reply::set(response, name, value);
        }
    }
}

/// The next `length` bytes of the file, or what a fault makes of them.
fn body(file: File, length: u64, fault: Option<&FaultAction>) -> Body {
    let (corrupt, cut) = match fault {
        Some(FaultAction::CorruptByte { at }) => (Some(*at), None),
        Some(FaultAction::CutBody { after_bytes }) => (None, Some(*after_bytes)),
        _ => (None, None),
    };
    let stop = cut.map_or(length, |cut| cut.min(length));
    let pieces = futures::stream::try_unfold((file, 0_u64), move |(mut file, at)| async move {
        if at >= stop {
            if cut.is_none() {
                return Ok(None);
            }
            tokio::time::sleep(FLUSH).await;
            return Err(reply::aborted());
        }
        let mut piece = vec![0; usize::try_from(PIECE.min(stop - at)).unwrap_or(0)];
        file.read_exact(&mut piece).await?;
        let end = at + piece.len() as u64;
        let wrong = corrupt.and_then(|corrupt| usize::try_from(corrupt.checked_sub(at)?).ok());
        if let Some(byte) = wrong.and_then(|index| piece.get_mut(index)) {
            *byte ^= 0x55;
        }
        Ok(Some((Bytes::from(piece), (file, end))))
    });
    Body::from_stream(pieces)
}

fn out_of_range(size: u64) -> Refusal {
    let message = "The requested range cannot be satisfied.";
    Refusal::new(416, "requestedRangeNotSatisfiable", message).with(CONTENT_RANGE, format!("bytes */{size}"))
}

/// A `Range` header with one range; several ranges and other units are ignored, as the protocol allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    From(u64),
    FromTo(u64, u64),
    Last(u64),
}

impl Range {
    fn parse(header: &str) -> Option<Self> {
        let (from, to) = header.strip_prefix("bytes=")?.split_once('-')?;
        match (from.is_empty(), to.is_empty()) {
            (true, true) => None,
            (true, false) => to.parse().ok().map(Self::Last),
            (false, true) => from.parse().ok().map(Self::From),
            (false, false) => {
                let (from, to) = (from.parse().ok()?, to.parse().ok()?);
                (from <= to).then_some(Self::FromTo(from, to))
            }
        }
    }

    /// First byte and the byte after the last; `None` where no byte of the object is in the range.
    fn within(self, size: u64) -> Option<(u64, u64)> {
        let (from, to) = match self {
            Self::From(from) => (from, size),
            Self::FromTo(from, to) => (from, to.saturating_add(1).min(size)),
            Self::Last(count) => (size.saturating_sub(count), size),
        };
        (from < to).then_some((from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let cases = [
            ("bytes=0-3", Some(Some((0, 4)))),
            ("bytes=2-", Some(Some((2, 10)))),
            ("bytes=-4", Some(Some((6, 10)))),
            ("bytes=-40", Some(Some((0, 10)))),
            ("bytes=8-99", Some(Some((8, 10)))),
            ("bytes=10-", Some(None)),
            ("bytes=-0", Some(None)),
            ("bytes=3-1", None),
            ("bytes=0-1,4-5", None),
            ("lines=0-1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Range::parse(text).map(|range| range.within(10)), expected, "{text}");
        }
    }
}
