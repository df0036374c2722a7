//! APIs that give back what must not show: credentials in every spelling, in their errors and their headers, whichever way a request is
//! signed; and characters that act on a terminal.

use crate::credentials::{login, ways};
use crate::fake_api::{FakeApi, Reply, manifest, ok, read_traced, status, stream};
use crate::spelled::spellings;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a header may hold, and every spelling changes.
const SECRET: &str = "s3c+r/t v&l\"u\\e=";
/// What the logins of these tests answer.
const TOKEN: &str = "t0k+n/v l&\"\\u==";

/// A manifest whose spec marks the secret; `names` are streams that are signed by `requester`.
fn source(names: &[String], requester: &Value) -> Value {
    let streams: Vec<Value> = names.iter().map(|name| stream(name, requester.clone())).collect();
    let mut source = manifest(&streams);
    source["spec"] = json!({"type": "Spec", "connection_specification": {
        "type": "object", "properties": {"secret": {"type": "string", "airbyte_secret": true}},
    }});
    source
}

fn all_spellings() -> Vec<(String, String)> {
    let of = |secret: &'static str| {
        spellings(secret).into_iter().map(move |(name, text)| (format!("{secret} {name}"), text))
    };
    of(SECRET).chain(of(TOKEN)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_credential_shows_in_any_spelling_whichever_way_a_request_is_signed() {
    let all = all_spellings();
    let names: Vec<String> = (0..all.len()).map(|index| format!("e{index}")).collect();
    for (way, requester, _) in ways() {
        let echoes: Vec<String> = all.iter().map(|(_, text)| text.clone()).collect();
        let api = FakeApi::start(move |seen| {
            let login = match seen.path.as_str() {
                "/login" => Some(ok(json!({"data": {"token": TOKEN}}))),
                "/oauth" => Some(ok(json!({"access_token": TOKEN, "expires_in": 3600}))),
                _ => None,
            };
            login.unwrap_or_else(|| {
                let index: usize = seen.path.trim_start_matches("/e").parse().unwrap();
                // Messages are cut after some 200 characters: at the secret's end, its beginning, and in its midst.
                let padding = "x".repeat(170 + index % 30);
                let message = format!("{padding} invalid {} really", echoes[index]);
                let line: String = echoes[index].chars().filter(|c| !c.is_control()).collect();
                Reply(400, vec![("x-echo", format!("for {line}"))], json!({"message": message}).to_string())
            })
        });
        let api = api.await;
        let config = json!({"api": api.url, "secret": SECRET, "kind": "oauth"});
        let printed = read_traced(&source(&names, &requester), &config).await;
        assert_eq!(printed.code, Some(1), "{way}: {}", printed.log);
        assert!(printed.log.contains("invalid ***"), "{way}: {}", printed.log);
        let uses_token = printed.log.contains("/login") || printed.log.contains("/oauth");
        for (name, spelled) in &all {
            if name.starts_with(TOKEN) && !uses_token {
                continue;
            }
            // Half of one is too much already.
            let start: String = spelled.chars().take(9).collect();
            for text in [&printed.log, &printed.out] {
                assert!(!text.contains(&start), "{way}, {name}: {start} shows in {text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_answer_says_neither_acts_on_the_terminal_nor_forges_a_line() {
    const EVIL: &str =
        "\u{1b}[2Jgone\u{7}\r\n2026-01-01T00:00:00Z  INFO all is well\u{0}\u{9b}31m\u{202e}\u{2066}\u{85}";
    let handler = json!({"error_handler": {"type": "DefaultErrorHandler", "response_filters": [
        {"type": "HttpResponseFilter", "http_codes": [400], "action": "FAIL", "error_message": "refused: {{ response.why }}"},
        {"type": "HttpResponseFilter", "http_codes": [503], "action": "RETRY", "error_message": "busy: {{ response.why }}"},
    ], "max_retries": 1}});
    let api = FakeApi::start(|seen| {
        login(seen).unwrap_or_else(|| match seen.path.as_str() {
            "/refused" => status(400, json!({ "why": EVIL })),
            "/busy" => status(503, json!({ "why": EVIL })),
            "/plain" => status(404, json!({ "message": EVIL })),
            "/header" => Reply(404, vec![("x-echo", "\u{9b}31mred\u{202e}".into())], String::new()),
            _ => ok(json!({"items": EVIL})),
        })
    });
    let api = api.await;
    let names = ["refused", "busy", "plain", "header", "odd"].map(str::to_owned);
    let printed = read_traced(&source(&names, &handler), &json!({"api": api.url, "secret": SECRET})).await;
    assert_eq!(printed.code, Some(1), "{}", printed.log);
    for text in [&printed.log, &printed.out] {
        let acts = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{202e}' | '\u{2066}');
        assert!(!text.contains(acts), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("2026-01-01")), "{text}");
    }
    for words in ["refused: \u{fffd}[2Jgone", "busy: \u{fffd}[2Jgone", "404: \u{fffd}[2Jgone"] {
        assert!(printed.log.contains(words), "{words}: {}", printed.log);
    }
}

/// The settings that a connector needs, each secret with a value of its own.
fn settings(connector: &str, api: &str) -> (Value, Vec<String>) {
    let manifest = extract_job::Manifest::load(connector, std::path::Path::new(".")).unwrap();
    let spec = manifest.spec().unwrap();
    let (mut settings, mut secrets) = (serde_json::Map::new(), Vec::new());
    for (name, property) in spec["properties"].as_object().unwrap() {
        let is_required = spec["required"].as_array().unwrap().contains(&json!(name));
        let value = if property["airbyte_secret"] == json!(true) {
            secrets.push(format!("{SECRET}-{name}"));
            format!("{SECRET}-{name}")
        } else if name == "api_url" || name == "auth_url" {
            api.to_owned()
        } else if name.ends_with("_date") {
            "2026-01-01".to_owned()
        } else if is_required {
            "example".to_owned()
        } else {
            continue;
        };
        settings.insert(name.clone(), value.into());
    }
    (Value::Object(settings), secrets)
}

/// Every secret of every connector × every spelling × everything that is printed or stored of a run that fails at each of its steps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_of_a_connector_shows_or_is_stored_when_its_api_repeats_it() {
    for connector in ["servicetitan", "zoho_salesiq", "gong", "callio", "gaio_social"] {
        let (_, secrets) = settings(connector, "");
        assert!(!secrets.is_empty(), "{connector}");
        let all: Vec<(&str, String)> = secrets.iter().flat_map(|secret| spellings(secret)).collect();
        let texts: Vec<String> = all.iter().map(|(_, text)| text.clone()).collect();
        let (asked, echoed) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        let echoes = echoed.clone();
        let api = FakeApi::start(move |seen| {
            let is_login = ["token", "login"].iter().any(|word| seen.path.ends_with(word));
            // Every other login is refused, so that both steps fail.
            if is_login && asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
                return ok(json!({"access_token": TOKEN, "expires_in": 3600, "token": TOKEN}));
            }
            let number = echoes.fetch_add(1, Ordering::SeqCst);
            let text = &texts[number % texts.len()];
            let words = format!("{} {text} is refused", "x".repeat(number % 190));
            let body = json!({"title": words, "message": words, "error": words, "error_description": words});
            let line: String = text.chars().filter(|c| !c.is_control()).collect();
            Reply([400, 401, 404, 500][number % 4], vec![("x-echo", line)], body.to_string())
        });
        let api = api.await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pipeline.yaml");
        let (mut said, mut round) = (String::new(), 0_u32);
        while echoed.load(Ordering::SeqCst) < all.len() {
            round += 1;
            assert!(
                round < 60,
                "{connector}: every spelling is given back: {} of {}",
                echoed.load(Ordering::SeqCst),
                all.len()
            );
            let pipeline = json!({
                "landing": "./landing", "warehouse": {"type": "duckdb", "path": "./w.duckdb"},
                "sources": [{"connector": connector, "name": "s", "accounts": [
                    {"id": format!("a{round}"), "config": settings(connector, &api.url).0},
                ]}],
            });
            std::fs::write(&file, pipeline.to_string()).unwrap();
            for arguments in [&["--output", "json"][..], &["check", "--connect"], &["--dry-run"]] {
                let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_extract-job"));
                program.args(arguments).env("DRAYAGE_PIPELINE", &file).env("DRAYAGE_WAIT_FACTOR", "0.0001");
                program.env("DRAYAGE_LOG", "debug,hyper=info,h2=info,reqwest=info").stdin(std::process::Stdio::null());
                program.env("DRAYAGE_LOG_FORMAT", if round.is_multiple_of(2) { "text" } else { "json" });
                let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
                for bytes in [output.stdout, output.stderr] {
                    said.push_str(&String::from_utf8_lossy(&bytes));
                }
            }
        }
        assert!(said.contains("***"), "{connector}: {said}");
        for path in files(&folder.path().join("landing")) {
            said.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
        }
        for (name, spelled) in &all {
            let start: String = spelled.chars().take(9).collect();
            let at =
                said.find(&start).map(|at| String::from_utf8_lossy(&said.as_bytes()[at.saturating_sub(200)..at + 9]));
            assert_eq!(at, None, "{connector}, {name}: {start} shows");
        }
    }
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
