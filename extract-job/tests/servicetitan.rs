//! The built-in ServiceTitan connector as a whole: what each stream asks for, and that every one of them brings all there is.
//! The stand-in refuses parameters that a resource does not take, so a wrong line in the manifest shows as a failed unit.

use crate::support::{Bench, Secrets, TENANT, of, sorted};
use contract::exit::Exit;
use contract::report::UnitStatus;
use extract_job::{list_streams, preview};
use sandbox::servicetitan;
use std::collections::BTreeMap;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_request_of_every_stream() {
    let bench = Bench::with(servicetitan::Options { records: 10, ..servicetitan::Options::default() }, 5000).await;
    bench.write_pipeline(5000, "          first_day: \"2026-01-01\"\n");
    let options = bench.options(&[]);
    let keys: BTreeMap<String, String> = list_streams(&options.pipeline, &options.selection, &Secrets)
        .await
        .unwrap()
        .into_iter()
        .map(|line| (line.stream, line.primary_key.join("+")))
        .collect();
    let base = bench.server.url();
    let mut lines = Vec::new();
    for preview in preview(&options, &Secrets).await.unwrap() {
        let stream = preview.unit.rsplit('/').next().unwrap().to_owned();
        let request = preview.request.unwrap_or_else(|| panic!("{stream}: {:?}", preview.error));
        let request = request.replace(&base, "").replace(&format!("tenant/{TENANT}/"), "… ");
        let request = request.replace("T00%3A00%3A00.000000Z", "");
        lines.push(format!("{stream} | {} | {} | {request}", preview.mode, keys[&stream]));
    }
    lines.sort();
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stream_brings_all_there_is() {
    let bench = Bench::new(1000).await;
    let report = bench.extract(&[]).await;
    assert_eq!(report.exit(), Exit::Done, "{report:#?}");
    // What is read by day has a test of its own.
    let by_day = |name: &str| name == "attributed_leads" || name.starts_with("performance");
    for unit in report.units.iter().filter(|unit| !by_day(&unit.stream)) {
        let name = unit.stream.as_str();
        assert_eq!(unit.status, UnitStatus::Done, "{name}: {unit:?}");
        let (batch, lines) = bench.records(&report.run_id, name).await;
        let truth = bench.server.truth(TENANT, name);
        assert!(!truth.is_empty(), "{name}");
        assert!(sorted(lines) == sorted(truth), "{name}: {} records", of(&report, name).rows_extracted);
        assert!(batch.stable, "{name}");
    }
}
