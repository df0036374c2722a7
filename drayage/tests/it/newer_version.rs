//! Of two versions of a record in one batch the newer one reaches the warehouse, through both jobs: by the formats of the manifest.

use crate::own_source::OwnSource;
use serde_json::{Value, json};

const UTC: &str = "%Y-%m-%dT%H:%M:%SZ";
const FINE: &str = "%Y-%m-%dT%H:%M:%S.%fZ";

/// A stream, its formats (the last one is the state's), what its schema says of the cursor, an older and a newer value, and another record's.
type Case = (&'static str, &'static [&'static str], Value, [&'static str; 3]);

#[test]
fn the_newer_version_reaches_the_warehouse() {
    let text = json!({"type": ["null", "string"]});
    let time = json!({"type": "string", "format": "date-time"});
    let cases: [Case; 7] = [
        (
            "rfc822",
            &["%a, %d %b %Y %H:%M:%S %z"],
            Value::Null,
            ["Wed, 18 Jan 2023 23:30:52 +0000", "Thu, 19 Jan 2023 23:30:52 +0000", "Thu, 19 Jan 2023 00:00:00 +0000"],
        ),
        (
            "us_date",
            &["%m/%d/%Y %H:%M:%S"],
            Value::Null,
            ["12/31/2025 10:00:00", "01/02/2026 10:00:00", "01/01/2026 00:00:00"],
        ),
        ("day_first", &["%d/%m/%Y"], Value::Null, ["31/12/2025", "01/01/2026", "01/01/2026"]),
        ("epoch_text", &["%s"], Value::Null, ["999999999", "1000000000", "1000000000"]),
        (
            "string_hint",
            &[FINE, UTC],
            text,
            ["2026-01-31T00:00:00Z", "2026-01-31T00:00:00.500Z", "2026-01-31T00:00:00Z"],
        ),
        ("one_empty", &[FINE, UTC], Value::Null, ["2026-01-31T00:00:00Z", "2026-01-31T00:00:00.500Z", ""]),
        (
            "misfit",
            &["%Y-%m-%dT%H:%M:%S", UTC],
            time,
            ["2026-02-05T09:00:00Z", "2026-02-05T10:00:00", "2026-02-05T09:00:00Z"],
        ),
    ];
    let stream = |(name, formats, hint, _): &Case| {
        let start = json!({"type": "MinMaxDatetime", "datetime": "2000-01-01", "datetime_format": "%Y-%m-%d"});
        let cursor = json!({
            "type": "DatetimeBasedCursor", "cursor_field": "updated_at", "datetime_format": formats.last(),
            "cursor_datetime_formats": formats, "start_datetime": start,
        });
        let schema = json!({"type": "object", "properties": {"updated_at": hint}});
        let loader = json!({"type": "InlineSchemaLoader", "schema": schema});
        (
            *name,
            if hint.is_null() {
                json!({"incremental_sync": cursor})
            } else {
                json!({"incremental_sync": cursor, "schema_loader": loader})
            },
        )
    };
    let route = |(name, _, _, [older, newer, other]): &Case| {
        let record = |id: u32, v: &str, at: &str| json!({"id": id, "v": v, "updated_at": at});
        // The newest first, as feeds give it, and last.
        json!({"path": format!("/{name}"), "body": {"data": [
            record(1, "old", older), record(1, "new", newer), record(2, "new", newer), record(2, "old", older), record(9, "other", other),
        ]}})
    };
    let source =
        OwnSource::new(&cases.iter().map(stream).collect::<Vec<_>>(), cases.iter().map(route).collect::<Value>());
    source.types("drayage run --pipeline pipeline.yaml").expect(0);
    for (stream, ..) in cases {
        let found = source.column(&format!("SELECT v FROM bronze.{stream} ORDER BY id"));
        assert_eq!(found, ["new", "new", "other"], "{stream}");
    }
}
