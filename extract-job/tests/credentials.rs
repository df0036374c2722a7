//! Where credentials go: to the source's own host, in every way that a request can carry them, and to no other host, whatever leads
//! there.

use crate::fake_api::{FakeApi, Printed, Reply, Seen, manifest, ok, read, status, stream};
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "s3cret-value";
const TOKEN: &str = "t0ken-value";
/// `me:s3cret-value`.
const BASIC: &str = "bWU6czNjcmV0LXZhbHVl";

/// Every way to sign a request: its name, the requester's fields, and what has to be found in a request to the own host.
pub(crate) fn ways() -> Vec<(&'static str, Value, String)> {
    let option = |into: &str, name: &str| json!({"type": "RequestOption", "inject_into": into, "field_name": name});
    let key = |into: &str, name: &str| json!({"type": "ApiKeyAuthenticator", "api_token": "{{ config.secret }}", "inject_into": option(into, name)});
    let login = json!({
        "type": "HttpRequester", "url_base": "{{ config.api }}", "path": "login", "http_method": "POST",
        "request_body_json": {"password": "{{ config.secret }}"},
    });
    let session = |request: Value| {
        json!({
            "type": "SessionTokenAuthenticator", "login_requester": login, "session_token_path": ["data", "token"],
            "expiration_duration": "PT1H", "request_authentication": request,
        })
    };
    let oauth = json!({
        "type": "OAuthAuthenticator", "token_refresh_endpoint": "{{ config.api }}/oauth", "client_id": "me",
        "client_secret": "{{ config.secret }}", "refresh_token": "{{ config.secret }}",
    });
    let bearer = json!({"type": "BearerAuthenticator", "api_token": "{{ config.secret }}"});
    let selective = json!({
        "type": "SelectiveAuthenticator", "authenticator_selection_path": ["kind"],
        "authenticators": {"bearer": bearer, "oauth": oauth},
    });
    let with = |authenticator: Value| json!({ "authenticator": authenticator });
    vec![
        ("bearer", with(bearer.clone()), format!("authorization: Bearer {SECRET}")),
        ("key in a header", with(key("header", "X-Api-Key")), format!("x-api-key: {SECRET}")),
        ("key in a parameter", with(key("request_parameter", "api_key")), format!("api_key={SECRET}")),
        (
            "key in the old way",
            with(json!({"type": "ApiKeyAuthenticator", "api_token": "{{ config.secret }}", "header": "X-Key"})),
            format!("x-key: {SECRET}"),
        ),
        (
            "basic",
            with(json!({"type": "BasicHttpAuthenticator", "username": "me", "password": "{{ config.secret }}"})),
            format!("authorization: Basic {BASIC}"),
        ),
        ("oauth", with(oauth.clone()), format!("authorization: Bearer {TOKEN}")),
        ("session as bearer", with(session(json!({"type": "Bearer"}))), format!("authorization: Bearer {TOKEN}")),
        (
            "session in a header",
            with(session(json!({
                "type": "ApiKey", "inject_into": option("header", "Authorization"), "api_token": "Vendor {{ session_token }}",
            }))),
            format!("authorization: Vendor {TOKEN}"),
        ),
        (
            "session in a parameter",
            with(session(json!({"type": "ApiKey", "inject_into": option("request_parameter", "sid")}))),
            format!("sid={TOKEN}"),
        ),
        ("selective", with(selective), format!("authorization: Bearer {TOKEN}")),
        (
            "the requester's own fields",
            json!({
                "request_headers": {"Cookie": "sid={{ config.secret }}", "X-Tenant": "t1"},
                "request_parameters": {"api_key": "{{ config.secret }}"},
            }),
            format!("cookie: sid={SECRET}"),
        ),
    ]
}

pub(crate) fn config(api: &FakeApi) -> Value {
    json!({"api": api.url, "secret": SECRET, "kind": "oauth"})
}

/// Everything of a request as one text.
pub(crate) fn whole(seen: &Seen) -> String {
    let headers: Vec<String> = seen.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{} {}?{}\n{}\n{}", seen.method, seen.path, seen.query, headers.join("\n"), seen.body)
}

/// The answers to logins, which every API of these tests gives.
pub(crate) fn login(seen: &Seen) -> Option<Reply> {
    match seen.path.as_str() {
        "/login" => Some(ok(json!({"data": {"token": TOKEN}}))),
        "/oauth" => Some(ok(json!({"access_token": TOKEN, "expires_in": 3600}))),
        _ => None,
    }
}

/// Nothing of ours is in any request.
pub(crate) fn assert_bare(elsewhere: &FakeApi, way: &str) {
    let seen = elsewhere.seen();
    assert!(!seen.is_empty(), "{way}: the other host was asked");
    for request in seen {
        let text = whole(&request);
        assert!(request.header("authorization").is_empty() && request.header("cookie").is_empty(), "{way}: {text}");
        assert!([SECRET, TOKEN, BASIC, "t1"].iter().all(|secret| !text.contains(secret)), "{way}: {text}");
        assert!(request.query.is_empty() && request.body.is_empty(), "{way}: {text}");
        let ours = request
            .headers
            .iter()
            .find(|(name, _)| !["host", "user-agent", "accept", "accept-encoding"].contains(&name.as_str()));
        assert!(ours.is_none(), "{way}: {ours:?}");
    }
}

pub(crate) fn assert_signed(api: &FakeApi, path: &str, expected: &str, way: &str) {
    let seen = api.seen_at(path);
    assert!(!seen.is_empty() && seen.iter().all(|seen| whole(seen).contains(expected)), "{way}: {seen:?}");
}

pub(crate) fn assert_no_secret_in(printed: &Printed, way: &str) {
    for secret in [TOKEN, BASIC, "Bearer "] {
        assert!(!printed.log.contains(secret), "{way}: {}", printed.log);
    }
}

async fn elsewhere() -> FakeApi {
    FakeApi::start(|_| ok(json!({"items": [{"id": 2}]}))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_next_link_to_another_host_takes_nothing_along() {
    for (way, requester, expected) in ways() {
        let other = elsewhere().await;
        let next = format!("{}/items", other.url);
        let api =
            FakeApi::start(move |seen| login(seen).unwrap_or_else(|| ok(json!({"items": [{"id": 1}], "next": next}))));
        let api = api.await;
        let printed = read(&manifest(&[stream("items", requester)]), &config(&api)).await;
        assert_eq!(printed.ids(), [1, 2], "{way}: {}", printed.log);
        assert_signed(&api, "/items", &expected, way);
        assert_bare(&other, way);
        assert_no_secret_in(&printed, way);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_to_another_host_takes_nothing_along() {
    for (way, requester, expected) in ways() {
        let other = elsewhere().await;
        let target = format!("{}/items", other.url);
        let api = FakeApi::start(move |seen| {
            login(seen).unwrap_or_else(|| Reply(302, vec![("location", target.clone())], String::new()))
        });
        let api = api.await;
        let printed = read(&manifest(&[stream("items", requester)]), &config(&api)).await;
        assert_eq!(printed.ids(), [2], "{way}: {}", printed.log);
        assert_signed(&api, "/items", &expected, way);
        assert_bare(&other, way);
        assert_no_secret_in(&printed, way);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_the_host_links_and_redirects_stay_signed() {
    for (way, requester, expected) in ways() {
        let api = FakeApi::start(|seen| {
            let host = seen.header("host")[0].to_owned();
            login(seen).unwrap_or_else(|| match seen.path.as_str() {
                "/items" => ok(json!({"items": [{"id": 1}], "next": format!("http://{host}/more")})),
                "/more" => Reply(302, vec![("location", format!("/last?{}", seen.query))], String::new()),
                _ => ok(json!({"items": [{"id": 2}]})),
            })
        });
        let api = api.await;
        let printed = read(&manifest(&[stream("items", requester)]), &config(&api)).await;
        assert_eq!(printed.ids(), [1, 2], "{way}: {}", printed.log);
        for path in ["/items", "/more", "/last"] {
            assert_signed(&api, path, &expected, way);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_cannot_carry_a_credential_to_another_host_in_an_address() {
    for (way, requester, _) in ways().into_iter().filter(|(way, ..)| way.contains("in a parameter")) {
        for redirect in [false, true] {
            let other = elsewhere().await;
            let base = other.url.clone();
            let api = FakeApi::start(move |seen| {
                let target = format!("{base}/items?{}", seen.query);
                login(seen).unwrap_or_else(|| {
                    if redirect {
                        Reply(302, vec![("location", target)], String::new())
                    } else {
                        ok(json!({"items": [], "next": target}))
                    }
                })
            });
            let api = api.await;
            let printed = read(&manifest(&[stream("items", requester.clone())]), &config(&api)).await;
            assert_eq!(printed.code, Some(1), "{way}: {}", printed.log);
            assert!(printed.log.contains("carries credentials"), "{way}: {}", printed.log);
            assert!(!printed.log.contains(SECRET) && other.seen().is_empty(), "{way}: {}", printed.log);
            assert_no_secret_in(&printed, way);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_host_that_asks_for_credentials_gets_none() {
    let other = FakeApi::start(|_| status(401, json!({"message": "who are you"}))).await;
    let next = format!("{}/items", other.url);
    let api =
        FakeApi::start(move |seen| login(seen).unwrap_or_else(|| ok(json!({"items": [{"id": 1}], "next": next}))));
    let api = api.await;
    let (way, requester, _) = ways().into_iter().find(|(way, ..)| *way == "oauth").unwrap();
    let printed = read(&manifest(&[stream("items", requester)]), &config(&api)).await;
    assert_eq!((printed.code, printed.ids()), (Some(1), vec![1]), "{}", printed.log);
    assert!(printed.log.contains("another host, which asks for credentials"), "{}", printed.log);
    assert_bare(&other, way);
    assert_eq!(api.seen_at("/oauth").len(), 1, "no new login for a host that is not ours");
}
