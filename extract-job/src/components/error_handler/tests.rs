//! Error handlers as manifests write them: what they make of answers, how long they wait, and what is refused at loading.

use super::*;
use crate::components::error_message;
use crate::components::http_response_filter::Action;
use crate::manifest::Manifest;
use crate::record_slicer::members;
use crate::template::Names;
use chrono::Utc;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::json;
use std::time::Duration;

fn manifest(handler: &str) -> String {
    format!(
        "version: 6.0.0\ntype: DeclarativeSource\ncheck: {{type: CheckStream, stream_names: [things]}}\nstreams:\n  - type: DeclarativeStream\n    name: things\n    retriever:\n      type: SimpleRetriever\n      requester:\n        type: HttpRequester\n        url_base: https://api.example.com\n        path: /things\n        error_handler: {handler}\n      record_selector: {{type: RecordSelector, extractor: {{type: DpathExtractor, field_path: []}}}}\n"
    )
}

fn errors(handler: &str) -> String {
    Manifest::parse("m.yaml", &manifest(handler)).map_or_else(|error| error.to_string(), |_| String::new())
}

/// A handler, with the manifest that holds it.
struct Handler(Manifest);

impl Handler {
    fn new(text: &str) -> Self {
        let manifest = Manifest::parse("m.yaml", &manifest(text)).unwrap();
        assert_eq!(manifest.warnings, vec![], "{text}");
        Self(manifest)
    }

    fn get(&self) -> &ErrorHandler {
        &self.0.source.streams[0].retriever.requester.error_handler
    }

    fn verdict(&self, status: u16, body: &str) -> (Action, Option<String>) {
        let (sight, mut scope) = (self.get().sight(status), scope());
        if let Some(sought) = &sight.body {
            scope = scope.with(Names::RESPONSE, members(body.as_bytes(), sought).unwrap_or_else(|| json!({})));
        }
        if sight.headers {
            scope = scope.with(Names::HEADERS, json!({"x-code": "h1"}));
        }
        let said = if sight.message { error_message::of(body.as_bytes()) } else { String::new() };
        let Verdict { action, message, .. } = self.get().verdict(&AnswerView { status, message: &said }, &scope);
        (action, message)
    }

    fn action(&self, status: u16, body: &str) -> Action {
        self.verdict(status, body).0
    }

    fn wait(&self, tries: u32, headers: &[(&'static str, String)]) -> Option<Wait> {
        let pair = |(name, value): &(&'static str, String)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        self.get().wait(tries, Some(&headers.iter().map(pair).collect()), &scope())
    }
}

fn scope() -> Scope {
    Scope::new(Utc::now()).with(Names::CONFIG, json!({"retries": 3, "bad": "many", "name": "x-wait", "longest": 60}))
}

fn asked(seconds: u64) -> Option<Wait> {
    Some(Wait::Asked(Duration::from_secs(seconds)))
}

#[test]
fn codes_predicate_and_text_are_alternatives() {
    let handler = Handler::new(
        "{response_filters: [{action: RETRY, http_codes: ['403', 409], predicate: \"{{ response.code == 7 }}\", error_message_contains: later}]}",
    );
    for (status, body) in [(403, ""), (409, ""), (200, r#"{"code": 7}"#), (404, r#"{"error": "try later"}"#)] {
        assert_eq!(handler.action(status, body), Action::Retry, "{status} {body}");
    }
    assert_eq!(handler.action(404, "come back later, no JSON"), Action::Retry);
    assert_eq!(handler.action(404, r#"{"note": "later"}"#), Action::Fail, "not in a telling field");
    assert_eq!(handler.action(200, r#"{"code": 8}"#), Action::Success);
}

#[test]
fn the_first_filter_that_matches_wins_and_one_without_an_action_never_does() {
    let handler = Handler::new(
        "{response_filters: [{http_codes: [404]}, {action: IGNORE, http_codes: [404]}, {action: FAIL, http_codes: [404, 500]}]}",
    );
    assert_eq!(handler.action(404, ""), Action::Ignore);
    assert_eq!(handler.action(500, ""), Action::Fail);
    assert_eq!(handler.action(502, ""), Action::Retry);
}

#[test]
fn successes_are_judged_too_and_an_undefined_value_makes_a_predicate_false() {
    let handler = Handler::new(
        "{response_filters: [{action: IGNORE, predicate: \"{{ response.status.code == 'none' }}\"}, {action: RATE_LIMITED, predicate: \"{{ headers['x-code'] == 'h2' }}\"}]}",
    );
    assert_eq!(handler.action(200, r#"{"status": {"code": "none"}}"#), Action::Ignore);
    assert_eq!(handler.action(200, "{}"), Action::Success);
    assert_eq!(handler.action(500, "no JSON"), Action::Retry);
}

#[test]
fn a_predicate_that_breaks_fails_the_request() {
    let handler = Handler::new("{response_filters: [{action: IGNORE, predicate: \"{{ response.n // 0 == 1 }}\"}]}");
    let (action, message) = handler.verdict(200, r#"{"n": 4}"#);
    assert_eq!(action, Action::Fail);
    assert!(message.as_ref().is_some_and(|message| message.contains("predicate")), "{message:?}");
}

#[test]
fn messages_are_templates_over_the_answer_and_the_settings() {
    let handler = Handler::new(
        "{response_filters: [{action: FAIL, http_codes: [403], error_message: \"{{ response.why }} {{ headers['x-code'] }} {{ config.retries }}\"}]}",
    );
    assert_eq!(handler.verdict(403, r#"{"why": "no right"}"#), (Action::Fail, Some("no right h1 3".into())));
    assert_eq!(handler.verdict(404, "{}"), (Action::Fail, None));
}

#[test]
fn of_an_answer_only_what_a_filter_looks_at_is_seen() {
    // Headers, the keys of the body (a star for all of it), and the message.
    let cases: [(&str, u16, bool, &[&str], bool); 9] = [
        ("{response_filters: []}", 200, false, &[], false),
        (
            "{response_filters: [{action: FAIL, http_codes: [403], error_message: '{{ response.x }}'}]}",
            200,
            false,
            &[],
            false,
        ),
        (
            "{response_filters: [{action: FAIL, http_codes: [403], error_message: '{{ response.x }}'}]}",
            403,
            true,
            &["x"],
            false,
        ),
        ("{response_filters: [{action: FAIL, predicate: \"{{ headers.x == '1' }}\"}]}", 200, true, &[], false),
        ("{response_filters: [{action: FAIL, predicate: \"{{ 'x' in response }}\"}]}", 200, true, &["x"], false),
        (
            "{response_filters: [{action: FAIL, predicate: '{{ response.x }}'}, {action: RETRY, predicate: '{{ response.y }}'}]}",
            200,
            true,
            &["x", "y"],
            false,
        ),
        ("{response_filters: [{action: FAIL, predicate: '{{ response | length > 2 }}'}]}", 200, true, &["*"], false),
        ("{response_filters: [{action: FAIL, error_message_contains: x}]}", 200, false, &[], true),
        (
            "{type: CompositeErrorHandler, error_handlers: [{response_filters: [{action: FAIL, predicate: '{{ response.x }}'}]}, {response_filters: [{action: FAIL, error_message_contains: z}]}]}",
            200,
            true,
            &["x"],
            true,
        ),
    ];
    for (text, status, headers, keys, message) in cases {
        let sight = Handler::new(text).get().sight(status);
        let sought = sight.body.unwrap_or_default();
        let whole = sought.is_whole().then_some("*");
        let seen: Vec<&str> = whole.into_iter().chain(sought.keys().map(|(key, _)| key)).collect();
        assert_eq!((sight.headers, seen.as_slice(), sight.message), (headers, keys, message), "{text} {status}");
    }
}

#[test]
fn joined_handlers_are_asked_until_one_ends_the_search() {
    let joined = |first: &str, second: &str| {
        let filter = |action: &str| format!("{{response_filters: [{{action: {action}, http_codes: [499]}}]}}");
        let (first, second) = (filter(first), filter(second));
        Handler::new(&format!("{{type: CompositeErrorHandler, error_handlers: [{first}, {second}]}}")).action(499, "")
    };
    for first in ["SUCCESS", "RETRY", "IGNORE"] {
        assert_eq!(joined(first, "RATE_LIMITED"), joined(first, first), "{first} ends it");
    }
    for first in ["FAIL", "RATE_LIMITED", "REFRESH_TOKEN_THEN_RETRY"] {
        assert_eq!(joined(first, "IGNORE"), Action::Ignore, "{first} does not");
        assert_eq!(joined(first, "RATE_LIMITED"), Action::RateLimited, "the last answer stands");
    }
}

#[test]
fn a_joined_handler_without_a_filter_that_matches_answers_by_status() {
    let handler = Handler::new(
        "{type: CompositeErrorHandler, error_handlers: [{response_filters: [{action: FAIL, http_codes: [400, 429]}]}, {response_filters: [{action: IGNORE, http_codes: [400, 503, 200]}]}]}",
    );
    assert_eq!(handler.action(400, ""), Action::Ignore, "FAIL does not end the search");
    assert_eq!(handler.action(429, ""), Action::RateLimited, "the last one's table");
    assert_eq!(handler.action(503, ""), Action::Retry, "the first one's table ends the search");
    assert_eq!(handler.action(200, ""), Action::Success);
}

#[test]
fn joined_handlers_try_as_often_as_the_first_and_wait_by_all_strategies() {
    let handler = Handler::new(
        "{type: CompositeErrorHandler, error_handlers: [{type: CompositeErrorHandler, error_handlers: [{max_retries: \"{{ config.retries }}\", backoff_strategies: [{type: WaitTimeFromHeader, header: x-none}]}]}, {max_retries: 9, backoff_strategies: [{type: ConstantBackoffStrategy, backoff_time_in_seconds: 4}]}]}",
    );
    assert_eq!(handler.get().retries(&scope()), Ok(3));
    assert_eq!(handler.wait(1, &[]), Some(Wait::For(Duration::from_secs(4))));
    assert_eq!(handler.wait(1, &[("x-none", "7".into())]), asked(7));
}

#[test]
fn retries_are_a_number_or_a_setting_that_is_one() {
    let retries = |text: &str| Handler::new(text).get().retries(&scope());
    assert_eq!(retries("{}"), Ok(5));
    assert_eq!(retries("{max_retries: 0}"), Ok(0));
    assert_eq!(retries("{max_retries: 100000}"), Ok(100));
    assert_eq!(retries("{max_retries: \"{{ config.retries }}\"}"), Ok(3));
    assert!(retries("{max_retries: \"{{ config.bad }}\"}").unwrap_err().contains("`max_retries`"));
}

#[test]
fn waits_by_header() {
    let handler = Handler::new(
        "{backoff_strategies: [{type: WaitTimeFromHeader, header: \"{{ config.name }}\", regex: '[0-9]+', max_waiting_time_in_seconds: \"{{ config.longest }}\"}, {type: ExponentialBackoffStrategy, factor: '2'}]}",
    );
    let told = |text: &str| handler.wait(3, &[("x-wait", text.to_owned())]);
    assert_eq!(told("30 seconds"), asked(30));
    let by_factor = Some(Wait::For(Duration::from_secs(16)));
    for text in ["soon", "about 30 seconds", "0"] {
        assert_eq!(told(text), by_factor, "{text}");
    }
    assert_eq!(handler.wait(3, &[]), by_factor);
    assert_eq!(handler.get().wait(3, None, &scope()), by_factor, "no answer, no headers");
    assert!(matches!(told("60"), Some(Wait::Stop(why)) if why.contains("60 s")), "as long as the cap is too long");
    let date = [("x-wait", "Sun, 06 Nov 1994 08:50:07 GMT".into()), ("date", "Sun, 06 Nov 1994 08:49:37 GMT".into())];
    let plain = Handler::new("{backoff_strategies: [{type: WaitTimeFromHeader, header: X-Wait}]}");
    assert_eq!(plain.wait(1, &date), asked(30));
}

#[test]
fn waits_until_a_time_in_a_header() {
    let date = ("date", "Tue, 14 Nov 2023 22:13:20 GMT".to_owned()); // 1 700 000 000
    let handler = Handler::new(
        "{backoff_strategies: [{type: WaitUntilTimeFromHeader, header: x-reset, min_wait: 5, regex: '\\d+', max_waiting_time_in_seconds: 100}]}",
    );
    let told = |text: &str| handler.wait(1, &[date.clone(), ("x-reset", text.to_owned())]);
    assert_eq!(told("1700000030"), asked(30));
    assert_eq!(told("1700000030, or later"), asked(30));
    assert_eq!(told("1700000002"), asked(5), "the least");
    let least = Some(Wait::For(Duration::from_secs(5)));
    assert_eq!(told("1699999999"), least, "it is over");
    assert_eq!(told("tomorrow"), least);
    assert_eq!(handler.get().wait(1, None, &scope()), least);
    assert!(matches!(told("1700000100"), Some(Wait::Stop(_))));
    let bare = Handler::new("{backoff_strategies: [{type: WaitUntilTimeFromHeader, header: x-reset}]}");
    assert_eq!(bare.wait(1, &[date, ("x-reset", "1699999999".into())]), None);
}

#[test]
fn a_setting_that_gives_no_time_stops_the_request() {
    let handler = Handler::new(
        "{backoff_strategies: [{type: ConstantBackoffStrategy, backoff_time_in_seconds: \"{{ config.bad }}\"}]}",
    );
    let wait = handler.wait(1, &[]);
    assert!(matches!(&wait, Some(Wait::Stop(why)) if !why.contains("many")), "{wait:?}");
}

#[test]
fn what_is_wrong_is_named_at_loading() {
    let cases = [
        ("{type: CompositeErrorHandler, error_handlers: []}", "at least one"),
        ("{type: CompositeErrorHandler}", "needs `error_handlers`"),
        ("{type: CompositeErrorHandler, error_handlers: [{type: CustomErrorHandler, class_name: a.B}]}", "a.B"),
        ("{response_filters: [{action: REDUCE_PAGE_SIZE, http_codes: [413]}]}", "`REDUCE_PAGE_SIZE` is not supported"),
        ("{response_filters: [{action: RESET_PAGINATION, http_codes: [400]}]}", "needs `pagination_reset`"),
        ("{response_filters: [{action: SPLIT_REQUEST_WINDOW, http_codes: [400]}]}", "needs `request_window_splitting`"),
        ("{response_filters: [{action: FAIL, http_codes: [four]}]}", "`http_codes`"),
        ("{response_filters: [{action: FAIL, http_codes: 404}]}", "must be a list"),
        ("{response_filters: [{action: FAIL, http_codes: [404], failure_type: oops}]}", "`failure_type`"),
        ("{response_filters: [{action: FAIL, predicate: '{{ record.x }}'}]}", "`record`"),
        ("{max_retries: many}", "`max_retries`"),
        ("{max_retries: -1}", "`max_retries`"),
        ("{backoff_strategies: [{type: ConstantBackoffStrategy}]}", "needs `backoff_time_in_seconds`"),
        ("{backoff_strategies: [{type: ConstantBackoffStrategy, backoff_time_in_seconds: soon}]}", "must be a number"),
        ("{backoff_strategies: [{type: WaitTimeFromHeader, header: x, regex: '('}]}", "regular expression"),
        ("{backoff_strategies: [{type: WaitTimeFromResponse}]}", "WaitTimeFromResponse is not supported"),
    ];
    for (text, part) in cases {
        let found = errors(text);
        assert!(found.contains(part), "{text}: {found}");
    }
}
