//! The REST calls about jobs: insert, get, list, cancel, query and the results of a query.
//! Everything runs at once and in turn; what the caller learns of it, and when, is what BigQuery would tell.

use std::time::Instant;

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::fault::Effect;
use super::gate::Gate;
use super::job::{Ended, Job, JobKey};
use super::label::{check_job_id, check_labels};
use super::reply::JobError;
use super::sql::statement::Script;
use super::{load, query};

/// The query string of a call.
pub(crate) type Query = std::collections::HashMap<String, String>;

/// Keys of jobs.query that belong to the job and not to its query.
const OF_THE_JOB: [&str; 8] =
    ["dryRun", "labels", "location", "requestId", "maxResults", "timeoutMs", "jobCreationMode", "formatOptions"];

pub(crate) async fn insert(
    gate: &Gate,
    project: &str,
    body: &Value,
    effect: Option<&Effect>,
) -> Result<Value, JobError> {
    let reference = &body["jobReference"];
    if reference["projectId"].as_str().is_some_and(|given| given != project) {
        return Err(JobError::new("invalid", "Value in jobReference.projectId differs from the URL"));
    }
    let id = match reference["jobId"].as_str() {
        Some(id) => {
            check_job_id(id)?;
            id.to_owned()
        }
        None => generated_id(),
    };
    let configuration = typed(body["configuration"].clone())?;
    let is_dry = configuration["dryRun"] == true;
    let key = start(gate, project, &id, reference["location"].as_str(), configuration, effect).await?;
    let mut jobs = gate.jobs();
    let job = jobs.get(&key).ok_or_else(|| JobError::new("internalError", "The job is gone."))?;
    if is_dry {
        job.polls_left = 0;
    }
    let answer = job.resource(if job.configuration["jobType"] == "LOAD" { "PENDING" } else { "RUNNING" });
    if is_dry {
        jobs.release(&key);
    }
    Ok(answer)
}

/// Takes the id, runs the job, and keeps how it ended.
async fn start(
    gate: &Gate,
    project: &str,
    id: &str,
    location: Option<&str>,
    configuration: Value,
    effect: Option<&Effect>,
) -> Result<JobKey, JobError> {
    check_labels(&configuration["labels"])?;
    let location = match location {
        Some(location) => location.to_owned(),
        None => location_of(gate, project, &configuration).await,
    };
    let key = JobKey::new(project, &location, id);
    let mut job = Job::new(key.clone(), configuration.clone(), gate.options.polls_until_done);
    match effect {
        Some(Effect::MorePolls(polls)) => job.polls_left = job.polls_left.saturating_add(*polls),
        Some(Effect::Running(time)) => job.not_before = Some(Instant::now() + *time),
        _ => {}
    }
    gate.jobs().reserve(job)?;
    let ended = match effect {
        Some(Effect::JobFails { reason, message }) => Ok(Ended::failed(JobError::new(reason, message.as_str()))),
        _ => run(gate, &key, &configuration).await,
    };
    let mut jobs = gate.jobs();
    match ended {
        Ok(ended) => {
            if let Some(job) = jobs.get(&key) {
                job.end(ended);
            }
            Ok(key)
        }
        Err(refused) => {
            jobs.release(&key);
            Err(refused)
        }
    }
}

async fn run(gate: &Gate, key: &JobKey, configuration: &Value) -> Result<Ended, JobError> {
    let _turn = gate.turn().await;
    match configuration["jobType"].as_str() {
        Some("LOAD") => load::run(gate, &key.project, &key.location, configuration).await,
        _ => query::run(gate, &key.project, &key.location, configuration).await,
    }
}

/// The configuration with its `jobType`.
fn typed(mut configuration: Value) -> Result<Value, JobError> {
    let given: Vec<&str> =
        ["query", "load", "copy", "extract"].into_iter().filter(|name| configuration[name].is_object()).collect();
    match given.as_slice() {
        [name @ ("query" | "load")] => {
            configuration["jobType"] = json!(name.to_ascii_uppercase());
            Ok(configuration)
        }
        [name] => Err(JobError::limit(format!("{name} jobs"))),
        _ => Err(JobError::new(
            "invalid",
            "Job configuration must contain exactly one job-specific configuration object",
        )),
    }
}

/// Where a job runs that does not say it: where its data is.
async fn location_of(gate: &Gate, project: &str, configuration: &Value) -> String {
    let mut datasets: Vec<(String, String)> = Vec::new();
    for place in [&configuration["load"]["destinationTable"], &configuration["query"]["defaultDataset"]] {
        if let Some(dataset) = place["datasetId"].as_str() {
            datasets.push((place["projectId"].as_str().unwrap_or(project).to_owned(), dataset.to_owned()));
        }
    }
    let script = Script::parse(configuration["query"]["query"].as_str().unwrap_or_default());
    for table in script.tables(project) {
        if let [project, dataset, ..] = table.as_slice() {
            datasets.push((project.clone(), dataset.clone()));
        }
    }
    for (project, dataset) in datasets {
        if let Ok(location) = gate.location_of(&project, &dataset).await {
            return location;
        }
    }
    "US".to_owned()
}

fn generated_id() -> String {
    format!("job_{:016x}{:08x}", rand::random::<u64>(), rand::random::<u32>())
}

pub(crate) fn get(gate: &Gate, project: &str, id: &str, query: &Query) -> Result<Value, JobError> {
    let mut jobs = gate.jobs();
    let job = jobs.find(project, query.get("location").map(String::as_str), id)?;
    job.poll();
    Ok(job.resource("RUNNING"))
}

/// The job runs on: it is over already.
pub(crate) fn cancel(gate: &Gate, project: &str, id: &str, query: &Query) -> Result<Value, JobError> {
    let mut jobs = gate.jobs();
    let job = jobs.find(project, query.get("location").map(String::as_str), id)?;
    Ok(json!({"kind": "bigquery#jobCancelResponse", "job": job.resource("RUNNING")}))
}

pub(crate) fn list(gate: &Gate, project: &str, query: &Query) -> Value {
    let most = query.get("maxResults").and_then(|text| text.parse().ok()).unwrap_or(50);
    let jobs = gate.jobs();
    let shown = jobs.list(project).into_iter().take(most).filter(|_| !query.contains_key("parentJobId"));
    let items: Vec<Value> = shown
        .map(|job| {
            let mut resource = job.resource("RUNNING");
            resource["state"] = resource["status"]["state"].clone();
            resource
        })
        .collect();
    json!({"kind": "bigquery#jobList", "jobs": items})
}

/// `jobs.query`: waits for the query and answers with its first rows.
pub(crate) async fn query(
    gate: &Gate,
    project: &str,
    body: &Value,
    effect: Option<&Effect>,
) -> Result<Value, JobError> {
    let mut own = body.as_object().cloned().unwrap_or_default();
    let mut configuration = Map::new();
    for name in OF_THE_JOB {
        if let Some(value) = own.remove(name).filter(|_| ["dryRun", "labels"].contains(&name)) {
            configuration.insert(name.to_owned(), value);
        }
    }
    configuration.insert("query".to_owned(), Value::from(own));
    let request = body["requestId"].as_str().map(|id| (project.to_owned(), id.to_owned()));
    let known = request.as_ref().and_then(|request| gate.jobs().requests.get(request).cloned());
    let key = match known {
        Some(key) => key,
        None => {
            let location = body["location"].as_str();
            let key =
                start(gate, project, &generated_id(), location, typed(Value::from(configuration))?, effect).await?;
            let mut jobs = gate.jobs();
            if let Some(request) = request {
                jobs.requests.insert(request, key.clone());
            }
            // The call itself has waited for it.
            if let Some(job) = jobs.get(&key).filter(|_| !matches!(effect, Some(Effect::MorePolls(_)))) {
                job.polls_left = 0;
            }
            key
        }
    };
    let most = body["maxResults"].as_u64().map(|most| ("maxResults".to_owned(), most.to_string()));
    let mut answer = rows(gate, &key, &most.into_iter().collect()).await?;
    answer["kind"] = json!("bigquery#queryResponse");
    if body["dryRun"] == true {
        gate.jobs().release(&key);
        answer["jobReference"] = json!({"projectId": project, "location": key.location});
    }
    Ok(answer)
}

/// `jobs.getQueryResults`; asking counts as a poll.
pub(crate) async fn results(gate: &Gate, project: &str, id: &str, query: &Query) -> Result<Value, JobError> {
    let key = {
        let mut jobs = gate.jobs();
        let job = jobs.find(project, query.get("location").map(String::as_str), id)?;
        if job.configuration["jobType"] != "QUERY" {
            return Err(JobError::new("invalid", "Cannot get the results of a job that is no query"));
        }
        job.poll();
        job.key.clone()
    };
    rows(gate, &key, query).await
}

/// A page of a query's rows, once the job is done.
async fn rows(gate: &Gate, key: &JobKey, query: &Query) -> Result<Value, JobError> {
    let reference = json!({"projectId": key.project, "jobId": key.id, "location": key.location});
    let ended = gate.jobs().get(key).and_then(|job| job.done().cloned());
    let Some(ended) = ended else {
        return Ok(
            json!({"kind": "bigquery#getQueryResultsResponse", "jobReference": reference, "jobComplete": false}),
        );
    };
    if let Some(error) = ended.error {
        return Err(error);
    }
    let mut answer = json!({"schema": {"fields": []}, "totalRows": "0"});
    if let Some(job) = &ended.emulator_job {
        let wanted =
            query.iter().filter(|(name, _)| ["maxResults", "pageToken", "startIndex"].contains(&name.as_str()));
        let wanted: Vec<_> = wanted.map(|(name, value)| format!("{name}={value}")).collect();
        let path = format!("{}/queries/{job}?{}", key.project, wanted.join("&"));
        let (status, found) = gate.upstream.call(Method::GET, &path, None).await?;
        if let Some(error) = JobError::of_answer(status, &found) {
            return Err(error);
        }
        answer = found;
    }
    answer["kind"] = json!("bigquery#getQueryResultsResponse");
    answer["jobReference"] = reference;
    answer["jobComplete"] = json!(true);
    answer["cacheHit"] = json!(false);
    let statistics = &ended.statistics["query"];
    for name in ["totalBytesProcessed", "totalBytesBilled", "numDmlAffectedRows", "dmlStats", "statementType"] {
        if !statistics[name].is_null() {
            answer[name] = statistics[name].clone();
        }
    }
    Ok(answer)
}
