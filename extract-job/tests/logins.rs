//! Logins: how often, with what, and what happens when they fail. None of their answers shows in a message.

use crate::fake_api::{FakeApi, Printed, Reply, Seen, check, manifest, ok, read, status, stream};
use serde_json::{Value, json};

const SECRET: &str = "s3cret-value";

fn config(api: &FakeApi) -> Value {
    json!({"api": api.url, "secret": SECRET, "login": {"kind": "oauth"}})
}

/// A session login with more fields.
fn session(more: Value) -> Value {
    let mut session = json!({
        "type": "SessionTokenAuthenticator", "session_token_path": ["data", "token"],
        "login_requester": {
            "type": "HttpRequester", "url_base": "{{ config.api }}", "path": "login", "http_method": "POST",
            "authenticator": {"type": "BasicHttpAuthenticator", "username": "me", "password": "{{ config.secret }}"},
        },
        "request_authentication": {"type": "Bearer"},
    });
    session.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    session
}

fn oauth(more: Value) -> Value {
    let mut oauth = json!({
        "type": "OAuthAuthenticator", "token_refresh_endpoint": "{{ config.api }}/oauth", "client_id": "me",
        "client_secret": "{{ config.secret }}", "grant_type": "client_credentials",
    });
    oauth.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    oauth
}

/// Streams that all sign with the same authenticator.
fn streams(names: &[&str], authenticator: &Value) -> Value {
    let streams: Vec<Value> =
        names.iter().map(|name| stream(name, json!({ "authenticator": authenticator }))).collect();
    manifest(&streams)
}

/// Tokens are numbered: `t1`, `t2` …
fn numbered(seen: &Seen) -> Option<Reply> {
    let token = format!("t{}", seen.before + 1);
    match seen.path.as_str() {
        "/login" => Some(ok(json!({"data": {"token": token}}))),
        "/oauth" => Some(ok(json!({"access_token": token}))),
        _ => None,
    }
}

/// `/a` and `/b` give three pages each.
fn pages(seen: &Seen) -> Reply {
    let next = match seen.query.as_str() {
        "" => json!(format!("{}?page=2", seen.path)),
        "page=2" => json!(format!("{}?page=3", seen.path)),
        _ => Value::Null,
    };
    ok(json!({"items": [{"id": seen.before + 1}], "next": next}))
}

fn tokens(api: &FakeApi, path: &str) -> Vec<String> {
    let seen = api.seen_at(path);
    seen.iter().map(|seen| seen.header("authorization")[0].trim_start_matches("Bearer ").to_owned()).collect()
}

fn assert_done(printed: &Printed, ids: &[i64]) {
    assert_eq!((printed.code, printed.ids()), (Some(0), ids.to_vec()), "{}", printed.log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_login_serves_all_streams_until_its_duration_is_over() {
    for (authenticator, path) in
        [(session(json!({"expiration_duration": "PT1H"})), "/login"), (oauth(json!({})), "/oauth")]
    {
        let api = FakeApi::start(|seen| numbered(seen).unwrap_or_else(|| pages(seen))).await;
        let mut manifest = streams(&["a", "b"], &authenticator);
        // Parameters of the stream go down into the login too, and must not make another login of it.
        manifest["streams"][0]["$parameters"] = json!({"team": "x"});
        assert_done(&read(&manifest, &config(&api)).await, &[1, 2, 3, 1, 2, 3]);
        assert_eq!(api.seen_at(path).len(), 1);
        assert_eq!([tokens(&api, "/a"), tokens(&api, "/b")].concat(), ["t1"; 6]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_duration_every_request_logs_in_once() {
    let api = FakeApi::start(|seen| numbered(seen).unwrap_or_else(|| pages(seen))).await;
    assert_done(&read(&streams(&["a"], &session(json!({}))), &config(&api)).await, &[1, 2, 3]);
    assert_eq!(tokens(&api, "/a"), ["t1", "t2", "t3"]);
    assert_eq!(api.seen_at("/login").len(), 3);
    assert!(api.seen_at("/login").iter().all(|seen| seen.header("authorization")[0].starts_with("Basic ")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_401_drops_the_token_and_is_retried_once() {
    for authenticator in [session(json!({"expiration_duration": "PT1H"})), oauth(json!({}))] {
        let api = FakeApi::start(|seen| {
            let is_stale = seen.query == "page=2" && seen.header("authorization") == ["Bearer t1"];
            let refused = is_stale.then(|| status(401, json!({"message": "expired"})));
            refused.or_else(|| numbered(seen)).unwrap_or_else(|| pages(seen))
        });
        let api = api.await;
        assert_done(&read(&streams(&["a"], &authenticator), &config(&api)).await, &[1, 3, 4]);
        assert_eq!(tokens(&api, "/a"), ["t1", "t1", "t2", "t2"]);

        let api = FakeApi::start(|seen| numbered(seen).unwrap_or_else(|| status(401, json!({"message": "never"}))));
        let api = api.await;
        let printed = read(&streams(&["a"], &authenticator), &config(&api)).await;
        assert_eq!(printed.code, Some(1), "{}", printed.log);
        assert_eq!(tokens(&api, "/a"), ["t1", "t2"], "once more and no further");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_refused_is_not_tried_again() {
    let wrong = || json!({"error": "no", "hint": "hidden-hint"});
    let kinds = [(session(json!({"expiration_duration": "PT1H"})), "/login"), (oauth(json!({})), "/oauth")];
    for (authenticator, path) in kinds {
        for code in [200, 400, 401, 403, 409, 422] {
            let api = FakeApi::start(move |seen| if seen.path == path { status(code, wrong()) } else { pages(seen) });
            let api = api.await;
            let printed = read(&streams(&["a", "b"], &authenticator), &config(&api)).await;
            assert_eq!((printed.code, api.seen().len()), (Some(1), 1), "{code}: {}", printed.log);
            let part = if code == 200 { "holds no".to_owned() } else { code.to_string() };
            assert!(printed.log.contains(&part) && !printed.log.contains("hidden-hint"), "{}", printed.log);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_the_token_is_a_refusal_that_does_not_show_it() {
    let api = FakeApi::start(|seen| match seen.path.as_str() {
        "/login" => ok(json!({"token": "hidden-token", "data": {"user": "hidden-user"}})),
        _ => pages(seen),
    });
    let api = api.await;
    let printed = read(&streams(&["a", "b"], &session(json!({"expiration_duration": "PT1H"}))), &config(&api)).await;
    assert_eq!((printed.code, api.seen().len()), (Some(1), 1), "{}", printed.log);
    assert!(printed.log.contains("holds no token at `data.token`"), "{}", printed.log);
    assert!(!printed.log.contains("hidden-"), "{}", printed.log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_out_of_order_is_tried_again() {
    let kinds = [(session(json!({"expiration_duration": "PT1H"})), "/login"), (oauth(json!({})), "/oauth")];
    for (authenticator, path) in kinds {
        for code in [429, 500, 503] {
            let api = FakeApi::start(move |seen| {
                let down = (seen.path == path && seen.before < 2).then(|| status(code, json!({})));
                down.or_else(|| numbered(seen)).unwrap_or_else(|| pages(seen))
            });
            let api = api.await;
            assert_done(&read(&streams(&["a"], &authenticator), &config(&api)).await, &[1, 2, 3]);
            assert_eq!(api.seen_at(path).len(), 3, "{code}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_logins_own_error_handler_is_asked() {
    let mut authenticator = session(json!({"expiration_duration": "PT1H"}));
    authenticator["login_requester"]["error_handler"] = json!({
        "type": "DefaultErrorHandler",
        "response_filters": [{"type": "HttpResponseFilter", "http_codes": [403], "action": "RATE_LIMITED"}],
    });
    let api = FakeApi::start(|seen| {
        let busy = (seen.path == "/login" && seen.before == 0).then(|| status(403, json!({})));
        busy.or_else(|| numbered(seen)).unwrap_or_else(|| pages(seen))
    });
    let api = api.await;
    assert_done(&read(&streams(&["a"], &authenticator), &config(&api)).await, &[1, 2, 3]);
    assert_eq!(tokens(&api, "/a"), ["t2"; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oauth_requests_are_put_together_as_the_manifest_says() {
    let own = json!({
        "grant_type": "refresh_token", "refresh_token": "r1", "scopes": ["read", "list"], "client_id_name": "id",
        "client_secret_name": "{{ 'sec' ~ 'ret' }}", "grant_type_name": "grant", "refresh_token_name": "refresh",
        "access_token_name": "token", "refresh_request_body": {"audience": "x y", "id": "ignored"},
    });
    let form = "grant=refresh_token&id=me&secret=s3cret-value&refresh=r1&scopes=read&scopes=list&audience=x+y";
    for by_query in [false, true] {
        let mut fields = own.clone();
        fields["send_refresh_request_as_query_params"] = json!(by_query);
        let api = FakeApi::start(|seen| match seen.path.as_str() {
            "/oauth" => ok(json!({"data": [{"token": "deep"}]})),
            _ => pages(seen),
        });
        let api = api.await;
        let printed = read(&streams(&["a"], &oauth(fields)), &config(&api)).await;
        assert_done(&printed, &[1, 2, 3]);
        let login = api.seen_at("/oauth").remove(0);
        let expected = if by_query { (form, "") } else { ("", form) };
        assert_eq!((login.method.as_str(), (login.query.as_str(), login.body.as_str())), ("POST", expected));
        assert_eq!(tokens(&api, "/a"), ["deep"; 3]);
        assert!(!printed.log.contains(SECRET), "{}", printed.log);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_in_the_logins_headers_are_not_repeated_in_its_body() {
    let api = FakeApi::start(|seen| numbered(seen).unwrap_or_else(|| pages(seen))).await;
    let fields =
        json!({"refresh_request_headers": {"Authorization": "Basic {{ config.secret }}", "Accept": "text/json"}});
    assert_done(&read(&streams(&["a"], &oauth(fields)), &config(&api)).await, &[1, 2, 3]);
    let login = api.seen_at("/oauth").remove(0);
    assert_eq!(login.body, "grant_type=client_credentials");
    assert_eq!(login.header("authorization"), ["Basic s3cret-value"]);
    assert_eq!(login.header("accept"), ["text/json"]);
    assert_eq!(login.header("content-type"), ["application/x-www-form-urlencoded"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_the_settings_is_used_while_it_is_good() {
    let later = (chrono::Utc::now() + chrono::TimeDelta::hours(1)).to_rfc3339();
    let cases = [
        (json!({"token_expiry_date": later}), "own", vec!["own"; 3]),
        (json!({"token_expiry_date": "2001-01-01T00:00:00Z"}), "own", vec!["t1"; 3]),
        (json!({}), "own", vec!["t1"; 3]),
        // Refused before its time.
        (json!({"token_expiry_date": later}), "old", vec!["old", "t1", "t1", "t1"]),
        (json!({"token_refresh_endpoint": null}), "own", vec!["own"; 3]),
        (json!({"token_refresh_endpoint": null}), "old", vec!["old"]),
    ];
    for (mut fields, token, expected) in cases {
        fields["access_token_value"] = json!(token);
        let api = FakeApi::start(|seen| {
            let refused = (seen.header("authorization") == ["Bearer old"]).then(|| status(401, json!({})));
            refused.or_else(|| numbered(seen)).unwrap_or_else(|| pages(seen))
        });
        let api = api.await;
        let printed = read(&streams(&["a"], &oauth(fields.clone())), &config(&api)).await;
        assert_eq!(tokens(&api, "/a"), expected, "{fields}: {}", printed.log);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_settings_choose_the_authenticator() {
    let selective = json!({
        "type": "SelectiveAuthenticator", "authenticator_selection_path": ["login", "kind"],
        "authenticators": {"oauth": oauth(json!({})), "key": {"type": "BearerAuthenticator", "api_token": "k1"}},
    });
    let api = FakeApi::start(|seen| numbered(seen).unwrap_or_else(|| pages(seen))).await;
    let manifest = streams(&["a"], &selective);
    assert_done(&read(&manifest, &config(&api)).await, &[1, 2, 3]);
    assert_eq!(tokens(&api, "/a"), ["t1"; 3]);

    let api = FakeApi::start(pages).await;
    assert_done(&read(&manifest, &json!({"api": api.url, "login": {"kind": "key"}})).await, &[1, 2, 3]);
    assert_eq!(tokens(&api, "/a"), ["k1"; 3]);

    for (config, part) in [
        (json!({"api": api.url, "login": {"kind": "other"}}), "names none of the authenticators (oauth, key)"),
        (json!({"api": api.url}), "there is no setting `login.kind`"),
    ] {
        let printed = read(&manifest, &config).await;
        assert_eq!(printed.code, Some(1));
        assert!(printed.log.contains(part), "{}", printed.log);
    }
    assert_eq!(api.seen().len(), 3, "nothing is sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_supported_is_refused_by_name() {
    let updater = json!({"refresh_token_updater": {"refresh_token_name": "r"}});
    let cases = [
        (oauth(updater), "`refresh_token_updater` of OAuthAuthenticator"),
        (oauth(json!({"use_profile_assertion": true})), "`use_profile_assertion` of OAuthAuthenticator"),
        (oauth(json!({"grant_type": null})), "needs `refresh_token`"),
        (oauth(json!({"token_refresh_endpoint": null})), "needs `token_refresh_endpoint`"),
        (session(json!({"decoder": {"type": "XmlDecoder"}})), "`decoder` of SessionTokenAuthenticator (XmlDecoder)"),
        (session(json!({"expiration_duration": "1 hour"})), "`expiration_duration` cannot be read"),
        (session(json!({"session_token_path": []})), "`session_token_path` must name"),
        (session(json!({"request_authentication": {"type": "Basic"}})), "the component Basic is not supported"),
        (json!({"type": "JwtAuthenticator"}), "the component JwtAuthenticator is not supported"),
        (json!({"type": "LegacySessionTokenAuthenticator"}), "the component LegacySessionTokenAuthenticator is not"),
        (json!({"class_name": "a.B"}), "the custom component CustomAuthenticator (class_name `a.B`) is not supported"),
        (
            json!({"type": "SelectiveAuthenticator", "authenticator_selection_path": ["a"], "authenticators": {"x": {"type": "JwtAuthenticator"}}}),
            "authenticators.x: the component JwtAuthenticator",
        ),
        (
            json!({"type": "ApiKeyAuthenticator", "api_token": "k", "header": "X", "inject_into": {"type": "RequestOption", "inject_into": "header", "field_name": "X"}}),
            "exclude each other",
        ),
    ];
    for (authenticator, part) in cases {
        let printed = check(&streams(&["a"], &authenticator)).await;
        assert_eq!(printed.code, Some(2), "{authenticator}: {}", printed.log);
        assert!(printed.log.contains(part), "{authenticator}: {}", printed.log);
    }
}
