use super::*;
use crate::components::http_requester::HttpRequester;
use crate::http::test_server::{TestServer, account, reply, requester};
use crate::template::Names;
use serde_json::json;

async fn send(
    account: &Account,
    requester: &HttpRequester,
    page: u32,
    cached: bool,
) -> Result<Sent<String>, SendError> {
    let unit = Unit::new("test", "one", "items").unwrap();
    let asker = account.cache.join("items", 1000).unwrap().asker();
    let token = json!({ "next_page_token": page });
    let scope = account.scope(chrono::Utc::now()).with(Names::NEXT_PAGE_TOKEN, token);
    let call = Call {
        account,
        requester,
        unit: &unit,
        scope: &scope,
        injections: &[],
        expected: 0,
        cached: cached.then_some(&asker),
        is_probe: false,
        gone: &[],
    };
    let decode = |answer: Answer| {
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        async move { if text.starts_with("broken") { Err("broken".to_owned().into()) } else { Ok(text) } }.boxed()
    };
    call.send(&decode).await
}

async fn text(account: &Account, requester: &HttpRequester, page: u32, cached: bool) -> String {
    match send(account, requester, page, cached).await {
        Ok(Sent::Decoded(text)) => text,
        other => panic!("{other:?}"),
    }
}

const REQUESTER: &str = r#"{type: HttpRequester, url_base: "{{ config.api }}", path: items, request_parameters: {page: "{{ next_page_token.next_page_token }}"}}"#;

#[tokio::test]
async fn a_cached_answer_is_asked_for_once() {
    let server = TestServer::start(|number, uri, _| reply(200, &format!("{number} {uri}"))).await;
    let (account, requester) = (account(&json!({"api": server.url})), requester(REQUESTER));
    let all = futures::future::join_all((0..8).map(|_| text(&account, &requester, 1, true))).await;
    assert!(all.iter().all(|text| text == "1 /items?page=1"), "{all:?}");
    assert_eq!(text(&account, &requester, 2, true).await, "2 /items?page=2");
    assert_eq!(text(&account, &requester, 1, false).await, "3 /items?page=1", "without the cache");
    assert_eq!(text(&account, &requester, 1, true).await, "1 /items?page=1");
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn what_fails_is_ignored_or_cannot_be_read_is_not_kept() {
    let server = TestServer::start(|number, uri, _| match (uri.query(), number) {
        (Some("page=1"), 1) => reply(200, "broken"),
        (Some("page=1"), 2) => reply(503, ""),
        (Some("page=2"), 4) => reply(404, ""),
        (Some("page=3"), 6) => reply(403, ""),
        _ => reply(200, &number.to_string()),
    });
    let server = server.await;
    let handled = REQUESTER.replace(
        "path: items",
        "path: items, error_handler: {type: DefaultErrorHandler, response_filters: [{type: HttpResponseFilter, http_codes: [404], action: IGNORE}]}",
    );
    let (account, requester) = (account(&json!({"api": server.url})), requester(&handled));
    assert_eq!(text(&account, &requester, 1, true).await, "3");
    assert_eq!(text(&account, &requester, 1, true).await, "3");
    assert!(matches!(send(&account, &requester, 2, true).await, Ok(Sent::Ignored(404))));
    assert_eq!(text(&account, &requester, 2, true).await, "5");
    assert!(send(&account, &requester, 3, true).await.is_err());
    assert_eq!(text(&account, &requester, 3, true).await, "7");
}

#[tokio::test]
async fn the_same_address_of_another_login_is_another_answer() {
    let server = TestServer::start(|number, _, headers| {
        reply(200, &format!("{number} {}", headers["authorization"].to_str().unwrap()))
    });
    let server = server.await;
    let signed = |token: &str| {
        let with = format!("authenticator: {{type: BearerAuthenticator, api_token: {token}}}, path: items");
        requester(&REQUESTER.replace("path: items", &with))
    };
    let account = account(&json!({"api": server.url}));
    for (token, expected) in [("a", "1 Bearer a"), ("b", "2 Bearer b"), ("a", "1 Bearer a")] {
        assert_eq!(text(&account, &signed(token), 1, true).await, expected);
    }
}

#[test]
fn slices_and_page_tokens_make_no_host_our_own() {
    let build = |text: &str, homes: &[&str]| {
        let config = json!({"api": "https://own.example/v2", "key": "k"});
        let account = account(&config).with_homes(homes.iter().map(|home| home.parse().unwrap()));
        let scope = account.scope(chrono::Utc::now());
        let scope =
            scope.with(Names::STREAM_SLICE, json!({"url": "https://record.example/x", "host": "record.example"}));
        let scope = scope.with(Names::NEXT_PAGE_TOKEN, json!({"next_page_token": "https://link.example/y"}));
        let text = format!("{{type: HttpRequester, request_headers: {{X-A: b}}, {text}}}");
        let outgoing = requester(&text).build(&scope, &[], &account.homes).unwrap();
        (outgoing.url.to_string(), !outgoing.headers.is_empty())
    };
    let cases = [
        (r#"url_base: "{{ config.api }}", path: x"#, "https://own.example/v2/x", true),
        (r#"url_base: "{{ stream_slice.url }}""#, "https://record.example/x", false),
        (r#"url: "https://{{ stream_slice.host }}/v2""#, "https://record.example/v2", false),
        (r#"url: "https://own.example{{ '.' ~ stream_slice.host }}/""#, "https://own.example.record.example/", false),
        (r#"url_base: "{{ config.api }}", path: "{{ stream_slice.url }}""#, "https://record.example/x", false),
        (
            r#"url_base: "{{ config.api }}", path: "/x/{{ stream_slice.host }}""#,
            "https://own.example/v2/x/record.example",
            true,
        ),
        (
            r#"url_base: "{{ config.api }}", path: "{{ next_page_token.next_page_token }}""#,
            "https://link.example/y",
            false,
        ),
        (r#"url_base: "{{ next_page_token.next_page_token or config.api }}""#, "https://link.example/y", false),
        (r#"url_base: "{{ config.api }}", path: "https://also.example/z""#, "https://also.example/z", true),
    ];
    for (text, url, ours) in cases {
        assert_eq!(build(text, &[]), (url.to_owned(), ours), "{text}");
    }
    for (text, ours) in [
        (r#"url_base: "{{ stream_slice.url }}""#, true),
        (r#"url_base: "{{ config.api }}", path: "{{ stream_slice.url }}""#, true),
        (r#"url_base: "{{ next_page_token.next_page_token or config.api }}""#, false),
    ] {
        assert_eq!(build(text, &["https://record.example", "https://link.example"]).1, ours, "{text}");
    }
}

#[tokio::test]
async fn a_credential_that_an_error_repeats_is_blotted_out_before_the_error_is_cut() {
    let basic = r#"{type: HttpRequester, url_base: "{{ config.api }}", path: items, authenticator:
        {type: BasicHttpAuthenticator, username: user, password: "{{ config.pw }}"}}"#;
    let server = TestServer::start(|number, _, headers| {
        let header = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let message = format!("{} {header} is wrong", "x".repeat(150 + number));
        reply(401, &json!({ "message": message }).to_string())
    });
    let server = server.await;
    // Nothing tells that the setting is a secret.
    let account = account(&json!({"api": server.url, "pw": "hunter2-secret"}));
    for _ in 0..60 {
        let error = send(&account, &requester(basic), 1, false).await.unwrap_err().to_string();
        assert!(error.contains("the API answered 401: xxx"), "{error}");
        assert!(!error.contains("dXNl") && !error.contains("Basic"), "{error}");
    }
}

#[tokio::test]
async fn a_byte_order_mark_hides_no_error() {
    let server = TestServer::start(|_, _, _| reply(418, "\u{feff}{\"message\": \"no tea\", \"code\": 7}")).await;
    let account = account(&json!({"api": server.url}));
    let handled = |filter: &str| {
        let handler = format!("error_handler: {{type: DefaultErrorHandler, response_filters: [{filter}]}}");
        requester(&REQUESTER.replace("path: items", &format!("path: items, {handler}")))
    };
    let by_code = r#"{type: HttpResponseFilter, http_codes: [418], action: FAIL}"#;
    let by_predicate = r#"{type: HttpResponseFilter, predicate: "{{ response.code == 7 }}", action: FAIL}"#;
    for filter in [by_code, by_predicate] {
        let error = send(&account, &handled(filter), 1, false).await.unwrap_err().to_string();
        assert!(error.ends_with("the API answered 418: no tea"), "{filter}: {error}");
    }
}

#[tokio::test]
async fn a_login_may_answer_behind_a_byte_order_mark() {
    let server = TestServer::start(|_, uri, headers| match uri.path() {
        "/token" => reply(200, "\u{feff}{\"access_token\": \"t0ken\"}"),
        _ => reply(200, headers["authorization"].to_str().unwrap()),
    });
    let server = server.await;
    let account = account(&json!({"api": server.url}));
    let oauth = r#"{type: OAuthAuthenticator, token_refresh_endpoint: "{{ config.api }}/token", grant_type: client_credentials,
        client_id: i, client_secret: s}"#;
    let session = r#"{type: SessionTokenAuthenticator, session_token_path: [access_token], request_authentication: {type: Bearer},
        login_requester: {type: HttpRequester, url_base: "{{ config.api }}", path: token}}"#;
    for authenticator in [oauth, session] {
        let signed =
            requester(&REQUESTER.replace("path: items", &format!("path: items, authenticator: {authenticator}")));
        assert_eq!(text(&account, &signed, 1, false).await, "Bearer t0ken", "{authenticator}");
    }
}

#[tokio::test]
async fn answers_are_unpacked_however_the_server_packs_them() {
    use axum::response::IntoResponse;
    use std::io::Write;
    let zlib = |text: &str| {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let server = TestServer::start(move |_, uri, headers| {
        let accepted = headers["accept-encoding"].to_str().unwrap().to_owned();
        let (encoding, body) = match uri.query() {
            Some("page=1") => ("deflate", zlib(&accepted)),
            Some("page=2") => ("zstd", zstd::bulk::compress(accepted.as_bytes(), 1).unwrap()),
            _ => ("compress", accepted.into_bytes()),
        };
        ([("content-encoding", encoding)], body).into_response()
    });
    let server = server.await;
    let (account, requester) = (account(&json!({"api": server.url})), requester(REQUESTER));
    for page in [1, 2] {
        assert_eq!(text(&account, &requester, page, false).await, "gzip", "page {page}");
    }
    let asked = server.count();
    let error = send(&account, &requester, 3, false).await.unwrap_err().to_string();
    assert!(error.contains("the answer is in encoding `compress`, which cannot be read"), "{error}");
    assert_eq!(server.count(), asked + 1, "no other try would bring another encoding");
}

#[tokio::test]
async fn an_error_that_cannot_be_unpacked_keeps_its_status() {
    use axum::response::IntoResponse;
    let whole = {
        use std::io::Write;
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(b"{\"message\": \"go away\"}").unwrap();
        packer.finish().unwrap()
    };
    let plain = b"<html>the proxy says no</html>".to_vec();
    let bodies = [("br", plain.clone()), ("gzip", plain.clone()), ("zstd", plain.clone()), ("deflate", plain)];
    for (encoding, body) in bodies.into_iter().chain([("gzip", whole[..whole.len() - 4].to_vec())]) {
        let server = TestServer::start(move |_, uri, _| {
            let status = match uri.query() {
                Some("page=1") => 404,
                Some("page=3") => 418,
                _ => 401,
            };
            (axum::http::StatusCode::from_u16(status).unwrap(), [("content-encoding", encoding)], body.clone())
                .into_response()
        });
        let server = server.await;
        let handled = REQUESTER.replace(
            "path: items",
            "path: items, error_handler: {type: DefaultErrorHandler, response_filters: [{type: HttpResponseFilter, http_codes: [404], action: IGNORE}, {type: HttpResponseFilter, http_codes: [418], action: SUCCESS}]}",
        );
        let (account, requester) = (account(&json!({"api": server.url})), requester(&handled));
        let ignored = send(&account, &requester, 1, false).await;
        assert!(matches!(ignored, Ok(Sent::Ignored(404))), "{encoding}: {ignored:?}");
        let asked = server.count();
        let error = send(&account, &requester, 2, false).await.unwrap_err().to_string();
        assert!(error.contains("the API answered 401"), "{encoding}: {error}");
        assert_eq!((asked, server.count()), (1, 2), "{encoding}: a refusal is not asked for again");
        // What is not whole is no page, though the manifest takes such an error for one.
        let error = send(&account, &requester, 3, false).await.unwrap_err().to_string();
        assert!(error.contains("is not what its `content-encoding` says"), "{encoding}: {error}");
    }
}
