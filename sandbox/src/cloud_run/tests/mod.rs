//! The stand-in as an HTTP client sees it, with shell scripts for jobs.
//! Nothing here waits for a time to pass but for what a time-out is about: tests wait for states and for output.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod calls;
mod faults;
mod stops;
mod tasks;

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{CloudRun, Job, Options};

const PATIENCE: Duration = Duration::from_secs(30);

/// A stand-in with its folder and a client.
struct Scene {
    server: CloudRun,
    http: reqwest::Client,
    _folder: TempDir,
}

/// A job of one shell script that is not retried.
fn script(name: &str, text: &str) -> Job {
    let args = vec!["-c".to_owned(), text.to_owned(), name.to_owned()];
    Job { args, max_retries: 0, ..Job::new(name, "/bin/sh") }
}

fn scene(jobs: Vec<Job>, change: impl FnOnce(&mut Options)) -> Scene {
    let folder = TempDir::new().unwrap();
    let mut options = Options { jobs, ..Options::new(folder.path().join("logs")) };
    change(&mut options);
    Scene { server: CloudRun::start(options).unwrap(), http: reqwest::Client::new(), _folder: folder }
}

fn place() -> &'static str {
    "projects/sandbox-project/locations/us-central1"
}

impl Scene {
    fn url(&self, name: &str) -> String {
        format!("{}/v2/{name}", self.server.url())
    }

    async fn get(&self, name: &str) -> (u16, Value) {
        read(self.http.get(self.url(name)).send().await.unwrap()).await
    }

    async fn post(&self, name: &str, body: &Value) -> (u16, Value) {
        read(self.http.post(self.url(name)).body(body.to_string()).send().await.unwrap()).await
    }

    /// Runs a job; the operation.
    async fn run(&self, job: &str, body: &Value) -> Value {
        let (status, operation) = self.post(&format!("{}/jobs/{job}:run", place()), body).await;
        assert_eq!(status, 200, "{operation:#}");
        operation
    }

    /// The operation when it is done.
    async fn wait(&self, operation: &Value) -> Value {
        let (status, operation) = self.post(&format!("{}:wait", text(&operation["name"])), &json!({})).await;
        assert_eq!((status, &operation["done"]), (200, &json!(true)), "{operation:#}");
        operation
    }

    /// Runs a job to its end; the execution.
    async fn run_to_end(&self, job: &str, body: &Value) -> Value {
        let operation = self.run(job, body).await;
        self.wait(&operation).await;
        let (status, execution) = self.get(text(&operation["metadata"]["name"])).await;
        assert_eq!(status, 200, "{execution:#}");
        execution
    }

    async fn tasks(&self, execution: &Value) -> Vec<Value> {
        let (status, list) = self.get(&format!("{}/tasks", text(&execution["name"]))).await;
        assert_eq!(status, 200, "{list:#}");
        list["tasks"].as_array().unwrap().clone()
    }

    /// What an attempt has written to standard output.
    fn out(&self, execution: &Value, task: usize, attempt: u32) -> String {
        self.server.log(text(&execution["name"]), task, attempt).unwrap().out
    }

    /// Waits until a task's first attempt has written this line.
    async fn until(&self, execution: &Value, task: usize, line: &str) {
        let name = text(&execution["name"]);
        eventually(line, || self.server.log(name, task, 0).is_ok_and(|log| log.out.contains(line))).await;
    }
}

/// Waits for something that is sure to come; long enough for the slowest machine, but not for ever.
async fn eventually(what: &str, has_come: impl Fn() -> bool) {
    let waiting = async {
        while !has_come() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "'{what}' has not come");
}

async fn read(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = response.text().await.unwrap();
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// The condition of this type.
fn condition<'a>(resource: &'a Value, kind: &str) -> &'a Value {
    let conditions = resource["conditions"].as_array().unwrap();
    conditions.iter().find(|condition| condition["type"] == kind).unwrap()
}
