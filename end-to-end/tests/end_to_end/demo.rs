//! `orchestrator demo` with the real jobs: its second run shows deletes, and they are those that a second reading has confirmed.

use crate::programs::{self, Ended};
use crate::tables::Warehouse;
use crate::world::files;
use serde_json::Value;

#[test]
fn the_second_run_shows_deletes_that_were_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = programs::program("orchestrator");
    command.args(["demo", "--dir", "demo", "--output", "json"]).current_dir(folder.path());
    let ended = Ended::of(command.output().unwrap()).expect(0);
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["errors"], Value::Array(Vec::new()));
    let [first, second] = report["runs"].as_array().unwrap().as_slice() else { panic!("two runs: {}", ended.out) };

    let units = |run: &Value, stage: &str| run[stage].as_array().cloned().unwrap_or_default();
    let sum = |run: &Value, stage: &str, count: &str| -> u64 {
        units(run, stage).iter().map(|unit| unit[count].as_u64().unwrap()).sum()
    };
    assert_eq!((units(first, "confirm_extract").len(), units(first, "confirm_load").len()), (0, 0));
    let deleted = sum(second, "confirm_load", "rows_deleted");
    assert!(deleted > 0, "{}", ended.out);
    assert_eq!((sum(second, "load", "rows_deleted"), sum(second, "load", "rows_suspected")), (0, deleted));
    assert_eq!(sum(second, "confirm_load", "rows_suspected"), 0, "nothing is left to be confirmed");
    assert_eq!(files(&folder.path().join("demo/landing/suspects")).len(), 0);

    let warehouse = Warehouse::open(&folder.path().join("demo/warehouse.duckdb"));
    let marked = warehouse.everything().into_keys().flat_map(|table| {
        let rows = warehouse.rows("bronze", &table, &["_etl_operation"]).rows;
        rows.into_iter().filter(|row| row[0].as_deref() == Some("DELETE"))
    });
    assert_eq!(marked.count() as u64, deleted);
}
