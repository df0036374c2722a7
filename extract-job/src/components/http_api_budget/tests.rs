//! Request budgets as manifests write them: which policy applies to which request, and what the API's own count changes.

use super::*;
use crate::manifest::Manifest;
use crate::template::Names;
use chrono::Utc;
use reqwest::header::{DATE, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::json;
use std::sync::Arc;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn manifest(budget: &str) -> String {
    format!(
        "version: 6.0.0\ntype: DeclarativeSource\ncheck: {{type: CheckStream, stream_names: []}}\nstreams:\n  - name: things\n    retriever:\n      requester: {{url: 'https://api.example.com/things'}}\n      record_selector: {{type: RecordSelector, extractor: {{field_path: []}}}}\napi_budget: {budget}\n"
    )
}

fn errors(budget: &str) -> String {
    Manifest::parse("m.yaml", &manifest(budget)).map_or_else(|error| error.to_string(), |_| String::new())
}

/// A budget at work, with settings `limit: 2` and `word: two`.
struct Bench {
    budget: Arc<HttpApiBudget>,
    open: OpenBudget,
    pause: Pause,
}

impl Bench {
    fn new(text: &str) -> Self {
        let manifest = Manifest::parse("m.yaml", &manifest(text)).unwrap();
        assert_eq!(manifest.warnings, vec![], "{text}");
        let scope = Scope::new(Utc::now()).with(Names::CONFIG, json!({"limit": 2, "word": "two"}));
        let budget = manifest.source.budget.clone();
        let open = budget.open(&scope);
        Self { budget, open, pause: Pause::default() }
    }

    async fn take(&self, request: &Outgoing) -> Result<(), String> {
        self.budget.take(&self.open, request, &self.pause).await
    }

    /// Whether a request would have to wait.
    async fn waits(&self, request: &Outgoing) -> bool {
        let start = Instant::now();
        self.take(request).await.unwrap();
        start.elapsed() > Duration::ZERO
    }

    fn heed(&self, request: &Outgoing, status: u16, headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        self.budget.heed(&self.open, request, status, &headers.iter().map(pair).collect())
    }
}

fn request(method: Method, url: &str) -> Outgoing {
    let url = Url::parse(url).unwrap();
    let headers = vec![("X-Kind".to_owned(), "bulk".to_owned())];
    Outgoing { method, home: Some(url.clone()), url, headers, body: None, login: false, patience: None }
}

fn get(url: &str) -> Outgoing {
    request(Method::GET, url)
}

#[tokio::test(start_paused = true)]
async fn matchers_say_which_requests_a_policy_is_about() {
    let one = |matcher: &str| {
        Bench::new(&format!(
            "{{type: HTTPAPIBudget, policies: [{{type: MovingWindowCallRatePolicy, rates: [{{limit: 1, interval: PT1H}}], matchers: [{matcher}]}}]}}"
        ))
    };
    let url = "https://api.example.com/v2/jobs/17/?page=1&page=2&active=true";
    for (matcher, expected) in [
        ("{method: get}", true),
        ("{method: POST}", false),
        ("{url_base: 'https://api.example.com'}", true),
        ("{url_base: 'https://api.example.com:443/'}", true),
        ("{url_base: 'https://api.example.com/v2'}", true),
        ("{url_base: 'https://api.example.com/v'}", false),
        ("{url_base: 'https://example.com'}", false),
        ("{url_path_pattern: 'jobs/[0-9]+$'}", true),
        ("{url_path_pattern: '^jobs'}", false),
        ("{params: {page: 2, active: 'true'}}", true),
        ("{params: {page: 1}}", false),
        ("{params: {missing: x}}", false),
        ("{headers: {x-kind: bulk}}", true),
        ("{headers: {x-kind: Bulk}}", false),
        ("{method: GET, params: {page: 3}}", false),
        ("{method: POST}, {type: HttpRequestRegexMatcher, method: GET}", true),
    ] {
        let bench = one(matcher);
        assert!(!bench.waits(&get(url)).await);
        assert_eq!(bench.waits(&get(url)).await, expected, "{matcher}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_policy_that_matches_applies_alone() {
    let bench = Bench::new(
        "{type: HTTPAPIBudget, policies: [{type: UnlimitedCallRatePolicy, matchers: [{url_path_pattern: '^/free'}]}, {type: FixedWindowCallRatePolicy, period: PT10S, call_limit: '{{ config.limit }}', matchers: [{method: POST}]}, {type: MovingWindowCallRatePolicy, rates: [{limit: 3, interval: PT1S}], matchers: []}]}",
    );
    let (free, post, other) =
        (get("https://a.io/free"), request(Method::POST, "https://a.io/x"), get("https://a.io/x"));
    let start = Instant::now();
    for _ in 0..100 {
        bench.take(&free).await.unwrap();
    }
    for request in [&post, &post, &other, &other, &other] {
        assert!(!bench.waits(request).await, "{}", request.url);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    bench.take(&other).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 1);
    bench.take(&post).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 10, "no later than the period after its first request");
}

#[tokio::test(start_paused = true)]
async fn heavy_requests_take_their_weight() {
    let bench = Bench::new(
        "{type: HTTPAPIBudget, policies: [{type: MovingWindowCallRatePolicy, rates: [{limit: 5, interval: PT1S}], matchers: [{url_path_pattern: heavy, weight: '{{ config.limit }}'}, {}]}]}",
    );
    let (heavy, light) = (get("https://a.io/heavy"), get("https://a.io/light"));
    for request in [&heavy, &heavy, &light] {
        assert!(!bench.waits(request).await);
    }
    assert!(bench.waits(&light).await);
}

#[tokio::test(start_paused = true)]
async fn a_spent_limit_pauses_the_account_until_it_is_reset() {
    let bench = Bench::new(
        "{type: HTTPAPIBudget, ratelimit_reset_header: X-Reset, ratelimit_remaining_header: x-left, status_codes_for_ratelimit_hit: [420], policies: [{type: UnlimitedCallRatePolicy, matchers: [{method: POST}]}, {type: MovingWindowCallRatePolicy, rates: [{limit: 9, interval: PT1S}], matchers: []}]}",
    );
    let (counted, free) = (get("https://a.io/x"), request(Method::POST, "https://a.io/x"));
    assert_eq!(bench.heed(&counted, 200, &[("x-left", "3"), ("x-reset", "30")]), None);
    assert_eq!(bench.heed(&counted, 200, &[("x-left", "0"), ("x-reset", "30")]), Some(30 * SECOND));
    assert_eq!(bench.heed(&counted, 420, &[("x-reset", "30")]), Some(30 * SECOND));
    assert_eq!(bench.heed(&counted, 429, &[("x-reset", "30")]), None, "not one of its statuses");
    assert_eq!(bench.heed(&counted, 420, &[("x-reset", "99999")]), Some(3600 * SECOND));
    assert_eq!(bench.heed(&free, 420, &[("x-reset", "30")]), None, "nothing is counted there");
    assert!(!bench.waits(&counted).await);
    assert_eq!(bench.heed(&counted, 200, &[("x-left", "0")]), None);
    assert!(bench.waits(&counted).await, "without a time the window counts as full");
}

#[tokio::test(start_paused = true)]
async fn settings_that_are_no_numbers_fail_the_request() {
    let bench = Bench::new(
        "{type: HTTPAPIBudget, policies: [{type: MovingWindowCallRatePolicy, rates: [{limit: '{{ config.word }}', interval: PT1S}], matchers: []}]}",
    );
    let why = bench.take(&get("https://a.io/x")).await.unwrap_err();
    assert!(why.contains("`limit` must be a whole number"), "{why}");
}

#[test]
fn what_is_wrong_is_named_at_loading() {
    let policy = |text: &str| format!("{{type: HTTPAPIBudget, policies: [{text}]}}");
    for (text, part) in [
        ("{type: MovingWindowCallRatePolicy, rates: [], matchers: []}", "at least one rate"),
        ("{type: MovingWindowCallRatePolicy, rates: [{limit: 0, interval: PT1S}], matchers: []}", "`limit` must be"),
        ("{type: MovingWindowCallRatePolicy, rates: [{limit: 1, interval: 1s}], matchers: []}", "ISO 8601"),
        ("{type: FixedWindowCallRatePolicy, call_limit: 5, matchers: []}", "needs `period`"),
        ("{type: FixedWindowCallRatePolicy, period: PT1M, matchers: []}", "needs `call_limit`"),
        ("{type: UnlimitedCallRatePolicy}", "needs `matchers`"),
        ("{type: LeakyBucketPolicy, matchers: []}", "LeakyBucketPolicy is not supported"),
        ("{type: UnlimitedCallRatePolicy, matchers: [{url_base: api.example.com}]}", "`url_base`"),
        ("{type: UnlimitedCallRatePolicy, matchers: [{url_path_pattern: '('}]}", "regular expression"),
        ("{type: UnlimitedCallRatePolicy, matchers: [{params: [a]}]}", "`params`"),
        ("{type: UnlimitedCallRatePolicy, matchers: [{weight: 0}]}", "`weight` must be"),
    ] {
        let found = errors(&policy(text));
        assert!(found.contains(part), "{text}: {found}");
    }
    let found = errors("{type: HTTPAPIBudget, policies: [], status_codes_for_ratelimit_hit: 429}");
    assert!(found.contains("`status_codes_for_ratelimit_hit`"), "{found}");
}

#[tokio::test(start_paused = true)]
async fn a_weight_that_never_fits_fails_the_request() {
    let bench = Bench::new(
        "{type: HTTPAPIBudget, policies: [{type: FixedWindowCallRatePolicy, period: PT1S, call_limit: 3, matchers: [{weight: 4}]}]}",
    );
    let why = bench.take(&get("https://a.io/x")).await.unwrap_err();
    assert!(why.contains("never fit"), "{why}");
}

#[test]
fn reset_times_in_all_their_spellings() {
    // 2023-11-14T22:13:20Z
    let headers = HeaderMap::from_iter([(DATE, HeaderValue::from_static("Tue, 14 Nov 2023 22:13:20 GMT"))]);
    let cases = [
        ("1700000030", Some(30.0)),
        ("1700000030.5", Some(30.5)),
        ("1700000030000", Some(30.0)),
        ("30", Some(30.0)),
        ("1699999990", Some(0.0)),
        ("-5", Some(0.0)),
        ("Tue, 14 Nov 2023 22:14:20 GMT", Some(60.0)),
        ("soon", None),
    ];
    for (text, expected) in cases {
        assert_eq!(time_until(text, &headers).map(|wait| wait.as_secs_f64()), expected, "{text}");
    }
}

#[test]
fn what_is_left_is_the_number_in_front() {
    let cases = [("0", Some(0)), (" 12 ", Some(12)), ("0, 60;w=1", Some(0)), ("3.0", Some(3)), ("none", None)];
    for (text, expected) in cases {
        assert_eq!(whole_number(text), expected, "{text}");
    }
}
