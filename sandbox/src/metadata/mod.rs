//! A stand-in of the metadata server of Google's machines: access tokens and what a program may ask about its project.
//! Programs find it by `GCE_METADATA_HOST`; every path below `computeMetadata` wants the header `Metadata-Flavor: Google`.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::http::header::{CONTENT_TYPE, SERVER};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde_json::json;

use crate::cloud_run::serving::Serving;

const FLAVOR: &str = "metadata-flavor";
const GOOGLE: &str = "Google";

/// What the metadata server tells.
#[derive(Debug, Clone)]
pub struct Options {
    /// The access token that it gives out.
    pub token: String,
    /// How long the token is said to be good.
    pub lifetime: Duration,
    /// The service account.
    pub email: String,
    pub project: String,
    pub project_number: u64,
    pub region: String,
}

impl Default for Options {
    /// The project of the Cloud Run stand-in, and a token of one hour.
    fn default() -> Self {
        Self {
            token: "sandbox-token".to_owned(),
            lifetime: Duration::from_secs(3600),
            email: "sandbox@sandbox-project.iam.gserviceaccount.com".to_owned(),
            project: "sandbox-project".to_owned(),
            project_number: 123_456,
            region: "us-central1".to_owned(),
        }
    }
}

/// One request as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub path: String,
    /// The query as sent, without the question mark.
    pub query: String,
    /// The status answered.
    pub status: u16,
}

/// A running metadata server; dropping it closes its port.
#[derive(Debug)]
pub struct Metadata {
    state: Arc<State>,
    serving: Serving,
}

#[derive(Debug)]
struct State {
    options: Mutex<Options>,
    seen: Mutex<Vec<Asked>>,
}

impl Metadata {
    /// Starts the server on threads of its own.
    ///
    /// # Errors
    /// No port or threads can be had.
    pub fn start(options: Options) -> io::Result<Self> {
        let state = Arc::new(State { options: Mutex::new(options), seen: Mutex::default() });
        let router = Router::new().fallback(serve).with_state(Arc::clone(&state));
        Ok(Self { state, serving: Serving::start(router)? })
    }

    /// `127.0.0.1:<port>`: what `GCE_METADATA_HOST` must be.
    pub fn host(&self) -> &str {
        self.url().trim_start_matches("http://")
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        self.serving.url()
    }

    /// From now on this token is given out.
    pub fn set_token(&self, token: &str, lifetime: Duration) {
        let mut options = lock(&self.state.options);
        options.token = token.to_owned();
        options.lifetime = lifetime;
    }

    /// The requests seen, oldest first.
    pub fn requests(&self) -> Vec<Asked> {
        lock(&self.state.seen).clone()
    }

    /// How many tokens were given out.
    pub fn tokens(&self) -> usize {
        lock(&self.state.seen).iter().filter(|seen| seen.status == 200 && seen.path.ends_with("/token")).count()
    }
}

async fn serve(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    let response = answer(&lock(&state.options), &request);
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
    lock(&state.seen).push(Asked { path, query, status: response.status().as_u16() });
    response
}

fn answer(options: &Options, request: &Request) -> Response {
    let path = request.uri().path();
    if request.method() != Method::GET {
        return html(StatusCode::METHOD_NOT_ALLOWED, "The metadata server takes GET.");
    }
    let Some(path) = path.strip_prefix("/computeMetadata/v1/") else {
        return if path == "/" { text("computeMetadata/\n") } else { missing() };
    };
    if request.headers().get(FLAVOR).is_none_or(|value| value != GOOGLE) {
        return html(StatusCode::FORBIDDEN, "Missing Metadata-Flavor:Google header.");
    }
    // A forwarded request comes from somewhere else: the token must not get there.
    if request.headers().contains_key("x-forwarded-for") {
        return html(StatusCode::FORBIDDEN, "Requests with X-Forwarded-For are refused.");
    }
    match path {
        "project/project-id" => return text(&options.project),
        "project/numeric-project-id" => return text(&options.project_number.to_string()),
        "instance/region" => {
            return text(&format!("projects/{}/regions/{}", options.project_number, options.region));
        }
        _ => {}
    }
    let account = path.strip_prefix("instance/service-accounts/").and_then(|rest| rest.split_once('/'));
    match account {
        Some((name, what)) if name == "default" || name == options.email => match what {
            "token" => token(options),
            "email" => text(&options.email),
            _ => missing(),
        },
        // `universe/universe-domain` too: only outside the ordinary cloud does it exist.
        _ => missing(),
    }
}

fn token(options: &Options) -> Response {
    let seconds = options.lifetime.as_secs();
    let body = json!({"access_token": options.token, "expires_in": seconds, "token_type": "Bearer"});
    typed(StatusCode::OK, "application/json", body.to_string())
}

fn text(body: &str) -> Response {
    typed(StatusCode::OK, "application/text", body.to_owned())
}

fn missing() -> Response {
    html(StatusCode::NOT_FOUND, "The requested URL was not found on this server.")
}

fn html(status: StatusCode, problem: &str) -> Response {
    typed(status, "text/html; charset=UTF-8", format!("<!DOCTYPE html>\n<html lang=en>\n<p>{problem}\n"))
}

fn typed(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(FLAVOR, HeaderValue::from_static(GOOGLE));
    headers.insert(SERVER, HeaderValue::from_static("Metadata Server for VM"));
    response
}

/// A lock whose holder panicked still guards usable data here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "/computeMetadata/v1/instance/service-accounts/default";

    async fn get(server: &Metadata, path: &str, flavored: bool) -> (u16, String) {
        let mut request = reqwest::Client::new().get(format!("{}{path}", server.url()));
        if flavored {
            request = request.header("Metadata-Flavor", "Google");
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["metadata-flavor"], "Google", "{path}");
        (response.status().as_u16(), response.text().await.unwrap())
    }

    #[tokio::test]
    async fn the_header_is_asked_for_and_tokens_are_counted() {
        let server = Metadata::start(Options::default()).unwrap();
        let token = format!("{ACCOUNT}/token");
        assert_eq!(get(&server, &token, false).await.0, 403);
        assert_eq!(server.tokens(), 0);
        let expected = r#"{"access_token":"sandbox-token","expires_in":3600,"token_type":"Bearer"}"#;
        assert_eq!(get(&server, &format!("{token}?scopes=a,b"), true).await, (200, expected.to_owned()));
        server.set_token("another", Duration::from_secs(60));
        let (_, body) = get(&server, &token, true).await;
        assert_eq!(body, r#"{"access_token":"another","expires_in":60,"token_type":"Bearer"}"#);
        assert_eq!(server.tokens(), 2);
        let statuses: Vec<_> = server.requests().into_iter().map(|seen| (seen.query, seen.status)).collect();
        assert_eq!(statuses, [(String::new(), 403), ("scopes=a,b".to_owned(), 200), (String::new(), 200)]);
    }

    #[tokio::test]
    async fn it_tells_the_project_and_the_account() {
        let server = Metadata::start(Options::default()).unwrap();
        let ok = |text: &str| (200, text.to_owned());
        assert_eq!(get(&server, "/", false).await, ok("computeMetadata/\n"));
        assert_eq!(get(&server, "/computeMetadata/v1/project/project-id", true).await, ok("sandbox-project"));
        let email = "sandbox@sandbox-project.iam.gserviceaccount.com";
        assert_eq!(get(&server, &format!("{ACCOUNT}/email"), true).await, ok(email));
        assert_eq!(get(&server, &ACCOUNT.replace("default", email), true).await.0, 404);
        assert_eq!(get(&server, &format!("{}/email", ACCOUNT.replace("default", email)), true).await, ok(email));
        let region = get(&server, "/computeMetadata/v1/instance/region", true).await;
        assert_eq!(region, ok("projects/123456/regions/us-central1"));
        assert_eq!(get(&server, "/computeMetadata/v1/universe/universe-domain", true).await.0, 404);
        assert_eq!(format!("http://{}", server.host()), server.url());
    }
}
