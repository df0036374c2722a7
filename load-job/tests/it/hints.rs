//! Hints (design, section 6): times that count from 1970, JSON that comes as text, the record beside its columns, and `--rewrite`, which
//! changes the columns of a table that was made without them.

use crate::world::{Given, World, on_each_warehouse, snapshot};
use contract::report::UnitStatus;
use load_job::run::Options;
use serde_json::json;

on_each_warehouse! {
    numbers_and_digits_become_times,
    json_that_comes_as_text_is_what_it_says,
    the_record_stands_beside_its_columns,
    a_table_of_before_is_filled_as_before_and_changed_by_a_rewrite,
    a_rewrite_without_rows_does_what_it_tells,
    a_dropped_column_comes_back_with_its_hint;
    on_duckdb_alone:
    a_rewrite_never_bends_a_value,
}

fn raw(lines: &[&str]) -> Given {
    Given { lines: lines.iter().map(|line| (*line).to_owned()).collect(), ..snapshot("a", &[]) }
}

const REWRITE: fn() -> Options = || Options { rewrite: true, ..Options::default() };

fn numbers_and_digits_become_times(new: fn() -> World) {
    let mut world = new();
    world.streams = "[{name: things, columns: {seen: TIMESTAMP_SECONDS, id: TIMESTAMP_MICROS}}]".into();
    let schema = json!({"properties": {"made": {"type": ["null", "string"], "x-epoch": "ms"}}});
    let lines = [
        r#"{"id":1708936896000001,"made":"1708936896489","seen":1708936896}"#,
        r#"{"id":1708936896000002,"made":1708936896489.0,"seen":1708936896.5}"#,
        r#"{"id":"1708936896000003","made":"soon","seen":1708936896489}"#,
        r#"{"id":1708936896000004,"made":null,"seen":"2026-01-31T00:00:00Z"}"#,
    ];
    world.run(&[Given { schema: Some(schema), ..raw(&lines) }]);
    let columns = ["made TIMESTAMP", "seen TIMESTAMP", "id TIMESTAMP", "made__string VARCHAR", "seen__int64 BIGINT"]
        .map(str::to_owned);
    let mut found = world.columns();
    found.sort();
    let mut wanted = columns.to_vec();
    wanted.sort();
    assert_eq!(found, wanted);
    let [id, made, seen] = ["id", "made", "seen"].map(|name| world.instant(name));
    let rows =
        world.lines(&format!("SELECT {id}, {made}, {seen}, made__string, seen__int64 FROM bronze.things ORDER BY id"));
    assert_eq!(
        rows,
        [
            "2024-02-26 08:41:36.000001 2024-02-26 08:41:36.489 2024-02-26 08:41:36 NULL NULL",
            "2024-02-26 08:41:36.000002 2024-02-26 08:41:36.489 2024-02-26 08:41:36.5 NULL NULL",
            "2024-02-26 08:41:36.000003 NULL NULL soon 1708936896489",
            "2024-02-26 08:41:36.000004 NULL 2026-01-31 00:00:00 NULL NULL",
        ]
    );
}

fn json_that_comes_as_text_is_what_it_says(new: fn() -> World) {
    let mut world = new();
    let schema = json!({"properties": {"id": {"type": "integer"}, "user": {"x-json": true}}});
    let lines = [
        r#"{"id":1,"user":{"name":"Lan"}}"#,
        r#"{"id":2,"user":"{\"name\":\"Lan\"}"}"#,
        r#"{"id":3,"user":" [1, \"two\"] "}"#,
        r#"{"id":4,"user":"Lan"}"#,
        r#"{"id":5,"user":"{not json"}"#,
        r#"{"id":6,"user":"12"}"#,
        r#"{"id":7,"user":null}"#,
    ];
    world.run(&[Given { schema: Some(schema), ..raw(&lines) }]);
    assert_eq!(world.columns(), ["id BIGINT", "user JSON"]);
    let user = world.quoted("user");
    let [name, second] = if world.is_bigquery() {
        [format!("JSON_VALUE({user}, '$.name')"), format!("JSON_VALUE({user}, '$[1]')")]
    } else {
        [format!("{user} ->> '$.name'"), format!("{user} ->> '$[1]'")]
    };
    let whole = if world.is_bigquery() { format!("TO_JSON_STRING({user})") } else { user };
    let rows = world.lines(&format!("SELECT {name}, {second} FROM bronze.things WHERE id <= 3 ORDER BY id"));
    assert_eq!(rows, ["Lan NULL", "Lan NULL", "NULL two"]);
    let rows = world.lines(&format!("SELECT {whole} FROM bronze.things WHERE id BETWEEN 4 AND 6 ORDER BY id"));
    assert_eq!(rows, [r#""Lan""#, r#""{not json""#, r#""12""#]);
}

fn the_record_stands_beside_its_columns(new: fn() -> World) {
    let mut world = new();
    let lines = [r#"{"id":1,"name":"a","deep":{"n":12.50}}"#, r#"{"id":2,"name":"b"}"#];
    world.run(&[raw(&lines[..1])]);
    world.streams = "[{name: things, raw: true}]".into();
    world.run(&[raw(&lines)]);
    assert_eq!(world.columns().last().unwrap(), "_etl_raw JSON");
    let name = if world.is_bigquery() { "JSON_VALUE(_etl_raw, '$.name')" } else { "_etl_raw ->> '$.name'" };
    let shown = format!("SELECT id, name, {name} FROM bronze.things ORDER BY id");
    assert_eq!(world.lines(&shown), ["1 a NULL", "2 b b"], "what did not change is not written");
    let run = world.extract(&[raw(&lines)]);
    let units = world.load_with(&run, &REWRITE());
    assert_eq!((units[0].status, units[0].rows_updated), (UnitStatus::Done, 2), "{:?}", units[0].error);
    assert_eq!(world.lines(&shown), ["1 a a", "2 b b"]);
    if !world.is_bigquery() {
        assert_eq!(world.lines("SELECT _etl_raw FROM bronze.things ORDER BY id"), lines);
    }
}

fn a_table_of_before_is_filled_as_before_and_changed_by_a_rewrite(new: fn() -> World) {
    let mut world = new();
    let lines = [
        r#"{"id":1,"made":1708936896489,"text":"1708936896489","count":3,"mixed":"soon"}"#,
        r#"{"id":2,"made":1708936896490,"text":"1708936896490","count":4,"mixed":"1708936896490"}"#,
    ];
    let gone = r#"{"id":3,"made":1708936896491,"text":"1708936896491","count":5,"mixed":"1708936896491"}"#;
    world.run(&[Given { mode: contract::batch::BatchMode::Incremental, ..raw(&[lines[0], lines[1], gone]) }]);
    world.streams = "[{name: things, columns: {made: TIMESTAMP_MILLIS, text: TIMESTAMP_MILLIS, count: NUMERIC, \
                     mixed: TIMESTAMP_MILLIS}}]"
        .into();
    let given = |lines: &[&str]| Given { mode: contract::batch::BatchMode::Window, ..raw(lines) };
    // Without a rewrite nothing changes, neither the types nor a row.
    let run = world.extract(&[given(&lines)]);
    let units = world.load_with(&run, &Options::default());
    assert_eq!((units[0].rows_updated, units[0].rows_unchanged), (0, 2), "{:?}", units[0].error);
    let before = ["id BIGINT", "made BIGINT", "text VARCHAR", "count BIGINT", "mixed VARCHAR"];
    assert_eq!(world.columns(), before);

    // A dry run tells what would be done, and does nothing.
    let units = world.load_with(&run, &Options { dry_run: true, ..REWRITE() });
    assert_eq!(units[0].status, UnitStatus::Done, "{:?}", units[0].error);
    let told = units[0].warnings.join("\n");
    assert!(told.contains("column `count` is INT64, and would become NUMERIC"), "{told}");
    assert_eq!(world.columns(), before);

    let units = world.load_with(&run, &REWRITE());
    assert_eq!((units[0].status, units[0].rows_updated), (UnitStatus::Done, 2), "{:?}", units[0].error);
    let told = units[0].warnings.join("\n");
    let changes = world.lines(
        "SELECT column_name, from_type, to_type FROM management.schema_changes WHERE change = 'retyped' ORDER BY 1",
    );
    if world.is_bigquery() {
        assert_eq!(
            world.columns()[..5],
            ["id BIGINT", "made BIGINT", "text VARCHAR", "count DECIMAL(38,9)", "mixed VARCHAR"]
        );
        assert_eq!(changes, ["count INT64 NUMERIC"]);
        for column in ["made", "text", "mixed"] {
            assert!(told.contains(&format!("DROP COLUMN `{column}`")), "{told}");
        }
        return;
    }
    assert_eq!(
        world.columns()[..5],
        ["id BIGINT", "made TIMESTAMP", "text TIMESTAMP", "count DECIMAL(38,9)", "mixed VARCHAR"]
    );
    assert_eq!(changes, ["count INT64 NUMERIC", "made INT64 TIMESTAMP", "text STRING TIMESTAMP"]);
    assert!(told.contains("column `made` was INT64, and is TIMESTAMP now"), "{told}");
    assert!(told.contains(r#"ALTER TABLE "bronze"."things" DROP COLUMN "mixed""#), "{told}");
    // Also the row that the run does not have.
    let rows = world.lines("SELECT id, made, text, count, mixed FROM bronze.things ORDER BY id");
    assert_eq!(rows[0], "1 2024-02-26 08:41:36.489 2024-02-26 08:41:36.489 3.000000000 soon");
    assert_eq!(rows[2], "3 2024-02-26 08:41:36.491 2024-02-26 08:41:36.491 5.000000000 1708936896491");
}

fn a_rewrite_without_rows_does_what_it_tells(new: fn() -> World) {
    let mut world = new();
    world.run(&[raw(&[r#"{"id":1,"count":3}"#])]);
    world.streams = "[{name: things, columns: {count: NUMERIC}}]".into();
    let empty = Given { mode: contract::batch::BatchMode::Incremental, ..raw(&[]) };
    let run = world.extract(&[empty]);
    let units = world.load_with(&run, &REWRITE());
    assert_eq!((units[0].status, units[0].rows_updated), (UnitStatus::Done, 0), "{:?}", units[0].error);
    let told = units[0].warnings.join("\n");
    assert!(told.contains("column `count` was INT64, and is NUMERIC now"), "{told}");
    assert_eq!(world.columns(), ["id BIGINT", "count DECIMAL(38,9)"]);
    let changes =
        world.lines("SELECT column_name, from_type, to_type FROM management.schema_changes WHERE change = 'retyped'");
    assert_eq!(changes, ["count INT64 NUMERIC"]);
}

fn a_dropped_column_comes_back_with_its_hint(new: fn() -> World) {
    let mut world = new();
    let lines = [r#"{"id":1,"made":1708936896489}"#, r#"{"id":2,"made":1708936896490}"#];
    world.run(&[raw(&lines)]);
    world.streams = "[{name: things, columns: {made: TIMESTAMP_MILLIS}}]".into();
    world.tamper("ALTER TABLE bronze.things DROP COLUMN made");
    let run = world.extract(&[raw(&lines)]);
    let units = world.load_with(&run, &REWRITE());
    assert_eq!((units[0].status, units[0].rows_updated), (UnitStatus::Done, 2), "{:?}", units[0].error);
    assert!(units[0].warnings.iter().any(|told| told.contains("column `made` is new")), "{:?}", units[0].warnings);
    assert_eq!(world.columns(), ["id BIGINT", "made TIMESTAMP"]);
    let rows = world.lines(&format!("SELECT {} FROM bronze.things ORDER BY id", world.instant("made")));
    assert_eq!(rows, ["2024-02-26 08:41:36.489", "2024-02-26 08:41:36.49"].map(|shown| shown.to_owned()));
}

fn a_rewrite_never_bends_a_value(new: fn() -> World) {
    // The values of a column, the hint that comes later, and the type after a rewrite.
    let cases: &[(&[&str], &str, &str)] = &[
        (&["1", "2"], "STRING", "VARCHAR"),
        (&["1", "2"], "FLOAT64", "DOUBLE"),
        (&["9007199254740993"], "FLOAT64", "BIGINT"),
        (&["1.5", "2.25"], "NUMERIC", "DECIMAL(38,9)"),
        (&["1e300", "1.5"], "NUMERIC", "DOUBLE"),
        (&["1.5"], "INT64", "DOUBLE"),
        (&[r#""00501""#], "INT64", "VARCHAR"),
        (&[r#""501""#], "INT64", "BIGINT"),
        (&[r#""2026-01-31 05:00:00""#], "TIMESTAMP", "VARCHAR"),
        (&[r#""2026-01-31""#], "TIMESTAMP", "VARCHAR"),
        (&[r#""2026-01-31T05:00:00Z""#], "STRING", "TIMESTAMP"),
        (&[r#""2026-01-31 05:00:00""#], "DATETIME", "TIMESTAMP"),
        (&[r#""2026-01-31""#], "DATE", "DATE"),
        (&[r#""2026-02-30""#], "DATE", "VARCHAR"),
        (&["true"], "JSON", "JSON"),
        (&[r#""a""#], "JSON", "JSON"),
        (&[r#"{"a":1}"#], "STRING", "JSON"),
        (&["253402300800"], "TIMESTAMP_SECONDS", "BIGINT"),
        (&["253402300799"], "TIMESTAMP_SECONDS", "TIMESTAMP"),
    ];
    for (values, hint, ty) in cases {
        let mut world = new();
        let line = |(id, value): (usize, &&str)| format!(r#"{{"id":{id},"x":{value}}}"#);
        let lines: Vec<String> = values.iter().enumerate().map(line).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        world.run(&[raw(&lines)]);
        world.streams = format!("[{{name: things, columns: {{x: {hint}}}}}]");
        let run = world.extract(&[raw(&lines)]);
        let units = world.load_with(&run, &REWRITE());
        assert_eq!(units[0].status, UnitStatus::Done, "{values:?} {hint}: {:?}", units[0].error);
        assert_eq!(world.columns()[1], format!("x {ty}"), "{values:?} {hint}");
    }
}
