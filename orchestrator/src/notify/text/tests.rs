//! The messages of whole runs. Texts are compared whole: they are what people see.
//! Error texts are made as hostile as an API could make them.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::launcher::{LaunchError, StageEnd, TaskEnd, TaskExit};
use crate::outcome::{StageResult, stage_exit};
use crate::summary::Ran;
use chrono::{DateTime, Utc};
use contract::report::{RunReport, TaskStatus};
use contract::secret::Secret;
use contract::unit::Unit;

const ID: &str = "20260131T235900Z-a1b2c3";

fn at(second: u32) -> DateTime<Utc> {
    format!("2026-01-31T23:{:02}:{:02}Z", second / 60, second % 60).parse().unwrap()
}

fn extracted(source: &str, account: &str, stream: &str) -> UnitReport {
    let unit = Unit::new(source, account, stream).unwrap();
    UnitReport { rows_extracted: 90, ..UnitReport::start(&unit, stream, at(0)) }.finish(at(50))
}

fn loaded(source: &str, account: &str, stream: &str, counts: [u64; 4]) -> UnitReport {
    let [rows_inserted, rows_updated, rows_deleted, rows_unchanged] = counts;
    let unit = Unit::new(source, account, stream).unwrap();
    let start = UnitReport::start(&unit, stream, at(60));
    UnitReport { rows_inserted, rows_updated, rows_deleted, rows_unchanged, ..start }.finish(at(72))
}

fn stage(stage: Stage, exit: TaskExit, units: Vec<UnitReport>) -> StageResult {
    let report = RunReport {
        version: 1,
        run_id: ID.parse().unwrap(),
        stage: stage.as_str().into(),
        task_index: 0,
        task_count: 1,
        status: TaskStatus::Finished,
        started_at: at(0),
        finished_at: at(72),
        tool_version: "0".into(),
        units,
    };
    let end = StageEnd { tasks: vec![TaskEnd { index: 0, exit, said: Vec::new() }], ..StageEnd::default() };
    let reports = vec![Ok(Some(report))];
    StageResult { stage, exit: stage_exit(&end, &reports), end, reports }
}

fn ran(extract: Vec<UnitReport>, load: Option<StageResult>) -> Ran {
    let failed = extract.iter().any(|unit| unit.error.is_some());
    Ran {
        run_id: ID.parse().unwrap(),
        pipeline: "p.yaml".into(),
        only: load.is_none().then_some(Stage::Extract),
        again: String::new(),
        planned: Vec::new(),
        extract: Some(stage(Stage::Extract, TaskExit::Code(failed.into()), extract)),
        load,
        confirm_extract: None,
        confirm_load: None,
        not_started: None,
        started_at: at(0),
        finished_at: at(75),
    }
}

fn check(ran: Ran, expected: &str) {
    let mut known = Known::default();
    known.add(Secret::new("s3cr3t"));
    let message = of_summary("p.yaml", &RunSummary::of(ran), &known);
    assert_eq!(message.lines.join("\n"), expected);
}

#[test]
fn a_run_that_changed_something() {
    let extract =
        vec![extracted("st", "acme", "jobs"), extracted("st", "b", "jobs"), extracted("gong", "acme", "calls")];
    let mut warned = loaded("st", "b", "jobs", [0, 2, 3, 80]);
    warned.warnings = vec!["deletes are held back: pages have shifted".into()];
    warned.rows_rejected = 4;
    let load =
        vec![loaded("st", "acme", "jobs", [10, 0, 0, 80]), warned, loaded("gong", "acme", "calls", [0, 0, 0, 90])];
    check(
        ran(extract, Some(stage(Stage::Load, TaskExit::Code(0), load))),
        "\
:white_check_mark: *p.yaml*: done
run `20260131T235900Z-a1b2c3`, 3 units, 1 min 15 s
• *gong* (1 account): no changes, 90 unchanged in 1 min 2 s
    ◦ calls: no changes, 90 unchanged
• *st* (2 accounts): 10 inserted, 2 updated, 3 deleted, 160 unchanged in 1 min 2 s
    ◦ jobs: 10 inserted, 2 updated, 3 deleted, 160 unchanged
:warning: 1 warning, 1 unstable snapshot, 4 records rejected",
    );
}

#[test]
fn a_run_that_changed_nothing() {
    let load = stage(Stage::Load, TaskExit::Code(0), vec![loaded("st", "acme", "jobs", [0, 0, 0, 90])]);
    check(
        ran(vec![extracted("st", "acme", "jobs")], Some(load)),
        "\
:white_check_mark: *p.yaml*: no changes
run `20260131T235900Z-a1b2c3`, 1 unit, 1 min 15 s
• *st* (1 account): no changes, 90 unchanged in 1 min 2 s
    ◦ jobs: no changes, 90 unchanged",
    );
}

#[test]
fn an_extract_alone() {
    check(
        ran(vec![extracted("st", "acme", "jobs")], None),
        "\
:white_check_mark: *p.yaml*: extracted 90 records
run `20260131T235900Z-a1b2c3`, 1 unit, 1 min 15 s
• *st* (1 account): 90 records extracted in 50.0 s
    ◦ jobs: 90 records extracted",
    );
}

#[test]
fn a_run_that_went_half_well() {
    let hostile = "401 <!channel> & \"s3cr3t\" *bold*\nsecond line";
    let extract = vec![extracted("st", "acme", "jobs"), extracted("st", "b", "jobs").fail(hostile, at(1))];
    let load = stage(Stage::Load, TaskExit::Code(0), vec![loaded("st", "acme", "jobs", [1, 0, 0, 0])]);
    check(
        ran(extract, Some(load)),
        "\
:warning: *p.yaml*: 1 of 2 units failed
run `20260131T235900Z-a1b2c3`, 2 units, 1 min 15 s
• *st* (1 account): 1 inserted, 0 unchanged in 1 min 2 s
    ◦ jobs: 1 inserted, 0 unchanged
*Failed:*
• `st/b/jobs` (extract): 401 &lt;!channel&gt; &amp; \"***\" *bold*
what failed to extract is untouched in the warehouse; the next run extracts it from where it was",
    );
}

#[test]
fn a_load_that_was_killed() {
    let mut load = stage(Stage::Load, TaskExit::Signal(9), Vec::new());
    load.reports = vec![Ok(None)];
    load.exit = stage_exit(&load.end, &load.reports);
    check(
        ran(vec![extracted("st", "acme", "jobs")], Some(load)),
        "\
:x: *p.yaml*: the run failed
run `20260131T235900Z-a1b2c3`, 1 unit, 1 min 15 s
*Failed:*
• load was killed by signal 9 (SIGKILL), perhaps for want of memory
• `st/acme/jobs` (load): not loaded
to load again without extracting: orchestrator run --pipeline p.yaml --only load --run-id 20260131T235900Z-a1b2c3",
    );
}

#[test]
fn a_long_list_is_cut_and_fits_into_slacks_blocks() {
    let long = "&".repeat(5000);
    let extract = (0..40).map(|n| extracted("st", &format!("a{n:02}"), "jobs").fail(&*long, at(1))).collect();
    let summary = RunSummary::of(ran(extract, None));
    let message = of_summary("p.yaml", &summary, &Known::default());
    let units: Vec<&String> = message.lines.iter().filter(|line| line.contains("/jobs`")).collect();
    assert_eq!(units.len(), MOST_UNITS);
    assert!(units[0].ends_with("&amp;…") && message.lines.iter().any(|line| line == "and 30 more"));
    let body = message.body();
    let blocks: Vec<&str> =
        body["blocks"].as_array().unwrap().iter().map(|block| block["text"]["text"].as_str().unwrap()).collect();
    assert!(blocks.len() > 1 && blocks.len() <= 50);
    assert!(blocks.iter().all(|text| !text.is_empty() && text.chars().count() <= LONGEST_BLOCK));
    assert_eq!(blocks.join("\n"), message.lines.join("\n"));
    assert_eq!(body["text"], message.lines[0]);
}

#[test]
fn a_run_that_could_not_begin() {
    let error: RunError = LaunchError::Missing { program: "load-job", folder: "/bin <x>".into() }.into();
    let message = of_error("p.yaml", &error, &Known::default());
    assert_eq!(
        message.lines.join("\n"),
        "\
:x: *p.yaml*: there was no run
the program load-job is not in /bin &lt;x&gt;
build all three programs (`cargo build --release`), or name their folder in DRAYAGE_BIN_DIR"
    );
}

#[test]
fn durations() {
    let table = [(0, "0.0 s"), (950, "0.9 s"), (59_999, "59.9 s"), (61_000, "1 min 1 s"), (7_260_000, "2 h 1 min")];
    for (milliseconds, text) in table {
        assert_eq!(span(milliseconds), text);
    }
}

#[test]
fn a_run_of_which_nothing_is_well() {
    let extract =
        vec![extracted("st", "a", "jobs").fail("401", at(1)), extracted("gong", "a", "calls").fail("500", at(1))];
    let load = stage(Stage::Load, TaskExit::Code(0), Vec::new());
    check(
        ran(extract, Some(load)),
        "\
:x: *p.yaml*: nothing is well
run `20260131T235900Z-a1b2c3`, 2 units, 1 min 15 s
*Failed:*
• `gong/a/calls` (extract): 500
• `st/a/jobs` (extract): 401
what failed to extract is untouched in the warehouse; the next run extracts it from where it was",
    );
}

#[test]
fn a_source_that_was_not_read_is_not_told_of_and_streams_are_few() {
    let not_due = |source: &str, stream: &str| UnitReport {
        status: contract::report::UnitStatus::Skipped,
        not_due: Some("it is read every 24h".into()),
        rows_extracted: 0,
        ..extracted(source, "a", stream)
    };
    let names: Vec<String> = (0..25).map(|n| format!("s{n:02}")).collect();
    let mut extract: Vec<UnitReport> = names.iter().map(|name| extracted("st", "a", name)).collect();
    extract.extend([not_due("st", "weekly"), not_due("gong", "calls")]);
    let counts = |name: &String| if name == "s24" { [7, 0, 0, 0] } else { [0, 0, 0, 9] };
    let load = names.iter().map(|name| loaded("st", "a", name, counts(name))).collect();
    let summary = RunSummary::of(ran(extract, Some(stage(Stage::Load, TaskExit::Code(0), load))));
    let lines = of_summary("p.yaml", &summary, &Known::default()).lines;
    let text = lines.join("\n");
    assert!(!text.contains("gong") && !text.contains("weekly"), "{text}");
    let streams: Vec<&String> = lines.iter().filter(|line| line.starts_with("    ◦ ")).collect();
    assert_eq!(
        (streams.len(), streams[0].as_str()),
        (MOST_STREAMS + 1, "    ◦ s24: 7 inserted, 0 unchanged"),
        "{text}"
    );
    assert_eq!(streams[MOST_STREAMS], "    ◦ and 5 more");
}
