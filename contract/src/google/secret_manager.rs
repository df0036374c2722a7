//! Secret Manager: one version of a secret, read with its checksum.
//! Names are checked strictly before they go into a URL.

use super::call::{CallError, Rest};
use super::retry::Patience;
use crate::secret::Secret;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::Value;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How long one secret is asked for; a job that waits for its secrets does nothing else.
const REPEAT_FOR: Duration = Duration::from_secs(60);
/// How often a secret that arrives damaged is read.
const READS: usize = 3;

/// The full name of a secret's version: `projects/P/secrets/S/versions/V`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretVersion(String);

impl fmt::Display for SecretVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SecretVersion {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let refused = |hint| Err(SecretError::Name { name: text.escape_default().to_string(), hint });
        match text.split('/').collect::<Vec<_>>()[..] {
            ["projects", project, "secrets", secret, "versions", version] => {
                if is_project(project) && is_name(secret, 255) && is_name(version, 63) {
                    Ok(Self(text.to_owned()))
                } else {
                    refused("")
                }
            }
            ["projects", _, "secrets", _] => refused("; `/versions/latest` is missing at its end"),
            ["projects", _, "locations", ..] => refused("; regional secrets are not supported"),
            _ => refused(""),
        }
    }
}

/// A project's id or number; older ids start with a domain (`example.com:name`).
fn is_project(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b':');
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63 && bytes.iter().copied().all(allowed) && ends(bytes.first()) && ends(bytes.last())
}

/// A secret's id, or a version: a number, an alias or `latest`.
fn is_name(text: &str, longest: usize) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (1..=longest).contains(&text.len()) && text.bytes().all(allowed)
}

/// Why a secret was not read, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretError {
    #[error(
        "`{name}` is no version of a secret: write projects/PROJECT/secrets/SECRET/versions/VERSION, \
         where VERSION is a number, an alias or `latest`{hint}"
    )]
    Name { name: String, hint: &'static str },
    #[error(
        "the secret {name} may not be read: grant the role roles/secretmanager.secretAccessor on it to the account \
         that this job runs as ({why})"
    )]
    Denied { name: String, why: String },
    #[error("the secret {name} does not exist or has no such version ({why})")]
    NotFound { name: String, why: String },
    #[error(
        "the secret {name} cannot be read; if this version is disabled or destroyed, enable it or name another ({why})"
    )]
    NotEnabled { name: String, why: String },
    #[error("the secret {name} cannot be read: {why}")]
    Unreachable { name: String, why: String },
    #[error("the secret {name} cannot be used: {what}")]
    Damaged { name: String, what: &'static str },
}

/// Reads a version of a secret; what is not text is refused.
///
/// # Errors
/// See [`SecretError`]; what may pass is tried again for a minute.
pub(crate) async fn access(rest: &Rest, version: &SecretVersion) -> Result<Secret, SecretError> {
    let path = format!("/v1/{version}:access");
    let mut reads = 0;
    loop {
        let answer = rest.call_patiently(Patience::new(REPEAT_FOR), Method::GET, &path, &[], None).await;
        let answer = answer.map_err(|error| explain(version, &error))?;
        reads += 1;
        match payload(&answer) {
            Ok(secret) => return Ok(secret),
            Err(what) if reads == READS => return Err(SecretError::Damaged { name: version.to_string(), what }),
            Err(_) => {}
        }
    }
}

fn explain(version: &SecretVersion, error: &CallError) -> SecretError {
    let name = version.to_string();
    let why = match error {
        // The call's name would only repeat the secret's.
        CallError::Refused { status, reason, message, .. } => format!("{status} {reason}: {message}"),
        CallError::Lost { .. } | CallError::Credentials { .. } => error.to_string(),
    };
    match (error.status(), error.reason()) {
        (Some(403), _) => SecretError::Denied { name, why },
        (Some(404), _) => SecretError::NotFound { name, why },
        (Some(400), "FAILED_PRECONDITION") => SecretError::NotEnabled { name, why },
        _ => SecretError::Unreachable { name, why },
    }
}

/// The secret in an answer; the message never shows any of it.
fn payload(answer: &Value) -> Result<Secret, &'static str> {
    let payload = &answer["payload"];
    let data = payload["data"].as_str().unwrap_or_default();
    let bytes = BASE64_STANDARD.decode(data).map_err(|_| "its content is not valid base64")?;
    // An int64, which JSON carries as a text; versions older than the checksums have none.
    let expected = match &payload["dataCrc32c"] {
        Value::Null => None,
        Value::String(text) => Some(text.parse::<i64>().map_err(|_| "its checksum is no number")?),
        other => Some(other.as_i64().ok_or("its checksum is no number")?),
    };
    if expected.is_some_and(|expected| expected != i64::from(crc32c::crc32c(&bytes))) {
        return Err("its content does not have the checksum that came with it");
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text")?;
    if text.is_empty() { Err("it is empty") } else { Ok(Secret::new(text)) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_checked() {
        for name in [
            "projects/acme-data/secrets/st_app-KEY/versions/12",
            "projects/123456/secrets/s/versions/latest",
            "projects/example.com:old/secrets/s/versions/an-alias",
        ] {
            assert_eq!(name.parse::<SecretVersion>().unwrap().to_string(), name);
        }
        for (name, part) in [
            ("", "is no version"),
            ("projects/p/secrets/s", "`/versions/latest` is missing"),
            ("projects/p/locations/europe-west3/secrets/s/versions/1", "regional"),
            ("projects/../secrets/s/versions/1", "is no version"),
            ("projects/p/secrets/../versions/1", "is no version"),
            ("projects/p/secrets/s/versions/1:destroy", "is no version"),
            ("projects/p/secrets/s/versions/1?x=y", "is no version"),
            ("projects/p/secrets/s/versions/", "is no version"),
            ("projects/p/secrets/s%2e/versions/1", "is no version"),
            ("projects/p /secrets/s/versions/1", "is no version"),
            ("projects/P/secrets/s/versions/1\n", "is no version"),
            ("/projects/p/secrets/s/versions/1", "is no version"),
        ] {
            let error = name.parse::<SecretVersion>().unwrap_err().to_string();
            assert!(error.contains(part), "{name:?}: {error}");
        }
    }

    #[test]
    fn content_is_checked_and_never_shown() {
        let crc = i64::from(crc32c::crc32c(b"geheim"));
        let good = |checksum: Value| json!({"payload": {"data": "Z2VoZWlt", "dataCrc32c": checksum}});
        for answer in [good(json!(crc.to_string())), good(json!(crc)), json!({"payload": {"data": "Z2VoZWlt"}})] {
            assert_eq!(payload(&answer).unwrap().expose(), "geheim");
        }
        for (answer, part) in [
            (good(json!((crc + 1).to_string())), "checksum"),
            (good(json!("x")), "no number"),
            (good(json!(1.5)), "no number"),
            (json!({"payload": {"data": "Z2Vo!"}}), "base64"),
            (json!({"payload": {"data": "/w=="}}), "UTF-8"),
            (json!({"payload": {}}), "empty"),
            (Value::Null, "empty"),
        ] {
            assert!(payload(&answer).unwrap_err().contains(part), "{answer}");
        }
    }
}
