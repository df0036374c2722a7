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
        (manifest("", "").replace("[things]", "[thing]"), "m.yaml:", "no stream `thing`; did you mean `things`?"),
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

#[test]
fn a_misspelt_field_is_named_beside_what_it_leads_to() {
    let paginator = |strategy: &str, option: &str| {
        let paginator = format!(
            "      paginator: {{type: DefaultPaginator, page_token_option: {option}, \
             page_size_option: {{inject_into: request_parameter, field_name: size}}, pagination_strategy: {strategy}}}\n"
        );
        manifest("", "").replace("      record_selector", &format!("{paginator}      record_selector"))
    };
    let option = "{type: RequestOption, inject_into: request_parameter, field_name: page}";
    let cursor = |fields: &str| {
        let start = "datetime_format: '%Y-%m-%d', start_datetime: '2026-01-01'";
        manifest(
            "",
            &format!("    incremental_sync: {{type: DatetimeBasedCursor, cursor_field: at, {start}, {fields}}}\n"),
        )
    };
    let cases = [
        (manifest("", "").replace("retriever:", "retriver:"), "has no field `retriver`; did you mean `retriever`"),
        (
            paginator("{type: PageIncrement, page_sise: 5}", option),
            "has no field `page_sise`; did you mean `page_size`",
        ),
        (paginator("{page_size: 5}", option), "no `type`; one of PageIncrement, OffsetIncrement, CursorPagination"),
        (
            paginator("{type: PageIncrement, page_size: 5}", "{field_name: x}"),
            "no `type`; one of RequestOption, RequestPath",
        ),
        (cursor("step: 30 days, cursor_granularity: P1D"), "`step` is `30 days`: the duration is not of the form"),
        (cursor("lookback_window: 3d"), "`lookback_window` is `3d`: the duration is not of the form"),
        (
            manifest("", "").replace("field_path: [data]", "field_path: data.items"),
            "must be a list of names: [data, items]",
        ),
    ];
    for (text, part) in cases {
        let found = errors(&text);
        assert!(found.contains(part), "{part}: {found}");
        assert!(!found.contains("check: there is no stream"), "the stream is there, as far as one can tell: {found}");
    }
    let warned = Manifest::parse("m.yaml", &manifest("        http_metod: GET\n", "")).unwrap().warnings;
    assert!(
        warned[0].message.ends_with("has no field `http_metod`; did you mean `http_method`; it is ignored"),
        "{warned:?}"
    );
}

#[test]
fn a_field_that_no_slice_has_is_named() {
    let with = |path: &str, router: &str, stream: &str| {
        let text = manifest("", stream).replace("path: /things", &format!("path: \"{path}\""));
        text.replace("      record_selector", &format!("{router}      record_selector"))
    };
    let router = "      partition_router: {type: ListPartitionRouter, values: [a], cursor_field: project_id}\n";
    let by_setting =
        "      partition_router: {type: ListPartitionRouter, values: [a], cursor_field: \"{{ config.x }}\"}\n";
    let cursor = "    incremental_sync: {type: DatetimeBasedCursor, cursor_field: at, datetime_format: '%Y', start_datetime: '2026'}\n";
    for name in ["stream_slice", "stream_partition"] {
        let found = errors(&with(&format!("/p/{{{{ {name}.project }}}}/x"), router, ""));
        assert!(found.contains("the slice's field `project`, but its slices have project_id; did you mean"), "{found}");
    }
    for (path, router, stream, warns) in [
        ("/p/{{ stream_slice['project_id'] }}", router, "", false),
        ("/p/{{ stream_slice.get('project') }}", router, "", false),
        ("/p/{{ stream_slice.extra_fields.x }}{{ stream_slice.parent_slice }}", router, "", false),
        ("/p/{{ stream_slice.project_id }}/{{ stream_slice.start_time }}", router, cursor, false),
        ("/p/{{ stream_slice.whatever }}", router, "", true),
        // Shared templates may ask for what this stream has not.
        ("/p/{{ stream_slice.start_time }}", "", "", false),
        ("/p/{{ stream_slice.project }}", by_setting, "", false),
    ] {
        let warnings = Manifest::parse("m.yaml", &with(path, router, stream)).unwrap().warnings;
        let slices = warnings.iter().filter(|warning| warning.message.contains("slices have")).count();
        assert_eq!(slices > 0, warns, "{path}: {warnings:?}");
    }
}
