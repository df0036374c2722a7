//! The stand-in of Callio as an ordinary HTTP client sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sandbox::callio::{self, Account, Callio, Lists, Options};
use sandbox::fault::{Fault, FaultAction};
use serde_json::{Value, json};

const DAY: i64 = 86_400_000;

fn account(number: u32) -> Account {
    Account {
        id: format!("a{number}"),
        email: format!("a{number}@callio.example"),
        password: format!("secret{number}"),
    }
}

async fn server(records: usize, change: impl FnOnce(&mut Options)) -> Callio {
    let mut options = Options { records, accounts: vec![account(1), account(2)], ..Options::default() };
    change(&mut options);
    callio::start(options).await.unwrap()
}

async fn log_in(server: &Callio, number: u32) -> String {
    let account = account(number);
    let body = json!({"email": account.email, "password": account.password}).to_string();
    let (status, answer) = post_login(server, body).await;
    assert_eq!(status, 200, "{answer}");
    answer["token"].as_str().unwrap().to_owned()
}

async fn post_login(server: &Callio, body: String) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("{}/auth/login", server.url()));
    let response = request.header("content-type", "application/json").body(body).send().await.unwrap();
    (response.status().as_u16(), serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

async fn send(server: &Callio, token: &str, path: &str) -> reqwest::Response {
    let request = reqwest::Client::new().get(format!("{}{path}", server.url()));
    request.header("token", token).send().await.unwrap()
}

async fn get(server: &Callio, token: &str, path: &str) -> (u16, Value) {
    let response = send(server, token, path).await;
    let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

/// Every page of a list; the API's own word decides whether another one follows.
async fn all(server: &Callio, token: &str, path: &str, size: usize) -> Vec<Value> {
    let (mut records, joint) = (Vec::new(), if path.contains('?') { '&' } else { '?' });
    for page in 1.. {
        let (status, body) = get(server, token, &format!("{path}{joint}page={page}&pageSize={size}")).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["page"], page);
        let docs = body["docs"].as_array().unwrap();
        records.extend(docs.iter().cloned());
        if body["hasNextPage"] == false {
            assert_eq!(body["totalDocs"], records.len());
            assert_eq!(body["totalPages"], records.len().div_ceil(size));
            break;
        }
        assert_eq!(docs.len(), size);
    }
    records
}

fn id(record: &Value) -> String {
    let id = record.get("_id").or(record.get("id")).and_then(Value::as_str);
    id.unwrap_or_else(|| panic!("no id: {record}")).to_owned()
}

fn by_id(records: &[Value]) -> BTreeMap<String, Value> {
    let map: BTreeMap<_, _> = records.iter().map(|record| (id(record), record.clone())).collect();
    assert_eq!(map.len(), records.len(), "ids are distinct");
    map
}

/// A time in any of its forms.
fn ms(value: &Value) -> i64 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        number => number.as_i64().unwrap_or_else(|| number.as_f64().unwrap() as i64),
    }
}

#[tokio::test]
async fn a_login_opens_its_own_account() {
    let server = server(40, |_| {}).await;
    let cases = [
        (json!({"email": "a1@callio.example", "password": "secret2"}).to_string(), 401),
        (json!({"email": "nobody@callio.example", "password": "secret1"}).to_string(), 401),
        ("email=a1@callio.example&password=secret1".to_owned(), 400),
        (json!({"email": "A1@callio.example", "password": "secret1"}).to_string(), 200),
    ];
    for (body, status) in cases {
        assert_eq!(post_login(&server, body.clone()).await.0, status, "{body}");
    }
    let (one, two) = (log_in(&server, 1).await, log_in(&server, 2).await);
    let first = all(&server, &one, "/customer", 25).await;
    let second = all(&server, &two, "/customer", 25).await;
    assert_eq!(by_id(&first), by_id(&server.oracle("a1", 1)["customers"]));
    assert_eq!(by_id(&second), by_id(&server.oracle("a2", 1)["customers"]));
    assert!(by_id(&first).keys().all(|id| !by_id(&second).contains_key(id)), "accounts share no record");
    assert!(server.oracle("a3", 1).is_empty());

    for token in ["", "Bearer", "sandbox.9.0"] {
        assert_eq!(get(&server, token, "/call").await.0, 401, "{token}");
    }
    assert_eq!(get(&server, &one, "/nothing").await.0, 404);
    let bearer = reqwest::Client::new().get(format!("{}/user", server.url())).bearer_auth(&one).send().await.unwrap();
    assert_eq!(bearer.status(), 401, "the token has a header of its own");
    let seen = server.requests();
    let logins: Vec<_> = seen.iter().filter(|seen| seen.path == "/auth/login" && seen.status == 200).collect();
    assert_eq!(
        logins.iter().map(|seen| seen.tenant.as_deref()).collect::<Vec<_>>(),
        [Some("a1"), Some("a1"), Some("a2")]
    );
    assert!(seen.iter().any(|seen| seen.path == "/customer" && seen.has_authorization && seen.tenant.is_some()));
}

#[tokio::test]
async fn tokens_end() {
    let server = server(10, |options| options.token_lifetime = Duration::ZERO).await;
    let token = log_in(&server, 1).await;
    assert_eq!(get(&server, &token, "/user").await.0, 401, "too old");

    let server = self::server(10, |_| {}).await;
    let token = log_in(&server, 1).await;
    assert_eq!(get(&server, &token, "/user").await.0, 200);
    server.expire_tokens();
    assert_eq!(get(&server, &token, "/user").await.0, 401);

    let token = log_in(&server, 1).await;
    server.add_fault(Fault::once("/user", FaultAction::Unauthorized));
    let statuses = [get(&server, &token, "/user").await.0, get(&server, &token, "/user").await.0];
    assert_eq!(statuses, [401, 401], "the fault spoils the token");
    let token = log_in(&server, 1).await;
    assert_eq!(get(&server, &token, "/user").await.0, 200);
}

#[tokio::test]
async fn the_two_pairs_of_bounds_look_at_different_times() {
    let server = server(600, |_| {}).await;
    let token = log_in(&server, 1).await;
    let customers = server.oracle("a1", 1).remove("customers").unwrap();
    let edge = ms(&customers[300]["updateTime"]);
    let (from, to) = (edge - 5 * DAY, edge);
    for (names, field) in [(["from", "to"], "createTime"), (["fromUpdateTime", "toUpdateTime"], "updateTime")] {
        let path = format!("/customer?{}={from}&{}={to}&sort=updateTimeDESC", names[0], names[1]);
        let found = all(&server, &token, &path, 50).await;
        let times: Vec<_> = found.iter().map(|record| ms(&record["updateTime"])).collect();
        assert!(times.is_sorted_by(|a, b| a >= b), "newest first");
        let expected: BTreeSet<_> =
            customers.iter().filter(|record| (from..=to).contains(&ms(&record[field]))).map(id).collect();
        assert_eq!(found.iter().map(id).collect::<BTreeSet<_>>(), expected, "{field}");
        assert!(expected.len() > 20 && expected.len() < 600);
    }
    // Both ends are included.
    let path = format!("/customer?fromUpdateTime={edge}&toUpdateTime={edge}");
    assert!(all(&server, &token, &path, 50).await.iter().any(|record| ms(&record["updateTime"]) == edge));
}

#[tokio::test]
async fn deep_pages_and_wrong_parameters_are_refused() {
    let server = server(12_000, |options| options.days = 2).await;
    let token = log_in(&server, 1).await;
    let (status, last) = get(&server, &token, "/call?page=20&pageSize=500").await;
    assert_eq!((status, &last["hasNextPage"], &last["totalDocs"]), (200, &json!(true), &json!(12_000)));
    let (status, body) = get(&server, &token, "/call?page=21&pageSize=500").await;
    assert_eq!(status, 400);
    assert!(body["message"].as_str().unwrap().starts_with("Result window is too large"), "{body}");
    assert_eq!(get(&server, &token, "/call?page=10001&pageSize=1").await.0, 400);
    // Half of the time is half of the records.
    let middle = server.options().first_day.timestamp_millis() + DAY;
    assert_eq!(all(&server, &token, &format!("/call?from={middle}"), 500).await.len(), 6000);

    for query in ["pageSize=501", "page=0", "sort=-createTime", "from=today", "updatedAfter=1"] {
        let (status, body) = get(&server, &token, &format!("/call?{query}")).await;
        assert_eq!(status, 400, "{query}");
        assert!(!body["message"].as_str().unwrap().contains("window"), "{body}");
    }
}

#[tokio::test]
async fn oddities_of_the_records() {
    let server = server(2000, |_| {}).await;
    let oracle = server.oracle("a1", 1);
    let times: Vec<_> = oracle["calls"].iter().map(|call| &call["createTime"]).collect();
    assert!(times.iter().any(|time| time.is_string()) && times.iter().any(|time| time.is_f64()));
    assert!(times.iter().filter(|time| time.is_i64()).count() > 1500);
    for key in ["_id", "id"] {
        assert!(oracle["user_groups"].iter().any(|group| group.get(key).is_some()), "{key}");
    }
    assert!(oracle["users"].iter().any(|user| user["group"].is_string()));
    assert!(oracle["users"].iter().any(|user| user["group"]["_id"].is_string()));
    let customers = &oracle["customers"];
    for (name, is) in
        [("null", Value::is_null as fn(&Value) -> bool), ("text", Value::is_string), ("object", Value::is_object)]
    {
        assert!(customers.iter().any(|customer| is(&customer["user"])), "a user that is {name}");
    }
    assert!(customers.iter().any(|customer| customer["customFields"][0].get("value").is_some()));
    assert!(customers.iter().any(|customer| customer["name"].as_str().unwrap().starts_with("Đặng")));

    let plain = self::server(300, |options| options.odd_times = false).await.oracle("a1", 1);
    assert!(plain["calls"].iter().all(|call| call["createTime"].is_i64()));
}

#[tokio::test]
async fn users_and_groups_in_both_forms() {
    for (form, is_array) in [(Lists::PageObject, false), (Lists::BareArray, true)] {
        let server = server(1000, |options| options.users_as = form).await;
        let token = log_in(&server, 1).await;
        for (path, stream) in [("/user", "users"), ("/user-group", "user_groups")] {
            let (status, body) = get(&server, &token, &format!("{path}?page=1&pageSize=500")).await;
            assert_eq!((status, body.is_array()), (200, is_array));
            let records = if is_array { body.as_array() } else { body["docs"].as_array() };
            assert_eq!(by_id(records.unwrap()), by_id(&server.oracle("a1", 1)[stream]));
        }
        assert!(get(&server, &token, "/customer").await.1.is_object(), "customers are always paged");
    }
}

#[tokio::test]
async fn generations_change_add_and_remove() {
    let server = server(500, |_| {}).await;
    let token = log_in(&server, 1).await;
    server.set_generation(2);
    let end_of_first = server.options().first_day.timestamp_millis() + 30 * DAY;
    for stream in ["customers", "users", "user_groups"] {
        let (before, after) = (by_id(&server.oracle("a1", 1)[stream]), by_id(&server.oracle("a1", 2)[stream]));
        let changed: Vec<_> = after.iter().filter(|(id, now)| before.get(*id).is_some_and(|old| old != *now)).collect();
        assert!(!changed.is_empty(), "{stream}: changes");
        assert!(before.keys().any(|id| !after.contains_key(id)), "{stream}: removes");
        assert!(after.keys().any(|id| !before.contains_key(id)), "{stream}: adds");
        if stream != "user_groups" {
            assert!(
                changed.iter().all(|(_, now)| ms(&now["updateTime"]) >= end_of_first),
                "{stream}: a new time of update"
            );
            assert!(changed.iter().all(|(id, now)| now["createTime"] == before[*id]["createTime"]));
        }
    }
    // An edit is found by its own time, however old the customer is; by the time of creation it is not.
    let customers = server.oracle("a1", 2).remove("customers").unwrap();
    let edited = |record: &&Value| ms(&record["updateTime"]) >= end_of_first;
    let expected: BTreeSet<_> = customers.iter().filter(edited).map(id).collect();
    let found = all(&server, &token, &format!("/customer?fromUpdateTime={end_of_first}"), 500).await;
    assert_eq!(found.iter().map(id).collect::<BTreeSet<_>>(), expected);
    let created = all(&server, &token, &format!("/customer?from={end_of_first}"), 500).await;
    assert!(created.len() < expected.len());
}

#[tokio::test]
async fn calls_are_filled_in_later_and_never_removed() {
    let server = server(3000, |_| {}).await;
    let (before, after) = (by_id(&server.oracle("a1", 1)["calls"]), by_id(&server.oracle("a1", 2)["calls"]));
    let unfinished: Vec<_> = before.iter().filter(|(_, call)| call["endTime"].is_null()).collect();
    assert!(!unfinished.is_empty());
    let end = server.options().first_day.timestamp_millis() + 30 * DAY;
    for (id, call) in &unfinished {
        assert_eq!(call["duration"], 0);
        assert!(ms(&call["createTime"]) >= end - DAY, "only late calls");
        assert!(!after[*id]["endTime"].is_null(), "filled in");
        assert_eq!(after[*id]["createTime"], call["createTime"]);
    }
    let same = before.iter().filter(|(id, call)| after[*id] == **call).count();
    assert_eq!(same + unfinished.len(), before.len(), "nothing else changes");
    assert!(after.len() > before.len());
}

#[tokio::test]
async fn faults_strike() {
    let server = server(100, |_| {}).await;
    let token = log_in(&server, 1).await;
    let cases = [
        (FaultAction::Status(503), 503, "\"statusCode\":503"),
        (FaultAction::StatusWithBody(400, "{\"message\":\"odd\"}".to_owned()), 400, "odd"),
        (FaultAction::TooManyRequests { retry_after: "2".to_owned() }, 429, "Too many"),
        (FaultAction::Html, 200, "<!DOCTYPE html>"),
        (FaultAction::EmptyBody, 200, ""),
        (FaultAction::WrongJson, 200, "<!-- proxy -->"),
        (FaultAction::RepeatPage, 200, "\"hasNextPage\":true"),
        (FaultAction::WrongTotal, 200, "\"totalDocs\":107"),
    ];
    for (action, status, part) in cases {
        let name = format!("{action:?}");
        server.add_fault(Fault { tenant: Some("a1".to_owned()), ..Fault::once("/customer", action) });
        let response = send(&server, &token, "/customer?page=7&pageSize=50").await;
        assert_eq!(response.status(), status, "{name}");
        assert_eq!(response.headers().contains_key("retry-after"), status == 429, "{name}");
        let text = response.text().await.unwrap();
        assert!(text.contains(part) && text.is_empty() == part.is_empty(), "{name}: {text}");
        assert_eq!(get(&server, &token, "/customer").await.0, 200, "{name} strikes once");
    }
    server.add_fault(Fault::once("/customer", FaultAction::CutBody { after_bytes: 300 }));
    assert!(send(&server, &token, "/customer").await.bytes().await.is_err());
    server.add_fault(Fault::once("/auth/login", FaultAction::Status(502)));
    let body = json!({"email": "a2@callio.example", "password": "secret2"}).to_string();
    assert_eq!(post_login(&server, body).await.0, 502);
    server.add_fault(Fault::once("/customer", FaultAction::Status(500)).always());
    assert_eq!(get(&server, &token, "/customer").await.0, 500);
    server.clear_faults();
    assert_eq!(get(&server, &token, "/customer").await.0, 200);
}

#[tokio::test]
async fn too_many_requests_of_one_account() {
    let server = server(10, |options| options.requests_per_second = Some(1)).await;
    let (one, two) = (log_in(&server, 1).await, log_in(&server, 2).await);
    assert_eq!(get(&server, &one, "/user").await.0, 200);
    let refused = send(&server, &one, "/user").await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    assert_eq!(get(&server, &two, "/user").await.0, 200, "another account is not held up");
}

#[tokio::test]
async fn wrong_options_are_told() {
    for change in [|options: &mut Options| options.days = 0, |options: &mut Options| options.max_page_size = 0] {
        let mut options = Options::default();
        change(&mut options);
        assert!(callio::start(options).await.is_err());
    }
}
