//! Fuzzing of manifest loading: real manifests with parts replaced, exchanged, removed or referred to, and damaged texts.
//! Every load ends, with a manifest or with problems, and each problem and warning names a line of the file.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Value, json};

use super::*;

/// One of everything that is supported, and some of what is not.
const EVERYTHING: &str = r##"version: 6.0.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [things]}
definitions:
  d0: {type: BearerAuthenticator, api_token: "{{ config.token }}"}
  d1: &anchor {type: RequestOption, inject_into: request_parameter, field_name: page}
  d2:
    type: SimpleRetriever
    $parameters: {path: /x, page_size: 10}
    requester: {$ref: "#/definitions/d3", http_method: GET}
    record_selector: {extractor: {field_path: [data, "{{ parameters.path }}"]}, record_filter: {condition: "{{ record.id > 1 }}"}}
    paginator:
      type: DefaultPaginator
      page_token_option: *anchor
      page_size_option: {<<: *anchor, field_name: size}
      pagination_strategy: {type: PageIncrement, page_size: 100, start_from_page: 1}
      x-has-more: "{{ response.more }}"
      x-total: "{{ response.total }}"
  d3:
    type: HttpRequester
    url_base: https://api.example.com
    path: "/things/{{ stream_slice.start_time }}"
    authenticator: "#/definitions/d0"
    request_parameters: {a: "{{ config.a or 1 }}", b: "{{ next_page_token.next_page_token }}"}
    request_headers: {X-Key: "{{ config['key'] }}"}
    request_body_json: {filter: {from: "{{ now_utc() - duration('P1D') }}"}}
    error_handler:
      type: CompositeErrorHandler
      error_handlers:
        - {response_filters: [{action: IGNORE, http_codes: [404], predicate: "{{ response.code == 1 }}"}], max_retries: 2}
        - backoff_strategies: [{type: WaitTimeFromHeader, header: Retry-After, regex: "[0-9]+"}, {type: ExponentialBackoffStrategy, factor: 2}]
  d4:
    name: parents
    primary_key: id
    retriever: {requester: "#/definitions/d3", record_selector: {extractor: {field_path: []}}}
streams:
  - "#/definitions/d4"
  - name: things
    primary_key: [id, [a, b]]
    transformations: [{type: AddFields, fields: [{path: [a, b], value: "{{ record.id }}"}]}, {type: RemoveFields, field_pointers: [[c]]}]
    retriever: "#/definitions/d2"
    incremental_sync:
      type: DatetimeBasedCursor
      cursor_field: updated
      datetime_format: "%Y-%m-%dT%H:%M:%SZ"
      start_datetime: {datetime: "{{ config.start }}", min_datetime: "2020-01-01T00:00:00Z"}
      step: P1M
      cursor_granularity: PT1S
      lookback_window: P1D
      start_time_option: {inject_into: header, field_name: from}
    schema_loader: {type: InlineSchemaLoader, schema: {type: object, properties: {id: {type: integer}}}}
  - name: tokens
    retriever:
      partition_router:
        - {type: ListPartitionRouter, values: [a, b], cursor_field: kind}
        - {type: SubstreamPartitionRouter, parent_stream_configs: [{stream: "#/definitions/d4", parent_key: id, partition_field: parent}]}
      requester:
        url_base: https://api.example.com
        path: "{{ stream_partition.parent }}"
        authenticator: {type: OAuthAuthenticator, token_refresh_endpoint: https://a.example.com, client_id: a, client_secret: b, grant_type: client_credentials}
        error_handler: {response_filters: [{action: FAIL, error_message_contains: no}], backoff_strategies: [{type: ConstantBackoffStrategy, backoff_time_in_seconds: 1}]}
      record_selector: {extractor: {field_path: ["*", items]}}
      paginator: {type: DefaultPaginator, page_token_option: {type: RequestPath}, pagination_strategy: {type: CursorPagination, cursor_value: "{{ headers.link.next.url }}", stop_condition: "{{ not response.next }}"}}
api_budget: {policies: [{type: MovingWindowCallRatePolicy, rates: [{limit: 5, interval: PT1S}], matchers: [{type: HttpRequestRegexMatcher, method: GET, url_path_pattern: "/a.*"}]}]}
spec: {type: Spec, connection_specification: {type: object, additionalProperties: true, properties: {token: {type: string, airbyte_secret: true}}}}
"##;

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..Config::default() }
}

/// Loads a text and checks what is told of it.
fn check(text: &str) -> Result<(), TestCaseError> {
    let lines = text.split(['\n', '\r']).count();
    match Manifest::parse("m.yaml", text) {
        Ok(manifest) => {
            let fits = manifest.warnings.iter().all(|warning| (1..=lines).contains(&warning.line));
            prop_assert!(fits, "{:?}\n{text}", manifest.warnings);
            let _ = manifest.streams(&json!({"list": [{"a": 1}, "b"], "a": {"b": [{}]}}));
            if let Some(spec) = &manifest.source.spec {
                let settings = spec.complete(contract::yaml::parse("{token: a, n: 1}").unwrap());
                prop_assert!(spec.problems(&settings, &[]).iter().all(|problem| problem.line <= 1));
            }
        }
        Err(problems) => {
            let fits = problems.list.iter().all(|problem| problem.line <= lines && !problem.message.is_empty());
            prop_assert!(!problems.list.is_empty() && fits && problems.list.is_sorted(), "{problems}\n{text}");
        }
    }
    Ok(())
}

fn bases() -> Vec<Value> {
    let read = |text: &str| contract::yaml::parse(text).unwrap().to_json();
    vec![read(EVERYTHING), read(include_str!("../../connectors/servicetitan.yaml"))]
}

/// All places of a document, as JSON pointers.
fn pointers(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| pointers(item, &format!("{here}/{index}"), found));
        }
        Value::Object(entries) => entries.iter().for_each(|(key, item)| {
            pointers(item, &format!("{here}/{}", key.replace('~', "~0").replace('/', "~1")), found);
        }),
        _ => {}
    }
}

const TYPES: &[&str] = &[
    "DeclarativeSource",
    "DeclarativeStream",
    "SimpleRetriever",
    "HttpRequester",
    "RecordSelector",
    "DpathExtractor",
    "RecordFilter",
    "DefaultPaginator",
    "NoPagination",
    "CursorPagination",
    "PageIncrement",
    "OffsetIncrement",
    "RequestOption",
    "RequestPath",
    "DatetimeBasedCursor",
    "MinMaxDatetime",
    "DefaultErrorHandler",
    "CompositeErrorHandler",
    "HttpResponseFilter",
    "ConstantBackoffStrategy",
    "ExponentialBackoffStrategy",
    "WaitTimeFromHeader",
    "WaitUntilTimeFromHeader",
    "OAuthAuthenticator",
    "SessionTokenAuthenticator",
    "ApiKeyAuthenticator",
    "BasicHttpAuthenticator",
    "BearerAuthenticator",
    "NoAuth",
    "JsonDecoder",
    "MovingWindowCallRatePolicy",
    "HTTPAPIBudget",
    "Spec",
    "InlineSchemaLoader",
    "SubstreamPartitionRouter",
    "CustomRequester",
    "X",
    "object",
];

const TEXTS: &[&str] = &[
    "",
    " ",
    "{{ config.a }}",
    "{{ parameters.path }}",
    "{{ confg }}",
    "{{ record.id }}",
    "{% if config.a %}b{% endif %}",
    "{{",
    "{{ 1 +",
    "{{ stream_state.x }}",
    "GET",
    "POST",
    "header",
    "body_json",
    "P1D",
    "P1M",
    "PT0S",
    "-P1D",
    "P99999999999D",
    "%Y-%m-%d",
    "%s",
    "%Q",
    "2024-01-01",
    "2024-01-01T00:00:00Z",
    "https://x.example.com/?a=b#c",
    "http://[",
    "/p",
    "(",
    "[0-9]+",
    "a{9999999}",
    "*",
    "..",
    "a/b",
    "é😀\u{0}",
    "#",
    "#/",
    "yes",
    "-1",
    "1e400",
];

const REFERENCES: &[&str] = &[
    "#/definitions/d0",
    "#/definitions/d1",
    "#/definitions/d2",
    "#/definitions/d2/requester",
    "#/definitions/d3",
    "#/definitions/d4",
    "#/definitions",
    "#/definitions/d0/type",
    "#/streams",
    "#/streams/0",
    "#/streams/0/retriever/paginator",
    "#/streams/9",
    "#/check",
    "#/spec",
    "#/nope",
    "#//",
];

const FIELDS: &[&str] = &[
    "type",
    "name",
    "primary_key",
    "retriever",
    "requester",
    "record_selector",
    "extractor",
    "record_filter",
    "paginator",
    "path",
    "url",
    "url_base",
    "http_method",
    "authenticator",
    "request_parameters",
    "request_headers",
    "request_body_json",
    "request_body_data",
    "request_body",
    "error_handler",
    "response_filters",
    "backoff_strategies",
    "max_retries",
    "http_codes",
    "action",
    "predicate",
    "pagination_strategy",
    "page_size",
    "cursor_value",
    "stop_condition",
    "page_token_option",
    "page_size_option",
    "inject_into",
    "field_name",
    "field_path",
    "incremental_sync",
    "step",
    "cursor_granularity",
    "lookback_window",
    "start_datetime",
    "end_datetime",
    "datetime_format",
    "cursor_datetime_formats",
    "schema_loader",
    "schema",
    "transformations",
    "partition_router",
    "decoder",
    "class_name",
    "$parameters",
    "$ref",
    "config_overrides",
    "x-mode",
    "x-total",
    "x-read-ahead",
    "x-keep-token",
    "rates",
    "limit",
    "interval",
    "policies",
    "connection_specification",
    "properties",
    "pattern",
    "default",
    "required",
    "api_token",
    "header",
    "grant_type",
    "unknown",
];

fn part() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        3 => select(TEXTS).prop_map(Value::from),
        2 => select(REFERENCES).prop_map(Value::from),
        2 => select(REFERENCES).prop_map(|reference| json!({ "$ref": reference })),
        2 => select(vec![json!(null), json!(true), json!(0), json!(-1), json!(3.5), json!(u64::MAX), json!([]), json!({})]),
        2 => select(TYPES).prop_map(|kind| json!({ "type": kind })),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let fields = vec((select(FIELDS), inner.clone()), 0..5);
        prop_oneof![
            1 => vec(inner, 0..4).prop_map(Value::from),
            2 => (select(TYPES), fields.clone()).prop_map(|(kind, fields)| with(json!({ "type": kind }), fields)),
            1 => (select(REFERENCES), fields.clone()).prop_map(|(to, fields)| with(json!({ "$ref": to }), fields)),
            1 => fields.prop_map(|fields| json!({ "$parameters": with(json!({}), fields) })),
        ]
    })
}

fn with(mut node: Value, fields: Vec<(&str, Value)>) -> Value {
    fields.into_iter().for_each(|(key, value)| node[key] = value);
    node
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn manifests_with_exchanged_parts_load_or_are_refused(
        base in 0..2_usize,
        edits in vec((any::<Index>(), any::<Index>(), 0..6, select(FIELDS), part()), 1..6),
    ) {
        let mut manifest = bases().swap_remove(base);
        for (at, from, how, field, part) in edits {
            let mut places = Vec::new();
            pointers(&manifest, "", &mut places);
            let other = manifest.pointer(&places[from.index(places.len())]).unwrap().clone();
            let place = manifest.pointer_mut(&places[at.index(places.len())]).unwrap();
            match (how, place) {
                (0, Value::Object(entries)) => drop(entries.insert(field.to_owned(), part)),
                (1, Value::Object(entries)) => drop(entries.insert("$parameters".to_owned(), with(json!({}), vec![(field, part)]))),
                (2, Value::Array(items)) => items.push(part),
                (3, place) => *place = Value::Null,
                (4, place) => *place = other,
                (_, place) => *place = part,
            }
        }
        check(&serde_json::to_string_pretty(&manifest).unwrap())?;
    }

    #[test]
    fn damaged_manifests_load_or_are_refused(
        built_in in any::<bool>(),
        edits in vec((any::<Index>(), any::<Index>(), 0..6, select(vec![
            "\n", "  ", ": ", "- ", "{", "}", "[", "]", "'", "\"", "{{ ", " }}", "{% if ", "#", "&a ", "*a", "$ref: ", "\"#/streams/0\"", "\u{0}", "é", "|",
        ])), 1..5),
    ) {
        let text = if built_in { include_str!("../../connectors/servicetitan.yaml") } else { EVERYTHING };
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (at, to, how, token) in edits {
            let (at, to) = (at.index(lines.len()), to.index(lines.len()));
            match how {
                0 if lines.len() > 1 => drop(lines.remove(at)),
                1 => lines.swap(at, to),
                2 => lines.insert(at, lines[to].clone()),
                3 => lines[at].insert_str(0, "  "),
                4 => lines[at] = lines[at].trim_start().to_owned(),
                _ => {
                    let mut letters: Vec<char> = lines[at].chars().collect();
                    letters.splice(to.min(letters.len())..(to + 2).min(letters.len()).max(to.min(letters.len())), token.chars()).for_each(drop);
                    lines[at] = letters.into_iter().collect();
                }
            }
        }
        check(&lines.join("\n"))?;
    }

    #[test]
    fn definitions_that_refer_to_each_other_end(parts in vec(part(), 4), fields in vec((select(FIELDS), part()), 0..4)) {
        let mut manifest = bases().swap_remove(0);
        parts.into_iter().enumerate().for_each(|(index, part)| manifest["definitions"][format!("d{index}")] = part);
        manifest["streams"][2] = with(manifest["streams"][2].take(), fields);
        check(&serde_json::to_string(&manifest).unwrap())?;
    }
}

#[test]
fn the_bases_are_sound() {
    let manifest = Manifest::parse("m.yaml", EVERYTHING).unwrap();
    assert_eq!((manifest.source.streams.len(), manifest.warnings), (3, vec![]));
    for base in bases() {
        Manifest::parse("m.yaml", &base.to_string()).unwrap();
    }
}
