//! The stand-in of Gaio Social as an ordinary HTTP client sees it.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use sandbox::fault::{Fault, FaultAction};
use sandbox::gaio_social::{self, Account, End, GaioSocial, Options};
use serde_json::Value;

fn account(number: u32) -> Account {
    Account { id: format!("b{number}"), token: format!("t{number}") }
}

async fn server(change: impl FnOnce(&mut Options)) -> GaioSocial {
    let accounts = vec![account(1), account(2)];
    let mut options = Options { accounts, requests_per_second: None, ..Options::default() };
    change(&mut options);
    gaio_social::start(options).await.unwrap()
}

async fn send(url: &str, number: u32) -> reqwest::Response {
    reqwest::Client::new().get(url).bearer_auth(account(number).token).send().await.unwrap()
}

async fn get(url: &str, number: u32) -> (u16, Value) {
    let response = send(url, number).await;
    let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

/// Follows the links to the end; the number of pages comes too.
async fn all(url: String, number: u32) -> (Vec<Value>, usize) {
    let (mut records, mut pages, mut next) = (Vec::new(), 0, Some(url));
    while let Some(url) = next {
        let (status, body) = get(&url, number).await;
        assert_eq!(status, 200, "{url}: {body}");
        records.extend(body["results"].as_array().unwrap().iter().cloned());
        pages += 1;
        next = body["next"].as_str().map(str::to_owned);
    }
    (records, pages)
}

fn by_id(records: &[Value]) -> BTreeMap<u64, Value> {
    let map: BTreeMap<_, _> = records.iter().map(|record| (record["id"].as_u64().unwrap(), record.clone())).collect();
    assert_eq!(map.len(), records.len(), "ids are distinct");
    map
}

fn day(record: &Value) -> NaiveDate {
    let time = chrono::DateTime::parse_from_rfc3339(record["updated_at"].as_str().unwrap()).unwrap();
    time.to_utc().date_naive()
}

#[tokio::test]
async fn links_lead_through_a_list() {
    for (end, absent) in [(End::Null, false), (End::Absent, true)] {
        let server = server(|options| options.end = end).await;
        for (list, size) in [("posts", 100), ("comments", 100), ("profiles", 7)] {
            let (records, pages) = all(format!("{}/{list}?limit={size}", server.url()), 1).await;
            assert_eq!(by_id(&records), by_id(&server.oracle("b1", 1)[list]));
            assert_eq!(pages, records.len().div_ceil(size), "{list}");
        }
        let (_, last) = get(&format!("{}/profiles?limit=100", server.url()), 1).await;
        assert_eq!(last.get("next").is_none(), absent);
        assert!(last["next"].is_null());
    }
}

#[tokio::test]
async fn a_link_holds_all_parameters() {
    let server = server(|_| {}).await;
    let (_, first) = get(&format!("{}/posts?limit=10&since=2026-01-05&until=2026-01-09", server.url()), 1).await;
    let link = first["next"].as_str().unwrap();
    for part in [server.url().as_str(), "limit=10", "since=2026-01-05", "until=2026-01-09", "cursor="] {
        assert!(link.contains(part), "{link}");
    }
    // A client that repeats its own parameters does no harm, as long as they are the same.
    assert_eq!(get(&format!("{link}&limit=10&since=2026-01-05"), 1).await.0, 200);
    assert_eq!(get(&format!("{link}&limit=20"), 1).await.0, 400);
    for query in ["since=yesterday", "limit=many", "page=2", "cursor=9"] {
        assert_eq!(get(&format!("{}/posts?{query}", server.url()), 1).await.0, 400, "{query}");
    }
    let (_, most) = get(&format!("{}/posts?limit=5000", server.url()), 1).await;
    assert_eq!(most["results"].as_array().unwrap().len(), server.options().max_limit);
}

#[tokio::test]
async fn days_are_cut_without_gap_or_overlap() {
    for exclusive in [false, true] {
        let server = server(|options| options.until_is_exclusive = exclusive).await;
        let posts = server.oracle("b1", 1).remove("posts").unwrap();
        let mut found = Vec::new();
        for number in 0..30 {
            let since = server.options().first_day.date_naive() + Days::new(number);
            let until = if exclusive { since + Days::new(1) } else { since };
            let (records, _) = all(format!("{}/posts?since={since}&until={until}&limit=100", server.url()), 1).await;
            assert!(records.iter().all(|record| day(record) == since));
            found.extend(records);
        }
        assert_eq!(by_id(&found), by_id(&posts));
    }
}

#[tokio::test]
async fn generations_are_a_daily_delta() {
    let server = server(|_| {}).await;
    for list in ["posts", "comments", "profiles"] {
        let (before, after) = (by_id(&server.oracle("b1", 1)[list]), by_id(&server.oracle("b1", 2)[list]));
        assert!(before.keys().any(|id| !after.contains_key(id)), "{list}: removes");
        assert!(after.keys().any(|id| !before.contains_key(id)), "{list}: adds");
        let new: BTreeMap<_, _> =
            after.into_iter().filter(|(id, record)| before.get(id).is_none_or(|old| old != record)).collect();
        assert!(new.keys().any(|id| before.contains_key(id)), "{list}: changes");
        let since = server.options().first_day.date_naive() + Days::new(30);
        assert!(new.values().all(|record| day(record) == since), "{list}");
        server.set_generation(2);
        let (delta, _) = all(format!("{}/{list}?since={since}", server.url()), 1).await;
        assert_eq!(by_id(&delta), new, "{list}: the delta is what is new");
        server.set_generation(1);
        let (delta, _) = all(format!("{}/{list}?since={since}", server.url()), 1).await;
        assert!(delta.is_empty(), "{list}");
    }
}

#[tokio::test]
async fn accounts_and_their_tokens() {
    let server = server(|_| {}).await;
    let url = format!("{}/posts?limit=100", server.url());
    let (one, two) = (all(url.clone(), 1).await.0, all(url.clone(), 2).await.0);
    assert_eq!(by_id(&two), by_id(&server.oracle("b2", 1)["posts"]));
    assert_ne!(by_id(&one), by_id(&two));
    assert_eq!(get(&url, 3).await.0, 401);
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 401);
    assert_eq!(get(&format!("{}/stories", server.url()), 1).await.0, 404);
    let seen = server.requests();
    assert_eq!(seen.first().and_then(|seen| seen.tenant.as_deref()), Some("b1"));
    assert_eq!(seen.iter().filter(|seen| seen.status == 401).count(), 2);
    server.clear_requests();
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn everything_unknown_is_an_option() {
    let server = server(|options| {
        options.prefix = "v2/social".to_owned();
        options.auth_header = "X-Api-Key".to_owned();
        options.auth_prefix = String::new();
        options.since_parameter = "updated_from".to_owned();
        options.until_parameter = "updated_to".to_owned();
        options.limit_parameter = "per_page".to_owned();
    })
    .await;
    let url = format!("{}/v2/social/posts?updated_from=2026-01-03&updated_to=2026-01-03&per_page=3", server.url());
    assert_eq!(get(&url, 1).await.0, 401, "not as Bearer");
    let answer = reqwest::Client::new().get(&url).header("X-Api-Key", "t1").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(body["results"].as_array().unwrap().len(), 3);
    assert!(
        body["next"]
            .as_str()
            .unwrap()
            .contains("/v2/social/posts?updated_from=2026-01-03&updated_to=2026-01-03&per_page=3")
    );
}

#[tokio::test]
async fn links_go_wrong() {
    let server = server(|_| {}).await;
    let url = format!("{}/posts?limit=50", server.url());
    server.add_fault(Fault::once("/posts", FaultAction::RepeatToken));
    assert_eq!(get(&url, 1).await.1["next"], url.as_str(), "the link that was asked for");
    server.add_fault(Fault::once("/posts", FaultAction::NextElsewhere("http://127.0.0.1:9".to_owned())));
    assert_eq!(get(&url, 1).await.1["next"], "http://127.0.0.1:9/posts?limit=50");
    let (records, pages) = all(url, 1).await;
    assert_eq!((records.len(), pages), (500, 10), "right again");
}

#[tokio::test]
async fn faults_and_the_limit() {
    let server = server(|_| {}).await;
    let url = format!("{}/posts", server.url());
    let cases = [
        (FaultAction::Status(500), 500, "detail"),
        (FaultAction::Unauthorized, 401, "Unauthorized"),
        (FaultAction::TooManyRequests { retry_after: "3".to_owned() }, 429, "Too many"),
        (FaultAction::Html, 200, "<!DOCTYPE html>"),
        (FaultAction::WrongJson, 200, "<!-- proxy -->"),
    ];
    for (action, status, part) in cases {
        server.add_fault(Fault::once("/posts", action));
        let response = send(&url, 1).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().get("retry-after").is_some(), status == 429);
        assert!(response.text().await.unwrap().contains(part), "{part}");
        assert_eq!(get(&url, 1).await.0, 200, "{part} strikes once");
    }
    server.add_fault(Fault::once("/posts", FaultAction::CutBody { after_bytes: 40 }));
    assert!(send(&url, 1).await.bytes().await.is_err());

    let server = self::server(|options| options.requests_per_second = Some(1)).await;
    let url = format!("{}/posts", server.url());
    assert_eq!(get(&url, 1).await.0, 200);
    let refused = send(&url, 1).await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    assert_eq!(get(&url, 2).await.0, 200, "another account is not held up");
}
