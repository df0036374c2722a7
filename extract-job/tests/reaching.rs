//! Where an answer may lead, and over what credentials go: never into a network that the source is not in, nor over plain http.

use crate::fake_api::{FakeApi, Reply, manifest, ok, read_traced, stream};
use crate::own_manifest::{self, Bench, Said};
use serde_json::{Value, json};

/// Forms of addresses that a source on this machine has no business at.
const INTERNAL: [&str; 7] = [
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "[::ffff:169.254.169.254]",
    "10.0.0.1",
    "192.168.0.1",
    "[fd00:ec2::254]",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_link_nor_a_redirect_reaches_into_another_network() {
    for host in INTERNAL {
        for redirect in [false, true] {
            let there = format!("http://{host}/latest/meta-data");
            let api = FakeApi::start(move |_| match redirect {
                true => Reply(302, vec![("location", there.clone())], String::new()),
                false => ok(json!({"items": [{"id": 1}], "next": there})),
            });
            let api = api.await;
            let printed = read_traced(&manifest(&[stream("items", json!({}))]), &json!({"api": api.url})).await;
            assert_eq!(printed.code, Some(1), "{host}: {}", printed.log);
            assert!(printed.log.contains("internal host"), "{host}: {}", printed.log);
            assert_eq!(api.seen().len(), 1, "{host}: not tried again");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trace_says_where_nothing_of_ours_goes() {
    let other = FakeApi::start(|_| ok(json!({"items": [{"id": 2}]}))).await;
    let next = format!("{}/items", other.url);
    let api = FakeApi::start(move |_| ok(json!({"items": [{"id": 1}], "next": next}))).await;
    let printed = read_traced(&manifest(&[stream("items", json!({}))]), &json!({"api": api.url})).await;
    assert_eq!(printed.ids(), [1, 2], "{}", printed.log);
    assert_eq!(printed.log.matches("sent without credentials").count(), 1, "{}", printed.log);
}

/// A pipeline whose account has this address and this secret, checked by the program: its exit code and what it has said.
async fn checked(bench: &Bench, source: &Value) -> (Option<i32>, String) {
    bench.write_pipeline(&json!({ "source": source }));
    let mut program = bench.program(&["check"]);
    program.env("PW", "hunter2-secret");
    let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), text)
}

async fn bench() -> Bench {
    let signed = json!({"authenticator": {"type": "BearerAuthenticator", "api_token": "{{ config.pw }}"}});
    let requester = own_manifest::requester("items", &signed);
    let mut source =
        own_manifest::manifest(&[own_manifest::stream("items", &json!({"requester": requester}), &json!({}))], 1);
    source["spec"] = json!({"type": "Spec", "connection_specification": {"type": "object", "properties": {
        "pw": {"type": "string", "airbyte_secret": true, "enum": ["hunter2-secret", "another"]},
    }}});
    Bench::new(&source, |_| Said::ok(&json!({"items": []}))).await
}

fn account(api: &str, pw: &str) -> Value {
    json!([{"id": "a", "config": {"api": api, "account": "a", "pw": pw}}])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_over_plain_http_are_refused_unless_the_file_says_otherwise() {
    let bench = bench().await;
    for (api, allow, expected) in [
        ("http://far.example", false, 2),
        ("http://10.0.0.1:8080", false, 2),
        ("http://far.example", true, 0),
        ("https://far.example", false, 0),
        ("http://127.0.0.1:8080", false, 0),
        ("http://localhost:8080", false, 0),
        ("http://[::1]:8080", false, 0),
    ] {
        let source = json!({"accounts": account(api, "${env:PW}"), "allow_plain_http": allow});
        let (code, text) = checked(&bench, &source).await;
        assert_eq!(code, Some(expected), "{api} {allow}: {text}");
        assert_eq!(text.contains("allow_plain_http: true"), expected == 2, "{api}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_alone_sends_no_credentials_over_plain_http_either() {
    let bench = bench().await;
    let config = bench.folder.path().join("config.json");
    for (api, allow, expected) in [
        ("http://far.invalid", false, 2),
        ("http://far.invalid", true, 1),
        ("https://far.invalid", false, 1),
        (&*bench.url.clone(), false, 0),
    ] {
        std::fs::write(&config, json!({"api": api, "account": "a", "pw": "${env:PW}"}).to_string()).unwrap();
        let manifest = bench.folder.path().join("x.yaml");
        let mut program = bench.program(&["read", "--manifest"]);
        program.arg(manifest).arg("--config").arg(&config).env("PW", "hunter2-secret");
        if allow {
            program.arg("--allow-plain-http");
        }
        let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(expected), "{api} {allow}: {text}");
        assert_eq!(text.contains("--allow-plain-http"), expected == 2, "{api}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_in_the_file_itself_is_warned_about_and_never_shown() {
    let bench = bench().await;
    for (pw, code, warned) in [
        ("${env:PW}", 0, false),
        ("hunter2-secret", 0, true),
        ("wrong-hunter2", 2, false),
        ("${env:PW}-hunter2", 2, false),
    ] {
        let (got, text) = checked(&bench, &json!({"accounts": account(&bench.url, pw)})).await;
        assert_eq!(got, Some(code), "{pw}: {text}");
        assert_eq!(text.contains("a secret stands in the file itself"), warned, "{pw}: {text}");
        let shown = text.matches("hunter2").count();
        // The words that may stand there are the spec's own.
        assert_eq!(shown, usize::from(code == 2), "{pw}: {text}");
    }
}
