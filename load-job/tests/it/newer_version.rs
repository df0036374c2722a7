//! Of two records with one key the newer version stays: by the cursor, compared as the extract compares, then by order of arrival.
//! Each case is an account of one table with a cursor field of its own, so that one load shows them all.

use crate::world::{Given, World, incremental, on_each_warehouse};
use serde_json::{Value, json};

on_each_warehouse! {
    the_newer_version_wins,
}

/// A cursor and two of its values.
struct Case {
    name: &'static str,
    /// None as in batches of before.
    formats: Option<&'static [&'static str]>,
    /// What the manifest's schema says of the field.
    hint: Value,
    earlier: Value,
    /// Equal to `earlier`, as far as can be told, where the later arrival is to win.
    later: Value,
    /// A value of another record, which may make a column of another type.
    neighbour: Value,
    ties: bool,
}

const UTC: &str = "%Y-%m-%dT%H:%M:%SZ";

fn cases() -> Vec<Case> {
    let case = |name, formats, earlier: Value, later: Value| Case {
        name,
        formats: Some(formats),
        hint: Value::Null,
        neighbour: later.clone(),
        earlier,
        later,
        ties: false,
    };
    let before = |name, earlier, later| Case { formats: None, ..case(name, &[], earlier, later) };
    let tie = |name, formats, one, other| Case { ties: true, ..case(name, formats, one, other) };
    let text = json!({"type": ["null", "string"]});
    let time = json!({"type": "string", "format": "date-time"});
    vec![
        case(
            "rfc822",
            &["%a, %d %b %Y %H:%M:%S %z"],
            json!("Wed, 18 Jan 2023 23:30:52 +0000"),
            json!("Thu, 19 Jan 2023 23:30:52 +0000"),
        ),
        case("us_date", &["%m/%d/%Y %H:%M:%S"], json!("12/31/2025 10:00:00"), json!("01/02/2026 10:00:00")),
        case("day_first", &["%d/%m/%Y"], json!("31/12/2025"), json!("01/01/2026")),
        case("twelve_hours", &["%m/%d/%Y %I:%M %p"], json!("01/02/2026 12:30 AM"), json!("01/02/2026 01:00 AM")),
        case("epoch_text", &["%s"], json!("999999999"), json!("1000000000")),
        case("epoch_number_and_text", &["%s"], json!(999_999_999), json!("1000000000")),
        case("epoch_text_and_number", &["%s"], json!("999999999"), json!(1_000_000_000)),
        case("epoch_with_fraction", &["%s"], json!(1_000_000_000), json!(1_000_000_000.5)),
        case("epoch_as_float", &["%s_as_float"], json!("999999999.75"), json!("1000000000.25")),
        case(
            "beyond_a_double",
            &["%epoch_microseconds"],
            json!(9_007_199_254_740_992u64),
            json!(9_007_199_254_740_993u64),
        ),
        Case {
            hint: json!({"type": "number"}),
            ..case(
                "hinted_as_double",
                &["%epoch_microseconds"],
                json!(9_007_199_254_740_992u64),
                json!(9_007_199_254_740_993u64),
            )
        },
        case(
            "numbers_that_no_format_reads",
            &[UTC],
            json!(9_223_372_036_854_775_806u64),
            json!(9_223_372_036_854_775_808u64),
        ),
        Case {
            hint: text.clone(),
            ..case(
                "string_hint",
                &["%Y-%m-%dT%H:%M:%S.%fZ", UTC],
                json!("2026-01-31T00:00:00Z"),
                json!("2026-01-31T00:00:00.500Z"),
            )
        },
        Case {
            neighbour: json!(""),
            ..case(
                "one_empty",
                &["%Y-%m-%dT%H:%M:%S.%fZ", UTC],
                json!("2026-01-31T00:00:00Z"),
                json!("2026-01-31T00:00:00.500Z"),
            )
        },
        Case {
            hint: time,
            ..case("misfit", &["%Y-%m-%dT%H:%M:%S", UTC], json!("2026-02-05T09:00:00Z"), json!("2026-02-05T10:00:00"))
        },
        Case {
            hint: text,
            ..case("zones", &["%Y-%m-%dT%H:%M:%S%z"], json!("2026-01-01T10:00:00+07:00"), json!("2026-01-01T04:00:00Z"))
        },
        case("column_of_times", &[UTC], json!("2026-01-01T00:00:00Z"), json!("2026-01-02T00:00:00Z")),
        case("beside_the_format", &["%Y-%m-%d"], json!("2026-01-01T00:00:00Z"), json!("2026-01-01T00:00:00.5Z")),
        case("no_value", &[UTC], Value::Null, json!("2026-01-01T00:00:00Z")),
        case("no_value_and_number", &["%s"], Value::Null, json!(-5)),
        case("unreadable", &[UTC], json!("never"), json!("2026-01-01T00:00:00Z")),
        case("no_scalar", &[UTC], json!({"at": 1}), json!("2026-01-01T00:00:00Z")),
        before("before_times", json!("2026-01-01T00:00:00Z"), json!("2026-01-02T00:00:00Z")),
        before("before_numbers", json!(9), json!(10)),
        before("before_texts", json!("a"), json!("b")),
        before("before_null", Value::Null, json!("a")),
        tie("equal", &[UTC], json!("2026-01-01T00:00:00Z"), json!("2026-01-01T00:00:00Z")),
        tie(
            "equal_in_two_zones",
            &["%Y-%m-%dT%H:%M:%S%z"],
            json!("2026-01-01T07:00:00+07:00"),
            json!("2026-01-01T00:00:00Z"),
        ),
        tie("both_null", &[UTC], Value::Null, Value::Null),
        tie("both_unreadable", &[UTC], json!("soon"), json!("never")),
        tie("unreadable_and_null", &[UTC], json!("soon"), Value::Null),
    ]
}

fn the_newer_version_wins(new: fn() -> World) {
    let cases = cases();
    let mut world = new();
    world.accounts = cases.iter().map(|case| case.name.to_owned()).collect();
    let hints = cases.iter().filter(|case| !case.hint.is_null());
    let properties: Value = hints.map(|case| (case.name.to_owned(), case.hint.clone())).collect();
    let record = |case: &Case, id: u32, v: &str, value: &Value| json!({"id": id, "v": v, case.name: value});
    let batch = |case: &Case| {
        let records = [
            record(case, 1, "earlier", &case.earlier),
            record(case, 1, "later", &case.later),
            record(case, 2, "later", &case.later),
            record(case, 2, "earlier", &case.earlier),
            record(case, 3, "neighbour", &case.neighbour),
        ];
        Given {
            cursor: Some(case.name),
            formats: case.formats.map(<[&str]>::to_vec),
            schema: Some(json!({"type": "object", "properties": properties})),
            ..incremental(case.name, &records)
        }
    };
    world.run(&cases.iter().map(batch).collect::<Vec<_>>());
    let rows = world.lines("SELECT _etl_account, id, v FROM bronze.things WHERE id < 3 ORDER BY 1, 2");
    let mut expected: Vec<String> = cases
        .iter()
        .flat_map(|case| {
            let second = if case.ties { "earlier" } else { "later" };
            [format!("{} 1 later", case.name), format!("{} 2 {second}", case.name)]
        })
        .collect();
    expected.sort();
    assert_eq!(rows, expected);
}
