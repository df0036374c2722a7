//! What bodies without records mean, body by body.

use super::*;

fn of(body: &str, path: &str) -> Verdict {
    let path: Vec<String> = path.split('.').filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
    judge(&serde_json::from_str(body).unwrap(), &path)
}

#[test]
fn only_a_list_at_the_declared_place_proves_anything() {
    for (body, path) in [
        (r#"{"data": []}"#, "data"),
        (r#"{"data": {"items": []}, "total": 0}"#, "data.items"),
        (r#"{"data": [], "error": null, "errors": [], "success": true, "code": 0, "message": "ok"}"#, "data"),
        (r#"{"data": [], "code": 200, "message": "Success"}"#, "data"),
        (r#"{"data": [], "message": "No records found"}"#, "data"),
        (r#"{"data": [], "status": "ok", "error": false, "fault": {}}"#, "data"),
        ("[]", ""),
        (r#"[{"d": []}, {"d": []}]"#, "d"),
        (r#"{"by": {}}"#, "by.*"),
        (r#"{"data": {"videos": []}, "error": {"code": "ok", "message": "", "log_id": "1"}}"#, "data.videos"),
        (r#"{"list": [], "errorCode": "0", "errorMessage": "Success"}"#, "list"),
        (r#"{"data": [], "error": "none"}"#, "data"),
        (r#"{"data": [], "code": 1, "msg": "success"}"#, "data"),
        (r#"{"entries": [], "code": 4000, "description": "Sales"}"#, "entries"),
        (r#"{"files": [], "id": 7, "status": "failed"}"#, "files"),
    ] {
        assert_eq!(of(body, path), Verdict::Empty, "{body} at {path}");
    }
}

#[test]
fn an_error_beside_an_empty_or_absent_place_is_an_error() {
    for (body, says) in [
        (r#"{"data": null, "errors": [{"message": "Throttled"}]}"#, "`errors`: Throttled"),
        (r#"{"data": [], "error": {"message": "try later"}}"#, "`error`: try later"),
        (r#"{"success": false, "data": null}"#, "`success`: false"),
        (r#"{"success": false, "data": []}"#, "`success`: false"),
        (r#"{"status": "error", "code": 500}"#, "`status`: \"error\""),
        (r#"{"status": "fail", "code": 17}"#, "`status`: \"fail\""),
        (r#"{"status": 503}"#, "`status`: 503"),
        (r#"{"fault": {"faultstring": "quota"}}"#, "`fault`: {\"faultstring\":\"quota\"}"),
        (r#"{"Message": "throttled"}"#, "`Message`: "),
        (r#"{"errorMessage": "no"}"#, "`errorMessage`: \"no\""),
        (r#"[{"errorCode": "LIMIT", "message": "x"}]"#, "`errorCode`: \"LIMIT\""),
        (r#"{"code": 1001, "msg": "busy"}"#, "`code`: 1001"),
        (r#"{"data": [], "code": "1001", "msg": "busy"}"#, "`code`: \"1001\""),
        (r#"{"ok": false, "error": "invalid_auth"}"#, "invalid_auth"),
        (r#"{"data": {"error": "down"}}"#, "down"),
    ] {
        let verdict = of(body, "data");
        assert!(matches!(&verdict, Verdict::Error(why) if why.contains(says)), "{body}: {verdict:?}");
    }
}

#[test]
fn a_body_or_place_of_another_kind_is_an_error() {
    for (body, path) in [
        ("null", "data"),
        ("null", ""),
        ("0", "data"),
        ("false", "data"),
        ("\"busy\"", "data"),
        ("[]", "data"),
        (r#"["error"]"#, "data"),
        (r#"[{"x": 1}]"#, "data"),
        (r#"{"data": "busy"}"#, "data"),
        (r#"{"data": 0}"#, "data"),
        (r#"{"data": false}"#, "data"),
        (r#"{"data": ""}"#, "data.items"),
        (r#"{"data": [{"items": []}]}"#, "data.items"),
    ] {
        let verdict = of(body, path);
        assert!(matches!(&verdict, Verdict::Error(why) if why.contains("where")), "{body} at {path}: {verdict:?}");
    }
}

#[test]
fn records_elsewhere_are_named() {
    let remedy = "If that is how the API writes an empty list, say it by `x-empty-when` in the extractor";
    for (body, path, expected) in [
        (
            r#"{"data": {"items": [{"id": 1}, {"id": 2}], "x": [{}]}, "total": 2}"#,
            "data.rows",
            "`data.rows` is not in the answer; it has `data.items` (2 objects)",
        ),
        (r#"{"rows": [{}]}"#, "data", "`data` is not in the answer; it has `rows` (1 objects)"),
        (
            r#"{"data": null, "messages": [{"id": 1}]}"#,
            "data",
            "`data` is not in the answer; it has `messages` (1 objects)",
        ),
    ] {
        assert_eq!(of(body, path), Verdict::Elsewhere(format!("{expected}. {remedy}")), "{body}");
    }
    for (body, path) in [
        (r#"{"links": [{"rel": "next"}]}"#, "data"),
        (r#"{"resourceType": "Bundle", "total": 0, "link": [{"relation": "self"}]}"#, "entry"),
        (r#"{"dimensionHeaders": [{"name": "city"}], "kind": "report"}"#, "rows"),
        (r#"{"names": ["a"]}"#, "data"),
        (r#"{"data": [{"id": 1}, {"id": 2}]}"#, "data.*.items"),
        (r#"{"reports": [{"data": {"totals": [{"values": ["0"]}]}}]}"#, "reports.0.data.rows"),
        (r#"{"warnings": [{"code": 1, "message": "old"}]}"#, "data"),
        (r#"{"code": 200, "success": true, "message": "Contacts fetched", "data": null}"#, "data"),
    ] {
        let verdict = of(body, path);
        assert!(matches!(verdict, Verdict::Nothing { .. }), "{body} at {path}: {verdict:?}");
    }
}

#[test]
fn what_tells_nothing_has_a_shape() {
    let shape = |body: &str| match of(body, "data.items") {
        Verdict::Nothing { shape } => shape,
        other => format!("{other:?}"),
    };
    assert_eq!(shape("{}"), "Absent: ");
    assert_eq!(shape(r#"{"page": 7, "data": null}"#), "Null: data, page");
    assert_eq!(shape(r#"{"data": null, "page": 8}"#), "Null: data, page");
    assert_eq!(shape(r#"{"data": {"items": null}}"#), "Null: data");
    assert_eq!(shape(r#"{"data": {"items": {}}}"#), "Hollow: data");
    assert_eq!(shape(r#"{"data": {}}"#), "Absent: data");
}

#[test]
fn records_that_are_no_objects_are_named() {
    for (text, kind) in [
        ("{}", None),
        ("\"error\" {}", None),
        ("\"error\" 12", Some("a list of texts")),
        ("12", Some("a list of numbers")),
        ("null", Some("a list of single words")),
        ("[1]", Some("a list of lists")),
    ] {
        let mut at = 0;
        let ranges = text.split(' ').map(|record| {
            at += record.len() + 1;
            at - record.len() - 1..at - 1
        });
        let ranges: Vec<_> = ranges.collect();
        assert_eq!(kind_of_records(text.as_bytes(), &ranges), kind, "{text}");
    }
}
