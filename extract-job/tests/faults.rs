//! What goes wrong at the API: either the records are complete all the same, or nothing is published.

use crate::support::{APP_KEY, Bench, SECRET, TENANT, contains, of, sorted};
use contract::exit::Exit;
use contract::report::UnitStatus;
use sandbox::fault::{Fault, FaultAction};
use sandbox::servicetitan;
use std::time::Duration;

fn on_page(action: FaultAction, page: usize, times: usize) -> Fault {
    Fault { query_contains: Some(format!("page={page}&")), times, ..Fault::once("/campaigns", action) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_survived() {
    let actions = [
        FaultAction::Status(500),
        FaultAction::Status(503),
        FaultAction::Status(409),
        FaultAction::TooManyRequests { retry_after: "1".into() },
        FaultAction::TooManyRequests { retry_after: "0.5".into() },
        FaultAction::CutBody { after_bytes: 300 },
        FaultAction::WrongJson,
        FaultAction::Html,
        FaultAction::EmptyBody,
        FaultAction::Unauthorized,
        FaultAction::Hang(Duration::from_millis(20)),
        FaultAction::Slow(Duration::from_millis(20)),
    ];
    let bench = Bench::new(100).await;
    bench.write_pipeline(7, "");
    let truth = sorted(bench.server.truth(TENANT, "campaigns"));
    for action in actions {
        for page in [1, 3] {
            bench.server.clear_script();
            bench.server.script(on_page(action.clone(), page, 1));
            let report = bench.extract(&["campaigns"]).await;
            assert_eq!(report.exit(), Exit::Done, "{action:?} {report:?}");
            let (batch, lines) = bench.records(&report.run_id, "campaigns").await;
            assert!(batch.stable, "{action:?}");
            assert!(sorted(lines) == truth, "{action:?} on page {page}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stays_fails_its_unit_alone_and_publishes_nothing() {
    let cases = [
        (FaultAction::Status(500), "answered 500"),
        (FaultAction::Status(403), "lacks the scope"),
        (FaultAction::Status(404), "(404)"),
        (FaultAction::Status(400), "answered 400"),
        (FaultAction::TooManyRequests { retry_after: "1".into() }, "answered 429"),
        (FaultAction::TooManyRequests { retry_after: "86400".into() }, "too long"),
        (FaultAction::CutBody { after_bytes: 300 }, "broke off"),
        (FaultAction::WrongJson, "cannot be read"),
        (FaultAction::Html, "HTML"),
        (FaultAction::EmptyBody, "empty"),
        (FaultAction::Unauthorized, "401"),
        (FaultAction::RepeatPage, "repeats"),
        (FaultAction::Redirect("http://127.0.0.1:9/elsewhere".into()), "connect"),
    ];
    let bench = Bench::new(100).await;
    bench.write_pipeline(7, "");
    for (action, part) in cases {
        bench.server.clear_script();
        bench.server.script(on_page(action.clone(), 3, usize::MAX));
        // The stand-in takes back the token that both streams share: with it the other one may fail too.
        let alone = matches!(action, FaultAction::Unauthorized);
        let report = bench.extract(if alone { &["campaigns"] } else { &["campaigns", "employees"] }).await;
        assert_eq!(report.exit(), Exit::SomeFailed, "{action:?}");
        let failed = of(&report, "campaigns");
        let error = failed.error.clone().unwrap_or_default();
        assert_eq!(failed.status, UnitStatus::Failed, "{action:?}");
        assert!(error.contains(part), "{action:?}: {error}");
        assert!(bench.batch(&report.run_id, "campaigns").await.is_none(), "{action:?}");
        assert!(alone || of(&report, "employees").status == UnitStatus::Done, "{action:?}");
        let text = serde_json::to_string(&report).unwrap();
        assert!(!text.contains(SECRET) && !text.contains(APP_KEY), "{text}");
    }
    let everything = bench.everything_stored();
    assert!(!contains(&everything, SECRET) && !contains(&everything, APP_KEY) && !contains(&everything, "Bearer"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_repeats_fails_the_feed() {
    let options = servicetitan::Options { records: 200, export_page_size: 30, ..servicetitan::Options::default() };
    let bench = Bench::with(options, 100).await;
    bench.server.script(Fault::once("/export/jobs", FaultAction::RepeatToken).after(2));
    let report = bench.extract(&["jobs_export"]).await;
    let error = of(&report, "jobs_export").error.clone().unwrap();
    assert!(error.contains("token repeats"), "{error}");
    assert!(bench.batch(&report.run_id, "jobs_export").await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shifting_pages_are_read_once_more_and_then_said_to_be_unstable() {
    for action in [FaultAction::RemoveRecord { index: 2 }, FaultAction::AddRecord] {
        let bench = Bench::new(100).await;
        bench.write_pipeline(7, "");
        bench.server.script(on_page(action.clone(), 1, 1));
        let report = bench.extract(&["campaigns"]).await;
        let (batch, lines) = bench.records(&report.run_id, "campaigns").await;
        assert!(batch.stable, "{action:?}");
        assert!(sorted(lines) == sorted(bench.server.truth(TENANT, "campaigns")), "{action:?}: read once more");

        bench.server.script(on_page(action.clone(), 1, 2));
        let report = bench.extract(&["campaigns"]).await;
        let (batch, _) = bench.records(&report.run_id, "campaigns").await;
        assert!(!batch.stable, "{action:?}");
        assert!(of(&report, "campaigns").warnings[0].contains("deletes are held back"), "{report:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incremental_list_that_may_have_missed_rows_does_not_move_its_state() {
    let bench = Bench::new(100).await;
    bench.write_pipeline(7, "");
    let shift = Fault {
        query_contains: Some("page=1&".into()),
        times: 2,
        ..Fault::once("/jobs", FaultAction::RemoveRecord { index: 2 })
    };
    bench.server.script(shift);
    let report = bench.extract(&["jobs"]).await;
    assert_eq!(bench.batch(&report.run_id, "jobs").await.unwrap().state_after, None);
    assert!(of(&report, "jobs").warnings[0].contains("starts where this one did"), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_total_that_does_not_fit_is_unstable() {
    let bench = Bench::new(100).await;
    bench.server.script(Fault::once("/campaigns", FaultAction::WrongTotal).always());
    let report = bench.extract(&["campaigns"]).await;
    assert!(!bench.batch(&report.run_id, "campaigns").await.unwrap().stable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_expire_and_wrong_credentials_are_refused_once() {
    let options = servicetitan::Options {
        records: 100,
        token_lifetime: Duration::from_millis(1),
        requests_per_second: None,
        ..servicetitan::Options::default()
    };
    let bench = Bench::with(options, 50).await;
    let report = bench.extract(&["campaigns", "employees"]).await;
    // A token that dies at once is renewed before each request, and may still be too old: then the unit says so.
    for unit in &report.units {
        assert!(unit.error.as_ref().is_none_or(|error| error.contains("401")), "{unit:?}");
    }

    let bench = Bench::new(100).await;
    let text = std::fs::read_to_string(bench.pipeline()).unwrap();
    std::fs::write(bench.pipeline(), text.replace("cid.sandbox", "cid.wrong")).unwrap();
    let report = bench.extract(&["campaigns", "employees", "jobs"]).await;
    assert_eq!(report.exit(), Exit::SomeFailed);
    for unit in &report.units {
        let error = unit.error.clone().unwrap();
        assert!(error.contains("refused the credentials (400: invalid_client)"), "{error}");
    }
    let logins = bench.server.requests().iter().filter(|request| request.path.contains("token")).count();
    assert_eq!(logins, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_taken_back_is_renewed() {
    let bench = Bench::new(100).await;
    bench.write_pipeline(7, "");
    bench.server.script(on_page(FaultAction::Slow(Duration::from_millis(100)), 3, 1));
    let handle = bench.server.state();
    let expire = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(30)).await;
        handle.expire_tokens();
    });
    let report = bench.extract(&["campaigns"]).await;
    expire.await.unwrap();
    assert_eq!(report.exit(), Exit::Done, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rate_limit_is_kept() {
    let options = servicetitan::Options { records: 3000, ..servicetitan::Options::default() };
    let bench = Bench::with(options, 30).await;
    let report = bench.extract(&["jobs"]).await;
    assert_eq!(report.exit(), Exit::Done);
    let limited = bench.server.requests().iter().filter(|request| request.status == 429).count();
    assert_eq!(limited, 0, "of {}", bench.server.requests().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_never_go_to_another_host() {
    let (bench, other) = (Bench::new(100).await, Bench::new(100).await);
    let elsewhere = format!("{}/marketing/v2/tenant/{TENANT}/campaigns", other.server.url());
    bench.server.script(Fault::once("/campaigns", FaultAction::Redirect(elsewhere)).always());
    let report = bench.extract(&["campaigns"]).await;
    assert!(of(&report, "campaigns").error.as_ref().unwrap().contains("another host"), "{report:?}");
    assert!(other.server.requests().iter().all(|request| !request.has_authorization));
    assert_eq!(other.server.requests().len(), 1);
}
