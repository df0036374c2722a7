//! The reporting API and marketing's windows of time: what a run takes, what it gives, and how often.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Client, client, value};

const DATA: &str = "reporting/report-category/operations/reports/123/data";

impl Client {
    async fn run(&self, path: &str, body: &Value) -> (u16, Value) {
        let response = self.post(path, body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, value(&response.text().await.unwrap()))
    }
}

fn range(from: &str, to: &str) -> Value {
    json!({"parameters": [{"name": "From", "value": from}, {"name": "To", "value": to}]})
}

/// The rows of an answer as objects.
fn objects(answer: &Value) -> Vec<Value> {
    let names: Vec<&str> =
        answer["fields"].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()).collect();
    let object = |row: &Value| {
        let cells = row.as_array().unwrap();
        assert_eq!(cells.len(), names.len());
        names.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), cell.clone())).collect()
    };
    answer["data"].as_array().unwrap().iter().map(object).collect()
}

fn sorted(rows: impl IntoIterator<Item = Value>) -> Vec<String> {
    let mut rows: Vec<String> = rows
        .into_iter()
        .map(|row| {
            let cells: std::collections::BTreeMap<_, _> = row.as_object().unwrap().iter().collect();
            format!("{cells:?}")
        })
        .collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn reports_are_found_and_described() {
    let client = client(50, |_| {}).await;
    let categories = value(&client.get("reporting/report-categories").await);
    assert_eq!(categories["data"][0]["id"], "operations");
    let reports = value(&client.get("reporting/report-category/operations/reports?pageSize=1&includeTotal=true").await);
    assert_eq!(
        (&reports["hasMore"], &reports["totalCount"], &reports["data"][0]["id"]),
        (&json!(true), &json!(2), &json!(123))
    );
    let report = value(&client.get("reporting/report-category/operations/reports/123").await);
    assert_eq!(
        report["parameters"][0],
        json!({"name": "From", "label": "From", "dataType": "Date", "isArray": false, "isRequired": true, "acceptValues": null})
    );
    assert_eq!(report["fields"].as_array().unwrap().len(), 6);
    let set = report["parameters"][2]["acceptValues"]["dynamicSetId"].as_str().unwrap();
    let units = value(&client.get(&format!("reporting/dynamic-value-sets/{set}")).await);
    assert_eq!(units["data"][0], json!([1, "Unit 1"]));
    for (path, status) in [
        ("reporting/report-category/payroll/reports/123", 404),
        ("reporting/report-category/operations/reports/5", 404),
        ("reporting/unicorns", 404),
        ("reporting/report-categories?active=Any", 400),
        (DATA, 405),
    ] {
        assert_eq!(client.status(path).await, status, "{path}");
    }
    assert_eq!(client.run("jpm/jobs", &json!({})).await.0, 405);
}

#[tokio::test]
async fn a_run_wants_its_parameters() {
    let client = client(50, |options| options.report_interval = Duration::ZERO).await;
    let parameter = |name: &str, value: Value| json!({"name": name, "value": value});
    let (from, to) = (parameter("From", json!("2026-01-01")), parameter("To", json!("2026-01-02")));
    for (parameters, status) in [
        (json!([from, to]), 200),
        (json!([from, to, parameter("BusinessUnitIds", json!([1, 2]))]), 200),
        (json!([from, to, parameter("BusinessUnitIds", json!(["1"]))]), 400),
        (json!([from, to, parameter("Colour", json!("red"))]), 400),
        (json!([from, from, to]), 400),
        (json!([from]), 400),
        (json!([from, parameter("To", json!("2026-01-02T00:00:00Z"))]), 400),
        (json!([from, parameter("To", json!("2025-12-31"))]), 400),
        (json!({}), 400),
    ] {
        let (got, body) = client.run(DATA, &json!({"parameters": parameters})).await;
        assert_eq!(got, status, "{parameters}: {body}");
    }
    let (_, all) = client.run(DATA, &json!({"parameters": [from, to]})).await;
    let (_, some) =
        client.run(DATA, &json!({"parameters": [from, to, parameter("BusinessUnitIds", json!([1, 2, 3, 4]))]})).await;
    assert!(objects(&some).len() < objects(&all).len());
    assert!(objects(&some).iter().all(|row| row["BusinessUnit"].as_i64().unwrap() <= 4));
}

#[tokio::test]
async fn rows_follow_the_fields_of_their_own_answer() {
    let client = client(50, |options| options.report_interval = Duration::ZERO).await;
    let body = range("2026-01-01", "2026-01-20");
    let (_, first) = client.run(DATA, &body).await;
    let truth = client.server.report_truth("t1", 123, "2026-01-01", "2026-01-20");
    assert_eq!(sorted(objects(&first)), sorted(truth.iter().map(|row| value(row))));
    let (_, page) = client.run(&format!("{DATA}?page=2&pageSize=7&includeTotal=true"), &body).await;
    assert_eq!(objects(&page), objects(&first)[7..14]);
    assert_eq!((&page["hasMore"], page["totalCount"].as_u64()), (&json!(true), Some(truth.len() as u64)));
    client.server.set_generation(2);
    let (_, second) = client.run(DATA, &body).await;
    assert_eq!(second["fields"].as_array().unwrap().len(), 7);
    assert_ne!(second["fields"][0], first["fields"][0], "the columns stand in another order");
    let changed = |row: &&Value| {
        let same = |old: &Value| {
            old["JobNumber"] == row["JobNumber"] && old["Date"] == row["Date"] && old["Revenue"] == row["Revenue"]
        };
        !objects(&first).iter().any(same)
    };
    let new = objects(&second);
    let changed = new.iter().filter(changed).count();
    assert!(changed > 0 && changed < new.len() / 3, "{changed} of {}", new.len());
}

#[tokio::test]
async fn a_report_runs_once_in_a_span() {
    let mut client = client(50, |_| {}).await;
    let body = range("2026-01-01", "2026-01-01");
    assert_eq!(client.run(DATA, &json!({})).await.0, 400, "a wrong run does not count");
    assert_eq!(client.run(DATA, &body).await.0, 200);
    let refused = client.post(DATA, &body).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert_eq!(client.run(&DATA.replace("123", "124"), &body).await.0, 200, "another report");
    client.tenant = crate::client::tenant(2);
    client.token = client.log_in().await;
    assert_eq!(client.run(DATA, &body).await.0, 200, "another tenant");
}

#[tokio::test]
async fn windows_of_time_add_up() {
    let client = client(50, |_| {}).await;
    let leads = |from: &'static str, to: &'static str| {
        let client = &client;
        async move { client.records(&format!("marketingads/attributed-leads?fromUtc={from}&toUtc={to}"), 5).await }
    };
    let whole = leads("2026-01-01T00:00:00Z", "2026-01-04T23:59:59.999999Z").await;
    assert_eq!(whole, client.server.ads_truth("t1", "attributed-leads", None, "2026-01-01", "2026-01-04"));
    let mut halves = leads("2026-01-01T00:00:00Z", "2026-01-02T23:59:59.999999Z").await;
    halves.extend(leads("2026-01-03", "2026-01-04T23:59:59.999999Z").await);
    assert!(whole.len() >= 8 && whole == halves);
    assert!(
        leads("2026-01-01", "2026-01-01T12:00:00Z")
            .await
            .iter()
            .all(|lead| value(lead)["dateTime"].as_str() < Some("2026-01-01T12:"))
    );

    let path = "marketingads/performance?fromUtc=2026-01-01&toUtc=2026-01-01T23:59:59Z&performanceSegmentationType=";
    for segment in ["Campaign", "AdGroup", "Keyword"] {
        let rows = client.records(&format!("{path}{segment}"), 3).await;
        assert_eq!(rows, client.server.ads_truth("t1", "performance", Some(segment), "2026-01-01", "2026-01-01"));
        assert!(rows.iter().all(|row| value(row)["keyword"].is_object() == (segment == "Keyword")), "{segment}");
    }
    assert_eq!(client.status(&format!("{path}Colour")).await, 400);
    assert_eq!(client.status("marketingads/attributed-leads?fromUtc=2026-01-02&toUtc=2026-01-01").await, 400);
    assert_eq!(client.status("marketingads/attributed-leads?fromUtc=soon&toUtc=2026-01-01").await, 400);
}
