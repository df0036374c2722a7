//! Differential tests: each case is read by the reference engine and by ours, against the same scripted server, and must come to the same.
//! Where we differ on purpose, `deviations.yaml` says so; a case that differs without an entry fails, and so does an entry without a difference.
//!
//! `DIFFERENTIAL=<case>` prints what both engines did: `DIFFERENTIAL=page_increment cargo test -p extract-job page_increment -- --nocapture`.

mod case;
mod cases;
mod compare;
mod deviations;
mod engines;
mod templates;

use case::Case;
use compare::{Difference, differences};
use engines::{Side, ours, reference};
use sandbox::reference::Reference;
use sandbox::scripted::Scripted;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// One process for all tests of this binary; it ends with it.
static REFERENCE: Mutex<Option<Reference>> = Mutex::new(None);

/// The folder of this module's files.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/differential")
}

/// A file of this module as JSON.
fn yaml(path: &PathBuf) -> (String, Value) {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let node = contract::yaml::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (text, node.to_json())
}

/// The reference engine's answer to a job.
fn ask(job: &Value) -> Value {
    // A test that failed while it held the lock has left the engine as good as it was: it works in processes of its own.
    let mut engine = REFERENCE.lock().unwrap_or_else(PoisonError::into_inner);
    if engine.is_none() {
        *engine = Some(Reference::start().unwrap());
    }
    engine.as_mut().unwrap().call(job).unwrap()
}

/// Runs a case on both engines and checks that they differ exactly where the file of deviations says so.
fn check(name: &str) {
    let case = Case::load(name);
    let theirs = side(&case, reference);
    let holes: Vec<String> = theirs.requests.iter().flatten().filter(|seen| !seen.answered).map(brief).collect();
    let ours = side(&case, ours);
    if std::env::var("DIFFERENTIAL").is_ok_and(|wanted| wanted == name) {
        println!("{name}: {}\n\n== reference ==\n{theirs}\n== ours ==\n{ours}", case.about);
    }
    assert!(holes.is_empty() || case.holes, "{name}: no route of the script fits what the reference asks: {holes:#?}");
    let found = differences(&case, &theirs, &ours);
    let problems = deviations::unexpected(name, &found);
    assert!(problems.is_empty(), "{name} ({})\n{}", case.about, problems.join("\n"));
}

/// Reads a case, as often as it says, against a server of its own.
fn side(case: &Case, engine: fn(&Case, &str, &Value) -> engines::Run) -> Side {
    let server = Scripted::start(case.server.clone()).unwrap();
    let mut side = Side::default();
    let mut state = case.state.clone();
    for _ in 0..case.runs {
        let before = server.requests().len();
        let run = engine(case, server.url(), &state);
        side.requests.push(server.requests().split_off(before));
        state = run.states();
        side.runs.push(run);
    }
    side.without_address(server.url());
    side
}

fn brief(request: &sandbox::scripted::Request) -> String {
    format!("{} {} {:?} {}", request.method, request.path, request.parameters, request.body)
}

#[test]
fn the_comparison_finds_what_differs() {
    let case = Case::of("x", "about: x\nmanifest: {}\nserver: []\nwaits: true\nordered: true");
    let run = |records: Value, state: Value, error: Option<&str>| {
        let mut run = engines::Run::default();
        run.streams.insert("s".into(), engines::Stream::new(records, state, error));
        Side { runs: vec![run], ..Side::default() }
    };
    let kinds = |left: &Side, right: &Side| -> Vec<String> {
        differences(&case, left, right).iter().map(|difference: &Difference| difference.what.to_string()).collect()
    };
    let plain = run(json!([{"a": 1, "b": 2}, {"a": 2}]), json!({"c": "1"}), None);
    assert!(kinds(&plain, &run(json!([{"a": 2}, {"b": 2, "a": 1}]), json!({"c": "1"}), None)).is_empty());
    assert_eq!(kinds(&plain, &run(json!([{"a": 2}]), json!({"c": "1"}), None)), ["records"]);
    assert_eq!(kinds(&plain, &run(json!([{"a": 1, "b": 2}, {"a": 2.0}]), json!({"c": "1"}), None)), ["records"]);
    assert_eq!(kinds(&plain, &run(json!([{"a": 1, "b": 2}, {"a": 2}]), json!({"c": "2"}), None)), ["state"]);
    assert_eq!(kinds(&plain, &run(json!([]), json!(null), Some("broken"))), ["outcome"]);
    let mut waiting = run(json!([{"a": 1, "b": 2}, {"a": 2}]), json!({"c": "1"}), None);
    waiting.runs[0].waits = vec![2.0];
    assert_eq!(kinds(&plain, &waiting), ["waits"]);
}
