//! Tests of the gate over a real emulator, one for the whole process; each test has a project and a gate of its own.
//! The emulator is installed by the first of them (a minute, once for each machine).
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod faults;
mod jobs;
mod loads;
mod queries;
mod tables;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{BigQuery, Emulator, Options, Row};

static EMULATOR: OnceCell<Arc<Emulator>> = OnceCell::const_new();

/// A gate, a project with the dataset `d` in EU, and a client.
struct Scene {
    gate: BigQuery,
    project: String,
    client: reqwest::Client,
}

impl Scene {
    async fn new() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let emulator = EMULATOR.get_or_init(|| async {
            let root = std::env::temp_dir().join("sandbox-bigquery-tests");
            Arc::new(Emulator::start(&root).await.unwrap())
        });
        let gate = BigQuery::over(Arc::clone(emulator.await), options).unwrap();
        let project = format!("project-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let scene = Self { gate, project, client: reqwest::Client::builder().no_proxy().build().unwrap() };
        let dataset = json!({"datasetReference": {"datasetId": "d"}, "location": "EU"});
        let path = format!("/bigquery/v2/projects/{}/datasets", scene.project);
        let url = format!("{}{path}", scene.gate.emulator().url());
        let made = scene.client.post(url).header("content-type", "application/json").body(dataset.to_string());
        assert!(made.send().await.unwrap().status().is_success());
        scene
    }

    /// A bucket that goes when the test is over.
    fn bucket(&self) -> (tempfile::TempDir, PathBuf, String) {
        let root = self.gate.emulator().gcs_root();
        let folder = tempfile::Builder::new().prefix("bucket-").tempdir_in(root).unwrap();
        let path = folder.path().to_owned();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (folder, path, name)
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<(u16, Value)> {
        let url = format!("{}/bigquery/v2/projects/{}/{path}", self.gate.url(), self.project);
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(Method::GET, path, None).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::POST, path, Some(&body)).await.unwrap()
    }

    fn job(id: &str, configuration: &Value) -> Value {
        json!({"jobReference": {"jobId": id, "location": "EU"}, "configuration": configuration})
    }

    fn query_job(id: &str, sql: &str) -> Value {
        Self::job(id, &json!({"query": {"query": sql, "useLegacySql": false}}))
    }

    /// Inserts a job and asks until it is done.
    async fn run(&self, job: &Value) -> Value {
        let (status, answer) = self.send(Method::POST, "jobs", Some(job)).await.unwrap();
        assert_eq!(status, 200, "{answer}");
        self.wait(job["jobReference"]["jobId"].as_str().unwrap()).await
    }

    async fn wait(&self, id: &str) -> Value {
        for round in 0..1000 {
            let (status, job) = self.get(&format!("jobs/{id}?location=EU")).await;
            assert_eq!(status, 200, "{job}");
            if job["status"]["state"] == "DONE" {
                return job;
            }
            // Its turn at the emulator may be still to come.
            if round > 4 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        panic!("{id} is never done");
    }

    /// Runs a statement that must succeed, through the gate.
    async fn sql(&self, sql: &str) -> Value {
        let body = json!({"query": sql, "useLegacySql": false, "location": "EU"});
        let (status, answer) = self.post("queries", body).await;
        assert_eq!(status, 200, "{sql}: {answer}");
        answer
    }

    /// A table's name in SQL.
    fn table(&self, name: &str) -> String {
        format!("`{}.d.{name}`", self.project)
    }

    async fn rows(&self, sql: &str) -> Vec<Row> {
        self.gate.rows(&self.project, sql).await.unwrap()
    }

    async fn count(&self, table: &str) -> u64 {
        let rows = self.rows(&format!("SELECT COUNT(*) FROM {}", self.table(table))).await;
        rows[0][0].as_ref().unwrap().parse().unwrap()
    }
}

fn reason(answer: &Value) -> &str {
    let inside = [&answer["error"]["errors"][0]["reason"], &answer["status"]["errorResult"]["reason"]];
    inside.into_iter().find_map(Value::as_str).unwrap_or_default()
}

fn message(answer: &Value) -> &str {
    let inside = [&answer["error"]["message"], &answer["status"]["errorResult"]["message"]];
    inside.into_iter().find_map(Value::as_str).unwrap_or_default()
}
