//! What goes wrong at the API, in the landing zone and in the warehouse: the unit's table is left as it is, the others are loaded,
//! and the message names what failed without a secret in it.

use crate::model::Model;
use crate::oracle::stream_named;
use crate::programs::{self, Ended, wait_until};
use crate::world::{ACCOUNTS, APP_KEY, World};
use sandbox::fault::{Fault, FaultAction};
use std::fs;
use std::net::TcpListener;

const STREAMS: &str = "campaigns,employees,timesheets,jobs_export";

fn only(streams: &'static str) -> impl Fn(&str, &str) -> bool {
    move |_, stream| streams.split(',').any(|name| name == stream)
}

#[test]
fn one_stream_fails_and_the_others_are_loaded() {
    let world = World::new(100, 20);
    let mut model = Model::default();
    world.quick_run(&["--stream", STREAMS]).expect(0);
    model.observe(&world, only(STREAMS));

    let campaigns = "/marketing/v2/tenant/900100/campaigns";
    let cases: [(&str, &str, Option<&str>, FaultAction, &str); 11] = [
        ("campaigns", campaigns, None, FaultAction::Status(500), "answered 500"),
        ("campaigns", campaigns, Some("page=2&"), FaultAction::Status(503), "answered 503"),
        ("campaigns", campaigns, None, FaultAction::Status(403), "lacks the scope"),
        ("campaigns", campaigns, None, FaultAction::Html, "HTML"),
        ("campaigns", campaigns, Some("page=3&"), FaultAction::CutBody { after_bytes: 700 }, "broke off"),
        ("campaigns", campaigns, Some("page=2&"), FaultAction::WrongJson, "cannot be read"),
        ("campaigns", campaigns, None, FaultAction::EmptyBody, "empty"),
        ("campaigns", campaigns, None, FaultAction::Unauthorized, "401"),
        ("campaigns", campaigns, Some("page=2&"), FaultAction::RepeatPage, "repeats"),
        ("timesheets", "/payroll/v2/tenant/900100/jobs/timesheets", None, FaultAction::Status(500), "answered 500"),
        ("jobs_export", "/jpm/v2/tenant/900100/export/jobs", None, FaultAction::RepeatToken, "token repeats"),
    ];
    for (number, (stream, path, query, action, says)) in cases.into_iter().enumerate() {
        world.api.clear_script();
        world.api.set_generation(number as u32 + 2);
        world.script(&ACCOUNTS[0], path, query, usize::MAX, action);
        let ended = world.quick_run(&["--stream", STREAMS]).expect(1);
        ended.says(&format!("servicetitan/acme/{stream}"));
        ended.says(says);
        // What is wrong with a single answer is told with its address; what is wrong with their sequence has none.
        if !says.contains("repeats") {
            ended.says(&format!("{}{path}", world.api.url()));
        }
        for secret in [ACCOUNTS[0].secret, ACCOUNTS[1].secret, APP_KEY] {
            assert!(!ended.text().contains(secret), "{}", ended.text());
        }
        model.observe(&world, |account, name| only(STREAMS)(account, name) && (account, name) != ("acme", stream));
        model.check(&world.warehouse());
        assert!(stream_named(stream).snapshot || model.deleted(stream) == 0);
    }
    // What failed is made good, however long it has failed.
    world.api.clear_script();
    world.quick_run(&["--stream", STREAMS]).expect(0);
    model.observe(&world, only(STREAMS));
    model.check(&world.warehouse());
}

#[test]
fn what_passes_is_survived() {
    let world = World::new(60, 20);
    let actions = [
        FaultAction::Status(500),
        FaultAction::CutBody { after_bytes: 300 },
        FaultAction::WrongJson,
        FaultAction::Unauthorized,
        FaultAction::TooManyRequests { retry_after: "1".into() },
    ];
    for (path, action) in ["/campaigns", "/employees", "/invoices", "/jobs", "/export/jobs"].into_iter().zip(actions) {
        world.api.script(Fault::once(path, action).after(1));
    }
    world.run_and_check(1, &mut Model::default(), &[]);
}

#[test]
fn accounts_that_cannot_be_reached_or_logged_in_to() {
    let world = World::new(60, 20);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let api = world.api.url();
    let cases = [
        ("client_id: cid.acme", "client_id: cid.wrong".to_owned(), "refused the credentials"),
        ("${env:E2E_ACME_SECRET}", "cs1.wrong-hush".to_owned(), "refused the credentials"),
        (api.as_str(), format!("http://{closed}"), "connect"),
        (api.as_str(), "https://nowhere.invalid".to_owned(), "nowhere.invalid"),
    ];
    for (right, wrong, says) in cases {
        let mut model = Model::default();
        world.pipeline(20, |text| {
            let end = text.find("- id: bluebird").unwrap();
            format!("{}{}", text[..end].replace(right, &wrong), &text[end..])
        });
        let ended = world.quick_run(&["--stream", "campaigns,jobs"]).expect(1);
        ended.says("servicetitan/acme/campaigns");
        ended.says(says);
        assert!(!ended.text().contains("hush"), "{}", ended.text());
        model.observe(&world, |account, stream| account == "bluebird" && only("campaigns,jobs")(account, stream));
        // The table of the account that is well is complete, and only its rows are in it.
        model.check_after_a_break(&world.warehouse());
        programs_leave_no_lease(&world);
    }
}

#[test]
fn landing_zones_and_warehouses_out_of_reach() {
    let world = World::new(60, 20);
    fs::write(world.path("file"), "").unwrap();
    let cases = [
        ("landing: ./landing", "landing: ./file", "file"),
        ("landing: ./landing", "landing: ./file/below", "file/below"),
        ("path: ./w.duckdb", "path: ./file/w.duckdb", "file/w.duckdb"),
    ];
    for (right, wrong, says) in cases {
        world.pipeline(20, |text| text.replace(right, wrong));
        world.run(&["--stream", "campaigns"]).expect(3).says(says);
    }
    assert_eq!(fs::read(world.path("file")).unwrap(), b"");
    // A warehouse that another program holds open.
    world.pipeline(20, |text| text.replace("path: ./w.duckdb", "path: ./w.duckdb, wait: 1s"));
    let held = duckdb::Connection::open(world.path("w.duckdb")).unwrap();
    let ended = world.run(&["--stream", "campaigns"]);
    drop(held);
    ended.expect(3).says("w.duckdb is open in ");
    // What had landed is not lost.
    world.run(&["--only", "load"]).expect(0);
    let mut model = Model::default();
    model.observe(&world, only("campaigns"));
    model.check(&world.warehouse());
    programs_leave_no_lease(&world);
}

#[test]
fn a_disk_that_fills_up_while_batches_are_written() {
    let world = World::new(3000, 1000);
    let streams = "campaigns,jobs";
    // No file may grow beyond 64 KiB, as on a disk that is full; the small stream fits.
    let mut limited = std::process::Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 128; exec \"$@\"";
    limited.args(["-c", script, "sh"]).arg(programs::folder().join("extract-job"));
    let run = "20260131T235900Z-a1b2c3";
    limited.args(["--run-id", run, "--stream", streams]);
    programs::clean(&mut limited);
    world.settle(&mut limited);
    let ended = Ended::of(limited.output().unwrap()).expect(1);
    ended.says("servicetitan/acme/jobs");
    ended.says("File too large");
    ended.says("part-0000");
    assert!(!world.path(&format!("landing/batches/servicetitan/acme/jobs/{run}/batch.json")).exists());

    let mut model = Model::default();
    world.call("load-job", &["--run-id", run]).expect(1).says("no complete batch of servicetitan/acme/jobs");
    model.observe(&world, only("campaigns"));
    model.check(&world.warehouse());
    world.run(&["--stream", streams]).expect(0);
    model.observe(&world, only(streams));
    model.check(&world.warehouse());
}

#[test]
fn a_run_told_to_stop_ends_soon_and_leaves_tables_alone() {
    let world = World::new(100, 20);
    let mut model = Model::default();
    world.run_and_check(1, &mut model, &[]);
    world.api.set_generation(2);
    world.script(
        &ACCOUNTS[0],
        "/campaigns",
        Some("page=2&"),
        1,
        FaultAction::Hang(std::time::Duration::from_secs(600)),
    );
    world.api.clear_requests();
    let mut run = world.start("orchestrator", &["run"], "log");
    wait_until("the page", || {
        world.api.requests().iter().any(|r| r.path.contains("/900100/campaigns") && r.query.contains("page=2"))
    });
    let id = rustix::process::Pid::from_raw(i32::try_from(run.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let code = run.wait();
    assert!(matches!(code, Some(1 | 3)), "{code:?} {}", run.log());
    model.check(&world.warehouse());
    programs_leave_no_lease(&world);
    world.api.clear_script();
    world.run_and_check(2, &mut model, &[]);
}

#[track_caller]
fn programs_leave_no_lease(world: &World) {
    assert!(!world.path("landing/runs/lease.json").exists());
}
