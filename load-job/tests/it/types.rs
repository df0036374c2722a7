//! Types, names and drift (design, section 6): each value is in the table as it was sent, or beside it, or refused by name.

use crate::world::{Given, World, on_each_warehouse, snapshot};
use contract::report::UnitStatus;
use load_job::run::Options;
use serde_json::{Value, json};

on_each_warehouse! {
    values_keep_every_digit_and_letter,
    types_come_from_all_records_not_from_the_first,
    a_value_that_does_not_fit_an_existing_column_goes_beside_it,
    a_whole_number_column_widens_only_where_that_is_exact,
    an_object_that_becomes_text_stays_in_its_column,
    a_new_field_is_a_new_column_and_a_field_that_left_is_null,
    names_that_clash_are_distinct_and_stable,
    awkward_names_load,
    hints_of_the_schema_and_of_the_pipeline_file_decide,
    a_key_that_changes_its_type_is_refused_not_guessed,
    a_table_that_someone_changed_is_adapted_or_refused_by_name,
    a_column_that_somebody_has_added_keeps_its_values,
    numbers_of_every_size_survive_an_independent_reading,
    numbers_of_too_many_digits_go_beside_their_column,
    keys_are_never_bent;
    // How DuckDB appends is its own.
    on_duckdb_alone:
    wide_and_large_rows_take_more_memory,
}

fn raw(lines: &[&str]) -> Given {
    Given { lines: lines.iter().map(|line| (*line).to_owned()).collect(), ..snapshot("a", &[]) }
}

fn values_keep_every_digit_and_letter(new: fn() -> World) {
    let cases: &[(&str, &str, &str)] = &[
        (r#""00501""#, "VARCHAR", "00501"),
        ("true", "BOOLEAN", "true"),
        ("9007199254740993", "BIGINT", "9007199254740993"),
        ("9223372036854775808", "DECIMAL(38,9)", "9223372036854775808.000000000"),
        ("123456789012345678901234567890123", "JSON", "123456789012345678901234567890123"),
        ("0.1", "DOUBLE", "0.1"),
        ("1.0000000000000000000", "DOUBLE", "1.0"),
        (r#""2026-03-04T05:06:07.1234567Z""#, "TIMESTAMP", "2026-03-04 05:06:07.123456"),
        (r#""2026-03-04T05:06:07+07:00""#, "TIMESTAMP", "2026-03-03 22:06:07"),
        (r#""2026-03-04""#, "VARCHAR", "2026-03-04"),
        (r#""2026-03-04T05:06:07""#, "VARCHAR", "2026-03-04T05:06:07"),
        (r#"{"b":1,"a":[1,2]}"#, "JSON", r#"{"b":1,"a":[1,2]}"#),
        (r#""Nguyễn \"x\" \\ \n😀""#, "VARCHAR", "Nguyễn \"x\" \\ \n😀"),
        (r#""half \ud83d pair""#, "VARCHAR", "half \u{fffd} pair"),
        (r#"{"half":"\ud83d"}"#, "JSON", r#"{"half":"\ufffd"}"#),
        (r#""""#, "VARCHAR", ""),
    ];
    for (value, ty, shown) in cases {
        let mut world = new();
        world.run(&[raw(&[&format!(r#"{{"id":1,"x":{value}}}"#)])]);
        assert_eq!(world.columns(), ["id BIGINT".to_owned(), format!("x {ty}")], "{value}");
        let x = if *ty == "TIMESTAMP" { world.instant("x") } else { "x".into() };
        // BigQuery's JSON keeps numbers as INT64 or FLOAT64: what neither holds is a text of the same digits.
        let quoted = format!("\"{shown}\"");
        let shown = match *value {
            "123456789012345678901234567890123" if world.is_bigquery() => &quoted,
            // BigQuery reads JSON on its way in, and keeps no escapes.
            r#"{"half":"\ud83d"}"# if world.is_bigquery() => "{\"half\":\"\u{fffd}\"}",
            _ => *shown,
        };
        assert_eq!(world.rows(&format!("SELECT {x} FROM bronze.things")), [[shown]], "{value}");
    }
}

fn types_come_from_all_records_not_from_the_first(new: fn() -> World) {
    let mut world = new();
    let mut lines: Vec<String> = (0..20_000).map(|id| format!(r#"{{"id":{id},"x":{id},"late":null}}"#)).collect();
    lines.push(r#"{"id":20000,"x":"n/a","late":"00501","later":{"a":1}}"#.into());
    world.run(&[Given { lines, ..snapshot("a", &[]) }]);
    assert_eq!(world.columns(), ["id BIGINT", "x JSON", "late VARCHAR", "later JSON"]);
    let rows = world.lines("SELECT x, late, later FROM bronze.things WHERE id IN (19999, 20000) ORDER BY id");
    assert_eq!(rows, ["19999 NULL NULL", r#""n/a" 00501 {"a":1}"#]);
}

fn a_value_that_does_not_fit_an_existing_column_goes_beside_it(new: fn() -> World) {
    let mut world = new();
    world.run(&[raw(&[r#"{"id":1,"x":1}"#, r#"{"id":2,"x":2}"#])]);
    world.run(&[raw(&[r#"{"id":1,"x":"one"}"#, r#"{"id":2,"x":2}"#])]);
    world.run(&[raw(&[r#"{"id":1,"x":"one"}"#, r#"{"id":2,"x":{"n":2}}"#])]);
    assert_eq!(world.columns(), ["id BIGINT", "x BIGINT", "x__string VARCHAR", "x__json JSON"]);
    let rows = world.lines("SELECT id, x, x__string, x__json FROM bronze.things ORDER BY id");
    assert_eq!(rows, ["1 NULL one NULL", r#"2 NULL NULL {"n":2}"#]);
    let changes = world.lines("SELECT column_name, change, to_type FROM management.schema_changes ORDER BY run_id");
    assert_eq!(changes, ["x__string split STRING", "x__json split JSON"]);
}

fn a_whole_number_column_widens_only_where_that_is_exact(new: fn() -> World) {
    let mut world = new();
    world.run(&[raw(&[r#"{"id":1,"x":1,"big":9007199254740993}"#])]);
    world.run(&[raw(&[r#"{"id":1,"x":1.5,"big":1.5}"#])]);
    assert_eq!(world.columns(), ["id BIGINT", "x DOUBLE", "big DECIMAL(38,9)"]);
    assert_eq!(world.lines("SELECT x, big FROM bronze.things"), ["1.5 1.500000000"]);
    let changes =
        world.lines("SELECT column_name, change, from_type, to_type FROM management.schema_changes ORDER BY 1");
    assert_eq!(changes, ["big widened INT64 NUMERIC", "x widened INT64 FLOAT64"]);
}

fn an_object_that_becomes_text_stays_in_its_column(new: fn() -> World) {
    let mut world = new();
    world.run(&[raw(&[r#"{"id":1,"x":{"a":1}}"#])]);
    world.run(&[raw(&[r#"{"id":1,"x":"text"}"#])]);
    assert_eq!(world.columns(), ["id BIGINT", "x JSON"]);
    let text = if world.is_bigquery() { "JSON_VALUE(x)" } else { "x->>'$'" };
    assert_eq!(world.lines(&format!("SELECT {text} FROM bronze.things")), ["text"]);
}

fn a_new_field_is_a_new_column_and_a_field_that_left_is_null(new: fn() -> World) {
    let mut world = new();
    world.run(&[raw(&[r#"{"id":1,"old":"o"}"#, r#"{"id":2,"old":"o"}"#])]);
    world.run(&[raw(&[r#"{"id":1,"new":"n"}"#, r#"{"id":2,"old":"o"}"#])]);
    let rows = world.lines(&format!("SELECT id, old, {} FROM bronze.things ORDER BY id", world.quoted("new")));
    assert_eq!(rows, ["1 NULL n", "2 o NULL"]);
    assert_eq!(world.lines("SELECT column_name, change FROM management.schema_changes"), ["new added"]);
}

fn names_that_clash_are_distinct_and_stable(new: fn() -> World) {
    let mut world = new();
    world.run(&[raw(&[r#"{"id":1,"zipCode":"a","zip_code":"b","ZipCode":"c"}"#])]);
    let columns = world.columns();
    assert_eq!(columns.len(), 4);
    let value = |world: &World, n: usize| {
        let name = columns[n].split(' ').next().unwrap();
        world.lines(&format!("SELECT {name} FROM bronze.things WHERE id = 1")).remove(0)
    };
    assert_eq!(columns.iter().filter(|column| column.starts_with("zip_code ")).count(), 1);
    let before: Vec<String> = (1..4).map(|n| value(&world, n)).collect();
    world.run(&[raw(&[r#"{"ZipCode":"c2","id":1,"zip_code":"b2","zipCode":"a2"}"#])]);
    assert_eq!(world.columns(), columns);
    let after: Vec<String> = (1..4).map(|n| value(&world, n)).collect();
    assert_eq!(after, before.iter().map(|v| format!("{v}2")).collect::<Vec<_>>());
    assert_eq!(world.lines("SELECT zip_code FROM bronze.things"), ["b2"]);
}

fn awkward_names_load(new: fn() -> World) {
    let mut world = new();
    let long = "x".repeat(300);
    let longer = "y".repeat(400);
    let line = format!(
        r#"{{"id":1,"_etl_synced":"mine","select":"s","{long}":"l","{longer}":"m","a b":"c","\"; DROP TABLE t; --":"d","":"e","2fa":"f","日本":"g"}}"#
    );
    world.run(&[raw(&[&line])]);
    let columns = world.columns();
    assert_eq!(columns.len(), 10, "{columns:?}");
    assert_eq!(
        world.lines(&format!("SELECT {}, a_b, _2fa, drop_table_t FROM bronze.things", world.quoted("select"))),
        ["s c f d"]
    );
    assert!(columns.iter().any(|column| column.starts_with("x_etl_synced ")), "{columns:?}");
    assert!(columns.iter().all(|column| column.split(' ').next().unwrap().len() <= 300));
    assert_eq!(world.lines("SELECT _etl_operation FROM bronze.things"), ["INSERT"]);
}

fn hints_of_the_schema_and_of_the_pipeline_file_decide(new: fn() -> World) {
    let mut world = new();
    world.streams = "[{name: things, columns: {day: DATE, price: NUMERIC}}]".into();
    let schema = json!({"properties": {
        "id": {"type": "integer"}, "zip": {"type": ["null", "string"]}, "at": {"type": "string", "format": "date-time"},
        "never": {"type": "boolean"}, "count": {"type": "integer"},
    }});
    let lines = vec![
        r#"{"id":1,"day":"2026-01-31","price":19.99,"zip":"00501","at":"2026-01-31T00:00:00Z","count":3}"#.to_owned(),
        r#"{"id":2,"day":"soon","price":1.00000000001,"zip":501,"at":"later","count":"many"}"#.to_owned(),
    ];
    world.run(&[Given { schema: Some(schema), lines, ..snapshot("a", &[]) }]);
    let rows = world.lines(&format!(
        "SELECT day, day__string, price, price__float64, zip, zip__int64, {}, at__string, never, count, count__string FROM bronze.things ORDER BY id",
        world.instant(&world.quoted("at"))
    ));
    assert_eq!(
        rows,
        [
            "2026-01-31 NULL 19.990000000 NULL 00501 NULL 2026-01-31 00:00:00 NULL NULL 3 NULL",
            "NULL soon NULL 1.00000000001 NULL 501 NULL later NULL NULL many",
        ]
    );
}

fn a_key_that_changes_its_type_is_refused_not_guessed(new: fn() -> World) {
    let mut world = new();
    world.run(&[raw(&[r#"{"id":1,"x":1}"#])]);
    let run = world.extract(&[raw(&[r#"{"id":1,"x":1}"#, r#"{"id":"one","x":1}"#])]);
    let units = world.load_with(&run, &Options::default());
    assert_eq!(units[0].status, UnitStatus::Failed);
    assert!(
        units[0].error.as_ref().unwrap().contains("the primary key field `id` does not fit"),
        "{:?}",
        units[0].error
    );
    assert_eq!(world.lines("SELECT id FROM bronze.things"), ["1"]);
}

fn a_table_that_someone_changed_is_adapted_or_refused_by_name(new: fn() -> World) {
    let mut world = new();
    world.run(&[snapshot("a", &[json!({"id": 1, "x": 1, "y": "a"})])]);
    world.tamper("ALTER TABLE bronze.things DROP COLUMN x");
    let list = if world.is_bigquery() { "ARRAY<INT64>" } else { "INTEGER[]" };
    world.tamper(&format!("ALTER TABLE bronze.things ADD COLUMN note {list}"));
    world.run(&[snapshot("a", &[json!({"id": 1, "x": 2, "y": "b"})])]);
    assert_eq!(world.lines("SELECT x, y FROM bronze.things"), ["2 b"]);
    world.tamper("ALTER TABLE bronze.things DROP COLUMN _etl_row_hash");
    let run = world.extract(&[snapshot("a", &[json!({"id": 1, "x": 3})])]);
    let units = world.load_with(&run, &Options::default());
    assert!(units[0].error.as_ref().unwrap().contains("without the column _etl_row_hash"), "{:?}", units[0].error);
}

fn a_column_that_somebody_has_added_keeps_its_values(new: fn() -> World) {
    let mut world = new();
    world.run(&[snapshot("a", &[json!({"id": 1, "x": 1, "gone": "a"}), json!({"id": 2, "x": 1, "gone": "a"})])]);
    let text = if world.is_bigquery() { "STRING" } else { "VARCHAR" };
    world.tamper(&format!("ALTER TABLE bronze.things ADD COLUMN note {text}"));
    world.tamper("UPDATE bronze.things SET note = 'mine' WHERE TRUE");
    world.run(&[snapshot("a", &[json!({"id": 1, "x": 2}), json!({"id": 2, "x": 1, "gone": "a"})])]);
    let shown = "SELECT id, x, gone, note FROM bronze.things ORDER BY id";
    assert_eq!(world.lines(shown), ["1 2 NULL mine", "2 1 a mine"], "a field that left is null");
    // Once the API has a field of that name, the column is the field's.
    world.run(&[snapshot("a", &[json!({"id": 1, "x": 2, "note": "theirs"}), json!({"id": 2, "x": 1, "gone": "a"})])]);
    assert_eq!(world.lines(shown), ["1 2 NULL theirs", "2 1 a mine"]);
}

fn numbers_of_every_size_survive_an_independent_reading(new: fn() -> World) {
    let mut world = new();
    let values: Vec<Value> =
        vec![json!(0), json!(-1), json!(i64::MAX), json!(i64::MIN), json!(1_i64 << 53), json!((1_i64 << 53) + 1)];
    let records: Vec<Value> = values.iter().enumerate().map(|(id, value)| json!({"id": id, "x": value})).collect();
    world.run(&[snapshot("a", &records)]);
    let read = world.lines("SELECT x FROM bronze.things ORDER BY id");
    assert_eq!(read, values.iter().map(Value::to_string).collect::<Vec<_>>());
}

fn numbers_of_too_many_digits_go_beside_their_column(new: fn() -> World) {
    let mut world = new();
    let row = |id: u32, x: &str, n: &str| format!(r#"{{"id":{id},"x":{x},"n":{n}}}"#);
    let long = ["0.123456789012345678", "123456789012345.1234567891"];
    let lines = [row(1, "0.5", "1.25"), row(2, long[0], "1234567890123456.78"), row(3, long[1], long[1])];
    world.streams = "[{name: things, columns: {n: NUMERIC}}]".into();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    world.run(&[raw(&lines)]);
    let text =
        |name: &str| if world.is_bigquery() { format!("JSON_VALUE({name})") } else { format!("{name}::VARCHAR") };
    let shown = |columns: &str| world.rows(&format!("SELECT {columns} FROM bronze.things ORDER BY id"));
    let beside = |name: &str| shown(&text(name)).into_iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    assert_eq!(beside("x__json"), ["NULL", long[0], long[1]]);
    assert_eq!(beside("n__json"), ["NULL", "NULL", long[1]]);
    assert_eq!(world.lines("SELECT COUNT(x), COUNT(n) FROM bronze.things"), ["1 2"]);
    // A column that is there gets one beside it as well.
    world.run(&[raw(&[&row(1, long[0], "2")])]);
    assert_eq!(world.lines("SELECT COUNT(x) FROM bronze.things WHERE id = 1"), ["0"]);
}

fn keys_are_never_bent(new: fn() -> World) {
    let schema = |ty: &Value| Some(json!({"properties": {"id": ty}}));
    let number = json!({"type": "number"});
    let integer = json!({"type": "integer"});
    let text = json!({"type": "string"});
    let time = json!({"type": "string", "format": "date-time"});
    let none = json!({});
    // The keys of two rows each, the type of their column, and the text of the first.
    let cases: &[(&Value, &str, &str, &str, &str)] = &[
        (&number, "1234567890123456789", "1234567890123456788", "BIGINT", "1234567890123456789"),
        (&number, "123", "124", "BIGINT", "123"),
        (&number, "1.5", "2", "DECIMAL(38,9)", "1.500000000"),
        (&integer, r#""123""#, "124", "BIGINT", "123"),
        (&integer, r#""00123""#, "124", "VARCHAR", "00123"),
        (&text, "123", r#""x""#, "VARCHAR", "123"),
        (&none, "1", r#""2""#, "VARCHAR", "1"),
        (&none, r#""1""#, r#""2""#, "VARCHAR", "1"),
        (
            &none,
            r#""2026-01-01T00:00:00.1234567Z""#,
            r#""2026-01-01T00:00:00.1234568Z""#,
            "VARCHAR",
            "2026-01-01T00:00:00.1234567Z",
        ),
        (&none, r#""2026-01-01T00:00:00Z""#, r#""2026-01-01T07:00:00+07:00""#, "VARCHAR", "2026-01-01T00:00:00Z"),
        (
            &time,
            r#""2026-01-01T00:00:00.1234567Z""#,
            r#""2026-01-01T00:00:00.1234568Z""#,
            "VARCHAR",
            "2026-01-01T00:00:00.1234567Z",
        ),
    ];
    for (hint, one, other, ty, shown) in cases {
        let mut world = new();
        let line = |id: &str, v: u32| format!(r#"{{"id":{id},"v":{v}}}"#);
        let given = |lines: &[String]| {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            Given { schema: schema(hint), ..raw(&lines) }
        };
        world.run(&[given(&[line(one, 1), line(other, 2)])]);
        assert_eq!(world.columns()[0], format!("id {ty}"), "{hint} {one}");
        assert_eq!(
            world.lines("SELECT COUNT(*), COUNT(DISTINCT id) FROM bronze.things"),
            ["2 2"],
            "{hint} {one} {other}"
        );
        assert_eq!(world.rows("SELECT id FROM bronze.things WHERE v = 1"), [[*shown]], "{hint} {one}");
        world.run(&[given(&[line(one, 3), line(other, 2)])]);
        let after = world.lines("SELECT v, _etl_operation FROM bronze.things ORDER BY v");
        assert_eq!(after, ["2 INSERT", "3 UPDATE"], "{hint} {one}");
    }
    // Objects are one key whatever the order of their fields, and a text with half a character is none within them either.
    let mut world = new();
    world.run(&[raw(&[r#"{"id":{"a":1,"b":["x"]},"v":1}"#, r#"{"id":{"a":2,"b":[]},"v":2}"#])]);
    world.run(&[raw(&[r#"{"id":{ "b": ["\u0078"], "a": 1 },"v":3}"#, r#"{"id":{"b":[],"a":2},"v":2}"#])]);
    assert_eq!(world.lines("SELECT v, _etl_operation FROM bronze.things ORDER BY v"), ["2 INSERT", "3 UPDATE"]);
    let run = world.extract(&[raw(&[r#"{"id":{"a":"\ud83d"},"v":1}"#])]);
    let error = world.load_with(&run, &Options::default())[0].error.clone().unwrap_or_default();
    assert!(error.contains("half of a character"), "{error}");
    // A text with half a character is refused, and makes no other column of the other keys.
    let mut world = new();
    let run = world.extract(&[raw(&[r#"{"id":"\ud83d","v":1}"#, r#"{"id":"x","v":1}"#])]);
    let error = world.load_with(&run, &Options::default())[0].error.clone().unwrap_or_default();
    assert!(error.contains("half of a character") && !error.contains("columns:"), "{error}");
    world.streams = "[{name: things, max_bad_records: 1}]".into();
    world.load_with(&run, &Options::default());
    assert_eq!(world.columns()[0], "id VARCHAR");
}

fn wide_and_large_rows_take_more_memory(new: fn() -> World) {
    let wide: Vec<Value> = (0..3000)
        .map(|id| {
            let mut row: serde_json::Map<String, Value> =
                (0..500).map(|column| (format!("c{column}"), json!(format!("text {id} {column}")))).collect();
            row.insert("id".into(), json!(id));
            Value::Object(row)
        })
        .collect();
    let large: Vec<Value> = (0..1000).map(|id| json!({"id": id, "text": "0123456789".repeat(27_000)})).collect();
    for records in [wide, large] {
        let mut world = new();
        world.run(&[snapshot("a", &records)]);
        assert_eq!(world.lines("SELECT COUNT(*) FROM bronze.things"), [records.len().to_string()]);
    }
}
