use super::*;
use crate::http::test_server::{TestServer, account, reply};
use reqwest::{Method, Url};
use serde_json::json;

fn outgoing(url: &str, body: Option<Body>, login: bool) -> Outgoing {
    let url = Url::parse(url).unwrap();
    let headers =
        [("Authorization", "Bearer aaaaa"), ("X-Api-Key", "bbbbb"), ("X-Day", "today"), ("X-Word", "word-s3cret")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let method = if body.is_some() { Method::POST } else { Method::GET };
    Outgoing { method, home: Some(url.clone()), url, headers, body, login, patience: None }
}

/// What is written down of one exchange.
async fn traced(server: &TestServer, path: &str, body: Option<Body>, login: bool) -> String {
    let out: Arc<Mutex<Vec<u8>>> = Arc::default();
    let account = account(&json!({})).with_trace(Trace::new(out.clone()));
    account.redactor.add("s3cret");
    let _ = account.exchange(&outgoing(&format!("{}{path}", server.url), body, login), 0).await;
    let bytes = out.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn requests_and_answers_are_written_down_without_secrets() {
    let server = TestServer::start(|_, _, _| {
        let mut response = reply(200, r#"{"items": [{"id": 1, "note": "a s3cret note"}], "access_token": "ccccc"}"#);
        response.headers_mut().insert("set-cookie", "sid=ddddd".parse().unwrap());
        response.headers_mut().insert("x-total", "7".parse().unwrap());
        response
    });
    let server = server.await;
    let body = Body::Json(json!({"password": "eeeee", "day": "monday"}));
    let text = traced(&server, "/items?api_key=fffff&page=2", Some(body), false).await;
    for part in [
        "→ 1 POST http://",
        "/items?api_key=***&page=2",
        "authorization: ***",
        "x-api-key: ***",
        "x-day: today",
        "x-word: word-***",
        r#"{"password":"***","day":"monday"}"#,
        "← 1 200 in ",
        " ms\n",
        "set-cookie: ***",
        "x-total: 7",
        r#""note": "a *** note""#,
        r#""access_token": "***""#,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for secret in ["aaaaa", "bbbbb", "ccccc", "ddddd", "eeeee", "fffff", "s3cret"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let form = Body::Form(vec![("client_secret".into(), "ggggg".into()), ("day".into(), "monday".into())]);
    let text = traced(&server, "/items", Some(form), false).await;
    assert!(text.contains("client_secret=***&day=monday"), "{text}");
}

#[tokio::test]
async fn the_bodies_of_logins_are_not_shown() {
    let server = TestServer::start(|_, _, _| reply(200, r#"{"t": "hidden-answer"}"#)).await;
    let text = traced(&server, "/login", Some(Body::Json(json!({"user": "hidden-user"}))), true).await;
    assert!(text.contains("→ 1 POST") && text.contains("← 1 200") && text.contains("not shown"), "{text}");
    assert!(!text.contains("hidden-"), "{text}");
}

#[tokio::test]
async fn long_bodies_are_cut_and_no_secret_is_cut_in_half() {
    let server =
        TestServer::start(|_, _, _| reply(200, &format!("{}s3cret{}", "x".repeat(1997), "y".repeat(5000)))).await;
    let text = traced(&server, "/", None, false).await;
    assert!(text.contains("x***… (7003 bytes in all)") && !text.contains("s3c"), "{text}");
}

#[tokio::test]
async fn redirects_and_failures_are_written_down() {
    let server = TestServer::start(|number, _, _| {
        let mut response = reply(302, "");
        let target = if number == 1 { "/next?token=hhhhh" } else { "http://127.0.0.1:9/" };
        response.headers_mut().insert("location", target.parse().unwrap());
        response
    });
    let server = server.await;
    let text = traced(&server, "/", None, false).await;
    for part in [
        "→ 1 GET",
        "← 1 302 in",
        "→ 2 GET",
        "/next?token=***",
        "← 2 302",
        "→ 3 GET http://127.0.0.1:9/",
        "← 3 failed after",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let last = text.split("→ 3").nth(1).unwrap();
    assert!(!last.contains("x-day"), "another host gets no headers: {last}");
}
