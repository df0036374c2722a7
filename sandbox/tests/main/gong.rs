//! Gong's stand-in as a client sees it: login, windows, cursors, bodies, late transcripts, generations, faults.
//! What is read to the end is compared with the oracle.

use std::collections::BTreeSet;
use std::time::Duration;

use sandbox::fault::{Fault, FaultAction};
use sandbox::gong::{self, Gong, Options};
use serde_json::{Map, Value, json};

const NOTHING: &str = "No calls found corresponding to the provided filters";
const WINDOW: &str = "fromDateTime=2025-01-01T00:00:00Z&toDateTime=2025-03-03T00:00:00Z";

struct Client {
    server: Gong,
    http: reqwest::Client,
}

async fn client(change: impl FnOnce(&mut Options)) -> Client {
    let mut options = Options { requests_per_second: None, ..Options::default() };
    change(&mut options);
    Client { server: gong::start(options).await.unwrap(), http: reqwest::Client::new() }
}

impl Client {
    fn request(&self, path: &str, body: Option<&Value>) -> reqwest::RequestBuilder {
        let url = format!("{}/v2/{path}", self.server.url());
        let request = match body {
            None => self.http.get(url),
            Some(body) => self.http.post(url).header("Content-Type", "application/json").body(body.to_string()),
        };
        let options = self.server.options();
        request.basic_auth(&options.access_key, Some(&options.access_key_secret))
    }

    async fn send(&self, path: &str, body: Option<&Value>) -> (u16, Value) {
        let response = self.request(path, body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }

    async fn refused(&self, path: &str, body: Option<&Value>) -> (u16, String) {
        let (status, answer) = self.send(path, body).await;
        assert!(answer["requestId"].is_string() && answer.get("records").is_none(), "{answer}");
        (status, answer["errors"][0].as_str().unwrap().to_owned())
    }

    /// Every page of a GET; the path has a query.
    async fn get_all(&self, path: &str, list: &str) -> Vec<Value> {
        let (mut all, mut next) = (Vec::new(), path.to_owned());
        loop {
            let (status, answer) = self.send(&next, None).await;
            assert_eq!(status, 200, "{answer}");
            all.extend(answer[list].as_array().unwrap().clone());
            let Some(cursor) = answer["records"].get("cursor") else { return all };
            next = format!("{path}&cursor={}", cursor.as_str().unwrap());
        }
    }

    /// Every page of a POST.
    async fn post_all(&self, path: &str, body: &Value, list: &str) -> Vec<Value> {
        let (mut all, mut body) = (Vec::new(), body.clone());
        loop {
            let (status, answer) = self.send(path, Some(&body)).await;
            assert_eq!(status, 200, "{answer}");
            all.extend(answer[list].as_array().unwrap().clone());
            let Some(cursor) = answer["records"].get("cursor") else { return all };
            body["cursor"] = cursor.clone();
        }
    }

    fn live(&self, stream: &str) -> Vec<Value> {
        self.server.oracle(self.server.generation()).live(stream).into_iter().cloned().collect()
    }
}

fn keys(records: &[Value], name: &str) -> BTreeSet<String> {
    let keys: BTreeSet<_> = records.iter().map(|record| record[name].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys.len(), records.len(), "keys are distinct");
    keys
}

fn sorted(records: &[Value]) -> BTreeSet<String> {
    records.iter().map(Value::to_string).collect()
}

fn without(record: &Value, names: &[&str]) -> Value {
    let fields = record.as_object().unwrap().iter().filter(|(name, _)| !names.contains(&name.as_str()));
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>())
}

#[tokio::test]
async fn only_the_key_and_its_secret_are_let_in() {
    let client = client(|_| {}).await;
    let url = format!("{}/v2/users", client.server.url());
    for (key, secret) in [("GONGSANDBOXKEY", "wrong"), ("who", "gong-sandbox-secret")] {
        assert_eq!(client.http.get(&url).basic_auth(key, Some(secret)).send().await.unwrap().status(), 401);
    }
    let bare = client.http.get(&url).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    assert!(bare.text().await.unwrap().contains("\"errors\""));
    assert_eq!(client.send("users", None).await.0, 200);
}

#[tokio::test]
async fn windows_of_dates() {
    let client = client(|_| {}).await;
    let window = |from: &str, to: &str| format!("calls?fromDateTime={from}&toDateTime={to}");
    for path in [
        "calls".to_owned(),
        "calls?fromDateTime=2025-01-01T00:00:00Z".to_owned(),
        window("2025-01-01", "2025-01-02"),
        window("2025-01-01T00:00:00Z", "2025-04-01T00:00:01Z"),
        window("2025-01-02T00:00:00Z", "2025-01-01T00:00:00Z"),
    ] {
        assert_eq!(client.refused(&path, None).await.0, 400, "{path}");
    }
    let empty = client.refused(&window("2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z"), None).await;
    assert_eq!(empty, (404, NOTHING.to_owned()));
    let unknown = client.refused("nothing", None).await;
    assert!(unknown.0 == 404 && unknown.1 != NOTHING);
    // Windows that touch give every call once: the lower bound is inclusive, the upper one is not.
    let mut all = Vec::new();
    for (from, to) in [("2024-08", "2024-10"), ("2024-10", "2024-12"), ("2024-12", "2025-02"), ("2025-02", "2025-04")] {
        let path = window(&format!("{from}-01T00:00:00Z"), &format!("{to}-01T00:00:00%2B00:00"));
        all.extend(client.get_all(&path, "calls").await);
    }
    assert_eq!(keys(&all, "id"), keys(&client.live("calls"), "id"));
    assert_eq!(sorted(&all), sorted(&client.live("calls")));
    let call = &all[7];
    let bound = call["scheduled"].as_str().unwrap();
    let later = chrono::DateTime::parse_from_rfc3339(bound).unwrap() + chrono::TimeDelta::days(1);
    let later = later.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let from_it = client.get_all(&window(bound, &later), "calls").await;
    assert!(from_it.contains(call), "the date is the scheduled time");
}

#[tokio::test]
async fn pages_and_cursors() {
    let client = client(|options| options.page_size = 30).await;
    let (_, first) = client.send(&format!("calls?{WINDOW}"), None).await;
    let records = &first["records"];
    assert_eq!((&records["currentPageSize"], &records["currentPageNumber"]), (&30.into(), &0.into()));
    let cursor = records["cursor"].as_str().unwrap();
    let (_, second) = client.send(&format!("calls?{WINDOW}&cursor={cursor}"), None).await;
    assert_eq!(second["records"]["currentPageNumber"], 1);
    let other = format!("calls?fromDateTime=2025-01-02T00:00:00Z&toDateTime=2025-03-03T00:00:00Z&cursor={cursor}");
    assert_eq!(client.refused(&other, None).await.0, 400, "a cursor is bound to its filter");
    let all = client.get_all(&format!("calls?{WINDOW}"), "calls").await;
    assert_eq!(records["totalRecords"], all.len());
    client.server.set_generation(2);
    assert_eq!(client.refused(&format!("calls?{WINDOW}&cursor={cursor}"), None).await.0, 400);
    let users = client.get_all("users?x=1", "users").await;
    assert_eq!(sorted(&users), sorted(&client.live("users")));
    let gone = client.server.oracle(2).streams["users"].iter().filter(|user| user.removed == Some(2)).count();
    assert!(gone > 0);
}

#[tokio::test]
async fn cursors_live_for_a_short_time() {
    let client = client(|options| options.cursor_lifetime = Duration::from_millis(30)).await;
    let (_, first) = client.send(&format!("calls?{WINDOW}"), None).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    let path = format!("calls?{WINDOW}&cursor={}", first["records"]["cursor"].as_str().unwrap());
    assert_eq!(client.refused(&path, None).await.0, 400);
}

#[tokio::test]
async fn the_long_form_holds_what_was_chosen() {
    let client = client(|_| {}).await;
    let all = json!({"filter": {}, "contentSelector": {"context": "Extended", "exposedFields": {
        "parties": true, "media": true, "collaboration": {"publicComments": true},
        "content": {"brief": true, "outline": true, "highlights": true, "callOutcome": true, "keyPoints": true, "structure": true,
            "topics": true, "trackers": true, "pointsOfInterest": true},
        "interaction": {"speakers": true, "personInteractionStats": true, "video": true, "questions": true}}}});
    let read = client.post_all("calls/extensive", &all, "calls").await;
    let expected: Vec<_> =
        client.live("calls_extensive").iter().map(|call| without(call, &["id", "started"])).collect();
    assert_eq!(sorted(&read), sorted(&expected));
    assert!(read.iter().all(|call| call.get("id").is_none() && call["metaData"]["id"].as_str().unwrap().len() == 19));
    let (_, bare) = client.send("calls/extensive", Some(&json!({"filter": {}}))).await;
    assert_eq!(bare["calls"][0].as_object().unwrap().keys().collect::<Vec<_>>(), ["metaData"]);
    for body in
        [json!({}), json!({"filter": []}), json!({"filter": {"callIds": [7]}}), json!({"filter": {}, "cursor": 1})]
    {
        assert_eq!(client.refused("calls/extensive", Some(&body)).await.0, 400, "{body}");
    }
    assert_eq!(client.refused("calls/extensive", None).await.0, 405);
}

#[tokio::test]
async fn ids_and_dates_narrow_transcripts_together() {
    let client = client(|_| {}).await;
    let transcripts = client.live("transcripts");
    let ids: Vec<&str> = transcripts.iter().take(100).map(|record| record["callId"].as_str().unwrap()).collect();
    let read = client.post_all("calls/transcript", &json!({"filter": {"callIds": ids}}), "callTranscripts").await;
    let expected: Vec<_> = transcripts.iter().take(100).map(|record| without(record, &["started"])).collect();
    assert_eq!(sorted(&read), sorted(&expected));
    let late = json!({"filter": {"callIds": ids, "fromDateTime": "2025-02-20T00:00:00Z", "toDateTime": "2025-03-01T00:00:00Z"}});
    assert_eq!(client.refused("calls/transcript", Some(&late)).await, (404, NOTHING.to_owned()));
    let unknown = json!({"filter": {"callIds": ["1"]}});
    assert_eq!(client.refused("calls/transcript", Some(&unknown)).await, (404, NOTHING.to_owned()));
    let too_many: Vec<String> = (0..101).map(|id| id.to_string()).collect();
    assert_eq!(client.refused("calls/transcript", Some(&json!({"filter": {"callIds": too_many}}))).await.0, 400);
    let sentences: usize = read
        .iter()
        .flat_map(|record| record["transcript"].as_array().unwrap())
        .map(|turn| turn["sentences"].as_array().unwrap().len())
        .sum();
    let places: BTreeSet<_> = client
        .live("transcript_sentences")
        .iter()
        .filter(|sentence| ids.contains(&sentence["callId"].as_str().unwrap()))
        .map(|sentence| (sentence["callId"].to_string(), sentence["turn"].as_u64(), sentence["position"].as_u64()))
        .collect();
    assert_eq!(places.len(), sentences, "call, turn and position are a key");
}

#[tokio::test]
async fn transcripts_come_later_and_calls_change() {
    let client = client(|options| options.calls = 800).await;
    let (first, second) = (client.server.oracle(1), client.server.oracle(2));
    let had: BTreeSet<_> = first.live("transcripts").iter().map(|record| record["callId"].to_string()).collect();
    let until = client.server.options().until_ms;
    let late: Vec<_> = second.streams["transcripts"]
        .iter()
        .filter(|record| record.removed.is_none() && record.born == 1)
        .filter(|record| !had.contains(&record.record["callId"].to_string()))
        .collect();
    assert!(!late.is_empty() && late.iter().all(|record| record.started_ms.unwrap() > until - 86_400_000));
    assert!(second.streams["transcripts"].iter().all(|record| record.born == 1), "new calls have none yet");
    let of = |choose: &dyn Fn(&gong::OracleRecord) -> bool| {
        second.streams["calls"].iter().filter(|call| choose(call)).count()
    };
    assert!(of(&|call| call.removed == Some(2)) > 0 && of(&|call| call.born == 2) > 0);
    let changed =
        second.streams["calls"].iter().find(|call| call.born == 1 && call.version == 2 && call.removed.is_none());
    assert!(changed.unwrap().record["title"].as_str().unwrap().ends_with("(edited 2)"));
    client.server.set_generation(2);
    let read = client.get_all(&format!("calls?{WINDOW}"), "calls").await;
    let live = keys(&client.live("calls"), "id");
    assert!(keys(&read, "id").is_subset(&live) && read.len() > 100);
}

#[tokio::test]
async fn every_fault_strikes_once() {
    let client = client(|options| options.page_size = 20).await;
    let path = format!("calls?{WINDOW}");
    let retry_after = "2".to_owned();
    // action, status, part of the body, whether the body is JSON
    let cases = [
        (FaultAction::Status(500), 500, "\"errors\"", true),
        (FaultAction::Status(404), 404, "Not Found", true),
        (FaultAction::TooManyRequests { retry_after }, 429, "\"errors\"", true),
        (FaultAction::Unauthorized, 401, "\"errors\"", true),
        (FaultAction::Html, 200, "<!DOCTYPE html>", false),
        (FaultAction::WrongJson, 200, "requestId", false),
    ];
    for (action, status, part, is_json) in cases {
        client.server.add_fault(Fault::once("/calls", action.clone()));
        let response = client.request(&path, None).send().await.unwrap();
        assert_eq!(response.status(), status, "{action:?}");
        assert_eq!(response.headers().get("retry-after").is_some(), status == 429);
        let text = response.text().await.unwrap();
        assert!(text.contains(part) && !text.contains(NOTHING), "{action:?}: {text}");
        assert_eq!(serde_json::from_str::<Value>(&text).is_ok(), is_json);
        assert_eq!(client.send(&path, None).await.0, 200);
    }
    client.server.add_fault(Fault::once("/calls", FaultAction::CutBody { after_bytes: 300 }));
    assert!(client.request(&path, None).send().await.unwrap().bytes().await.is_err());
    // The second page of a POST is found by its body.
    let fault =
        Fault { query_contains: Some("\"cursor\"".to_owned()), ..Fault::once("/extensive", FaultAction::RepeatToken) };
    client.server.add_fault(fault);
    let mut body = json!({"filter": {}});
    let (_, first) = client.send("calls/extensive", Some(&body)).await;
    body["cursor"] = first["records"]["cursor"].clone();
    let (_, second) = client.send("calls/extensive", Some(&body)).await;
    assert_eq!(second["records"]["cursor"], body["cursor"], "the cursor repeats");
    let (_, again) = client.send("calls/extensive", Some(&body)).await;
    assert_ne!(again["records"]["cursor"], body["cursor"]);
    let last = client.server.requests().pop().unwrap();
    assert_eq!((last.method.as_str(), last.status), ("POST", 200));
    assert_eq!(serde_json::from_str::<Value>(&last.query).unwrap(), body, "the log holds the body");
}

#[tokio::test]
async fn three_a_second_and_so_many_a_day() {
    let limited = client(|options| options.requests_per_second = Some(3)).await;
    let answers = futures::future::join_all((0..20).map(|_| limited.request("users", None).send())).await;
    let mut statuses = Vec::new();
    for response in answers.into_iter().map(Result::unwrap) {
        assert_eq!(response.headers().get("retry-after").is_some(), response.status() == 429);
        statuses.push(response.status().as_u16());
    }
    assert!(statuses.iter().filter(|status| **status == 200).count() >= 3 && statuses.contains(&429), "{statuses:?}");
    let limited = client(|options| options.requests_per_day = Some(2)).await;
    for _ in 0..2 {
        assert_eq!(limited.send("users", None).await.0, 200);
    }
    let response = limited.request("users", None).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"3600".parse().unwrap()));
}
