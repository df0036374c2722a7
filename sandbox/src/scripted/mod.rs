//! A server that answers by a script of routes and remembers every request: for tests that look at what a client sends.
//! A request that no route fits gets 404 and is marked, so that a hole in a script cannot pass for an answer.

mod request;
mod route;
mod serving;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request as Incoming, State as Shared};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Value;

pub use request::Request;
pub use route::{Conditions, Route};

use serving::Serving;

/// Stands for the server's address in the script.
pub const URL: &str = "$URL";
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// A running server; dropping it closes its port.
#[derive(Debug)]
pub struct Scripted {
    state: Arc<State>,
    serving: Serving,
}

#[derive(Debug, Default)]
struct State {
    routes: Mutex<Vec<Route>>,
    requests: Mutex<Vec<Request>>,
}

impl Scripted {
    /// Starts a server with this script, on threads of its own.
    ///
    /// # Errors
    /// No port or threads can be had.
    pub fn start(routes: Vec<Route>) -> io::Result<Self> {
        let state = Arc::new(State::default());
        let router = Router::new().fallback(serve).with_state(Arc::clone(&state));
        let serving = Serving::start(router)?;
        *lock(&state.routes) = routes.into_iter().map(|route| addressed(route, serving.url())).collect();
        Ok(Self { state, serving })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        self.serving.url()
    }

    /// The requests so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.state.requests).clone()
    }
}

fn addressed(mut route: Route, url: &str) -> Route {
    for value in route.headers.values_mut() {
        *value = value.replace(URL, url);
    }
    let texts = [&mut route.when.parameter, &mut route.when.header, &mut route.when.body];
    texts.into_iter().flat_map(|conditions| conditions.values_mut()).for_each(|value| address(value, url));
    address(&mut route.body, url);
    route
}

fn address(value: &mut Value, url: &str) {
    match value {
        Value::String(text) => *text = text.replace(URL, url),
        Value::Array(items) => items.iter_mut().for_each(|item| address(item, url)),
        Value::Object(entries) => entries.values_mut().for_each(|entry| address(entry, url)),
        _ => {}
    }
}

async fn serve(Shared(state): Shared<Arc<State>>, incoming: Incoming) -> Response {
    let (head, body) = incoming.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else { return plain(StatusCode::PAYLOAD_TOO_LARGE) };
    let query = head.uri.query().unwrap_or_default();
    let mut request = Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        parameters: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), latin(value))).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
        answered: true,
    };
    // One lock for choosing and remembering, so that `times` and the order of requests agree.
    let mut requests = lock(&state.requests);
    let route = {
        let mut routes = lock(&state.routes);
        let route = routes.iter_mut().find(|route| route.fits(&request));
        route.map(|route| {
            route.times = route.times.map(|times| times.saturating_sub(1));
            route.clone()
        })
    };
    request.answered = route.is_some();
    requests.push(request);
    drop(requests);
    route.map_or_else(|| plain(StatusCode::NOT_FOUND), answer)
}

fn answer(route: Route) -> Response {
    let (body, kind) = match route.body {
        Value::Null => (String::new(), None),
        Value::String(text) => (text, Some("text/plain; charset=utf-8")),
        json => (json.to_string(), Some("application/json")),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(route.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(kind) = kind {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    for (name, value) in &route.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn plain(status: StatusCode) -> Response {
    let mut response = Response::new(Body::from(r#"{"error": "no route fits"}"#));
    *response.status_mut() = status;
    response
}

fn latin(value: &HeaderValue) -> String {
    value.as_bytes().iter().map(|byte| char::from(*byte)).collect()
}

/// A lock whose holder panicked still guards usable data here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scripted(routes: Value) -> Scripted {
        Scripted::start(serde_json::from_value(routes).unwrap()).unwrap()
    }

    async fn get(server: &Scripted, rest: &str) -> (u16, String) {
        let response = reqwest::get(format!("{}{rest}", server.url())).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    #[tokio::test]
    async fn the_first_route_that_fits_and_is_not_used_up_answers() {
        let server = scripted(json!([
            {"path": "/a", "times": 1, "status": 503},
            {"path": "/a", "when": {"parameter": {"page": 2}}, "body": {"next": "$URL/a?page=3"}},
            {"path": "/a", "when": {"parameter": {"page": null}}, "body": "first"},
        ]));
        assert_eq!(get(&server, "/a").await, (503, String::new()));
        assert_eq!(get(&server, "/a").await, (200, "first".to_owned()));
        let next = format!(r#"{{"next":"{}/a?page=3"}}"#, server.url());
        assert_eq!(get(&server, "/a?page=2").await, (200, next));
        assert_eq!(get(&server, "/a?page=4").await.0, 404);
        let answered: Vec<bool> = server.requests().iter().map(|request| request.answered).collect();
        assert_eq!(answered, [true, true, true, false]);
    }

    #[tokio::test]
    async fn bodies_are_taken_apart_and_can_be_asked_for() {
        let server = scripted(json!([
            {"method": "POST", "path": "/t", "when": {"body": {"grant": "code", "n": 1}, "header": {"X-Key": "k"}}, "body": {"ok": 1}},
        ]));
        let url = format!("{}/t", server.url());
        let client = reqwest::Client::new();
        let form =
            client.post(&url).header("X-Key", "k").form(&[("grant", "code"), ("n", "1"), ("n2", "a"), ("n2", "b")]);
        assert_eq!(form.send().await.unwrap().status(), 200);
        let body = json!({"grant": "code", "n": 1, "deep": {"x": [1]}}).to_string();
        let with_key = client.post(&url).header("x-key", "k").body(body.clone());
        assert_eq!(with_key.send().await.unwrap().status(), 200);
        assert_eq!(client.post(&url).body(body).send().await.unwrap().status(), 404, "the header is missing");
        let contents: Vec<Value> = server.requests().iter().map(Request::content).collect();
        assert_eq!(contents[0], json!({"grant": "code", "n": "1", "n2": ["a", "b"]}));
        assert_eq!(contents[1], json!({"grant": "code", "n": 1, "deep": {"x": [1]}}));
    }
}
