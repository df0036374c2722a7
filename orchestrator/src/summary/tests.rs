//! The summary of whole runs, as text and as JSON.
//! Texts are compared whole: they are what the user sees.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::launcher::{StageEnd, TaskEnd, TaskExit};
use crate::outcome::stage_exit;
use contract::report::{Remedy, RunReport};

const ID: &str = "20260131T235900Z-a1b2c3";

fn at(second: u32) -> DateTime<Utc> {
    format!("2026-01-31T23:59:{second:02}Z").parse().unwrap()
}

fn unit(account: &str, stream: &str) -> Unit {
    Unit::new("servicetitan", account, stream).unwrap()
}

fn extracted(account: &str, stream: &str, rows: u64) -> UnitReport {
    UnitReport { rows_extracted: rows, ..UnitReport::start(&unit(account, stream), stream, at(0)) }.finish(at(2))
}

fn loaded(account: &str, stream: &str, counts: [u64; 5]) -> UnitReport {
    let [inserted, updated, deleted, unchanged, rejected] = counts;
    UnitReport {
        rows_extracted: inserted + updated + unchanged + rejected,
        rows_inserted: inserted,
        rows_updated: updated,
        rows_deleted: deleted,
        rows_unchanged: unchanged,
        rows_rejected: rejected,
        ..UnitReport::start(&unit(account, stream), stream, at(2))
    }
    .finish(at(3))
}

fn stage(stage: Stage, tasks: Vec<(TaskExit, Option<Vec<UnitReport>>)>) -> StageResult {
    let count = tasks.len();
    let report = |index, units| RunReport {
        version: 1,
        run_id: ID.parse().unwrap(),
        stage: stage.as_str().into(),
        task_index: index,
        task_count: count,
        status: TaskStatus::Finished,
        started_at: at(0),
        finished_at: at(3),
        tool_version: "0".into(),
        units,
    };
    let (mut ends, mut reports) = (Vec::new(), Vec::new());
    for (index, (exit, units)) in tasks.into_iter().enumerate() {
        ends.push(TaskEnd { index, exit, said: Vec::new() });
        reports.push(Ok(units.map(|units| report(index, units))));
    }
    let end = StageEnd { tasks: ends, ..StageEnd::default() };
    let exit = stage_exit(&end, &reports);
    StageResult { stage, end, reports, exit }
}

fn ran(extract: Option<StageResult>, load: Option<StageResult>) -> Ran {
    Ran {
        run_id: ID.parse().unwrap(),
        pipeline: "my pipeline.yaml".into(),
        only: None,
        again: format!("orchestrator run --run-id {ID} --force"),
        planned: Vec::new(),
        extract,
        load,
        confirm_extract: None,
        confirm_load: None,
        not_started: None,
        started_at: at(0),
        finished_at: at(4),
    }
}

fn check(ran: Ran, status: RunStatus, exit: Exit, text: &str) {
    let summary = RunSummary::of(ran);
    assert_eq!(text::render(&summary), text);
    assert_eq!((summary.status, summary.exit()), (status, exit));
}

#[test]
fn a_run_that_went_well() {
    let warned =
        UnitReport { warnings: vec!["unstable; deletes are held back".into()], ..extracted("acme", "jobs", 90) };
    let extract =
        stage(Stage::Extract, vec![(TaskExit::Code(0), Some(vec![warned, extracted("acme", "campaigns", 60)]))]);
    let units = vec![loaded("acme", "jobs", [1, 2, 0, 87, 0]), loaded("acme", "campaigns", [0, 0, 3, 57, 0])];
    let load = stage(Stage::Load, vec![(TaskExit::Code(0), Some(units))]);
    let expected = "\
source        account  stream     table      extracted  inserted  updated  deleted  unchanged  repeated  rejected  seconds  status
servicetitan  acme     campaigns  campaigns         60         0        0        3         57         0         0      3.0  done
servicetitan  acme     jobs       jobs              90         1        2        0         87         0         0      3.0  done

warnings:
  servicetitan/acme/jobs: unstable; deletes are held back

run 20260131T235900Z-a1b2c3: 2 units done, 0 failed in 4.0 s";
    check(ran(Some(extract), Some(load)), RunStatus::Done, Exit::Done, expected);
}

#[test]
fn a_run_that_went_half_well() {
    let failed = extracted("acme", "jobs", 0).fail("401 Unauthorized\nsecond line", at(1));
    let done = extracted("acme", "campaigns", 60);
    let extract = stage(
        Stage::Extract,
        vec![
            (TaskExit::Code(1), Some(vec![failed, done])),
            (TaskExit::Signal(9), Some(vec![extracted("b", "jobs", 1)])),
        ],
    );
    let refused = loaded("b", "jobs", [0; 5]).fail("would mark 40 of 60 live rows as deleted", at(3));
    let load = stage(
        Stage::Load,
        vec![(TaskExit::Code(1), Some(vec![loaded("acme", "campaigns", [60, 0, 0, 0, 0]), refused]))],
    );
    let mut ran = ran(Some(extract), Some(load));
    ran.planned = vec![unit("acme", "jobs"), unit("acme", "campaigns"), unit("b", "jobs"), unit("b", "customers")];
    let expected = "\
source        account  stream     table      extracted  inserted  updated  deleted  unchanged  repeated  rejected  seconds  status
servicetitan  acme     campaigns  campaigns         60        60        0        0          0         0         0      3.0  done
servicetitan  acme     jobs       jobs               0         0        0        0          0         0         0      1.0  failed
servicetitan  b        customers                     0         0        0        0          0         0         0      0.0  not extracted
servicetitan  b        jobs       jobs               1         0        0        0          0         0         0      3.0  failed

failed:
  extract task 2 of 2 was killed by signal 9 (SIGKILL), perhaps for want of memory
  extract servicetitan/acme/jobs: 401 Unauthorized
  second line
  load servicetitan/b/jobs: would mark 40 of 60 live rows as deleted

run 20260131T235900Z-a1b2c3: 1 unit done, 3 failed in 4.0 s
what failed to extract is untouched in the warehouse; the next run extracts it from where it was
to load again without extracting: orchestrator run --pipeline 'my pipeline.yaml' --only load --run-id 20260131T235900Z-a1b2c3";
    check(ran, RunStatus::PartlyFailed, Exit::SomeFailed, expected);
}

#[test]
fn what_failed_units_need_is_told_for_each_account_alone() {
    let refused = |account, stream, remedy| loaded(account, stream, [0; 5]).fail("refused", at(3)).needing(remedy);
    let load = |units: Vec<UnitReport>| {
        let extract = units_of(&units);
        let load = stage(Stage::Load, vec![(TaskExit::Code(1), Some(units))]);
        text::render(&RunSummary::of(ran(Some(extract), Some(load))))
    };
    let command = "orchestrator run --pipeline 'my pipeline.yaml'";
    let again = format!("{command} --only load --run-id {ID}");
    let of = |account: &str, streams: &str| format!("--source=servicetitan --account={account} {streams}");
    let text = load(vec![
        refused("acme", "jobs", Some(Remedy::AllowMassDelete)),
        refused("acme", "campaigns", Some(Remedy::AllowMassDelete)),
        refused("b", "jobs", Some(Remedy::Force)),
        refused("b", "campaigns", Some(Remedy::FullRefresh)),
        refused("c", "jobs", Some(Remedy::AnotherRun)),
        loaded("c", "campaigns", [0; 5]),
    ]);
    let expected = [
        format!("if that is right: {again} {} --force", of("b", "--stream=jobs")),
        format!("if that is right: {again} {} --allow-mass-delete", of("acme", "--stream=campaigns --stream=jobs")),
        format!("to extract from the start: {command} {} --full-refresh", of("b", "--stream=campaigns")),
        format!("to extract again: {command} {}", of("c", "--stream=jobs")),
    ];
    assert!(text.ends_with(&format!("4.0 s\n{}", expected.join("\n"))), "{text}");
    assert!(!text.contains("to load again"), "what was refused is not told again: {text}");

    let text = load(vec![refused("b", "jobs", Some(Remedy::Force)), refused("acme", "jobs", None)]);
    let expected = [
        format!("to load again without extracting: {again}"),
        format!("if that is right: {again} --source=servicetitan --account=b --stream=jobs --force"),
    ];
    assert!(text.ends_with(&format!("4.0 s\n{}", expected.join("\n"))), "{text}");
}

/// An extract in which all these units were done.
fn units_of(units: &[UnitReport]) -> StageResult {
    let units = units.iter().map(|unit| extracted(&unit.account, &unit.stream, 1)).collect();
    stage(Stage::Extract, vec![(TaskExit::Code(0), Some(units))])
}

#[test]
fn a_load_that_could_not_begin() {
    let extract = stage(Stage::Extract, vec![(TaskExit::Code(0), Some(vec![extracted("acme", "jobs", 9)]))]);
    let mut load = stage(Stage::Load, vec![(TaskExit::Code(3), None)]);
    load.end.tasks[0].said = vec!["the warehouse is locked".into()];
    let expected = "\
source        account  stream  table  extracted  inserted  updated  deleted  unchanged  repeated  rejected  seconds  status
servicetitan  acme     jobs    jobs           9         0        0        0          0         0         0      2.0  not loaded

failed:
  load ended with exit code 3: the warehouse is locked

run 20260131T235900Z-a1b2c3: 0 units done, 1 failed in 4.0 s
to load again without extracting: orchestrator run --pipeline 'my pipeline.yaml' --only load --run-id 20260131T235900Z-a1b2c3";
    check(ran(Some(extract), Some(load)), RunStatus::Failed, Exit::Unreachable, expected);
}

#[test]
fn a_run_that_was_stopped() {
    let mut extract = stage(Stage::Extract, vec![(TaskExit::Code(1), Some(vec![extracted("acme", "jobs", 9)]))]);
    extract.end.interrupted = Some("SIGTERM".into());
    let mut ran = ran(Some(extract), None);
    ran.not_started = Some((Stage::Load, "SIGTERM".into()));
    ran.planned = vec![unit("acme", "campaigns")];
    let expected = "\
source        account  stream     table  extracted  inserted  updated  deleted  unchanged  repeated  rejected  seconds  status
servicetitan  acme     campaigns                 0         0        0        0          0         0         0      0.0  not extracted
servicetitan  acme     jobs       jobs           9         0        0        0          0         0         0      2.0  not loaded

failed:
  the run was stopped by SIGTERM; the load was not started

run 20260131T235900Z-a1b2c3: 0 units done, 2 failed in 4.0 s, interrupted
to go on where it stopped: orchestrator run --pipeline 'my pipeline.yaml' --run-id 20260131T235900Z-a1b2c3";
    check(ran, RunStatus::Interrupted, Exit::SomeFailed, expected);
}

#[test]
fn a_stage_that_goes_on_without_the_orchestrator_is_told() {
    let left = |stage| {
        let end = StageEnd {
            interrupted: Some("SIGTERM".into()),
            left_running: Some(format!("the {stage} is still running in Cloud Run as execution j-1; to watch it: `x`")),
            ..StageEnd::default()
        };
        StageResult { stage, exit: stage_exit(&end, &[]), end, reports: Vec::new() }
    };
    let mut of_extract = ran(Some(left(Stage::Extract)), None);
    of_extract.planned = vec![unit("acme", "jobs")];
    of_extract.not_started = Some((Stage::Load, "SIGTERM".into()));
    let expected = "\
source        account  stream  table  extracted  inserted  updated  deleted  unchanged  repeated  rejected  seconds  status
servicetitan  acme     jobs                   0         0        0        0          0         0         0      0.0  not extracted

failed:
  the run was stopped by SIGTERM; the extract is still running in Cloud Run as execution j-1; to watch it: `x`

run 20260131T235900Z-a1b2c3: 0 units done, 1 failed in 4.0 s, interrupted
to go on with it: orchestrator run --run-id 20260131T235900Z-a1b2c3 --force";
    check(of_extract, RunStatus::Interrupted, Exit::SomeFailed, expected);
    let done = stage(Stage::Extract, vec![(TaskExit::Code(0), Some(vec![extracted("acme", "jobs", 9)]))]);
    let summary = RunSummary::of(ran(Some(done), Some(left(Stage::Load))));
    assert_eq!((summary.status, summary.exit()), (RunStatus::Interrupted, Exit::SomeFailed));
    assert!(summary.errors[0].contains("the load is still running"), "{:?}", summary.errors);
    assert!(text::render(&summary).ends_with(&format!("to go on with it: orchestrator run --run-id {ID} --force")));
}

#[test]
fn a_deadline_is_no_wish_to_stop() {
    let mut extract = stage(Stage::Extract, vec![(TaskExit::Code(1), Some(vec![extracted("acme", "jobs", 9)]))]);
    extract.end.remarks = vec!["was cancelled after its 60 s (execution j-1)".into()];
    if let Ok(Some(report)) = &mut extract.reports[0] {
        report.status = TaskStatus::Interrupted;
    }
    let load = stage(Stage::Load, vec![(TaskExit::Code(0), Some(vec![loaded("acme", "jobs", [9, 0, 0, 0, 0])]))]);
    let summary = RunSummary::of(ran(Some(extract), Some(load)));
    assert_eq!((summary.status, summary.exit()), (RunStatus::PartlyFailed, Exit::SomeFailed));
    assert_eq!(summary.errors, ["extract was cancelled after its 60 s (execution j-1)"]);
}

#[test]
fn records_add_up_and_what_is_not_due_is_said() {
    let repeated = UnitReport { rows_extracted: 95, rows_repeated: 5, ..loaded("acme", "jobs", [1, 2, 0, 87, 0]) };
    let not_due = UnitReport {
        status: UnitStatus::Skipped,
        not_due: Some("it is read every 24h, and was read 12h ago".into()),
        ..extracted("acme", "campaigns", 0)
    };
    let extract = stage(Stage::Extract, vec![(TaskExit::Code(0), Some(vec![extracted("acme", "jobs", 95), not_due]))]);
    let load = stage(Stage::Load, vec![(TaskExit::Code(0), Some(vec![repeated]))]);
    // A second reading finds a row that had come meanwhile.
    let again = stage(Stage::ConfirmExtract, vec![(TaskExit::Code(0), Some(vec![extracted("acme", "jobs", 96)]))]);
    let confirmed = UnitReport { rows_extracted: 96, ..loaded("acme", "jobs", [1, 0, 1, 95, 0]) };
    let confirmed = stage(Stage::ConfirmLoad, vec![(TaskExit::Code(0), Some(vec![confirmed]))]);
    let ran = Ran { confirm_extract: Some(again), confirm_load: Some(confirmed), ..ran(Some(extract), Some(load)) };
    let summary = RunSummary::of(ran);
    let row = &summary.rows[1];
    assert_eq!(row.extracted, row.inserted + row.updated + row.unchanged + row.repeated + row.rejected, "{row:?}");
    assert_eq!((row.extracted, row.inserted, row.repeated), (96, 2, 5));
    let text = text::render(&summary);
    assert!(text.contains("  not due\n"), "{text}");
    let says = "not due:\n  servicetitan/acme/campaigns: it is read every 24h, and was read 12h ago\n\nrun ";
    assert!(text.contains(says), "{text}");
    assert_eq!((summary.status, summary.exit()), (RunStatus::Done, Exit::Done));
}

#[test]
fn an_extract_alone_says_how_to_load() {
    let extract = stage(Stage::Extract, vec![(TaskExit::Code(0), Some(vec![extracted("acme", "jobs", 9)]))]);
    let mut ran = ran(Some(extract), None);
    ran.only = Some(Stage::Extract);
    let summary = RunSummary::of(ran);
    assert_eq!(summary.status, RunStatus::Done);
    assert_eq!(summary.rows[0].status, RowStatus::Extracted);
    let text = text::render(&summary);
    let last = text.lines().last().unwrap();
    assert_eq!(last, format!("to load it: orchestrator run --pipeline 'my pipeline.yaml' --only load --run-id {ID}"));
}

#[test]
fn json_has_the_keys_of_the_contract() {
    let extract = stage(Stage::Extract, vec![(TaskExit::Code(1), Some(vec![extracted("acme", "jobs", 9)]))]);
    let json = serde_json::to_value(RunSummary::of(ran(Some(extract), None))).unwrap();
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["run_id", "status", "exit_code", "started_at", "finished_at", "duration_ms", "extract", "load", "errors"];
    assert_eq!(keys, expected);
    assert_eq!((&json["status"], &json["exit_code"]), (&"partly_failed".into(), &1.into()));
    assert_eq!(json["extract"][0]["rows_extracted"], 9);
}
