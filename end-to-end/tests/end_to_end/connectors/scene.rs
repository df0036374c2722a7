//! A folder with a pipeline file for one source, a landing zone and a DuckDB file, and the programs run in it.
//! Secrets reach the programs through the environment alone; every run has an id later than the one before.

use crate::programs::{self, Ended, Running, kill, wait_until};
use crate::tables::Warehouse;
use crate::world::{copy, files, remove};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sandbox::request_log::RequestSeen;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

pub(crate) struct Scene {
    dir: TempDir,
    secrets: Vec<(String, String)>,
    begun: DateTime<Utc>,
    runs: Cell<i64>,
}

/// A day so many days before today (UTC).
pub(crate) fn ago(days: i64) -> NaiveDate {
    Utc::now().date_naive() - TimeDelta::days(days)
}

/// The beginning of that day.
pub(crate) fn start_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}

/// A parameter of a query, decoded.
pub(crate) fn parameter(request: &RequestSeen, name: &str) -> Option<String> {
    let pairs = request.query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.filter(|(other, _)| *other == name).map(|(_, value)| value.replace("%3A", ":")).next()?;
    assert!(!found.contains('%'), "{found}");
    Some(found)
}

/// Whether a request hangs, by a part of its path: it has had no answer for longer than an answer takes that is under way.
pub(crate) fn hangs(requests: &[RequestSeen], path: &str) -> bool {
    let is_slow = |request: &RequestSeen| request.status == 0 && request.at.elapsed() > Duration::from_millis(500);
    requests.iter().any(|request| is_slow(request) && request.path.contains(path))
}

impl Scene {
    /// A pipeline of one source; `source` is its entry in the pipeline file, indented by four.
    pub(crate) fn new(source: &str, secrets: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "landing: ./landing\nwarehouse: {{type: duckdb, path: ./w.duckdb}}\nsources:\n  - {}\n",
            source.trim()
        );
        fs::write(dir.path().join("pipeline.yaml"), text).unwrap();
        let secrets = secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { dir, secrets, begun: Utc::now(), runs: Cell::new(0) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The id of the next run. What a run reads does not depend on its id.
    pub(crate) fn next_id(&self) -> String {
        self.runs.set(self.runs.get() + 1);
        let time = self.begun - TimeDelta::hours(1) + TimeDelta::seconds(self.runs.get());
        format!("{}-a1b2c3", time.format("%Y%m%dT%H%M%SZ"))
    }

    /// `orchestrator run` with a new id, to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.run_as(&self.next_id(), arguments)
    }

    pub(crate) fn run_as(&self, id: &str, arguments: &[&str]) -> Ended {
        Ended::of(self.command(id, arguments).output().unwrap())
    }

    fn command(&self, id: &str, arguments: &[&str]) -> std::process::Command {
        let mut command = programs::program("orchestrator");
        command.args(["run", "--run-id", id]).args(arguments).current_dir(self.dir.path());
        command.env("DRAYAGE_PIPELINE", "pipeline.yaml").envs(self.secrets.iter().cloned());
        command
    }

    /// Starts a run, kills its extract with SIGKILL as soon as `waits` says that it waits for an answer, and lets the run end.
    pub(crate) fn cut_short(&self, id: &str, waits: impl FnMut() -> bool) {
        let mut run = Running::start(self.command(id, &[]), self.path("log"));
        wait_until("the request that is not answered", waits);
        kill(run.child("extract-job"));
        let code = run.wait();
        assert!(matches!(code, Some(1 | 3)), "{code:?} {}", run.log());
        assert!(run.log().contains("killed by signal 9"), "{}", run.log());
    }

    pub(crate) fn warehouse(&self) -> Warehouse {
        Warehouse::open(&self.path("w.duckdb"))
    }

    /// Every checkpoint, byte for byte, by its path.
    pub(crate) fn checkpoints(&self) -> BTreeMap<String, Vec<u8>> {
        let place = self.path("landing/checkpoints");
        let name = |path: &PathBuf| path.strip_prefix(&place).unwrap().to_string_lossy().into_owned();
        files(&place).into_iter().map(|path| (name(&path), fs::read(path).unwrap())).collect()
    }

    /// Keeps a copy of landing zone and warehouse, to go back to.
    pub(crate) fn save(&self) {
        for place in ["landing", "w.duckdb", "w.duckdb.wal"] {
            copy(&self.path(place), &self.path("saved").join(place));
        }
    }

    /// Goes back to the copy.
    pub(crate) fn restore(&self) {
        for place in ["landing", "w.duckdb", "w.duckdb.wal"] {
            remove(&self.path(place));
            copy(&self.path("saved").join(place), &self.path(place));
        }
    }
}
