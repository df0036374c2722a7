//! An API that answers by a closure and remembers every request, and the program run against it with a manifest of the test's own.

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// How many requests for the same path came before.
    pub(crate) before: usize,
}

impl Seen {
    /// All values of a header; its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(have, _)| have == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// Status, headers and body of an answer.
pub(crate) struct Reply(pub(crate) u16, pub(crate) Vec<(&'static str, String)>, pub(crate) String);

/// 200 with JSON.
pub(crate) fn ok(body: Value) -> Reply {
    Reply(200, vec![("content-type", "application/json".into())], body.to_string())
}

/// An error with a JSON body.
pub(crate) fn status(code: u16, body: Value) -> Reply {
    Reply(code, Vec::new(), body.to_string())
}

pub(crate) struct FakeApi {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl FakeApi {
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (into, answer) = (seen.clone(), Arc::new(answer));
        let serve = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let (into, answer) = (into.clone(), answer.clone());
            async move {
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                let mut list = into.lock().unwrap();
                let seen = Seen {
                    method: method.to_string(),
                    path: uri.path().to_owned(),
                    query: uri.query().unwrap_or_default().to_owned(),
                    headers: headers.iter().map(|(n, v)| (n.to_string(), text(v.as_bytes()))).collect(),
                    body: text(&body),
                    before: list.iter().filter(|seen| seen.path == uri.path()).count(),
                };
                list.push(seen.clone());
                let Reply(code, headers, body) = answer(&seen);
                let mut response = (StatusCode::from_u16(code).unwrap(), body).into_response();
                for (name, value) in headers {
                    response.headers_mut().insert(name, value.parse().unwrap());
                }
                response
            }
        };
        let app = axum::Router::new().fallback(serve);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, seen }
    }

    /// What has come so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// What has come for a path.
    pub(crate) fn seen_at(&self, path: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.path == path).collect()
    }
}

/// A stream `name` that reads `/name`, with links to next pages; `requester` goes over the requester's fields.
pub(crate) fn stream(name: &str, requester: Value) -> Value {
    let mut fields = json!({"type": "HttpRequester", "url_base": "{{ config.api }}", "path": name});
    let given = requester.as_object().unwrap().clone();
    fields.as_object_mut().unwrap().extend(given);
    json!({
        "type": "DeclarativeStream", "name": name, "primary_key": "id",
        "retriever": {
            "type": "SimpleRetriever",
            "requester": fields,
            "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["items"]}},
            "paginator": {
                "type": "DefaultPaginator",
                "page_token_option": {"type": "RequestPath"},
                "pagination_strategy": {
                    "type": "CursorPagination",
                    "cursor_value": "{{ response.next }}",
                    "stop_condition": "{{ not response.next }}",
                },
            },
        },
    })
}

/// A manifest without a spec: nothing marks any setting as a secret.
pub(crate) fn manifest(streams: &[Value]) -> Value {
    json!({
        "version": "7.0.0", "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": [streams[0]["name"]]},
        "streams": streams,
    })
}

/// What a run of the program has printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) log: String,
}

impl Printed {
    /// The ids of the records, in their order.
    pub(crate) fn ids(&self) -> Vec<i64> {
        let ids = self.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_i64().unwrap());
        ids.collect()
    }
}

/// `extract-job read` of all streams.
pub(crate) async fn read(manifest: &Value, config: &Value) -> Printed {
    program(&["read"], manifest, Some(config)).await
}

/// As [`read`], with every exchange and a log as people read it.
pub(crate) async fn read_traced(manifest: &Value, config: &Value) -> Printed {
    program(&["read", "--trace"], manifest, Some(config)).await
}

/// `extract-job check` of the manifest alone.
pub(crate) async fn check(manifest: &Value) -> Printed {
    program(&["check"], manifest, None).await
}

async fn program(command: &[&str], manifest: &Value, config: Option<&Value>) -> Printed {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, content.to_string()).unwrap();
        path
    };
    let mut program = Command::new(env!("CARGO_BIN_EXE_extract-job"));
    program.args(command).arg("--manifest").arg(file("manifest.yaml", manifest));
    if let Some(config) = config {
        program.arg("--config").arg(file("config.json", config));
    }
    program.env("DRAYAGE_WAIT_FACTOR", "0.002").env("DRAYAGE_LOG", "debug,hyper=info,h2=info,reqwest=info");
    if command.contains(&"--trace") {
        program.env("DRAYAGE_LOG_FORMAT", "text");
    }
    program.stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Printed { code: output.status.code(), out: text(&output.stdout), log: text(&output.stderr) }
}
