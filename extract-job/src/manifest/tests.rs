//! Loading manifests: what is supported loads, what is not is named with its line, all at once.

use super::*;

/// A small manifest; `extra` goes into the stream's requester.
fn manifest(requester: &str, stream: &str) -> String {
    format!(
        "version: 6.0.0\ntype: DeclarativeSource\ncheck: {{type: CheckStream, stream_names: [things]}}\nstreams:\n  - type: DeclarativeStream\n    name: things\n    primary_key: id\n{stream}    retriever:\n      type: SimpleRetriever\n      requester:\n        type: HttpRequester\n        url_base: https://api.example.com\n        path: /things\n{requester}      record_selector: {{type: RecordSelector, extractor: {{type: DpathExtractor, field_path: [data]}}}}\n"
    )
}

fn errors(text: &str) -> String {
    Manifest::parse("m.yaml", text).unwrap_err().to_string()
}

#[test]
fn a_plain_manifest_loads_without_warnings() {
    let manifest = Manifest::parse("m.yaml", &manifest("", "")).unwrap();
    assert_eq!(manifest.warnings, vec![]);
    assert_eq!(manifest.source.streams[0].primary_key, ["id"]);
}

#[test]
fn the_built_in_connectors_load_without_warnings() {
    for (name, _) in connectors::BUILT_IN {
        let manifest = Manifest::load(name, Path::new(".")).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(manifest.warnings, vec![], "{name}");
    }
    let manifest = Manifest::load("servicetitan", Path::new(".")).unwrap();
    let names: Vec<&str> = manifest.source.streams.iter().map(|stream| stream.name.as_str()).collect();
    for name in
        ["business_units", "job_types", "technicians", "employees", "campaigns", "activities", "timesheets", "jobs"]
    {
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn what_is_not_supported_is_named_with_its_line() {
    let property = |property: &str| {
        let schema = format!("{{properties: {{at: {property}}}}}");
        manifest("", &format!("    schema_loader: {{type: InlineSchemaLoader, schema: {schema}}}\n"))
    };
    let partition = "      partition_router: {type: JumpPartitionRouter, values: [a], cursor_field: x}\n";
    let cases = [
        (
            manifest("        authenticator: {type: JwtAuthenticator}\n", ""),
            "m.yaml:14: ",
            "JwtAuthenticator is not supported",
        ),
        (manifest("        authenticator: {class_name: a.B}\n", ""), "m.yaml:14: ", "class_name `a.B`"),
        (manifest("", "    transformations: [{type: AddFields, fields: []}]\n"), "m.yaml:8: ", "`fields` must list"),
        (manifest("", "    transformations: [{class_name: a.B}]\n"), "m.yaml:8: ", "CustomTransformation"),
        (
            manifest("", "").replace("      record_selector", &format!("{partition}      record_selector")),
            "m.yaml:14: ",
            "JumpPartitionRouter is not supported",
        ),
        (manifest("        request_headers: {a: '{{ confg.x }}'}\n", ""), "m.yaml:14: ", "confg"),
        (manifest("        http_method: PUT\n", ""), "m.yaml:14: ", "must be GET or POST"),
        (manifest("", "    x-mode: incremental\n"), "m.yaml:8: ", "neither a cursor"),
        (
            manifest("        error_handler: {type: DefaultErrorHandler, response_filters: [{action: JUMP}]}\n", ""),
            "m.yaml:14: ",
            "`JUMP`",
        ),
        (manifest("", "").replace("type: DpathExtractor", "type: Dpath"), "m.yaml:14: ", "Dpath is not supported"),
        (property("{x-epoch: min}"), "m.yaml:8: ", "`x-epoch` is \"min\"; it must be s, ms or us"),
        (property("{x-json: 1}"), "m.yaml:8: ", "`x-json` is 1; it must be true or false"),
        (manifest("", "").replace("[things]", "[thing]"), "m.yaml:", "no stream `thing`"),
    ];
    for (text, line, part) in cases {
        let found = errors(&text);
        assert!(found.contains(line) && found.contains(part), "{part}: {found}");
    }
}

#[test]
fn a_format_of_time_without_a_directive_is_refused() {
    let cursor =
        |fields: &str| format!("    incremental_sync: {{type: DatetimeBasedCursor, cursor_field: at, {fields}}}\n");
    let start = "start_datetime: '2026-01-01'";
    let bounded = "start_datetime: {type: MinMaxDatetime, datetime: '2026-01-01', datetime_format: YYYY}";
    for (fields, key, format) in [
        (format!("datetime_format: YYYY-MM-DD, {start}"), "datetime_format", "YYYY-MM-DD"),
        (format!("datetime_format: '', {start}"), "datetime_format", ""),
        (
            format!("datetime_format: '%s', cursor_datetime_formats: ['%Y', ISO], {start}"),
            "cursor_datetime_formats",
            "ISO",
        ),
        (format!("datetime_format: '%s', {bounded}"), "datetime_format", "YYYY"),
    ] {
        let found = errors(&manifest("", &cursor(&fields)));
        let message = format!("`{key}` has no directive: `{format}` would stand for itself");
        assert!(found.contains("m.yaml:8: ") && found.contains(&message), "{fields}: {found}");
    }
}

#[test]
fn everything_wrong_is_told_at_once() {
    let text = manifest(
        "        authenticator: {type: Nope}\n        http_method: PUT\n",
        "    primary_key2: x\n    retriever2: y\n",
    );
    let found = errors(&text.replace("field_path: [data]", "field_pat: [data]"));
    for part in ["Nope", "GET or POST", "`field_path`"] {
        assert!(found.contains(part), "{part}: {found}");
    }
}

#[test]
fn unknown_fields_are_warned_about_and_parameters_are_not() {
    let text = manifest("        colour: red\n", "    $parameters: {flavour: sweet, path: /x}\n");
    let manifest = Manifest::parse("m.yaml", &text).unwrap();
    let texts: Vec<String> =
        manifest.warnings.iter().map(|warning| format!("{}: {}", warning.line, warning.message)).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].starts_with("15: ") && texts[0].contains("`colour`"), "{texts:?}");
}

#[test]
fn a_setting_that_the_spec_does_not_name_is_an_error() {
    let spec = "spec:\n  type: Spec\n  connection_specification:\n    type: object\n    additionalProperties: false\n    properties: {api_key: {type: string}}\n";
    let text = manifest("        request_headers: {k: '{{ config.api_kee }}'}\n", "") + spec;
    let found = errors(&text);
    assert!(found.contains("m.yaml:14: ") && found.contains("did you mean `api_key`"), "{found}");
}

#[test]
fn texts_that_are_no_manifest_are_refused() {
    for (text, part) in [
        ("", "empty"),
        ("- a\n", "is a mapping"),
        ("type: SpecialSource\nstreams: []\n", "SpecialSource"),
        ("type: DeclarativeSource\n", "needs `streams`"),
        ("type: [", "not valid YAML"),
    ] {
        assert!(errors(text).contains(part), "{text}: {}", errors(text));
    }
}
