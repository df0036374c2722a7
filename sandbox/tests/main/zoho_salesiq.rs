//! Zoho SalesIQ's stand-in as a client sees it: login, errors that come with HTTP 200, lists, messages, generations, faults.
//! What is read to the end is compared with the oracle.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sandbox::fault::{Fault, FaultAction};
use sandbox::zoho_salesiq::{self, Options, OracleRecord, ZohoSalesiq};
use serde_json::Value;

struct Client {
    server: ZohoSalesiq,
    http: reqwest::Client,
    token: String,
}

async fn client(change: impl FnOnce(&mut Options)) -> Client {
    let mut options = Options { conversations: 120, ..Options::default() };
    change(&mut options);
    let server = zoho_salesiq::start(options).await.unwrap();
    let mut client = Client { server, http: reqwest::Client::new(), token: String::new() };
    client.token = client.log_in(&[]).await["access_token"].as_str().unwrap().to_owned();
    client
}

impl Client {
    /// A login; `changed` replaces single parameters. Always HTTP 200.
    async fn log_in(&self, changed: &[(&str, &str)]) -> Value {
        let options = self.server.options();
        let mut form = BTreeMap::from([
            ("grant_type", "refresh_token"),
            ("client_id", &options.client_id),
            ("client_secret", &options.client_secret),
            ("refresh_token", &options.refresh_token),
        ]);
        form.extend(changed.iter().copied());
        let url = format!("{}/oauth/v2/token", self.server.url());
        let response = self.http.post(url).form(&form).send().await.unwrap();
        assert_eq!(response.status(), 200);
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    fn request(&self, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/api/v2/acme/{path}", self.server.url());
        self.http.get(url).header("Authorization", format!("Zoho-oauthtoken {}", self.token))
    }

    async fn get(&self, path: &str) -> Value {
        let response = self.request(path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    async fn data(&self, path: &str) -> Vec<Value> {
        let answer = self.get(path).await;
        answer["data"].as_array().unwrap_or_else(|| panic!("{path}: {answer}")).clone()
    }

    /// All pages of the list of conversations; the filter begins with `&`.
    async fn conversations(&self, filter: &str) -> Vec<Value> {
        let mut all = Vec::new();
        for page in 1.. {
            let found = self.data(&format!("conversations?limit=20&page={page}{filter}")).await;
            let is_last = found.len() < 20;
            all.extend(found);
            if is_last {
                break;
            }
        }
        all
    }

    fn live(&self, stream: &str, choose: impl Fn(&OracleRecord) -> bool) -> Vec<Value> {
        let oracle = self.server.oracle(self.server.generation());
        let records = &oracle.streams[stream];
        let chosen = records.iter().filter(|record| record.removed.is_none() && choose(record));
        chosen.map(|record| record.record.clone()).collect()
    }
}

fn by_id(records: &[Value]) -> BTreeMap<String, Value> {
    let map: BTreeMap<_, _> =
        records.iter().map(|record| (record["id"].as_str().unwrap().to_owned(), record.clone())).collect();
    assert_eq!(map.len(), records.len(), "ids are distinct");
    map
}

fn milliseconds(record: &Value, name: &str) -> i64 {
    record[name].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_login_tells_all_with_http_200() {
    let client = client(|_| {}).await;
    let answer = client.log_in(&[]).await;
    assert_eq!((&answer["expires_in"], &answer["token_type"]), (&3600.into(), &"Bearer".into()));
    assert!(answer.get("refresh_token").is_none());
    let cases = [
        ("client_id", "who", "invalid_client"),
        ("client_secret", "", "invalid_client"),
        ("refresh_token", "old", "invalid_code"),
        ("grant_type", "password", "invalid_grant_type"),
    ];
    for (name, value, error) in cases {
        assert_eq!(client.log_in(&[(name, value)]).await["error"], error);
    }
    for _ in 0..8 {
        assert!(client.log_in(&[]).await.get("access_token").is_some());
    }
    let eleventh = client.log_in(&[]).await;
    assert_eq!(eleventh["error"], "Access Denied");
    assert!(eleventh.get("access_token").is_none());
    assert_eq!(client.data("operators").await.len(), 6, "tokens that were given out stay good");
    assert!(client.server.requests().iter().all(|seen| !seen.query.contains("secret")));
}

#[tokio::test]
async fn errors_come_with_http_200() {
    let client = client(|_| {}).await;
    let error = |answer: Value| {
        assert!(answer.get("data").is_none());
        (answer["error"]["code"].as_u64().unwrap(), answer["error"]["message"].as_str().unwrap().to_owned())
    };
    for (path, code) in [
        ("nothing", 1006),
        ("conversations/1", 1006),
        ("conversations?limit=100", 1019),
        ("conversations?page=0", 1019),
        ("conversations?updated_from_time=2025-01-01", 1019),
        ("conversations?sort_by=name", 1019),
        ("conversations?visitor_type=lead", 1019),
        ("tags", 1019),
        ("tags?module=chats", 1019),
    ] {
        assert_eq!(error(client.get(path).await).0, code, "{path}");
    }
    let url = format!("{}/api/v2/acme/operators", client.server.url());
    let bearer = client.http.get(&url).bearer_auth(&client.token).send().await.unwrap();
    assert_eq!(bearer.status(), 200);
    assert_eq!(error(serde_json::from_str(&bearer.text().await.unwrap()).unwrap()).0, 1002);
    let other = url.replace("acme", "other");
    let other = client.http.get(other).header("Authorization", format!("Zoho-oauthtoken {}", client.token));
    assert_eq!(error(serde_json::from_str(&other.send().await.unwrap().text().await.unwrap()).unwrap()).0, 1008);
    let posted = client.http.post(&url).header("Authorization", format!("Zoho-oauthtoken {}", client.token));
    assert_eq!(error(serde_json::from_str(&posted.send().await.unwrap().text().await.unwrap()).unwrap()).0, 1004);
}

#[tokio::test]
async fn tokens_end() {
    let short = client(|options| options.token_lifetime = Duration::from_millis(1)).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let response = short.request("operators").send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert!(response.text().await.unwrap().contains("\"code\":1001"));
    let mut client = client(|_| {}).await;
    assert_eq!(client.data("operators").await.len(), 6);
    client.server.expire_tokens();
    assert_eq!(client.request("operators").send().await.unwrap().status(), 401);
    client.token = client.log_in(&[]).await["access_token"].as_str().unwrap().to_owned();
    assert_eq!(client.data("operators").await.len(), 6);
}

#[tokio::test]
async fn lists_give_what_the_oracle_holds() {
    let client = client(|_| {}).await;
    for generation in [1, 2] {
        client.server.set_generation(generation);
        let here = client.live("conversations", |record| record.in_current_department);
        let read = client.conversations("").await;
        assert_eq!(by_id(&read), by_id(&here), "generation {generation}");
        assert!(read.iter().all(|record| record["start_time"].is_string() && record.get("participants").is_none()));
        assert!(read.is_sorted_by_key(|record| -milliseconds(record, "start_time")));
        let mut everywhere = Vec::new();
        for id in client.server.department_ids() {
            everywhere.extend(client.conversations(&format!("&department_id={id}&sort_by=updated_time")).await);
        }
        assert_eq!(by_id(&everywhere), by_id(&client.live("conversations", |_| true)));
        assert!(here.len() > 40 && everywhere.len() > here.len() + 40);
        let mut departments = client.data("departments").await;
        assert_eq!(departments.len(), 20);
        departments.extend(client.data("departments?index=2").await);
        assert_eq!(by_id(&departments), by_id(&client.live("departments", |_| true)));
        assert!(departments.iter().all(|record| record["is_enabled"].is_string()));
        for module in ["conversations", "visitors", "contacts", "companies"] {
            let live = client.live("tags", |record| record.record["module"] == module);
            assert_eq!(by_id(&client.data(&format!("tags?module={module}")).await), by_id(&live));
        }
        assert_eq!(by_id(&client.data("operators").await), by_id(&client.live("operators", |_| true)));
        let detail = &client.live("conversation_details", |_| true)[5];
        let read = client.get(&format!("conversations/{}", detail["id"].as_str().unwrap())).await;
        assert_eq!(&read["data"], detail);
    }
}

#[tokio::test]
async fn what_does_not_apply_is_absent() {
    let client = client(|_| {}).await;
    let all = client.live("conversations", |_| true);
    for (key, status, holds) in
        [("missed_time", "missed", true), ("attender", "missed", false), ("end_time", "closed", true)]
    {
        let of: Vec<_> = all.iter().filter(|record| record["chat_status"]["status_key"] == status).collect();
        assert!(!of.is_empty() && of.iter().all(|record| record.get(key).is_some() == holds), "{key}");
    }
    assert!(!all.iter().flat_map(|record| record.as_object().unwrap().values()).any(Value::is_null));
}

#[tokio::test]
async fn messages_are_read_by_moving_the_bound() {
    for inclusive_bounds in [false, true] {
        let client = client(|options| options.inclusive_bounds = inclusive_bounds).await;
        let messages = client.live("messages", |_| true);
        let mut of: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for message in &messages {
            of.entry(message["conversation_id"].as_str().unwrap()).or_default().push(message);
        }
        let mut paged = 0;
        for (id, expected) in of.into_iter().take(40) {
            let newest = client.data(&format!("conversations/{id}/messages?to_time=9999999999999")).await;
            assert_eq!(newest.len(), expected.len().min(20));
            assert!(newest.is_sorted_by_key(|message| -milliseconds(message, "time")));
            let (mut ids, mut page) = (BTreeSet::new(), newest);
            loop {
                ids.extend(page.iter().map(|message| message["id"].as_str().unwrap().to_owned()));
                if page.len() < 20 {
                    break;
                }
                paged += 1;
                // One millisecond later: right whether or not the bound includes its moment.
                let bound = milliseconds(page.last().unwrap(), "time") + 1;
                page = client.data(&format!("conversations/{id}/messages?to_time={bound}")).await;
            }
            assert_eq!(ids, expected.iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect());
            let from = milliseconds(expected[0], "time") - 1;
            let oldest = client.data(&format!("conversations/{id}/messages?from_time={from}&limit=1")).await;
            assert_eq!(oldest[0]["id"], expected[0]["id"]);
        }
        assert!(paged > 20);
    }
    // The bound's own moment is left out, so a page that ends between two messages of one moment would lose one.
    let client = client(|_| {}).await;
    let lost = client.live("messages", |_| true).windows(2).filter(|pair| pair[0]["time"] == pair[1]["time"]).count();
    assert!(lost > 100);
}

#[tokio::test]
async fn a_generation_changes_adds_and_removes() {
    let client = client(|options| options.conversations = 300).await;
    let before = client.conversations("").await;
    let newest = before.iter().map(|record| milliseconds(record, "last_modified_time")).max().unwrap();
    client.server.set_generation(2);
    let changed = client.conversations(&format!("&updated_from_time={newest}")).await;
    let oracle = client.server.oracle(2);
    let expected: Vec<_> = oracle.streams["conversations"]
        .iter()
        .filter(|record| record.in_current_department && record.version == 2 && record.removed.is_none())
        .map(|record| record.record.clone())
        .collect();
    assert_eq!(by_id(&changed), by_id(&expected), "the filter gives exactly what changed");
    assert!(changed.iter().any(|record| !by_id(&before).contains_key(record["id"].as_str().unwrap())), "some are new");
    let upper = client.conversations(&format!("&updated_till_time={}", newest + 1)).await;
    assert_eq!(upper.len() + changed.len(), client.conversations("").await.len());
    for stream in ["conversations", "messages", "tags", "departments"] {
        let gone = oracle.streams[stream].iter().filter(|record| record.removed == Some(2));
        assert!(gone.count() > 0, "{stream}: something goes");
        assert_eq!(oracle.live(stream).len(), client.live(stream, |_| true).len());
    }
    let tags = |generation| {
        let oracle = client.server.oracle(generation);
        let pairs = oracle.live("conversation_tags").into_iter().cloned().collect::<Vec<_>>();
        let pairs = pairs.iter().map(|tag| (tag["conversation_id"].to_string(), tag["id"].to_string()));
        pairs.collect::<BTreeSet<_>>()
    };
    assert!(tags(2).difference(&tags(1)).count() > 0, "tags are added");
    assert!(tags(1).difference(&tags(2)).count() > 0, "tags are taken off");
    client.server.set_generation(1);
    assert_eq!(client.conversations("").await, before, "the past stays");
}

#[tokio::test]
async fn every_fault_strikes_once() {
    let client = client(|_| {}).await;
    let retry_after = "3".to_owned();
    // action, status, part of the body, whether the body is JSON
    let cases = [
        (FaultAction::Status(503), 503, "\"error\"", true),
        (FaultAction::TooManyRequests { retry_after }, 429, "\"error\"", true),
        (FaultAction::StatusWithBody(200, "{\"error\":{\"code\":1001}}".to_owned()), 200, "1001", true),
        (FaultAction::Html, 200, "<!DOCTYPE html>", false),
        (FaultAction::WrongJson, 200, "{\"url\"", false),
        (FaultAction::EmptyBody, 200, "", false),
    ];
    for (action, status, part, is_json) in cases {
        client.server.add_fault(Fault::once("/conversations", action.clone()));
        let response = client.request("conversations").send().await.unwrap();
        assert_eq!(response.status(), status, "{action:?}");
        assert_eq!(response.headers().get("retry-after").is_some(), status == 429);
        let text = response.text().await.unwrap();
        assert!(text.contains(part) && serde_json::from_str::<Value>(&text).is_ok() == is_json, "{action:?}: {text}");
        assert_eq!(client.data("conversations").await.len(), 20);
    }
    client.server.add_fault(Fault::once("/conversations", FaultAction::CutBody { after_bytes: 300 }));
    assert!(client.request("conversations").send().await.unwrap().bytes().await.is_err());
    client.server.add_fault(Fault::once("/conversations", FaultAction::RepeatPage).always());
    let first = client.data("conversations?page=1").await;
    assert_eq!(client.data("conversations?page=3").await, first);
    client.server.clear_faults();
    assert_ne!(client.data("conversations?page=2").await, first);
    client
        .server
        .add_fault(Fault::once("/oauth", FaultAction::StatusWithBody(200, "{\"error\":\"Access Denied\"}".to_owned())));
    assert_eq!(client.log_in(&[]).await["error"], "Access Denied");
    client.server.add_fault(Fault::once("/operators", FaultAction::Unauthorized));
    for _ in 0..2 {
        assert_eq!(client.request("operators").send().await.unwrap().status(), 401, "the token is no longer good");
    }
    let statuses: Vec<_> = client.server.requests().iter().rev().take(3).map(|seen| seen.status).collect();
    assert_eq!(statuses, [401, 401, 200]);
}

#[tokio::test]
async fn too_many_requests_are_told_to_wait() {
    let client = client(|options| options.requests_per_second = Some(2)).await;
    let answers = futures::future::join_all((0..12).map(|_| client.request("operators").send())).await;
    let mut statuses = Vec::new();
    for response in answers.into_iter().map(Result::unwrap) {
        assert_eq!(response.headers().get("retry-after").is_some(), response.status() == 429);
        statuses.push(response.status().as_u16());
    }
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
}
