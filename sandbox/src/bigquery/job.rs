//! The jobs that were inserted: each id once for a project and location, RUNNING until it was asked for often enough.
//! What a job did was done when it was inserted; only its answers come late, as BigQuery's do.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use serde_json::{Value, json};

use super::gate::now_ms;
use super::reply::JobError;

/// Where a job is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct JobKey {
    pub(crate) project: String,
    /// In upper case for US and EU, else in lower case.
    pub(crate) location: String,
    pub(crate) id: String,
}

impl JobKey {
    pub(crate) fn new(project: &str, location: &str, id: &str) -> Self {
        Self { project: project.to_owned(), location: canonical_location(location), id: id.to_owned() }
    }
}

/// Locations are compared without case.
pub(crate) fn canonical_location(location: &str) -> String {
    if location.len() == 2 { location.to_ascii_uppercase() } else { location.to_ascii_lowercase() }
}

/// How a job ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ended {
    pub(crate) error: Option<JobError>,
    pub(crate) statistics: Value,
    /// The emulator's name for it, under which its rows are.
    pub(crate) emulator_job: Option<String>,
}

impl Ended {
    pub(crate) fn failed(error: JobError) -> Self {
        Self { error: Some(error), statistics: json!({}), emulator_job: None }
    }
}

/// One job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) key: JobKey,
    pub(crate) configuration: Value,
    pub(crate) created: i64,
    /// `None` while the emulator is at it.
    pub(crate) ended: Option<Ended>,
    /// Asked for so often more, it is DONE.
    pub(crate) polls_left: u32,
    /// Not DONE before.
    pub(crate) not_before: Option<Instant>,
    ended_at: i64,
}

impl Job {
    pub(crate) fn new(key: JobKey, configuration: Value, polls: u32) -> Self {
        let created = now_ms();
        Self { key, configuration, created, ended: None, polls_left: polls, not_before: None, ended_at: created }
    }

    pub(crate) fn end(&mut self, ended: Ended) {
        self.ended_at = now_ms();
        self.ended = Some(ended);
    }

    /// Counts a question for its state.
    pub(crate) fn poll(&mut self) {
        if self.ended.is_some() {
            self.polls_left = self.polls_left.saturating_sub(1);
        }
    }

    /// How it ended, once that may be known.
    pub(crate) fn done(&self) -> Option<&Ended> {
        let is_late = self.not_before.is_some_and(|time| Instant::now() < time);
        self.ended.as_ref().filter(|_| self.polls_left == 0 && !is_late)
    }

    /// The job as the REST API shows it; `first_state` while it is not done.
    pub(crate) fn resource(&self, first_state: &str) -> Value {
        let JobKey { project, location, id } = &self.key;
        let mut statistics = json!({"creationTime": self.created.to_string(), "startTime": self.created.to_string()});
        let mut status = json!({"state": first_state});
        if let Some(ended) = self.done() {
            status["state"] = json!("DONE");
            if let Some(error) = &ended.error {
                status["errorResult"] = error.to_json();
                status["errors"] = json!([error.to_json()]);
            }
            statistics["endTime"] = json!(self.ended_at.to_string());
            for (key, value) in ended.statistics.as_object().into_iter().flatten() {
                statistics[key] = value.clone();
            }
        }
        json!({
            "kind": "bigquery#job", "id": format!("{project}:{location}.{id}"),
            "jobReference": {"projectId": project, "jobId": id, "location": location},
            "configuration": self.configuration, "status": status, "statistics": statistics,
            "user_email": "sandbox@example.com",
        })
    }

    pub(crate) fn duplicate(&self) -> JobError {
        let JobKey { project, location, id } = &self.key;
        JobError::new("duplicate", format!("Already Exists: Job {project}:{location}.{id}"))
    }
}

/// All jobs.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    jobs: HashMap<JobKey, Job>,
    order: Vec<JobKey>,
    /// Jobs that another account has run.
    foreign: HashSet<JobKey>,
    /// Projects in which a job that is not there is denied like a foreign one, instead of being told to be missing.
    denying: HashSet<String>,
    /// `requestId` of jobs.query.
    pub(crate) requests: HashMap<(String, String), JobKey>,
}

impl Jobs {
    /// Takes the id.
    ///
    /// # Errors
    /// `duplicate` when it is taken.
    pub(crate) fn reserve(&mut self, job: Job) -> Result<(), JobError> {
        if let Some(known) = self.jobs.get(&job.key) {
            return Err(known.duplicate());
        }
        self.order.push(job.key.clone());
        self.jobs.insert(job.key.clone(), job);
        Ok(())
    }

    /// Gives the id back: the request was refused, so there is no job.
    pub(crate) fn release(&mut self, key: &JobKey) {
        self.jobs.remove(key);
        self.order.retain(|other| other != key);
    }

    pub(crate) fn get(&mut self, key: &JobKey) -> Option<&mut Job> {
        self.jobs.get_mut(key)
    }

    /// Finds a job; without a location only in US and EU.
    ///
    /// # Errors
    /// `notFound`, also when the job is in another location.
    pub(crate) fn find(&mut self, project: &str, location: Option<&str>, id: &str) -> Result<&mut Job, JobError> {
        let locations = location.map_or_else(|| vec!["US", "EU"], |location| vec![location]);
        let keys = locations.iter().map(|location| JobKey::new(project, location, id));
        let key = keys.into_iter().find(|key| self.jobs.contains_key(key));
        let place = location.map(|location| format!("{}.", canonical_location(location))).unwrap_or_default();
        if key.as_ref().map_or(self.denying.contains(project), |key| self.foreign.contains(key)) {
            let message =
                format!("Access Denied: Job {project}:{place}{id}: Permission bigquery.jobs.get denied on job");
            return Err(JobError::new("accessDenied", message));
        }
        let not_found = || JobError::new("notFound", format!("Not found: Job {project}:{place}{id}"));
        key.and_then(|key| self.jobs.get_mut(&key)).ok_or_else(not_found)
    }

    /// From now on the caller is an account that has run none of the jobs that the project has.
    pub(crate) fn change_account(&mut self, project: &str, denies_missing: bool) {
        self.foreign.extend(self.jobs.keys().filter(|key| key.project == project).cloned());
        if denies_missing {
            self.denying.insert(project.to_owned());
        }
    }

    /// The project's jobs, the newest first.
    pub(crate) fn list(&self, project: &str) -> Vec<&Job> {
        let keys = self.order.iter().rev().filter(|key| key.project == project);
        keys.filter_map(|key| self.jobs.get(key)).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn job(location: &str) -> Job {
        Job::new(JobKey::new("p", location, "a"), json!({}), 2)
    }

    #[test]
    fn an_id_is_taken_once_for_each_location() {
        let mut jobs = Jobs::default();
        jobs.reserve(job("EU")).unwrap();
        let error = jobs.reserve(job("eu")).unwrap_err();
        assert_eq!((error.reason.as_str(), error.message.as_str()), ("duplicate", "Already Exists: Job p:EU.a"));
        jobs.reserve(job("europe-west3")).unwrap();
        jobs.release(&JobKey::new("p", "EU", "a"));
        jobs.reserve(job("EU")).unwrap();
    }

    #[test]
    fn a_job_is_found_in_its_location_alone() {
        let mut jobs = Jobs::default();
        jobs.reserve(job("europe-west3")).unwrap();
        assert!(jobs.find("p", Some("europe-west3"), "a").is_ok());
        for location in [None, Some("US")] {
            assert_eq!(jobs.find("p", location, "a").unwrap_err().reason, "notFound");
        }
    }

    #[test]
    fn a_job_is_done_at_its_last_poll() {
        let mut job = job("US");
        job.poll();
        job.end(Ended::failed(JobError::new("invalid", "x")));
        assert_eq!(job.resource("RUNNING")["status"], json!({"state": "RUNNING"}));
        job.poll();
        assert!(job.done().is_none());
        job.poll();
        let status = &job.resource("RUNNING")["status"];
        assert_eq!((&status["state"], &status["errorResult"]["reason"]), (&json!("DONE"), &json!("invalid")));
    }
}
