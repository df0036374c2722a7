//! Error handlers of a manifest against real answers: how often a request is sent, what comes of it, and in whose words.

use crate::support::{APP_KEY, Bench, SECRET, TENANT, of};
use chrono::{TimeDelta, Utc};
use contract::report::{RunReport, UnitStatus};
use sandbox::fault::{Fault, FaultAction};

/// A manifest with one stream of one page, and this error handler.
async fn bench(handler: &str) -> Bench {
    let bench = Bench::new(100).await;
    let url = bench.server.url();
    let manifest = format!(
        "type: DeclarativeSource
check: {{stream_names: [campaigns]}}
streams:
  - name: campaigns
    primary_key: id
    retriever:
      requester:
        url: {url}/marketing/v2/tenant/{TENANT}/campaigns
        request_headers: {{ST-App-Key: {APP_KEY}}}
        authenticator:
          type: OAuthAuthenticator
          token_refresh_endpoint: {url}/connect/token
          grant_type: client_credentials
          client_id: cid.sandbox
          client_secret: {SECRET}
        error_handler: {handler}
      record_selector: {{type: RecordSelector, extractor: {{field_path: [data]}}}}
"
    );
    std::fs::write(bench.folder.path().join("source.yaml"), manifest).unwrap();
    let pipeline = "landing: ./landing\nwarehouse: {type: duckdb, path: ./w.duckdb}\nsources:\n  - connector: ./source.yaml\n    name: servicetitan\n    accounts: [{id: acme, config: {}}]\n";
    std::fs::write(bench.pipeline(), pipeline).unwrap();
    bench
}

/// What came of it, and how often the API and the token endpoint were asked.
async fn extract(bench: &Bench) -> (RunReport, usize, usize) {
    bench.server.clear_requests();
    let mut options = bench.options(&["campaigns"]);
    // Even an hour is over in a moment.
    options.wait_factor = 0.000_02;
    let report = bench.try_extract(options).await.unwrap();
    let requests = bench.server.requests();
    let logins = requests.iter().filter(|request| request.path.contains("token")).count();
    (report, requests.len() - logins, logins)
}

fn answer(status: u16, body: &str) -> Fault {
    Fault::once("/campaigns", FaultAction::StatusWithBody(status, body.into()))
}

fn limited(retry_after: impl Into<String>) -> Fault {
    Fault::once("/campaigns", FaultAction::TooManyRequests { retry_after: retry_after.into() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_error_handler_says_is_done() {
    let in_half_an_hour = (Utc::now() + TimeDelta::minutes(30)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let joined = "{type: CompositeErrorHandler, error_handlers: [{response_filters: [{action: FAIL, http_codes: [400]}]}, {response_filters: [{action: RETRY, error_message_contains: busy}]}]}";
    let renew =
        "{response_filters: [{action: REFRESH_TOKEN_THEN_RETRY, predicate: \"{{ response.error == 'expired' }}\"}]}";
    let ignore = "{response_filters: [{action: IGNORE, predicate: \"{{ response.status == 'none' }}\"}]}";
    let busy = || answer(400, r#"{"errors": [{"detail": "too busy"}]}"#);
    let expired = || answer(403, r#"{"error": "expired"}"#);
    // Handler, fault, requests, logins, records (50 are a page).
    let cases = [
        (joined, busy(), 2, 1, 50),
        (renew, expired(), 2, 2, 50),
        (ignore, answer(200, r#"{"status": "none", "data": [{"id": 7}]}"#), 1, 1, 1),
        (ignore, answer(404, r#"{"status": "none"}"#), 1, 1, 0),
        ("{}", limited("3000"), 2, 1, 50),
        ("{}", limited(in_half_an_hour), 2, 1, 50),
        (
            "{response_filters: [{action: SUCCESS, http_codes: [409]}]}",
            answer(409, r#"{"data": [{"id": 8}]}"#),
            1,
            1,
            1,
        ),
    ];
    for (handler, fault, requests, logins, records) in cases {
        let (bench, what) = (bench(handler).await, format!("{handler} {:?}", fault.action));
        bench.server.script(fault);
        let (report, sent, logged_in) = extract(&bench).await;
        let unit = of(&report, "campaigns");
        assert_eq!(unit.status, UnitStatus::Done, "{what}: {report:?}");
        assert_eq!((sent, logged_in), (requests, logins), "{what}");
        assert_eq!(bench.records(&report.run_id, "campaigns").await.1.len(), records, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_error_handler_gives_up_fails_in_its_words() {
    let renew = "{response_filters: [{action: REFRESH_TOKEN_THEN_RETRY, http_codes: [403], error_message: \"code {{ response.error }}\"}]}";
    let few = "{max_retries: 2, backoff_strategies: [{type: ConstantBackoffStrategy, backoff_time_in_seconds: 1}]}";
    let capped =
        "{backoff_strategies: [{type: WaitTimeFromHeader, header: Retry-After, max_waiting_time_in_seconds: 60}]}";
    let broken = "{response_filters: [{action: IGNORE, predicate: \"{{ response.n // 0 == 1 }}\"}]}";
    // Handler, fault, requests, logins, part of the error.
    let cases = [
        (renew, answer(403, r#"{"error": "expired"}"#), 2, 2, "code expired"),
        (few, limited("1"), 3, 1, "after 3 tries"),
        (few, answer(503, r#"{"message": "at lunch"}"#), 3, 1, "503: at lunch (after 3 tries)"),
        (capped, limited("60"), 1, 1, "60 s, which is too long"),
        ("{}", limited("3601"), 1, 1, "3601 s, which is too long"),
        (broken, answer(200, r#"{"n": 1, "data": []}"#), 1, 1, "`predicate`"),
    ];
    for (handler, fault, requests, logins, part) in cases {
        let (bench, what) = (bench(handler).await, format!("{handler} {:?}", fault.action));
        bench.server.script(fault.always());
        let (report, sent, logged_in) = extract(&bench).await;
        let error = of(&report, "campaigns").error.clone().unwrap_or_default();
        assert!(error.contains(part), "{what}: {error}");
        assert_eq!((sent, logged_in), (requests, logins), "{what}");
        assert!(bench.batch(&report.run_id, "campaigns").await.is_none(), "{what}");
    }
}
