//! Log lines as Cloud Logging reads them: one JSON object a line, with its own names for what every line has.

use chrono::DateTime;
use contract::telemetry::{Event, log_line};
use contract::unit::Unit;
use serde_json::{Map, Value, json};

fn fields(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

#[test]
fn a_line_is_one_json_object_with_severity_message_and_time() {
    let message = "two\nlines, \"quotes\" and \u{1f337}";
    let line = log_line("WARNING", message, fields(json!({"unit": "s/a/t", "rows": 3})));
    assert!(!line.contains('\n'), "{line}");
    let read: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&read["severity"], &read["message"]), (&json!("WARNING"), &json!(message)));
    assert_eq!((&read["unit"], &read["rows"]), (&json!("s/a/t"), &json!(3)));
    let time = read["time"].as_str().unwrap();
    assert!(time.ends_with('Z') && DateTime::parse_from_rfc3339(time).is_ok(), "{time}");
}

#[test]
fn a_field_never_replaces_what_every_line_has() {
    let line = log_line("INFO", "m", fields(json!({"severity": "x", "message": "x", "time": "x"})));
    let read: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&read["severity"], &read["message"]), (&json!("INFO"), &json!("m")));
    assert_ne!(read["time"], "x");
}

#[test]
fn an_event_comes_back_from_its_line() {
    let unit = Unit::new("s", "a", "t").unwrap();
    let stage = "extract".to_owned();
    let failed = Event::UnitFinished {
        stage: stage.clone(),
        unit: unit.clone(),
        status: "failed".into(),
        records: 2,
        duration_ms: 1500,
        error: Some("the body is no JSON".into()),
    };
    let retry = Event::RetryScheduled { stage, unit, attempt: 1, wait_ms: 2000, reason: "429".into() };
    for (event, severity, message) in [
        (failed, "ERROR", "extract s/a/t: failed, 2 records in 1.5 s: the body is no JSON"),
        (retry, "WARNING", "extract s/a/t: try 1 failed, next in 2.0 s: 429"),
    ] {
        assert_eq!((event.severity(), event.message().as_str()), (severity, message));
        let line = log_line(event.severity(), &event.message(), fields(serde_json::to_value(&event).unwrap()));
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}
