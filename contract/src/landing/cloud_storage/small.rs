//! Objects that are written and read in one call, whole. A write whose answer got lost is told from a stranger's by the token
//! that every write leaves in the object's metadata.

use super::client::{Client, bucket_resource};
use super::failure::Failure;
use super::location::ObjectName;
use crate::google::retry::Patience;
use crate::landing::{LandingError, Object, PutMode, Version};
use bytes::{Bytes, BytesMut};
use reqwest::Method;
use std::time::Duration;

/// How long a call for a small object is repeated. One object takes about one write a second, so that 429 is ordinary.
pub(super) const REPEAT_FOR: Duration = Duration::from_secs(120);
/// How long one try may take.
const TRY_FOR: Duration = Duration::from_secs(60);
/// The key of a write's token in an object's metadata.
pub(super) const TOKEN: &str = "drayage-write";

/// What tells one write from all others.
pub(super) fn new_token() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Stores an object.
pub(super) async fn put(
    client: &Client,
    object: &ObjectName,
    bytes: Bytes,
    mode: &PutMode,
) -> Result<(), LandingError> {
    let expected = match mode {
        PutMode::Overwrite => None,
        PutMode::Create => Some(0),
        PutMode::Replace(Version(text)) => Some(generation(text, object)?),
    };
    let token = new_token();
    let mut patience = Patience::new(REPEAT_FOR);
    loop {
        let failure = match put_once(client, object, bytes.clone(), expected, &token).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        if failure.status == Some(412) && token_of(client, object).await?.as_ref() == Some(&token) {
            return Ok(());
        }
        if !failure.is_transient || !patience.wait(failure.retry_after, &failure).await {
            return Err(failure.into_error("write", object));
        }
    }
}

async fn put_once(
    client: &Client,
    object: &ObjectName,
    bytes: Bytes,
    expected: Option<i64>,
    token: &str,
) -> Result<(), Failure> {
    let call = async {
        // The client computes the crc32c; Cloud Storage refuses the bytes if they do not fit it.
        let write = client
            .storage()
            .await?
            .write_object(bucket_resource(&object.bucket), object.name.as_str(), bytes)
            .set_content_type(object.content_type())
            .set_metadata([(TOKEN, token)])
            .with_resumable_upload_threshold(usize::MAX);
        let write = match expected {
            Some(generation) => write.set_if_generation_match(generation),
            None => write,
        };
        write.send_buffered().await?;
        Ok(())
    };
    tokio::time::timeout(TRY_FOR, call).await.unwrap_or_else(|_| Err(Failure::stalled(TRY_FOR)))
}

/// The token of the write that made the object; `None` if there is no object, or no token on it.
async fn token_of(client: &Client, object: &ObjectName) -> Result<Option<String>, LandingError> {
    let (patience, query) = (Patience::new(REPEAT_FOR), [("fields", "metadata")]);
    let answer = client.rest.call_patiently(patience, Method::GET, &object.resource(), &query, None).await;
    match answer.map_err(Failure::from) {
        Ok(resource) => Ok(resource["metadata"][TOKEN].as_str().map(str::to_owned)),
        Err(failure) if failure.is_no_object() => Ok(None),
        Err(failure) => Err(failure.into_error("read", object)),
    }
}

/// Reads an object whole; `None` if there is none.
pub(super) async fn get(client: &Client, object: &ObjectName) -> Result<Option<Object>, LandingError> {
    let mut patience = Patience::new(REPEAT_FOR);
    loop {
        let call = tokio::time::timeout(TRY_FOR, get_once(client, object)).await;
        let failure = match call.unwrap_or_else(|_| Err(Failure::stalled(TRY_FOR))) {
            Ok(object) => return Ok(Some(object)),
            Err(failure) if failure.is_no_object() => return Ok(None),
            Err(failure) => failure,
        };
        if !failure.is_transient || !patience.wait(failure.retry_after, &failure).await {
            return Err(failure.into_error("read", object));
        }
    }
}

async fn get_once(client: &Client, object: &ObjectName) -> Result<Object, Failure> {
    let storage = client.storage().await?;
    let mut answer = storage.read_object(bucket_resource(&object.bucket), object.name.as_str()).send().await?;
    let version = Version(answer.object().generation.to_string());
    let mut bytes = BytesMut::new();
    while let Some(chunk) = answer.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(Object { bytes: bytes.freeze(), version })
}

/// Removes an object; only the one with this version, if one is given. A missing one is no error.
pub(super) async fn delete(
    client: &Client,
    object: &ObjectName,
    version: Option<&Version>,
) -> Result<(), LandingError> {
    let query: Vec<(&str, &str)> = version.iter().map(|version| ("ifGenerationMatch", version.0.as_str())).collect();
    if let Some(Version(text)) = version {
        generation(text, object)?;
    }
    let patience = Patience::new(REPEAT_FOR);
    let answer = client.rest.call_patiently(patience, Method::DELETE, &object.resource(), &query, None).await;
    match answer.map_err(Failure::from) {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_no_object() => Ok(()),
        Err(failure) => Err(failure.into_error("delete", object)),
    }
}

/// A version that another landing zone has given out fits no object here.
fn generation(text: &str, object: &ObjectName) -> Result<i64, LandingError> {
    text.parse().map_err(|_| LandingError::Precondition { path: object.path.clone() })
}
