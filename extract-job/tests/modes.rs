//! Ways to read other than by default: limits, backfills, full refresh, dry run; and listing and checking.

use crate::support::{APP_KEY, Bench, SECRET, Secrets, of, unit};
use chrono::Utc;
use contract::batch::BatchMode;
use contract::landing::paths;
use contract::report::UnitStatus;
use contract::stored::{self, Checkpoint};
use extract_job::{Depth, ReadOptions, check_pipeline, list_streams, preview, read};
use sandbox::fault::{Fault, FaultAction};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limited_batch_never_deletes_and_moves_nothing() {
    let bench = Bench::new(300).await;
    let mut options = bench.options(&["jobs", "campaigns"]);
    options.limit = Some(5);
    let report = bench.try_extract(options).await.unwrap();
    for stream in ["jobs", "campaigns"] {
        let (batch, lines) = bench.records(&report.run_id, stream).await;
        assert_eq!((lines.len(), batch.mode, batch.state_after), (5, BatchMode::Window, None), "{stream}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_reads_its_range_and_skips_streams_without_a_cursor() {
    let bench = Bench::new(300).await;
    let mut options = bench.options(&["jobs", "campaigns"]);
    let (from, to) = ("2026-02-01T00:00:00Z".parse().unwrap(), "2026-03-01T00:00:00Z".parse().unwrap());
    options.range = Some((from, to));
    let report = bench.try_extract(options).await.unwrap();
    assert_eq!(of(&report, "campaigns").status, UnitStatus::Skipped);
    let batch = bench.batch(&report.run_id, "jobs").await.unwrap();
    assert_eq!((batch.mode, batch.state_after), (BatchMode::Window, None));
    let plan: contract::report::Plan =
        stored::read(bench.landing().as_ref(), &paths::plan(&report.run_id)).await.unwrap().unwrap();
    assert_eq!(plan.units, [unit("jobs")], "the load looks for no batch of a stream that was left out");
    assert_eq!(batch.window.map(|window| (window.from, window.to)), Some((from, to)));
    let asked = bench.server.requests();
    let jobs: Vec<_> = asked.iter().filter(|request| request.path.ends_with("/jobs")).collect();
    assert!(jobs.iter().all(|request| request.query.contains("modifiedOnOrAfter=2026-02-01T00")), "{jobs:?}");
}

async fn checkpoint(bench: &Bench, stream: &str, state: serde_json::Value) {
    let run_id = contract::run_id::RunId::new(Utc::now());
    let checkpoint = Checkpoint { run_id, state, updated_at: Utc::now(), table: None, covered: None };
    stored::write(bench.landing().as_ref(), &paths::checkpoint(&unit(stream)), &checkpoint).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_refresh_ignores_the_checkpoint() {
    let bench = Bench::new(100).await;
    checkpoint(&bench, "jobs", json!({"modifiedOn": "2099-01-01T00:00:00.000000Z"})).await;
    let report = bench.extract(&["jobs"]).await;
    assert_eq!(of(&report, "jobs").rows_extracted, 0, "nothing is newer");
    let state = bench.batch(&report.run_id, "jobs").await.unwrap().state_after.unwrap();
    assert_eq!(state, json!({"modifiedOn": "2099-01-01T00:00:00.000000Z"}));
    let mut options = bench.options(&["jobs"]);
    options.full_refresh = true;
    let report = bench.try_extract(options).await.unwrap();
    assert_eq!(of(&report, "jobs").rows_extracted, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_sends_nothing_and_tells_what_it_would() {
    let bench = Bench::new(100).await;
    checkpoint(&bench, "jobs", json!({"modifiedOn": "2026-03-01T12:20:00.000000Z"})).await;
    checkpoint(&bench, "jobs_export", json!({"next_page_token": "tok-1"})).await;
    let previews = preview(&bench.options(&[]), &Secrets).await.unwrap();
    assert!(bench.server.requests().is_empty());
    assert!(previews.iter().all(|preview| preview.error.is_none()), "{previews:?}");
    let request = |stream: &str| {
        let found = previews.iter().find(|preview| preview.unit == format!("servicetitan/acme/{stream}")).unwrap();
        (found.mode.clone(), found.request.clone().unwrap())
    };
    let (mode, url) = request("jobs");
    assert_eq!(mode, "incremental");
    for part in ["page=1", "pageSize=100", "sort=%2BId", "modifiedOnOrAfter=2026-03-01T1"] {
        assert!(url.contains(part), "{part}: {url}");
    }
    assert!(request("jobs_export").1.ends_with("/export/jobs?from=tok-1"), "{}", request("jobs_export").1);
    assert_eq!(request("campaigns").0, "snapshot");
    let text = format!("{previews:?}");
    assert!(!text.contains(SECRET) && !text.contains(APP_KEY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_listed_and_connections_checked() {
    let bench = Bench::new(100).await;
    bench.write_pipeline(100, "    streams: [jobs, {name: campaigns, table: ads, mode: append}]\n");
    let options = bench.options(&[]);
    let lines = list_streams(&options.pipeline, &options.selection, &Secrets).await.unwrap();
    let texts: Vec<_> = lines.iter().map(|line| format!("{} {} {}", line.stream, line.table, line.mode)).collect();
    assert_eq!(texts, ["campaigns ads append", "jobs jobs incremental"]);
    let checked = check_pipeline(&options, &Secrets, Depth::Connection).await.unwrap();
    assert_eq!((checked.passed.len(), checked.failed.len()), (1, 0), "{checked:?}");
    bench.server.script(Fault::once("/business-units", FaultAction::Status(403)));
    let checked = check_pipeline(&options, &Secrets, Depth::Connection).await.unwrap();
    assert!(checked.failed[0].contains("lacks the scope"), "{checked:?}");
}

/// A machine without the sources' secrets.
struct NoSecrets;

impl contract::secret::SecretSource for NoSecrets {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    fn file(&self, _path: &std::path::Path) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_without_secrets_checks_all_but_them() {
    let bench = Bench::new(10).await;
    let salted = |text: &str| format!("redact_salt: \"${{env:REDACT_SALT}}\"\n{text}");
    let text = salted(&std::fs::read_to_string(bench.pipeline()).unwrap());
    let check = async |text: &str, depth: Depth| {
        std::fs::write(bench.pipeline(), text).unwrap();
        check_pipeline(&bench.options(&[]), &NoSecrets, depth).await
    };
    let missing = check(&text, Depth::Settings).await.unwrap_err().to_string();
    assert!(missing.contains("is not set"), "{missing}");
    let checked = check(&text, Depth::WithoutSecrets).await.unwrap();
    assert!(checked.passed[0].ends_with("; its secrets were not looked up"), "{checked:?}");
    assert!(bench.server.requests().is_empty());
    let broken = text.replace("page_size: 100", "page_size: 9000").replace("tenant_id:", "tenant:");
    let wrong = check(&(broken + "    streams: [{name: jobs, redact: {id: drop}}]\n"), Depth::WithoutSecrets)
        .await
        .unwrap_err()
        .to_string();
    for part in ["tenant_id", "page_size", "part of the primary key", "pipeline.yaml:"] {
        assert!(wrong.contains(part), "{part}: {wrong}");
    }
    assert!(!wrong.contains("is not set") && !wrong.contains("client_secret"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_wrong_is_told_at_once_and_nothing_is_sent() {
    let bench = Bench::new(10).await;
    let text = std::fs::read_to_string(bench.pipeline()).unwrap();
    let broken = text.replace("page_size: 100", "page_size: 9000").replace("tenant_id:", "tenant:");
    std::fs::write(bench.pipeline(), broken + "    streams: [jobz]\n").unwrap();
    let error = bench.try_extract(bench.options(&[])).await.unwrap_err();
    assert_eq!(error.exit(), contract::exit::Exit::Usage);
    let text = error.to_string();
    for part in ["no stream `jobz`; did you mean `jobs`", "`tenant_id` is missing", "unknown key `tenant`", "page_size"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mut options = bench.options(&["jobz"]);
    bench.write_pipeline(100, "");
    let error = bench.try_extract(options.clone()).await.unwrap_err().to_string();
    assert!(error.contains("--stream jobz") && error.contains("did you mean `jobs`"), "{error}");
    options.selection.streams.clear();
    std::fs::write(
        bench.pipeline(),
        std::fs::read_to_string(bench.pipeline()).unwrap().replace("ST_APP_KEY", "NOT_SET"),
    )
    .unwrap();
    let error = bench.try_extract(options).await.unwrap_err().to_string();
    assert!(error.contains("NOT_SET is not set") && error.contains("pipeline.yaml:11"), "{error}");
    assert!(bench.server.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_of_the_user_is_read_and_printed() {
    let bench = Bench::new(60).await;
    let url = bench.server.url();
    let config = bench.folder.path().join("config.yaml");
    let text = format!(
        "tenant_id: \"900100\"\nclient_id: cid.sandbox\nclient_secret: ${{env:ST_CLIENT_SECRET}}\napp_key: ${{env:ST_APP_KEY}}\napi_url: {url}\nauth_url: {url}\npage_size: 20\n"
    );
    std::fs::write(&config, text).unwrap();
    let options = ReadOptions {
        manifest: "servicetitan".into(),
        config: Some(config.to_string_lossy().into_owned()),
        streams: vec!["campaigns".into()],
        state: None,
        state_output: None,
        lines: extract_job::Lines::Records,
        limit: Some(30),
        trace: false,
        allow_plain_http: false,
        max_page_mib: 64,
        wait_factor: 0.01,
    };
    let mut out = Vec::new();
    assert_eq!(read(&options, &Secrets, &mut out).await.unwrap(), contract::exit::Exit::Done);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), 30);
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).unwrap().is_object()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_not_due_is_left_alone_unless_it_is_named() {
    let bench = Bench::new(100).await;
    bench.write_pipeline(100, "    streams: [{name: campaigns, every: 24h}, {name: jobs, every: 24h}, tag_types]\n");
    let checked = async |hours: i64| {
        let run_id = contract::run_id::RunId::new(Utc::now() - chrono::TimeDelta::hours(hours));
        let checkpoint = Checkpoint { run_id, state: json!(null), updated_at: Utc::now(), table: None, covered: None };
        stored::write(bench.landing().as_ref(), &paths::checkpoint(&unit("campaigns")), &checkpoint).await.unwrap();
    };
    let planned = async |run_id| {
        let plan: contract::report::Plan =
            stored::read(bench.landing().as_ref(), &paths::plan(run_id)).await.unwrap().unwrap();
        plan.units.into_iter().map(|unit| unit.stream).collect::<Vec<_>>()
    };
    // Never loaded: it is due. Loaded this morning: it is not; the other one was never loaded.
    let report = bench.extract(&[]).await;
    assert_eq!(of(&report, "campaigns").status, UnitStatus::Done);
    checked(12).await;
    let before = bench.server.requests().len();
    let report = bench.extract(&[]).await;
    let left = of(&report, "campaigns");
    assert_eq!((left.status, left.rows_extracted), (UnitStatus::Skipped, 0));
    assert!(
        left.not_due.as_ref().unwrap().starts_with("it is read every 24h, and was read 12h ago by run "),
        "{left:?}"
    );
    assert_eq!(planned(&report.run_id).await, ["jobs", "tag_types"], "the load looks for no batch of it");
    assert!(bench.batch(&report.run_id, "campaigns").await.is_none());
    let asked = bench.server.requests();
    assert!(!asked[before..].iter().any(|request| request.path.ends_with("/campaigns")));
    // An hour early is in time for a daily schedule.
    checked(23).await;
    assert_eq!(of(&bench.extract(&[]).await, "campaigns").status, UnitStatus::Done);

    // By name, from the start, or a limit: it is read all the same.
    checked(1).await;
    let by_hand: [fn(&mut extract_job::Options); 3] = [
        |options| options.selection.streams = vec!["campaigns".into()],
        |options| options.full_refresh = true,
        |options| options.limit = Some(1),
    ];
    for change in by_hand {
        let mut options = bench.options(&[]);
        change(&mut options);
        let report = bench.try_extract(options).await.unwrap();
        assert_eq!(of(&report, "campaigns").status, UnitStatus::Done);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_looks_at_what_a_run_would_stumble_over() {
    use crate::own_manifest::{Bench, Said, cursor, manifest, stream};
    let start = cursor("{{ config.start or '2026-01-01T00:00:00Z' }}", &json!({}));
    let rows = stream("rows", &json!({}), &json!({"incremental_sync": start}));
    let bench = Bench::new(&manifest(&[rows], 1), |_| Said::ok(&json!({"items": []}))).await;
    let source = |config: &serde_json::Value, streams: serde_json::Value, connector: &str| {
        let mut config = config.clone();
        config["api"] = json!(bench.url);
        config["account"] = json!("a");
        json!({"source": {"connector": connector, "streams": streams, "accounts": [{"id": "a", "config": config}]}})
    };
    let plain = json!({});
    let cases = [
        (
            source(&json!({"start": "01/01/2026"}), json!(["rows"]), "./x.yaml"),
            "stream `rows`: `start_datetime`: `01/01/2026`",
        ),
        (source(&plain, json!([]), "./x.yaml"), "sources[0].streams: lists no stream"),
        (source(&plain, json!(["rows"]), "./y.yaml"), "`./y.yaml`: the manifest"),
    ];
    for (pipeline, says) in cases {
        bench.write_pipeline(&pipeline);
        let error = check_pipeline(&bench.options(), &Secrets, Depth::Settings).await.unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("pipeline.yaml:"), "{says}: {error}");
    }
    let partitioned = json!([{"name": "rows", "partition_by": "at"}]);
    bench.write_pipeline(&source(&json!({"start": "2026-01-01"}), partitioned, "./x.yaml"));
    let checked = check_pipeline(&bench.options(), &Secrets, Depth::Settings).await.unwrap();
    assert!(checked.warnings[0].contains("`partition_by` of `rows` has no effect"), "{checked:?}");
}
