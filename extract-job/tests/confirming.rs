//! The confirming round: only streams with suspects are read once more, or asked for the rows that are missing by their keys.

use crate::own_manifest::{Bench, Said, manifest, of, pages, stream, unit};
use chrono::Utc;
use contract::batch::{Batch, BatchMode};
use contract::report::{RunReport, UnitStatus};
use contract::round::{Round, RunRound};
use contract::run_id::RunId;
use contract::stored;
use contract::suspects::{self, Suspects};
use extract_job::Options;
use serde_json::{Value, json};

/// Notes that the first round of a run lacked these keys of a stream.
async fn suspect(bench: &Bench, run: &RunId, stream: &str, fields: &[&str], keys: &[&[&str]]) {
    let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
    let keys: Vec<Vec<String>> = keys.iter().map(|key| key.iter().map(|text| (*text).to_owned()).collect()).collect();
    let times = vec![1; keys.len()];
    let new = Suspects::new(run.clone(), Round::First, "x", Utc::now(), &fields);
    let found = Suspects { keys, times, as_sent: true, ..new };
    suspects::write(bench.landing().as_ref(), &unit(stream), Some(&found)).await.unwrap();
}

async fn confirm(bench: &Bench, run: &RunId) -> RunReport {
    bench.try_extract(Options { run_id: Some(run.clone()), confirm: true, ..bench.options() }).await.unwrap()
}

async fn confirmed(bench: &Bench, run: &RunId, stream: &str) -> Option<Batch> {
    let reading = RunRound { run: run.clone(), round: Round::Confirm };
    stored::read_batch(bench.landing().as_ref(), &unit(stream), &reading).await.unwrap()
}

fn row(id: usize) -> Value {
    json!({"id": id, "v": "x"})
}

fn by_ids(at_most: usize) -> Value {
    json!({"x-confirm": {"ids": {"inject_into": "request_parameter", "field_name": "ids", "at_most": at_most}}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_streams_with_suspects_of_this_run_are_read_once_more() {
    let streams = ["one", "two", "three"].map(|name| stream(name, &json!({}), &json!({})));
    let bench = Bench::new(&manifest(&streams, 2), |_| Said::ok(&json!({"items": [row(1)]}))).await;
    let first = bench.extract().await.run_id;
    bench.take_asked();
    let run = RunId::new(Utc::now());
    suspect(&bench, &run, "two", &["id"], &[&["7"]]).await;
    suspect(&bench, &first, "three", &["id"], &[&["7"]]).await;
    let report = confirm(&bench, &run).await;
    let names: Vec<&str> = report.units.iter().map(|unit| unit.stream.as_str()).collect();
    assert_eq!((names, bench.take_asked().len()), (vec!["two"], 1));
    let batch = confirmed(&bench, &run, "two").await.unwrap();
    assert_eq!((batch.mode, batch.stable, batch.records), (BatchMode::Snapshot, true, 1));
    assert!(bench.batch(&run, "two").await.is_none(), "the first round's batch is another one");
    // Another try finds it done; the newest run is still the first.
    let again = confirm(&bench, &run).await;
    assert_eq!((of(&again, "two").status, bench.take_asked().len()), (UnitStatus::Skipped, 0));
    let latest: stored::Latest =
        stored::read(bench.landing().as_ref(), contract::landing::paths::LATEST).await.unwrap().unwrap();
    assert_eq!(latest.run_id, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_asked_for_by_their_ids_in_bunches() {
    let retriever = json!({"paginator": pages(100)});
    let bench = Bench::new(&manifest(&[stream("rows", &retriever, &by_ids(3))], 2), |asked| {
        let ids = asked.get("ids").split(',').filter_map(|id| id.parse::<usize>().ok());
        let rows: Vec<Value> = ids.filter(|id| id % 2 == 0).map(row).collect();
        Said::ok(&json!({"items": if asked.get("page") == "0" { rows } else { Vec::new() }}))
    })
    .await;
    let run = RunId::new(Utc::now());
    suspect(&bench, &run, "rows", &["id"], &[&["1"], &["2"], &["3"], &["4"], &["5"], &["6"], &["7"]]).await;
    let report = confirm(&bench, &run).await;
    assert_eq!(of(&report, "rows").status, UnitStatus::Done, "{report:?}");
    let batch = confirmed(&bench, &run, "rows").await.unwrap();
    let mut gone = batch.gone.concat();
    gone.sort();
    assert_eq!(
        (batch.mode, batch.records, gone),
        (BatchMode::Confirm, 3, ["1", "3", "5", "7"].map(String::from).to_vec())
    );
    let asked = bench.asked();
    assert!(asked.iter().all(|asked| asked.get("ids").split(',').count() <= 3), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_that_pays_no_heed_to_ids_is_read_as_a_whole() {
    let bench = Bench::new(&manifest(&[stream("rows", &json!({}), &by_ids(50))], 2), |_| {
        Said::ok(&json!({"items": [row(1), row(2), row(3)]}))
    })
    .await;
    let run = RunId::new(Utc::now());
    suspect(&bench, &run, "rows", &["id"], &[&["3"], &["9"]]).await;
    confirm(&bench, &run).await;
    let batch = confirmed(&bench, &run, "rows").await.unwrap();
    assert_eq!((batch.mode, batch.records, batch.stable), (BatchMode::Snapshot, 3, true));
    assert!(batch.gone.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_asked_for_one_by_one_under_a_path() {
    let fields = json!({
        "primary_key": ["group", "id"],
        "x-confirm": {"path": "groups/{{ key.group }}/rows/{{ key.id }}", "gone": [404, 410]},
    });
    for (path, said, is_gone) in [
        ("/groups/a%2Fb/rows/1", Said::ok(&json!({"group": "a/b", "id": 1, "v": "y"})), Some(false)),
        ("/groups/a%2Fb/rows/1", Said::ok(&json!({"items": [{"group": "a/b", "id": 1}]})), Some(false)),
        ("/groups/a%2Fb/rows/1", Said::status(404), Some(true)),
        ("/groups/a%2Fb/rows/1", Said::status(410), Some(true)),
        ("/groups/a%2Fb/rows/1", Said::status(403), None),
        ("/groups/a%2Fb/rows/1", Said::status(500), None),
        ("/groups/a%2Fb/rows/1", Said::ok(&json!({})), None),
        ("/groups/a%2Fb/rows/1", Said::ok(&json!({"items": []})), None),
        ("/groups/a%2Fb/rows/1", Said::ok(&json!({"error": "busy"})), None),
        ("/groups/a%2Fb/rows/1", Said::ok(&json!({"group": "a/b", "id": 2})), None),
    ] {
        let (status, body) = (said.status, said.body.clone());
        let bench = Bench::new(&manifest(&[stream("rows", &json!({}), &fields)], 2), move |_| Said {
            status,
            body: body.clone(),
            ..Said::ok(&json!({}))
        })
        .await;
        let run = RunId::new(Utc::now());
        suspect(&bench, &run, "rows", &["group", "id"], &[&["a/b", "1"]]).await;
        let report = confirm(&bench, &run).await;
        let context = format!("{} {}: {:?}", said.status, said.body, of(&report, "rows"));
        assert!(bench.asked().iter().all(|asked| asked.path == path), "{:?} {context}", bench.asked());
        let batch = confirmed(&bench, &run, "rows").await;
        match is_gone {
            None => assert!(batch.is_none() && of(&report, "rows").status == UnitStatus::Failed, "{context}"),
            Some(is_gone) => {
                let batch = batch.unwrap();
                let expected = if is_gone { vec![vec!["a/b".to_owned(), "1".to_owned()]] } else { Vec::new() };
                assert_eq!(
                    (batch.mode, batch.gone, batch.records),
                    (BatchMode::Confirm, expected, u64::from(!is_gone)),
                    "{context}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_asked_for_by_key_is_read_as_a_whole() {
    let filter = json!({"record_selector": {
        "type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["items"]},
        "record_filter": {"type": "RecordFilter", "condition": "{{ record.id > 0 }}"},
    }});
    let none = json!({});
    for (retriever, key, redact) in [
        (filter, json!("id"), none.clone()),
        (none.clone(), json!("id"), json!({"id": "hash"})),
        (none.clone(), json!([["u", "id"]]), json!({"u.id": "hash"})),
    ] {
        let mut fields = by_ids(50);
        fields["primary_key"] = key.clone();
        let bench = Bench::new(&manifest(&[stream("rows", &retriever, &fields)], 2), |asked| {
            assert_eq!(asked.get("ids"), "");
            Said::ok(&json!({"items": [{"id": 1, "u": {"id": 1}}]}))
        })
        .await;
        let stored = if key == "id" { "id" } else { "u.id" };
        bench.write_pipeline(&json!({
            "redact_salt": "${env:REDACT_SALT}", "source": {"streams": [{"name": "rows", "redact": redact}]},
        }));
        let run = RunId::new(Utc::now());
        suspect(&bench, &run, "rows", &[stored], &[&["3"]]).await;
        confirm(&bench, &run).await;
        assert_eq!(confirmed(&bench, &run, "rows").await.unwrap().mode, BatchMode::Snapshot, "{key} {redact}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_the_warehouse_spells_its_own_way_are_not_asked_for() {
    let bench = Bench::new(&manifest(&[stream("rows", &json!({}), &by_ids(50))], 2), |asked| {
        assert_eq!(asked.get("ids"), "");
        Said::ok(&json!({"items": [row(1)]}))
    })
    .await;
    let run = RunId::new(Utc::now());
    let new = Suspects::new(run.clone(), Round::First, "x", Utc::now(), &["id".to_owned()]);
    let found = Suspects { keys: vec![vec!["2.000000000".into()]], times: vec![1], ..new };
    suspects::write(bench.landing().as_ref(), &unit("rows"), Some(&found)).await.unwrap();
    confirm(&bench, &run).await;
    assert_eq!(confirmed(&bench, &run, "rows").await.unwrap().mode, BatchMode::Snapshot);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_for_one_by_one_is_redacted_or_not_published() {
    let answer = |_: &_| Said::ok(&json!({"items": [{"id": 2, "email": "a@Xsecretx.io"}]}));
    let bench = Bench::new(&manifest(&[stream("rows", &json!({}), &by_ids(10))], 1), answer).await;
    for (redact, failure) in [
        (json!({"emial": "hash"}), Some("`redact` names `emial`, which no record has")),
        (json!({"email.local": "hash"}), Some("a text where that path goes deeper")),
        (json!({"email": "hash"}), None),
    ] {
        let entry = json!({"name": "rows", "redact": redact});
        bench.write_pipeline(&json!({"redact_salt": "${env:REDACT_SALT}", "source": {"streams": [entry]}}));
        let run = RunId::new(Utc::now());
        suspect(&bench, &run, "rows", &["id"], &[&["2"], &["3"]]).await;
        let report = confirm(&bench, &run).await;
        let unit_report = of(&report, "rows");
        let batch = confirmed(&bench, &run, "rows").await;
        assert_eq!(batch.is_some(), failure.is_none(), "{redact}: {unit_report:?}");
        assert!(!bench.everything_stored().contains("Xsecretx"), "{redact}: nothing stays in clear");
        match failure {
            None => assert_eq!(batch.unwrap().mode, BatchMode::Confirm),
            Some(words) => {
                let error = unit_report.error.clone().unwrap_or_default();
                assert_eq!(unit_report.status, UnitStatus::Failed, "{redact}: {unit_report:?}");
                assert!(error.contains(words), "{redact}: {error}");
            }
        }
    }
}
