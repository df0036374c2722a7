//! The calls of the Cloud Run Admin API v2 that a run needs ("REST Resource: v2.projects.locations.jobs" and its executions, tasks).
//! Each is made once, unless its name says otherwise: the callers know what a lost answer means to them.

use super::answer::{Execution, ExecutionPage, Job, Operation, Task, TaskPage};
use contract::google::{CallError, Rest};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const PAGE_SIZE: &str = "100";
/// A task list has at most 10,000 tasks.
const MOST_PAGES: usize = 200;

/// Cloud Run in one project and region.
#[derive(Debug, Clone)]
pub(super) struct Client {
    rest: Rest,
    project: String,
    region: String,
}

impl Client {
    pub(super) fn new(rest: Rest, project: &str, region: &str) -> Self {
        Self { rest, project: project.to_owned(), region: region.to_owned() }
    }

    /// Where it is, for messages.
    pub(super) fn place(&self) -> String {
        format!("project {}, region {}", self.project, self.region)
    }

    /// The flags that name the place in a `gcloud` command.
    pub(super) fn flags(&self) -> String {
        format!("--project {} --region {}", self.project, self.region)
    }

    fn job_path(&self, job: &str) -> String {
        format!("/v2/projects/{}/locations/{}/jobs/{job}", self.project, self.region)
    }

    pub(super) async fn job_repeatedly(&self, job: &str) -> Result<Job, CallError> {
        self.rest.call_repeatedly(Method::GET, &self.job_path(job), &[], None).await.map(read)
    }

    /// Whether executions may be listed: how a start whose answer was lost is found.
    pub(super) async fn may_list_repeatedly(&self, job: &str) -> Result<(), CallError> {
        let path = format!("{}/executions", self.job_path(job));
        self.rest.call_repeatedly(Method::GET, &path, &[("pageSize", "1")], None).await.map(drop)
    }

    /// Starts an execution; its name, if the answer tells it. There is no request id: two calls start two executions.
    pub(super) async fn run(&self, job: &str, body: &Value) -> Result<Option<String>, CallError> {
        let answer = self.rest.call(Method::POST, &format!("{}:run", self.job_path(job)), &[], Some(body)).await?;
        let name = read::<Operation>(answer).metadata.name;
        Ok(Some(name).filter(|name| is_name(name)))
    }

    pub(super) async fn execution(&self, name: &str) -> Result<Execution, CallError> {
        self.rest.call(Method::GET, &format!("/v2/{name}"), &[], None).await.map(read)
    }

    pub(super) async fn execution_repeatedly(&self, name: &str) -> Result<Execution, CallError> {
        self.rest.call_repeatedly(Method::GET, &format!("/v2/{name}"), &[], None).await.map(read)
    }

    /// One page of a job's executions; `token` is empty for the first.
    pub(super) async fn executions(&self, job: &str, token: &str) -> Result<ExecutionPage, CallError> {
        let path = format!("{}/executions", self.job_path(job));
        let mut page: ExecutionPage = self.rest.call(Method::GET, &path, &page_query(token), None).await.map(read)?;
        page.executions.retain(|execution| is_name(&execution.name));
        Ok(page)
    }

    pub(super) async fn cancel(&self, name: &str) -> Result<(), CallError> {
        self.rest.call(Method::POST, &format!("/v2/{name}:cancel"), &[], Some(&json!({}))).await.map(drop)
    }

    /// All tasks of an execution.
    pub(super) async fn tasks_repeatedly(&self, name: &str) -> Result<Vec<Task>, CallError> {
        let path = format!("/v2/{name}/tasks");
        let (mut tasks, mut token) = (Vec::new(), String::new());
        for _ in 0..MOST_PAGES {
            let answer = self.rest.call_repeatedly(Method::GET, &path, &page_query(&token), None).await?;
            let page: TaskPage = read(answer);
            tasks.extend(page.tasks);
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        Ok(tasks)
    }
}

fn page_query(token: &str) -> Vec<(&'static str, &str)> {
    let mut query = vec![("pageSize", PAGE_SIZE)];
    if !token.is_empty() {
        query.push(("pageToken", token));
    }
    query
}

/// The answers' types take every shape; what is no object at all says nothing.
fn read<T: DeserializeOwned + Default>(answer: Value) -> T {
    serde_json::from_value(answer).unwrap_or_default()
}

/// Whether a text is a resource name that can stand in a path as it is.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let part = |part: &str| !part.is_empty() && part != ".." && part.chars().all(plain);
    text.starts_with("projects/") && text.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn only_resource_names_go_into_paths() {
        assert!(is_name("projects/acme.com:p-1/locations/us-central1/jobs/j/executions/j-abc12"));
        for text in ["", "j-abc", "projects/p?x=1", "projects/p/../q", "projects//q", "projects/p#", "/projects/p"] {
            assert!(!is_name(text), "{text}");
        }
    }
}
