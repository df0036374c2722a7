//! Cost is a feature: nothing to do costs no MERGE, inserts alone cost no reading of the target, and the bill is told.

use crate::world::{World, snapshot};
use contract::report::UnitStatus;
use serde_json::json;

fn statements(world: &World, word: &str) -> usize {
    let project = format!("`{}`.`bronze`", world.project());
    world.cloud().bigquery.queries().iter().filter(|sql| sql.contains(word) && sql.contains(&project)).count()
}

#[test]
fn only_what_is_needed_runs() {
    let mut world = World::bigquery();
    world.run(&[snapshot("a", &[json!({"id": 1}), json!({"id": 2})])]);
    assert_eq!((statements(&world, "INSERT INTO"), statements(&world, "MERGE INTO")), (1, 0), "inserts only");
    world.run(&[snapshot("a", &[json!({"id": 1}), json!({"id": 2})])]);
    assert_eq!((statements(&world, "INSERT INTO"), statements(&world, "MERGE INTO")), (1, 0), "nothing to do");
    world.run(&[snapshot("a", &[json!({"id": 1}), json!({"id": 3})])]);
    assert_eq!(
        (statements(&world, "INSERT INTO"), statements(&world, "MERGE INTO")),
        (2, 1),
        "the delete comes when it is confirmed"
    );
}

#[test]
fn the_bill_is_in_the_report_and_in_the_log() {
    let mut world = World::bigquery();
    world.run(&[snapshot("a", &[json!({"id": 1})])]);
    let units =
        world.run(&[snapshot("a", &[json!({"id": 1, "v": "x"})]), snapshot("b", &[json!({"id": 1, "v": "x"})])]);
    assert!(units.iter().all(|unit| unit.bytes_processed > 0 && unit.bytes_billed > 0), "{units:?}");
    let logged = world.lines(
        "SELECT account, bytes_processed, bytes_billed FROM management.etl_logs WHERE stage = 'load' AND run_id = (SELECT MAX(run_id) FROM management.etl_logs) ORDER BY account",
    );
    let mut told: Vec<String> =
        units.iter().map(|unit| format!("{} {} {}", unit.account, unit.bytes_processed, unit.bytes_billed)).collect();
    told.sort();
    assert_eq!(logged, told);
}

#[test]
fn a_query_beyond_the_limit_is_not_run() {
    let mut world = World::bigquery();
    world.warehouse = ", maximum_bytes_billed: 1000".into();
    let run = world.extract(&[snapshot("a", &[json!({"id": 1})])]);
    let units = world.load_with(&run, &Default::default());
    assert_eq!(units[0].status, UnitStatus::Failed);
    assert!(units[0].error.as_ref().unwrap().contains("bytesBilledLimitExceeded"), "{:?}", units[0].error);
    assert!(!world.has_table());
}
