//! `orchestrator serve` over real HTTP: runs in the background, one at a time, and what is refused.
//! The jobs are scripts, as everywhere here.

use crate::serving::Served;
use crate::world::{Ended, LOAD_WELL, World, wait_until};
use reqwest::Method;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use std::net::TcpStream;

const HELD: &str =
    "plan; report running done; touch \"$here/../up\"; wait_for go; report finished done; latest; exit 0";
const RUN: &str = "20260131T235900Z-a1b2c3";

#[test]
fn a_run_from_its_start_to_after_a_restart() {
    let world = World::with(HELD, LOAD_WELL);
    let server = Served::start(&world, &[], &[]);
    assert_eq!(server.get("/healthz").json()["run"], serde_json::Value::Null);

    let begun = server.run("");
    assert_eq!(begun.status, 202, "{begun:?}");
    let run_id = begun.run_id();
    let path = format!("/runs/{run_id}");
    assert_eq!(begun.json()["status_url"], path);
    world.wait_for("up");
    let health = server.get("/healthz").json();
    assert_eq!((&health["status"], &health["run"]), (&"ok".into(), &run_id.clone().into()));
    assert_eq!(health["version"], contract::TOOL_VERSION);

    let going_on = server.get(&path).json();
    assert_eq!((&going_on["status"], &going_on["stage"]), (&"running".into(), &"extract".into()), "{going_on}");
    assert_eq!((&going_on["planned"], &going_on["progress"]["extract"]["done"]), (&1.into(), &1.into()), "{going_on}");
    assert!(going_on["extract"][0]["stream"] == "jobs" && going_on["load"] == serde_json::json!([]), "{going_on}");

    let second = server.run("{}");
    assert_eq!((second.status, second.run_id()), (409, run_id.clone()), "{second:?}");
    assert!(server.get("/").text.contains(&format!("<a href=\"{path}\">")));

    world.touch("go");
    let report = server.end_of(&run_id);
    assert_eq!((&report["status"], &report["exit_code"]), (&"done".into(), &0.into()), "{report}");
    assert_eq!(report["load"][0]["rows_inserted"], 5);
    assert_eq!(world.stages(), ["extract", "load"]);
    assert!(world.lease_is_free());
    let page = server.get("/").text;
    assert!(page.contains("1 of 1 units; 5 inserted, 0 updated") && page.contains("No run is going on."), "{page}");
    assert_eq!(server.stop().code, Some(0));

    let again = Served::start(&world, &[], &[]);
    let recalled = again.get(&path).json();
    for key in ["run_id", "status", "exit_code", "extract", "load", "errors"] {
        assert_eq!(recalled[key], report[key], "{key}");
    }
    assert!(again.get("/").text.contains(&run_id), "the newest run is on the page");
    assert_eq!(again.stop().code, Some(0));
}

#[test]
fn what_the_request_says_reaches_the_jobs() {
    let world = World::new();
    let server = Served::start(&world, &[], &[]);
    let body = format!(
        r#"{{"run_id":"{RUN}","sources":["s"],"accounts":["a0","a1"],"streams":["jobs"],"from":"2026-01-01","to":"2026-01-02","force":true}}"#
    );
    assert_eq!(server.run_to_its_end(&body)["run_id"], RUN);
    let filters =
        format!("{RUN} --pipeline pipeline.yaml --run-id {RUN} --source=s --account=a0 --account=a1 --stream=jobs");
    let window = "--from 2026-01-01T00:00:00Z --to 2026-01-02T00:00:00Z";
    assert_eq!(world.calls(), [format!("extract 0/1 {filters} {window}"), format!("load 0/1 {filters} --force")]);
    assert_eq!(server.run_to_its_end(r#"{"only":"load"}"#)["run_id"], RUN);
    assert_eq!(world.stages(), ["extract", "load", "load"]);
}

#[test]
fn failures_are_in_the_report_and_the_server_goes_on() {
    let world =
        World::with("plan; report finished failed '500 from the API'; exit 1", "report finished skipped; exit 0");
    let server = Served::start(&world, &[], &[]);
    let report = server.run_to_its_end("");
    assert_eq!((&report["status"], &report["exit_code"]), (&"partly_failed".into(), &1.into()));
    assert_eq!(report["errors"][0], "extract s/a0/jobs: 500 from the API");
    world.job("extract-job", "exit 3");
    let report = server.run_to_its_end("");
    assert_eq!((&report["status"], &report["exit_code"]), (&"failed".into(), &3.into()));
    assert_eq!(server.stop().code, Some(0));

    // A killed task's report is not taken for its end.
    let world = World::with("plan; report running done; kill -9 $$", LOAD_WELL);
    let server = Served::start(&world, &[], &[]);
    let id = server.run_to_its_end("")["run_id"].as_str().unwrap().to_owned();
    drop(server);
    let recalled = Served::start(&world, &[], &[]).get(&format!("/runs/{id}")).json();
    assert_eq!((&recalled["status"], &recalled["exit_code"]), (&"partly_failed".into(), &1.into()), "{recalled}");
    assert_eq!(recalled["errors"][0], "extract has ended without finishing its report");
}

#[test]
fn a_run_of_another_process_is_in_the_way() {
    let world = World::with(HELD, LOAD_WELL);
    let first = world.start(&["--run-id", RUN]);
    world.wait_for("up");
    let server = Served::start(&world, &[], &[]);
    let refused = server.run("");
    assert_eq!((refused.status, refused.run_id()), (409, RUN.to_owned()), "{refused:?}");
    assert!(refused.json()["message"].as_str().unwrap().contains("its lease is held by orchestrator"));
    assert_eq!(server.get(&format!("/runs/{RUN}")).json()["status"], "running");
    assert!(server.get("/").text.contains("was started elsewhere (orchestrator on "));
    world.touch("go");
    assert_eq!(Ended::of(first).code, Some(0));
    assert_eq!(server.run_to_its_end("")["status"], "done");
}

#[test]
fn what_is_refused() {
    let world = World::new();
    let server = Served::start(&world, &[], &[]);
    let broken = || {
        std::fs::write(world.path("pipeline.yaml"), "landin: x\n").unwrap();
        let answer = server.run("");
        world.pipeline("");
        answer
    };
    let missing = || {
        std::fs::remove_file(world.path("bin/load-job")).unwrap();
        server.run("")
    };
    world.answers(
        "streams",
        r#"[{"source":"s","account":"a0","stream":"jobs"},{"source":"s","account":"a0","stream":"calls"}]"#,
        "",
        0,
    );
    let large = format!(r#"{{"sources":["{}"]}}"#, "s".repeat(70_000));
    let table = [
        (server.run(r#"{"account":["a0"]}"#), 400, "unknown field `account`"),
        (server.run(r#"{"accounts":["a7"]}"#), 400, "`accounts`: there is no account `a7`; did you mean `a0`?"),
        (server.run(r#"{"sources":["t"]}"#), 400, "`sources`: there is no source `t`; did you mean `s`?"),
        (server.run(r#"{"streams":["jbos"]}"#), 400, "`streams`: there is no stream `jbos`; did you mean `jobs`?"),
        (server.run(r#"{"only":"extract","force":true}"#), 400, "`force` concerns the load"),
        (server.run(&large), 413, "larger than 64 KiB"),
        (server.run(r#"{"only":"load"}"#), 404, "holds no run whose extract has finished"),
        (server.run(&format!(r#"{{"only":"load","run_id":"{RUN}"}}"#)), 404, "knows no run"),
        (server.get(&format!("/runs/{RUN}")), 404, "nothing is known of run"),
        (server.get("/runs/latest"), 400, "is no run id"),
        (server.get("/runs/..%2F..%2Fetc"), 400, "is no run id"),
        (server.get("/elsewhere"), 404, "there is no such place"),
        (server.get("/run"), 405, "takes another method"),
        (server.ask(Method::POST, "/run", &[("origin", "https://example.com")], ""), 403, "pages of other sites"),
        (server.ask(Method::POST, "/run", &[("host", "example.com")], ""), 403, "only this machine may call"),
        (broken(), 500, "unknown key `landin`; did you mean `landing`?"),
        (missing(), 503, "the program load-job is not in"),
    ];
    for (answer, status, says) in table {
        assert_eq!(answer.status, status, "{says}: {answer:?}");
        assert!(answer.json()["message"].as_str().unwrap().contains(says), "{says}: {answer:?}");
    }
    assert!(world.calls().is_empty() && world.lease_is_free());
}

#[test]
fn a_token_guards_runs() {
    let world = World::with("plan; env > \"$here/../env\"; report finished done; latest; exit 0", LOAD_WELL);
    let server = Served::start(&world, &[], &[("DRAYAGE_TOKEN", "s3cr3t-token")]);
    let known = [("authorization", "Bearer s3cr3t-token")];
    for headers in [&[][..], &[("authorization", "Bearer s3cr3t")]] {
        assert_eq!(server.ask(Method::POST, "/run", headers, "").status, 401);
        assert_eq!(server.ask(Method::GET, &format!("/runs/{RUN}"), headers, "").status, 401);
    }
    assert!(world.calls().is_empty());
    let begun = server.ask(Method::POST, "/run", &known, "");
    assert_eq!(begun.status, 202, "{begun:?}");
    let path = format!("/runs/{}", begun.run_id());
    let report = || server.ask(Method::GET, &path, &known, "").json();
    wait_until("the end of the run", || report()["status"] == "done");
    assert_eq!(server.get("/healthz").json(), serde_json::json!({"status": "ok"}));
    assert_eq!(server.ask(Method::GET, "/healthz", &known, "").json()["version"], contract::TOOL_VERSION);
    // The page is for everybody, what is on it is not.
    assert!(!server.get("/").text.contains(&begun.run_id()));
    assert!(server.ask(Method::GET, "/", &known, "").text.contains(&begun.run_id()));
    let ended = server.stop();
    let env = std::fs::read_to_string(world.path("env")).unwrap();
    assert!(!format!("{ended:?}{env}").contains("s3cr3t"), "{ended:?} {env}");
}

#[test]
fn a_stopped_server_stops_its_run_and_ends_as_the_run() {
    let extract = "plan; trap 'echo told >> \"$here/../told\"; kill $!; report interrupted done; exit 1' TERM; \
                   touch \"$here/../up\"; sleep 60 & wait $!";
    let world = World::with(extract, LOAD_WELL);
    let server = Served::start(&world, &[], &[]);
    let run_id = server.run("").run_id();
    world.wait_for("up");
    server.signal(Signal::TERM);
    let ended = server.ended();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(std::fs::read_to_string(world.path("told")).unwrap(), "told\n");
    assert_eq!(world.stages(), ["extract"]);
    assert!(world.lease_is_free());

    // The next server knows it from the landing zone.
    let recalled = Served::start(&world, &[], &[]).get(&format!("/runs/{run_id}")).json();
    assert_eq!(recalled["status"], "interrupted", "{recalled}");
}

#[test]
fn a_server_that_nobody_guards_does_not_start() {
    let world = World::new();
    let start = |arguments: &[&str], cloud_run: bool| -> Ended {
        let mut command = world.command(&[&["serve", "--pipeline", "pipeline.yaml"], arguments].concat());
        if cloud_run {
            command.env("K_SERVICE", "drayage").env("PORT", "no port");
        }
        command.output().unwrap().into()
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let wrong = || {
        world.answers("check", "", r#"{"severity":"ERROR","message":"p.yaml: the variable ST_KEY is not set"}"#, 2);
        let ended = start(&["--listen", "127.0.0.1:0"], false);
        world.answers("check", "", "", 0);
        ended
    };
    for (ended, code, says) in [
        (wrong(), 2, "p.yaml: the variable ST_KEY is not set"),
        (start(&["--listen", "0.0.0.0:0"], false), 2, "other machines could start runs"),
        (start(&["--listen", "0.0.0.0:0", "--token", ""], false), 2, "other machines could start runs"),
        (start(&["--listen", "nowhere"], false), 2, "--listen nowhere: no such address"),
        (start(&["--listen", &taken], false), 3, "cannot listen on"),
        // Cloud Run names the port.
        (start(&[], true), 2, "--listen 0.0.0.0:no port"),
    ] {
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.err.contains(says), "{says}: {ended:?}");
    }
}

#[test]
fn idle_connections_leave_file_handles_to_a_run() {
    const IDLE: usize = 1100;
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum.map_or(Some(2048), |most| Some(most.min(20_000))), ..limit };
    setrlimit(Resource::Nofile, wanted).unwrap();
    let world = World::with(HELD, "touch \"$here/../loads\"; wait_for renewed; report finished done; exit 0");
    let server = Served::start_limited(&world, 256);
    let run_id = server.run("").run_id();
    world.wait_for("up");
    let address = server.address();
    let idle: Vec<TcpStream> = (0..IDLE).map(|_| TcpStream::connect(&address).unwrap()).collect();

    // It still answers, starts the next job, and renews its lease.
    assert_eq!(server.get("/healthz").status, 200);
    let renewed_at = || world.lease()["renewed_at"].clone();
    let before = renewed_at();
    world.touch("go");
    world.wait_for("loads");
    wait_until("the lease to be renewed", || renewed_at() != before);
    world.touch("renewed");
    let report = server.end_of(&run_id);
    assert_eq!((&report["status"], &report["errors"]), (&"done".into(), &serde_json::json!([])), "{report}");
    assert!(world.lease_is_free());
    drop(idle);
    let ended = server.stop();
    assert!(!ended.err.contains("Too many open files"), "{ended:?}");
}

#[test]
fn a_request_that_is_not_finished_is_cut_off() {
    use std::io::{Read, Write};
    let world = World::new();
    let server = Served::start(&world, &[], &[]);
    let mut endless = TcpStream::connect(server.address()).unwrap();
    endless.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n").unwrap();
    let mut sent = 0;
    while sent < 10_000_000 && endless.write_all(b"x-more: 1234567890123456789012345678901234567890\r\n").is_ok() {
        sent += 50;
    }
    assert!(sent < 10_000_000, "ten megabytes of headers were taken");
    let mut slow = TcpStream::connect(server.address()).unwrap();
    slow.write_all(b"GET / HT").unwrap();
    slow.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let mut answer = Vec::new();
    // The end, or a reset, but no timeout of this side.
    let ended = slow.read_to_end(&mut answer);
    assert!(ended.as_ref().map_or_else(|error| error.kind() != std::io::ErrorKind::WouldBlock, |_| true), "{ended:?}");
}
