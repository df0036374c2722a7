//! A whole extract: what lands is exactly what the API has, byte for byte, and the state leads on.

use crate::support::{APP_KEY, Bench, SECRET, TENANT, contains, of, sorted, unit};
use chrono::Utc;
use contract::batch::BatchMode;
use contract::exit::Exit;
use contract::landing::paths;
use contract::report::UnitStatus;
use contract::stored::{self, Checkpoint, Latest};
use serde_json::Value;
use std::collections::BTreeSet;

fn id_of(line: &str) -> u64 {
    serde_json::from_str::<Value>(line).unwrap()["id"].as_u64().unwrap()
}

/// Stream and the stand-in's resource.
const STREAMS: [(&str, &str); 12] = [
    ("business_units", "business-units"),
    ("job_types", "job-types"),
    ("technicians", "technicians"),
    ("employees", "employees"),
    ("campaigns", "campaigns"),
    ("activities", "activities"),
    ("timesheets", "jobs/timesheets"),
    ("jobs", "jobs"),
    ("customers", "customers"),
    ("invoices", "invoices"),
    ("locations", "locations"),
    ("gross_pay_items", "gross-pay-items"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_lands_as_it_was_sent() {
    let bench = Bench::new(730).await;
    let streams: Vec<&str> = STREAMS.iter().map(|(stream, _)| *stream).chain(["jobs_export"]).collect();
    let report = bench.extract(&streams).await;
    assert_eq!(report.exit(), Exit::Done, "{report:?}");
    assert_eq!(report.units.len(), STREAMS.len() + 1);
    for (stream, resource) in STREAMS {
        let (batch, lines) = bench.records(&report.run_id, stream).await;
        assert!(sorted(lines) == sorted(bench.server.truth(TENANT, resource)), "{stream}");
        assert!(batch.stable && batch.primary_key == ["id"] && batch.table == stream, "{batch:?}");
        assert_eq!(of(&report, stream).rows_extracted, batch.records);
        let state = batch.state_after.clone();
        assert_eq!(
            (batch.mode == BatchMode::Incremental, state.is_some()),
            (batch.cursor_field.is_some(), batch.cursor_field.is_some()),
            "{stream}"
        );
    }
    let everything = bench.everything_stored();
    assert!(!contains(&everything, SECRET) && !contains(&everything, APP_KEY));
    let latest: Latest = stored::read(bench.landing().as_ref(), paths::LATEST).await.unwrap().unwrap();
    assert_eq!((latest.run_id, latest.durations_ms.len()), (report.run_id, STREAMS.len() + 1));
    assert!(bench.landing().get(paths::LEASE).await.unwrap().is_none(), "the lease is given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_is_the_highest_value_seen_and_the_next_run_starts_there() {
    let bench = Bench::new(300).await;
    let report = bench.extract(&["jobs", "jobs_export"]).await;
    let (batch, lines) = bench.records(&report.run_id, "jobs").await;
    let modified = |line: &String| {
        let value: Value = serde_json::from_str(line).unwrap();
        chrono::DateTime::parse_from_rfc3339(value["modifiedOn"].as_str().unwrap()).unwrap()
    };
    let highest = lines.iter().map(modified).max().unwrap();
    let state = batch.state_after.clone().unwrap();
    let text = state["modifiedOn"].as_str().unwrap();
    assert_eq!(text, highest.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
    let export = bench.batch(&report.run_id, "jobs_export").await.unwrap();
    assert!(export.state_after.as_ref().unwrap()["next_page_token"].is_string());

    // The load would move the checkpoints; a new run then reads what has changed, and the feed what came since.
    for (stream, state) in [("jobs", state.clone()), ("jobs_export", export.state_after.clone().unwrap())] {
        let checkpoint =
            Checkpoint { run_id: report.run_id.clone(), state, updated_at: Utc::now(), table: None, covered: None };
        stored::write(bench.landing().as_ref(), &paths::checkpoint(&unit(stream)), &checkpoint).await.unwrap();
    }
    bench.server.set_generation(2);
    bench.server.clear_requests();
    let second = bench.extract(&["jobs", "jobs_export"]).await;
    assert_eq!(second.exit(), Exit::Done, "{second:?}");
    let (_, changed) = bench.records(&second.run_id, "jobs").await;
    assert!(!changed.is_empty() && changed.len() < lines.len() / 2, "{} of {}", changed.len(), lines.len());
    let truth = bench.server.truth(TENANT, "jobs");
    let new: Vec<&String> = truth.iter().filter(|line| !lines.contains(line)).collect();
    assert!(new.iter().all(|line| changed.contains(line)), "everything new has come");
    let (_, fed) = bench.records(&second.run_id, "jobs_export").await;
    let ids = |lines: &[String]| lines.iter().map(|line| id_of(line)).collect::<BTreeSet<_>>();
    let fed_ids = ids(&fed);
    assert!(new.iter().all(|line| fed_ids.contains(&id_of(line))), "by the feed too");
    assert!(fed.len() < lines.len() / 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_stream_is_a_batch_without_parts_and_keeps_its_state() {
    let options = sandbox::servicetitan::Options {
        overrides: [("jobs".to_owned(), 0), ("business-units".to_owned(), 0)].into(),
        ..sandbox::servicetitan::Options::default()
    };
    let bench = Bench::with(options, 50).await;
    let report = bench.extract(&["jobs", "business_units"]).await;
    assert_eq!(report.exit(), Exit::Done, "{report:?}");
    let (jobs, _) = bench.records(&report.run_id, "jobs").await;
    assert!(jobs.parts.is_empty());
    assert_eq!(jobs.state_after.unwrap()["modifiedOn"], "2000-01-01T00:00:00.000000Z");
    let (units, _) = bench.records(&report.run_id, "business_units").await;
    assert!(units.stable && units.state_after.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retried_task_skips_what_is_complete() {
    let bench = Bench::new(100).await;
    let first = bench.extract(&["campaigns"]).await;
    bench.server.clear_requests();
    let mut options = bench.options(&["campaigns", "employees"]);
    options.run_id = Some(first.run_id.clone());
    let second = bench.try_extract(options).await.unwrap();
    assert_eq!(of(&second, "campaigns").status, UnitStatus::Skipped);
    assert_eq!(of(&second, "campaigns").rows_extracted, of(&first, "campaigns").rows_extracted);
    assert_eq!(of(&second, "employees").status, UnitStatus::Done);
    assert!(bench.server.requests().iter().all(|request| !request.path.contains("campaigns")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_divide_accounts_and_the_last_one_names_the_run() {
    let bench = Bench::new(50).await;
    let text = std::fs::read_to_string(bench.pipeline()).unwrap();
    let account = text.split_once("      - id: acme").unwrap().1.to_owned();
    std::fs::write(bench.pipeline(), format!("{text}      - id: other{account}")).unwrap();
    let run: contract::run_id::RunId = "20260101T000000Z-aaaaaa".parse().unwrap();
    let mut seen = Vec::new();
    for index in 0..2 {
        let mut options = bench.options(&["campaigns", "employees"]);
        options.run_id = Some(run.clone());
        options.task = contract::unit::Task { index, count: 2 };
        let report = bench.try_extract(options).await.unwrap();
        let accounts: std::collections::BTreeSet<String> = report.units.iter().map(|u| u.account.clone()).collect();
        assert_eq!((report.units.len(), accounts.len()), (2, 1));
        seen.extend(accounts);
        let latest: Option<Latest> = stored::read(bench.landing().as_ref(), paths::LATEST).await.unwrap();
        assert_eq!(latest.is_some(), index == 1);
    }
    seen.sort();
    assert_eq!(seen, ["acme", "other"]);
}
