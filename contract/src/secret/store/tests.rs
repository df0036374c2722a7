//! Fetching secrets from a small stand-in of Secret Manager over real HTTP.
//! What it answers is decided by the secret's id.

use super::*;
use crate::google::Endpoint;
use crate::secret::{Machine, resolve};
use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Barrier;

/// The stand-in and what it has seen.
#[derive(Clone)]
struct Manager {
    asked: Arc<Mutex<Vec<String>>>,
    inside: Arc<AtomicUsize>,
    most_inside: Arc<AtomicUsize>,
    barrier: Arc<Barrier>,
}

impl Manager {
    async fn start() -> (Self, Rest) {
        let manager = Self {
            asked: Arc::default(),
            inside: Arc::default(),
            most_inside: Arc::default(),
            barrier: Arc::new(Barrier::new(AT_ONCE)),
        };
        let app = Router::new().route("/v1/{*name}", get(answer)).with_state(manager.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (manager, Rest::at(Service::SecretManager, Endpoint { url, takes_credentials: false }))
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort();
        asked
    }
}

fn refusal(status: u16, word: &str, message: &str) -> Response {
    let body = json!({"error": {"code": status, "status": word, "message": message}});
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

async fn answer(State(manager): State<Manager>, UrlPath(path): UrlPath<String>) -> Response {
    let times = {
        let mut asked = manager.asked.lock().unwrap();
        asked.push(path.clone());
        asked.iter().filter(|earlier| **earlier == path).count()
    };
    let id = path.split('/').nth(3).unwrap_or_default();
    let mut checksum = u32::MAX;
    match id {
        "denied" => return refusal(403, "PERMISSION_DENIED", "Permission denied (or it may not exist)."),
        "missing" => return refusal(404, "NOT_FOUND", "Secret not found."),
        "disabled" => return refusal(400, "FAILED_PRECONDITION", "The version is in DISABLED state."),
        "shaky" if times == 1 => return refusal(503, "UNAVAILABLE", "Later."),
        // Every read but the last that is tried arrives broken.
        "broken-twice" if times < 3 => checksum = 7,
        "broken" => checksum = 7,
        id if id.starts_with("together") => {
            manager.most_inside.fetch_max(manager.inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            manager.barrier.wait().await;
            manager.inside.fetch_sub(1, Ordering::SeqCst);
        }
        _ => {}
    }
    let text = format!("value of {id}\n");
    let checksum = if checksum == u32::MAX { crc32c::crc32c(text.as_bytes()) } else { checksum };
    let payload = json!({"data": BASE64_STANDARD.encode(&text), "dataCrc32c": checksum.to_string()});
    axum::Json(json!({"name": path.trim_end_matches(":access"), "payload": payload})).into_response()
}

fn reference(id: &str) -> String {
    format!("${{secret:projects/p/secrets/{id}/versions/1}}")
}

#[tokio::test]
async fn each_secret_is_fetched_once_and_stands_where_it_is_referred_to() {
    let (manager, rest) = Manager::start().await;
    let a = json!({"key": reference("one"), "list": [format!("x-{}-{}", reference("one"), reference("two"))], "n": 3});
    let b = json!(reference("two"));
    let store = fetch_by(&[&a, &b], &Machine, || Ok(rest.clone())).await;
    let (resolved, secrets) = resolve(&a, Path::new("."), &store).unwrap();
    // The line break that `echo` leaves at the end is no part of a secret.
    assert_eq!(resolved, json!({"key": "value of one", "list": ["x-value of one-value of two"], "n": 3}));
    assert_eq!(secrets.len(), 3);
    assert_eq!(manager.asked(), ["one", "two"].map(|id| format!("projects/p/secrets/{id}/versions/1:access")));
    assert!(!format!("{store:?}").contains("value of"));

    // A second round asks only for what is new.
    let c = json!([reference("one"), reference("three")]);
    let more = fetch_by(&[&c], &store, || Ok(rest)).await;
    assert_eq!(resolve(&c, Path::new("."), &more).unwrap().0, json!(["value of one", "value of three"]));
    assert_eq!(manager.asked().len(), 3);
}

#[tokio::test]
async fn what_cannot_be_read_is_named_with_its_place_and_remedy() {
    let (manager, rest) = Manager::start().await;
    let value = json!({
        "a": reference("denied"), "b": reference("missing"), "c": reference("disabled"), "d": reference("broken"),
        "e": reference("../x"), "f": "${secret:projects/p/secrets/s}", "g": reference("fine"),
    });
    let store = fetch_by(&[&value], &Machine, || Ok(rest)).await;
    let unresolved = resolve(&value, Path::new("."), &store).unwrap_err();
    let found: Vec<String> = unresolved.iter().map(|u| format!("{} {}", u.pointer, u.message)).collect();
    let parts = [
        "/a the secret projects/p/secrets/denied/versions/1 may not be read: grant the role \
         roles/secretmanager.secretAccessor on it to the account that this job runs as (403 PERMISSION_DENIED: Permission",
        "/b the secret projects/p/secrets/missing/versions/1 does not exist or has no such version (404 NOT_FOUND",
        "/c the secret projects/p/secrets/disabled/versions/1 cannot be read; if this version is disabled",
        "/d the secret projects/p/secrets/broken/versions/1 cannot be used: its content does not have the checksum",
        "/e `projects/p/secrets/../x/versions/1` is no version of a secret",
        "/f `projects/p/secrets/s` is no version of a secret",
    ];
    assert_eq!(found.len(), parts.len(), "{found:?}");
    for (message, part) in found.iter().zip(parts) {
        assert!(message.starts_with(part), "{message}");
    }
    assert!(!found.join("").contains("value of"));
    // A wrong name is never sent.
    assert!(manager.asked().iter().all(|path| !path.contains("..") && path.contains("/versions/1:access")));
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let (manager, rest) = Manager::start().await;
    let value = json!([reference("shaky"), reference("broken-twice")]);
    let store = fetch_by(&[&value], &Machine, || Ok(rest)).await;
    let (resolved, _) = resolve(&value, Path::new("."), &store).unwrap();
    assert_eq!(resolved, json!(["value of shaky", "value of broken-twice"]));
    assert_eq!(manager.asked().len(), 5);
}

#[tokio::test]
async fn eight_are_asked_for_at_once_and_no_more() {
    let (manager, rest) = Manager::start().await;
    // The stand-in answers eight at a time: fewer at once would wait for ever.
    let value: Value = (0..3 * AT_ONCE).map(|n| json!(reference(&format!("together{n}")))).collect();
    let store =
        tokio::time::timeout(Duration::from_secs(30), fetch_by(&[&value], &Machine, || Ok(rest))).await.unwrap();
    assert!(resolve(&value, Path::new("."), &store).is_ok());
    assert_eq!(manager.most_inside.load(Ordering::SeqCst), AT_ONCE);
}

#[tokio::test]
async fn nothing_is_opened_for_nothing_and_an_endpoint_that_is_none_is_told() {
    let plain = json!({"a": "${env:HOME}", "b": "$5"});
    let store = fetch_by(&[&plain], &Machine, || panic!("nothing is to be fetched")).await;
    assert!(store.secret("projects/p/secrets/one/versions/1").is_none());
    let value = json!(reference("one"));
    let store = fetch_by(&[&value], &Machine, || Err("the endpoint is none".into())).await;
    let unresolved = resolve(&value, Path::new("."), &store).unwrap_err();
    assert_eq!(
        unresolved[0].message,
        "the secret projects/p/secrets/one/versions/1 cannot be read: the endpoint is none"
    );
}
