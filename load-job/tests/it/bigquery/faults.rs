//! BigQuery's failures: lost answers, passing errors, jobs of an earlier attempt. No row is lost, doubled or falsely deleted.

use crate::world::{World, snapshot};
use chrono::{TimeDelta, Utc};
use contract::report::UnitStatus;
use contract::shutdown::Shutdown;
use load_job::run::Options;
use sandbox::bigquery::{Effect, Fault, Operation};
use sandbox::cloud_storage;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn records(ids: std::ops::Range<u32>, v: &str) -> Vec<Value> {
    ids.map(|id| json!({"id": id, "v": v})).collect()
}

const ROWS: &str = "SELECT id, v, _etl_operation FROM bronze.things ORDER BY id";

/// How often a statement that writes into the target took effect is seen in the rows; how often it was sent, here.
fn applied(world: &World) -> Vec<String> {
    let stem = format!("`{}`.`bronze`", world.project());
    let requests = world.cloud().bigquery.requests();
    let jobs = requests.iter().filter(|request| {
        request.operation == Some(Operation::JobInsert)
            && request
                .sql()
                .is_some_and(|sql| (sql.contains("INSERT INTO") || sql.contains("MERGE INTO")) && sql.contains(&stem))
    });
    jobs.filter_map(|job| job.job_id().map(str::to_owned)).collect()
}

#[test]
fn passing_failures_are_survived_and_nothing_runs_twice() {
    let refused = |status, reason: &str| Effect::Refused { status, reason: reason.into(), message: "try again".into() };
    let fails = |reason: &str| Effect::JobFails { reason: reason.into(), message: "try again".into() };
    let cases: Vec<(&str, Operation, Effect)> = vec![
        ("the insert's answer is lost", Operation::JobInsert, Effect::CutAfter),
        ("the insert is done but reported failed", Operation::JobInsert, Effect::FailedAfter { status: 503 }),
        ("the insert never arrives", Operation::JobInsert, Effect::CutBefore),
        ("rate limit", Operation::JobInsert, refused(403, "rateLimitExceeded")),
        ("the job's rate limit", Operation::JobInsert, refused(400, "jobRateLimitExceeded")),
        ("a proxy answers", Operation::JobInsert, Effect::Html { status: 502 }),
        ("the job ends with backendError", Operation::JobInsert, fails("backendError")),
        ("the job ends with internalError", Operation::JobInsert, fails("internalError")),
        ("polls fail", Operation::JobGet, Effect::Html { status: 503 }),
    ];
    let mut world = World::bigquery();
    world.run(&[snapshot("a", &records(0..4, "old"))]);
    let project = world.project().to_owned();
    for (round, (case, operation, effect)) in cases.into_iter().enumerate() {
        let word = format!("v{round}");
        // The statement that writes into the target, of this world alone.
        world.cloud().bigquery.fault(Fault::once(operation, effect).on(&format!("MERGE INTO `{project}`.`bronze`")));
        let mut now = records(1..4, &word);
        now.push(json!({"id": 100 + round, "v": "new"}));
        now.extend((0..round).map(|before| json!({"id": 100 + before, "v": "new"})));
        let units = world.run(&[snapshot("a", &now)]);
        let expected = (1, 3, u64::from(round == 0));
        assert_eq!((units[0].rows_inserted, units[0].rows_updated, units[0].rows_deleted), expected, "{case}");
        let rows = world.lines("SELECT id, v FROM bronze.things WHERE id BETWEEN 1 AND 3 ORDER BY id");
        assert_eq!(rows, [format!("1 {word}"), format!("2 {word}"), format!("3 {word}")], "{case}");
        let new = world.lines("SELECT COUNT(*), COUNT(DISTINCT id) FROM bronze.things WHERE id >= 100");
        assert_eq!(new, [format!("{} {}", round + 1, round + 1)], "{case}");
    }
}

#[test]
fn an_insert_whose_answer_is_lost_is_not_doubled() {
    for effect in [Effect::CutAfter, Effect::FailedAfter { status: 503 }] {
        let mut world = World::bigquery();
        let on = format!("INSERT INTO `{}`.`bronze`", world.project());
        world.cloud().bigquery.fault(Fault::once(Operation::JobInsert, effect).on(&on));
        world.run(&[snapshot("a", &records(0..3, "x"))]);
        assert_eq!(world.lines(ROWS), ["0 x INSERT", "1 x INSERT", "2 x INSERT"]);
    }
}

#[test]
fn a_lasting_failure_changes_nothing_and_a_rerun_loads_it() {
    let mut world = World::bigquery();
    world.run(&[snapshot("a", &records(0..3, "old"))]);
    let before = world.lines(ROWS);
    let on = format!("MERGE INTO `{}`.`bronze`", world.project());
    let fails = Effect::JobFails { reason: "quotaExceeded".into(), message: "the day's quota is used up".into() };
    world.cloud().bigquery.fault(Fault::once(Operation::JobInsert, fails).on(&on));
    let run = world.extract(&[snapshot("a", &records(0..3, "new"))]);
    let units = world.load_with(&run, &Options::default());
    assert_eq!(units[0].status, UnitStatus::Failed);
    assert!(units[0].error.as_ref().unwrap().contains("quotaExceeded: the day's quota"), "{:?}", units[0].error);
    assert_eq!(world.lines(ROWS), before);
    let units = world.load_with(&run, &Options::default());
    assert_eq!((units[0].status, units[0].rows_updated), (UnitStatus::Done, 3), "{:?}", units[0].error);
}

#[test]
fn rows_that_are_committed_without_a_checkpoint_are_not_written_again() {
    let mut world = World::bigquery();
    let run = world.extract(&[snapshot("a", &records(0..3, "x"))]);
    let name = format!("{}/checkpoints", world.project());
    let refused = cloud_storage::FaultAction::status(403);
    world.cloud().storage.fault(cloud_storage::Fault::once(cloud_storage::Operation::Upload, refused).on(&name));
    let units = world.load_with(&run, &Options::default());
    assert!(units[0].error.as_ref().unwrap().contains("its checkpoint was not moved"), "{:?}", units[0].error);
    let rows = world.lines("SELECT * FROM bronze.things ORDER BY id");
    let units = world.load_with(&run, &Options::default());
    assert_eq!((units[0].status, units[0].rows_inserted), (UnitStatus::Done, 0), "{:?}", units[0].error);
    assert_eq!(world.lines("SELECT * FROM bronze.things ORDER BY id"), rows);
    assert_eq!(applied(&world).len(), 1);
}

#[test]
fn a_statement_that_an_earlier_attempt_left_running_is_waited_for() {
    let mut world = World::bigquery();
    let run = world.extract(&[snapshot("a", &records(0..3, "x"))]);
    let on = format!("INSERT INTO `{}`.`bronze`", world.project());
    let slow = Effect::Running(Duration::from_secs(4));
    world.cloud().bigquery.fault(Fault::once(Operation::JobInsert, slow).on(&on));
    // The first attempt is told to stop while its statement runs.
    let shutdown = Shutdown::new();
    let seen = || applied(&world).len();
    let stopped = std::thread::scope(|scope| {
        scope.spawn(|| {
            while seen() == 0 {
                std::thread::sleep(Duration::from_millis(20));
            }
            shutdown.request("SIGTERM");
        });
        world.load_until(&run, &Options::default(), &shutdown)
    });
    let error = stopped.units[0].error.clone().unwrap_or_default();
    assert!(error.contains("stopped by SIGTERM while job drayage_apply_"), "{error}");
    // A later run waits for it, and finds nothing left to do; so does the same one.
    let later = world.extract(&[snapshot("a", &records(0..3, "x"))]);
    for run in [later, run] {
        let units = world.load_with(&run, &Options { force: true, ..Options::default() });
        assert_eq!((units[0].status, units[0].rows_inserted), (UnitStatus::Done, 0), "{:?}", units[0].error);
    }
    assert_eq!(world.lines(ROWS), ["0 x INSERT", "1 x INSERT", "2 x INSERT"]);
    assert_eq!(applied(&world).len(), 1);
}

#[test]
fn a_table_that_another_account_has_loaded_goes_on() {
    // Whether BigQuery denies a job that is not there, too, nobody knows.
    for denies_missing in [false, true] {
        let mut world = World::bigquery();
        let first = world.extract(&[snapshot("a", &records(0..3, "x"))]);
        world.load_with(&first, &Options::default());
        world.cloud().bigquery.change_account(world.project(), denies_missing);
        // The same run, whose id is taken, the next one, and the one after it.
        let units = world.load_with(&first, &Options { rewrite: true, ..Options::default() });
        assert_eq!((units[0].status, units[0].rows_updated), (UnitStatus::Done, 3), "{:?}", units[0].error);
        for round in 1..3 {
            let v = round.to_string();
            world.run(&[snapshot("a", &records(0..3, &v))]);
            assert_eq!(world.lines("SELECT COUNT(*), MIN(v) FROM bronze.things"), [format!("3 {v}")]);
        }
        assert_eq!(note(&world)["ended"], true);
    }
}

#[test]
fn a_statement_that_cannot_be_seen_is_waited_out_by_its_note() {
    for denies_missing in [false, true] {
        let mut world = World::bigquery();
        let first = world.extract(&[snapshot("a", &records(0..3, "x"))]);
        world.load_with(&first, &Options::default());
        world.cloud().bigquery.change_account(world.project(), denies_missing);
        let mut running = note(&world);
        running["ended"] = json!(false);
        let half_an_hour = TimeDelta::minutes(30);
        // Of this very run, of another run, and one of a program of before, which noted no time.
        let later = world.extract(&[snapshot("a", &records(0..3, "y"))]);
        for (run, wait, at) in [(&first, 2, true), (&later, 2, true), (&later, 0, false)] {
            let mut running = running.clone();
            match at {
                true => running["at"] = json!(Utc::now() - half_an_hour + TimeDelta::seconds(wait)),
                false => drop(running.as_object_mut().unwrap().remove("at")),
            }
            write_note(&world, &running);
            let begun = Instant::now();
            let units = world.load_with(run, &Options { force: true, rewrite: true, ..Options::default() });
            assert_eq!((units[0].status, units[0].rows_updated), (UnitStatus::Done, 3), "{:?}", units[0].error);
            let waited = begun.elapsed().as_secs_f64();
            assert!(waited > wait as f64 - 0.5, "{waited}");
        }
    }
}

#[test]
fn an_id_that_another_account_has_taken_meanwhile_is_told() {
    let mut world = World::bigquery();
    let run = world.extract(&[snapshot("a", &records(0..3, "x"))]);
    world.load_with(&run, &Options::default());
    world.cloud().bigquery.change_account(world.project(), true);
    // As if the other had begun just now, after this one has looked.
    std::fs::remove_file(note_path(&world)).unwrap();
    let units = world.load_with(&run, &Options { rewrite: true, ..Options::default() });
    let error = units[0].error.clone().unwrap_or_default();
    assert!(
        error.contains("another account has a load of the same run at work") && error.contains("bigquery.jobs.get"),
        "{error}"
    );
    assert_eq!(world.lines(ROWS), ["0 x INSERT", "1 x INSERT", "2 x INSERT"]);
}

fn note_path(world: &World) -> std::path::PathBuf {
    let folder = world.object("applies");
    let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "json")).unwrap()
}

fn note(world: &World) -> Value {
    serde_json::from_slice(&std::fs::read(note_path(world)).unwrap()).unwrap()
}

fn write_note(world: &World, note: &Value) {
    let landing = world.landing();
    let name = note_path(world).file_name().unwrap().to_string_lossy().into_owned();
    world.runtime.block_on(contract::stored::write(landing.as_ref(), &format!("applies/{name}"), note)).unwrap();
}

#[test]
fn a_load_of_staged_rows_that_breaks_off_is_begun_again() {
    let mut world = World::bigquery();
    let project = world.project().to_owned();
    let broken = || cloud_storage::FaultAction::DoneThenCut;
    world
        .cloud()
        .storage
        .fault(cloud_storage::Fault::once(cloud_storage::Operation::Chunk, broken()).on(&format!("{project}/staging")));
    let fails = Effect::JobFails { reason: "backendError".into(), message: "again".into() };
    world.cloud().bigquery.fault(Fault::once(Operation::JobInsert, fails).on(&format!("{project}/staging")));
    world.run(&[snapshot("a", &records(0..5_000, "x"))]);
    assert_eq!(world.lines("SELECT COUNT(*), COUNT(DISTINCT id) FROM bronze.things"), ["5000 5000"]);
}

#[test]
fn nothing_of_the_staging_is_left_behind() {
    let mut world = World::bigquery();
    world.run(&[snapshot("a", &records(0..3, "x"))]);
    let tables =
        world.lines(&format!("SELECT table_name FROM `{}`.staging.INFORMATION_SCHEMA.TABLES", world.project()));
    assert_eq!(tables, Vec::<String>::new());
    let folder = world.object("staging");
    let left = std::fs::read_dir(folder).map(|runs| {
        runs.flatten()
            .flat_map(|run| std::fs::read_dir(run.path()).unwrap())
            .flatten()
            .flat_map(|table| std::fs::read_dir(table.path()).unwrap())
            .count()
    });
    assert_eq!(left.unwrap_or(0), 0);
}
