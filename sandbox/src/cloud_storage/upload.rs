//! Uploads in one request: the bytes alone, or the resource and the bytes together.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;

use super::call::Call;
use super::checksum::Expected;
use super::multipart;
use super::precondition::Preconditions;
use super::reply::{self, Refusal};
use super::server::Incoming;
use super::state::{State, on_disk};
use super::store::Write;
use super::stored::{Sent, Settings};

pub(crate) async fn upload(state: &Arc<State>, call: &Call, incoming: &mut Incoming) -> Result<Response, Refusal> {
    match call.parameters.get("uploadType") {
        Some("media") => {
            let settings = Settings {
                content_type: call.header("content-type").map(str::to_owned),
                content_encoding: call.parameters.get("contentEncoding").map(str::to_owned),
                ..Settings::default()
            };
            store(state, call, Sent { settings, ..Sent::default() }, Expected::default(), incoming).await
        }
        Some("multipart") => {
            let body = incoming.all().await?;
            let parts = multipart::parts(call.header("content-type").unwrap_or_default(), &body)?;
            let (resource, media, trailer) = match parts.as_slice() {
                [resource, media] => (resource, media, None),
                [resource, media, trailer] => (resource, media, Some(trailer)),
                _ => return Err(Refusal::bad("A multipart upload has two parts.")),
            };
            let mut sent = resource_sent(&resource.body)?;
            if sent.settings.content_type.is_none() {
                sent.settings.content_type = media.content_type().map(str::to_owned);
            }
            let mut expected = sent.expected();
            if let Some(trailer) = trailer {
                let behind = resource_sent(&trailer.body)?.expected();
                expected.crc32c = behind.crc32c.or(expected.crc32c);
                expected.md5 = behind.md5.or(expected.md5);
            }
            store(state, call, sent, expected, &mut Incoming::from(media.body.clone())).await
        }
        other => Err(Refusal::bad(format!("Invalid uploadType '{}'.", other.unwrap_or_default()))),
    }
}

async fn store(
    state: &Arc<State>,
    call: &Call,
    sent: Sent,
    expected: Expected,
    media: &mut Incoming,
) -> Result<Response, Refusal> {
    let write = write(call, sent, expected)?;
    state.store.has_bucket(&write.bucket)?;
    let mut spool = state.store.spool()?;
    while let Some(bytes) = media.next().await {
        spool.write(&bytes?)?;
    }
    let resource = on_disk(state, move |state| {
        let stored = state.store.put(&write, &mut spool)?;
        Ok(stored.resource(&state.url, &write.bucket, &write.name))
    })
    .await?;
    Ok(reply::json(StatusCode::OK, &resource))
}

/// The resource that a client sends; no body at all is an empty one.
pub(crate) fn resource_sent(body: &Bytes) -> Result<Sent, Refusal> {
    if body.is_empty() {
        return Ok(Sent::default());
    }
    serde_json::from_slice(body).map_err(|error| Refusal::bad(format!("Parse Error: {error}")))
}

/// What an upload of this resource is to become. The name may stand in the resource or in the query.
pub(crate) fn write(call: &Call, sent: Sent, mut expected: Expected) -> Result<Write, Refusal> {
    if let Some(header) = call.header("x-goog-hash") {
        expected.add_header(header);
    }
    let name = call.object.clone().or(sent.name).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Refusal::new(400, "required", "Required parameter: name"))?;
    let preconditions = Preconditions::read(&call.parameters, "if")?;
    let (bucket, settings) = (call.bucket.clone(), sent.settings);
    Ok(Write { bucket, name, settings, preconditions, expected, components: None })
}
