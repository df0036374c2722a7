//! Logging in, credentials, expiry, the rate limit, unknown paths, the request log.

use std::time::Duration;

use sandbox::servicetitan::{self, Options, StartError};
use serde_json::Value;

use crate::client::{client, tenant};

#[tokio::test]
async fn token_endpoint() {
    let client = client(50, |_| {}).await;
    let cases = [("cid1", "secret1", 200), ("cid1", "secret2", 400), ("cid1", "", 400), ("who", "secret1", 400)];
    for (id, secret, status) in cases {
        let (got, body) = client.ask_token(id, secret).await;
        assert_eq!(got, status, "{id}");
        match status {
            200 => assert!(body.contains("\"expires_in\":900")),
            _ => assert_eq!(body, "{\"error\":\"invalid_client\"}"),
        }
    }
    assert_ne!(client.log_in().await, client.log_in().await);
    let url = format!("{}/connect/token", client.server.url());
    let wrong = client.http.post(&url).form(&[("grant_type", "password")]).send().await.unwrap();
    assert_eq!(wrong.status(), 400);
    assert_eq!(client.http.get(&url).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn calls_need_token_tenant_and_app_key() {
    let mut client = client(50, |_| {}).await;
    let path = "jpm/jobs";
    assert_eq!(client.status(path).await, 200);
    let url = format!("{}/jpm/v2/tenant/t1/jobs", client.server.url());
    let bare = client.http.get(&url).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    let error: Value = serde_json::from_str(&bare.text().await.unwrap()).unwrap();
    assert_eq!(error["status"], 401);
    for key in ["type", "title", "traceId", "errors", "data"] {
        assert!(!error[key].is_null(), "{key}");
    }
    let no_key = client.http.get(&url).bearer_auth(&client.token).send().await.unwrap();
    assert_eq!(no_key.status(), 401);
    client.tenant = tenant(2);
    assert_eq!(client.status(path).await, 401, "another tenant's token");
    client.token = client.log_in().await;
    assert_eq!(client.status(path).await, 200);
    client.server.expire_tokens();
    assert_eq!(client.status(path).await, 401);
}

#[tokio::test]
async fn tokens_expire() {
    let mut client = client(50, |options| options.token_lifetime = Duration::from_secs(1)).await;
    tokio::time::sleep(Duration::from_millis(1050)).await;
    assert_eq!(client.status("jpm/jobs").await, 401);
    client.token = client.log_in().await;
    assert_eq!(client.status("jpm/jobs").await, 200);
}

#[tokio::test]
async fn rate_limit_is_per_tenant() {
    let mut client = client(50, |options| options.requests_per_second = Some(3)).await;
    let mut statuses = Vec::new();
    let mut refused = None;
    for _ in 0..12 {
        let response = client.send("jpm/jobs?pageSize=1").await;
        statuses.push(response.status().as_u16());
        if response.status() == 429 {
            refused.get_or_insert(response);
        }
    }
    assert_eq!(statuses[..3], [200, 200, 200]);
    let refused = refused.expect("a request over the limit");
    assert_eq!(refused.headers()["retry-after"], "1");
    let body: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert!(body["title"].as_str().unwrap().ends_with("1 seconds"));
    client.tenant = tenant(2);
    client.token = client.log_in().await;
    assert_eq!(client.status("jpm/jobs?pageSize=1").await, 200);
}

#[tokio::test]
async fn unknown_paths_are_404() {
    let client = client(50, |_| {}).await;
    let paths =
        ["jpm/unicorns", "crm/jobs", "jpm/export/job-types", "jpm/jobs/", "settings/export/", "payroll/timesheets"];
    for path in paths {
        assert_eq!(client.status(path).await, 404, "{path}");
    }
    let root = client.http.get(client.server.url()).send().await.unwrap();
    assert_eq!(root.status(), 404);
}

#[tokio::test]
async fn requests_are_logged() {
    let client = client(50, |_| {}).await;
    client.get("jpm/jobs?page=1&sort=%2BId").await;
    client.http.get(format!("{}/jpm/v2/tenant/t2/jobs", client.server.url())).send().await.unwrap();
    let seen: Vec<_> = client
        .server
        .requests()
        .into_iter()
        .map(|seen| (seen.method, seen.query, seen.tenant.unwrap_or_default(), seen.status, seen.has_authorization))
        .collect();
    let entry = |method: &str, query: &str, tenant: &str, status, authorization| {
        (method.to_owned(), query.to_owned(), tenant.to_owned(), status, authorization)
    };
    let expected = [
        entry("POST", "", "t1", 200, false),
        entry("GET", "page=1&sort=%2BId", "t1", 200, true),
        entry("GET", "", "t2", 401, false),
    ];
    assert_eq!(seen, expected);
    client.server.clear_requests();
    assert!(client.server.requests().is_empty());
}

#[tokio::test]
async fn stops_on_drop_and_refuses_wrong_options() {
    let first = client(50, |_| {}).await;
    let (url, http) = (first.server.url(), first.http.clone());
    drop(first);
    // The threads stop in the background; soon after, nobody listens.
    let mut refused = false;
    for _ in 0..200 {
        refused = http.get(&url).send().await.is_err();
        if refused {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(refused);
    let wrong = Options { overrides: [("unicorns".to_owned(), 1)].into(), ..Options::default() };
    assert!(matches!(servicetitan::start(wrong).await, Err(StartError::UnknownResource(_))));
    let wrong = Options { max_page_size: 0, ..Options::default() };
    assert!(matches!(servicetitan::start(wrong).await, Err(StartError::PageSize)));
}
