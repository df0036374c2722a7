//! What ServiceTitan gives by day only: marketing's windows of time, and reports of the user's own.
//! The last day is always yesterday (UTC), so the days of a test are counted back from today.

use crate::support::{Bench, TENANT, sorted, unit};
use chrono::{Days, NaiveDate, Utc};
use contract::batch::Batch;
use contract::exit::Exit;
use contract::landing::paths;
use contract::stored::{self, Checkpoint};
use sandbox::servicetitan::{self, Options};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Whole days before today.
fn ago(days: u64) -> NaiveDate {
    Utc::now().date_naive().checked_sub_days(Days::new(days)).unwrap()
}

/// Runs a test that counts days, but not across midnight.
async fn within_a_day<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    if Utc::now().format("%H:%M").to_string() == "23:59" {
        tokio::time::sleep(Duration::from_secs(61)).await;
    }
    test().await;
}

/// A record without the fields that the manifest adds, and those.
fn split(line: &str, added: &[&str]) -> (Value, Map<String, Value>) {
    let mut record: Map<String, Value> = serde_json::from_str(line).unwrap();
    let added = added.iter().map(|name| ((*name).to_owned(), record.shift_remove(*name).unwrap())).collect();
    (Value::Object(record), added)
}

fn values(lines: &[String]) -> Vec<String> {
    sorted(lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap().to_string()).collect())
}

/// Every field of the key is there, and no two records have the same key.
fn check_keys(batch: &Batch, lines: &[String]) {
    let key = |line: &String| {
        let record: Value = serde_json::from_str(line).unwrap();
        let key: Vec<Value> = batch.primary_key.iter().map(|field| record[field].clone()).collect();
        assert!(!key.is_empty() && key.iter().all(|part| !part.is_null()), "{line}");
        json!(key).to_string()
    };
    assert_eq!(lines.iter().map(key).collect::<BTreeSet<_>>().len(), lines.len(), "{}", batch.stream);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_are_whole_days_up_to_yesterday() {
    within_a_day(|| async {
        let bench = Bench::new(10).await;
        bench.write_pipeline(3, &format!("          first_day: \"{}\"\n", ago(4)));
        let names = ["attributed_leads", "performance", "performance_ad_group", "performance_keyword"];
        let report = bench.extract(&names).await;
        assert_eq!(report.exit(), Exit::Done, "{report:#?}");

        let (batch, lines) = bench.records(&report.run_id, "attributed_leads").await;
        check_keys(&batch, &lines);
        let (first, last) = (ago(4).to_string(), ago(1).to_string());
        let truth = bench.server.ads_truth(TENANT, "attributed-leads", None, &first, &last);
        let records: Vec<String> =
            lines.iter().map(|line| split(line, &["windowFrom", "leadSource"]).0.to_string()).collect();
        assert_eq!(values(&records), values(&truth));
        assert_eq!(batch.state_after.unwrap(), json!({"windowFrom": format!("{last}T00:00:00.000000Z")}));

        for (name, segment) in
            [("performance", "Campaign"), ("performance_ad_group", "AdGroup"), ("performance_keyword", "Keyword")]
        {
            let (batch, lines) = bench.records(&report.run_id, name).await;
            check_keys(&batch, &lines);
            for days in 1..=4 {
                let day = ago(days).to_string();
                let truth = bench.server.ads_truth(TENANT, "performance", Some(segment), &day, &day);
                let of_day = lines.iter().map(|line| split(line, &["windowFrom", "segment"]));
                let of_day = of_day.filter(|(_, added)| added["windowFrom"] == format!("{day}T00:00:00.000000Z"));
                let of_day: Vec<String> = of_day.map(|(record, _)| record.to_string()).collect();
                assert_eq!(values(&of_day), values(&truth), "{name} of {day}");
            }
        }
    })
    .await;
}

/// A bench with the built-in manifest as a file, in which reports may run as often as one likes, and these settings.
async fn reports_bench(settings: &str) -> Bench {
    let options = Options { report_interval: Duration::ZERO, records: 10, ..Options::default() };
    let bench = Bench::with(servicetitan::Options { requests_per_second: None, ..options }, 50).await;
    let manifest = include_str!("../connectors/servicetitan.yaml");
    let quick = manifest.replace("{limit: 1, interval: PT1M}", "{limit: 100, interval: PT0.01S}");
    assert_ne!(manifest, quick);
    std::fs::write(bench.folder.path().join("quick.yaml"), quick).unwrap();
    bench.write_pipeline(50, settings);
    let text = std::fs::read_to_string(bench.pipeline()).unwrap();
    let text = text.replace("connector: servicetitan\n", "connector: ./quick.yaml\n    name: servicetitan\n");
    std::fs::write(bench.pipeline(), text).unwrap();
    bench
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_become_streams_with_the_days_of_their_windows() {
    within_a_day(|| async {
        let settings = format!(
            "          first_day: \"{}\"\n          reports:\n            - {{id: 123, category: operations, name: by_day, keys: [JobNumber]}}\n            \
             - {{id: 124, category: operations, name: by_week, days: 7}}\n            - {{id: 123, category: operations, name: some, \
             keys: [JobNumber], parameters: {{BusinessUnitIds: [1, 2]}}}}\n            - {{id: 7001, category: payroll, name: balances, \
             keys: [Employee], from_parameter: AsOfDate, to_parameter: \"\"}}\n",
            ago(9)
        );
        let bench = reports_bench(&settings).await;
        let names = ["report_by_day", "report_by_week", "report_some", "report_balances"];
        let report = bench.extract(&names).await;
        assert_eq!(report.exit(), Exit::Done, "{report:#?}");
        let (first, last) = (ago(9).to_string(), ago(1).to_string());
        let added = ["reportFrom", "reportTo"];

        let (batch, lines) = bench.records(&report.run_id, "report_by_day").await;
        assert_eq!(batch.primary_key, ["reportFrom", "JobNumber"]);
        let records: Vec<String> = lines.iter().map(|line| split(line, &added).0.to_string()).collect();
        assert_eq!(values(&records), values(&bench.server.report_truth(TENANT, 123, &first, &last)));
        for line in &lines {
            let (record, window) = split(line, &added);
            assert_eq!(window["reportFrom"], window["reportTo"]);
            assert!(record["Date"].as_str().unwrap().starts_with(window["reportFrom"].as_str().unwrap()));
        }
        assert_eq!(batch.state_after.unwrap(), json!({"reportFrom": last}));

        let (batch, lines) = bench.records(&report.run_id, "report_by_week").await;
        assert!(batch.primary_key.is_empty());
        let windows: BTreeSet<String> = lines.iter().map(|line| json!(split(line, &added).1).to_string()).collect();
        let window = |from: u64, to: u64| json!({"reportFrom": ago(from).to_string(), "reportTo": ago(to).to_string()}).to_string();
        assert_eq!(windows, [window(9, 3), window(2, 1)].into());

        let (_, lines) = bench.records(&report.run_id, "report_some").await;
        assert!(!lines.is_empty() && lines.len() < records.len());
        assert!(lines.iter().all(|line| split(line, &added).0["BusinessUnit"].as_i64().unwrap() <= 2));
        let (batch, lines) = bench.records(&report.run_id, "report_balances").await;
        check_keys(&batch, &lines);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_run_of_a_report_begins_a_week_back_and_follows_its_columns() {
    within_a_day(|| async {
        let settings = format!(
            "          first_day: \"{}\"\n          reports: [{{id: 123, category: operations, name: by_day, keys: [JobNumber]}}]\n",
            ago(20)
        );
        let bench = reports_bench(&settings).await;
        let first = bench.extract(&["report_by_day"]).await;
        let (batch, _) = bench.records(&first.run_id, "report_by_day").await;
        let checkpoint =
            Checkpoint { run_id: first.run_id.clone(), state: batch.state_after.unwrap(), updated_at: Utc::now(), table: None, covered: None };
        stored::write(bench.landing().as_ref(), &paths::checkpoint(&unit("report_by_day")), &checkpoint).await.unwrap();
        bench.server.set_generation(2);
        let second = bench.extract(&["report_by_day"]).await;
        assert_eq!(second.exit(), Exit::Done, "{second:#?}");
        let (_, lines) = bench.records(&second.run_id, "report_by_day").await;
        let records: Vec<String> = lines.iter().map(|line| split(line, &["reportFrom", "reportTo"]).0.to_string()).collect();
        let truth = bench.server.report_truth(TENANT, 123, &ago(8).to_string(), &ago(1).to_string());
        assert_eq!(values(&records), values(&truth));
        assert!(records.iter().all(|record| record.contains("Margin")));
    })
    .await;
}
