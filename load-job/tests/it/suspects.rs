//! Rows that a reading lacks: suspects, until they are missing once more.

use crate::world::{Given, World, incremental, on_each_warehouse, snapshot};
use contract::batch::BatchMode;
use contract::evidence::{Doubt, Evidence};
use contract::report::{UnitReport, UnitStatus};
use contract::round::{Round, RunRound};
use load_job::run::Options;
use serde_json::{Value, json};

on_each_warehouse! {
    a_suspect_that_comes_back_is_none,
    a_doubtful_reading_in_between_proves_nothing,
    rows_that_come_and_go_all_the_time_are_marked_by_the_fourth_reading,
    a_row_is_marked_when_two_complete_readings_lack_it,
    what_the_confirming_reading_lacks_anew_is_a_suspect,
    the_api_itself_says_what_is_gone,
    keys_of_any_kind_are_found_again;
    // Decided before any warehouse is asked.
    on_duckdb_alone:
    one_reading_loaded_twice_is_one_reading,
    an_older_batch_marks_nothing,
    a_list_that_begins_later_shows_nothing_of_what_lies_before,
}

const DELETED: &str = "SELECT id FROM bronze.things WHERE _etl_operation = 'DELETE' ORDER BY id";
const NONE: [&str; 0] = [];

fn records(ids: impl IntoIterator<Item = u32>, v: &str) -> Vec<Value> {
    ids.into_iter().map(|id| json!({"id": id, "v": v})).collect()
}

/// Loads a run's first round alone.
fn load(world: &mut World, given: &Given) -> UnitReport {
    let run = world.extract(std::slice::from_ref(given));
    world.load_with(&run, &Options::default()).remove(0)
}

fn a_row_is_marked_when_two_complete_readings_lack_it(new: fn() -> World) {
    let mut world = new();
    load(&mut world, &snapshot("a", &records(0..5, "x")));
    let first = load(&mut world, &snapshot("a", &records(1..5, "x")));
    assert_eq!((first.rows_deleted, first.rows_suspected, first.warnings.len()), (0, 1, 0));
    assert_eq!((world.lines(DELETED), world.suspects("a")), (vec![], vec!["0".to_owned()]));
    let second = load(&mut world, &snapshot("a", &records(1..5, "x")));
    assert_eq!((second.rows_deleted, second.rows_suspected), (1, 0));
    assert_eq!(world.lines(DELETED), ["0"]);
    assert_eq!(world.suspects("a"), NONE);
    let third = load(&mut world, &snapshot("a", &records(0..5, "x")));
    assert_eq!((third.rows_updated, third.rows_suspected), (1, 0), "it is restored");
}

fn a_suspect_that_comes_back_is_none(new: fn() -> World) {
    let mut world = new();
    load(&mut world, &snapshot("a", &records(0..5, "x")));
    load(&mut world, &snapshot("a", &records(2..5, "x")));
    assert_eq!(world.suspects("a"), ["0", "1"]);
    // One comes by a backfill, so that the next reading that lacks it is the first again, and not the same as the one before.
    load(&mut world, &Given { mode: BatchMode::Window, state: None, ..incremental("a", &records(0..1, "x")) });
    assert_eq!(world.suspects("a"), ["1"]);
    let unit = load(&mut world, &snapshot("a", &records(2..5, "x")));
    assert_eq!((unit.rows_deleted, unit.rows_suspected), (0, 2));
    let unit = load(&mut world, &snapshot("a", &records(2..5, "x")));
    assert_eq!((unit.rows_deleted, unit.rows_suspected), (2, 0));
    assert_eq!((world.lines(DELETED), world.suspects("a").len()), (vec!["0".to_owned(), "1".to_owned()], 0));
}

fn one_reading_loaded_twice_is_one_reading(new: fn() -> World) {
    let mut world = new();
    load(&mut world, &snapshot("a", &records(0..5, "x")));
    let run = world.extract(&[snapshot("a", &records(1..5, "x"))]);
    for _ in 0..3 {
        let unit = world.load_with(&run, &Options::default()).remove(0);
        assert_eq!((unit.rows_deleted, unit.rows_suspected), (0, 1));
    }
    assert_eq!((world.lines(DELETED), world.suspects("a")), (vec![], vec!["0".to_owned()]));
}

fn a_doubtful_reading_in_between_proves_nothing(new: fn() -> World) {
    let mut world = new();
    load(&mut world, &snapshot("a", &records(0..5, "x")));
    load(&mut world, &snapshot("a", &records(2..5, "x")));
    let mut evidence = Evidence::default();
    evidence.doubt(Doubt::Shifted, || "the API told totals between 4 and 5 and gave 4 records".into());
    // It has one of the suspects, and lacks another row.
    let doubtful = Given { evidence: Some(evidence), ..snapshot("a", &records([0, 2, 3], "x")) };
    let unit = load(&mut world, &doubtful);
    assert_eq!((unit.rows_deleted, unit.rows_suspected), (0, 0));
    assert!(unit.warnings[0].contains("deletes are held back: the API told totals between 4 and 5"), "{unit:?}");
    assert_eq!(world.suspects("a"), ["1"]);
    // 0 came back by it, and 4 is missing for the first time: only 1 has been missing before.
    let unit = load(&mut world, &snapshot("a", &records([2, 3], "x")));
    assert_eq!((unit.rows_deleted, unit.rows_suspected), (0, 3));
    assert_eq!(world.lines(DELETED), NONE);
}

fn what_the_confirming_reading_lacks_anew_is_a_suspect(new: fn() -> World) {
    let mut world = new();
    load(&mut world, &snapshot("a", &records(0..6, "x")));
    let run = world.extract(&[snapshot("a", &records(2..6, "x"))]);
    world.load_with(&run, &Options::default());
    // Between the readings one row comes back, one more goes, one changes and one is new.
    let mut again = records([1, 3, 4, 7], "x");
    again.push(json!({"id": 5, "v": "y"}));
    let confirm = RunRound { run: run.clone(), round: Round::Confirm };
    world.extract_round(&[snapshot("a", &again)], &confirm);
    let unit = world.load_with(&run, &Options { confirm: true, ..Options::default() }).remove(0);
    let counts = (unit.rows_inserted, unit.rows_updated, unit.rows_deleted, unit.rows_suspected);
    assert_eq!(
        counts,
        (1, 1, 0, 2),
        "rows come and go while pages are read: one may have slipped through both readings"
    );
    assert_eq!((world.lines(DELETED), world.suspects("a")), (vec![], vec!["0".to_owned(), "2".to_owned()]));
    // The run loaded again: what the confirming reading gave stays.
    let unit = world.load_with(&run, &Options::default()).remove(0);
    let counts = (unit.rows_inserted, unit.rows_updated, unit.rows_deleted, unit.rows_suspected);
    assert_eq!(counts, (0, 0, 0, 2));
    assert_eq!(world.lines("SELECT v FROM bronze.things WHERE id = 5"), ["y"]);
    // A reading that gives the very same rows is the proof.
    let unit = load(&mut world, &snapshot("a", &again));
    assert_eq!((unit.rows_deleted, unit.rows_suspected), (2, 0));
    assert_eq!(
        (world.lines(DELETED), world.suspects("a")),
        (vec!["0".to_owned(), "2".to_owned()], Vec::<String>::new())
    );
}

fn rows_that_come_and_go_all_the_time_are_marked_by_the_fourth_reading(new: fn() -> World) {
    let mut world = new();
    load(&mut world, &snapshot("a", &records(0..5, "x")));
    // A row is new in every reading, so that none has the rows of the one before.
    let found: Vec<(u64, u64)> = (10..14)
        .map(|new| load(&mut world, &snapshot("a", &records((1..5).chain(10..=new), "x"))))
        .map(|unit| (unit.rows_deleted, unit.rows_suspected))
        .collect();
    assert_eq!(found, [(0, 1), (0, 1), (0, 1), (1, 0)]);
    assert_eq!(world.lines(DELETED), ["0"]);
}

fn an_older_batch_marks_nothing(new: fn() -> World) {
    let mut world = new();
    let old = world.extract(&[snapshot("a", &records(0..3, "x"))]);
    load(&mut world, &snapshot("a", &records(0..5, "x")));
    load(&mut world, &snapshot("a", &records([0, 1, 2, 4], "x")));
    assert_eq!(world.suspects("a"), ["3"]);
    let unit = world.load_with(&old, &Options { force: true, ..Options::default() }).remove(0);
    assert_eq!((unit.status, unit.rows_deleted, unit.rows_suspected), (UnitStatus::Done, 0, 0), "{unit:?}");
    assert!(unit.warnings.iter().any(|text| text.contains("a later batch was applied before it")), "{unit:?}");
    assert_eq!(world.lines(DELETED), NONE);
}

fn from(day: u32, given: Given) -> Given {
    let mut evidence = Evidence::default();
    evidence.scope.starts_at("things", format!("2026-01-{day:02}T00:00:00Z").parse().unwrap());
    Given { evidence: Some(evidence), ..given }
}

fn a_list_that_begins_later_shows_nothing_of_what_lies_before(new: fn() -> World) {
    let mut world = new();
    load(&mut world, &from(5, snapshot("a", &records(0..5, "x"))));
    // The start moves on, and back; an earlier backfill moves it for good.
    for (day, is_held) in [(5, false), (6, true), (5, false), (4, false), (5, true)] {
        let unit = load(&mut world, &from(day, snapshot("a", &records(1..5, "x"))));
        let is_told = unit.warnings.iter().any(|text| text.contains("a list that begins at a date"));
        assert_eq!(is_told, is_held, "{day}: {unit:?}");
        load(&mut world, &from(day, snapshot("a", &records(0..5, "x"))));
    }
    assert_eq!(world.lines(DELETED), NONE);
    let backfill = Given { mode: BatchMode::Window, state: None, ..incremental("a", &records(8..9, "x")) };
    load(&mut world, &from(1, backfill));
    let unit = load(&mut world, &from(4, snapshot("a", &records(0..5, "x"))));
    assert!(unit.rows_suspected == 0 && unit.warnings[0].contains("rows from 2026-01-01"), "{unit:?}");
    // Rows of an unknown past.
    let checkpoint = world.object("checkpoints/test/a/things.json");
    std::fs::remove_file(checkpoint).unwrap();
    let unit = load(&mut world, &from(1, snapshot("a", &records(0..3, "x"))));
    assert!(unit.rows_suspected == 0 && unit.warnings[0].contains("may have rows from before"), "{unit:?}");
    let unit = load(&mut world, &snapshot("a", &records(0..3, "x")));
    assert_eq!(unit.rows_suspected, 3, "a reading without a start shows everything");
}

fn the_api_itself_says_what_is_gone(new: fn() -> World) {
    let mut world = new();
    load(&mut world, &snapshot("a", &records(0..9, "x")));
    let run = world.extract(&[snapshot("a", &records(3..9, "x"))]);
    world.load_with(&run, &Options::default());
    // Asked one by one, the API has the first as it was, the second changed, and not the third.
    let mut answers = records([0], "x");
    answers.push(json!({"id": 1, "v": "y"}));
    let given = Given { mode: BatchMode::Confirm, gone: vec!["2"], ..snapshot("a", &answers) };
    world.extract_round(&[given], &RunRound { run: run.clone(), round: Round::Confirm });
    let unit = world.load_with(&run, &Options { confirm: true, ..Options::default() }).remove(0);
    let counts = (unit.rows_inserted, unit.rows_updated, unit.rows_deleted, unit.rows_suspected);
    assert_eq!(counts, (0, 1, 1, 0), "{unit:?}");
    assert_eq!(world.lines(DELETED), ["2"]);
    assert_eq!(world.suspects("a"), NONE);
}

fn keys_of_any_kind_are_found_again(new: fn() -> World) {
    let ids =
        ["plain", "two words", "a/b", "ünïcode ✓", "\"quoted\"", "back\\slash", "<&>'", "line\nbreak", "\u{2028}"];
    let all: Vec<Value> = ids.iter().flat_map(|id| [json!({"id": id, "n": 1}), json!({"id": id, "n": -2})]).collect();
    let mut world = new();
    let keyed = |records: &[Value]| Given { keys: vec!["id", "n"], ..snapshot("a", records) };
    load(&mut world, &keyed(&all));
    let few: Vec<Value> = all.iter().take(1).cloned().collect();
    let unit = load(&mut world, &keyed(&few));
    assert_eq!((unit.rows_suspected, unit.rows_deleted), (17, 0));
    // Half of them come back; the other half is gone.
    let half: Vec<Value> = all.iter().step_by(2).cloned().collect();
    let unit = load(&mut world, &keyed(&half));
    assert_eq!((unit.rows_suspected, unit.rows_deleted), (9, 0), "{unit:?}");
    let unit = load(&mut world, &keyed(&half));
    assert_eq!((unit.rows_suspected, unit.rows_deleted), (0, 9), "{unit:?}");
    let live = world.lines("SELECT count(*) FROM bronze.things WHERE _etl_operation <> 'DELETE' AND n = 1");
    assert_eq!(live, ["9"]);
}
