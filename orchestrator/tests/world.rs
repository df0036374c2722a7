//! A folder with a pipeline file, an empty landing zone and two scripts that stand in for the jobs.
//! Every call of a script is noted in the file `calls`.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What every script begins with. `report STATUS UNIT_STATUS [ERROR]` writes this task's run report with one unit.
const PRELUDE: &str = r#"#!/bin/sh
here=$(dirname "$0"); job=$(basename "$0"); stage=${job%-job}
index=$CLOUD_RUN_TASK_INDEX; count=$CLOUD_RUN_TASK_COUNT; run=$DRAYAGE_RUN_ID
landing=$here/../landing; runs=$landing/runs/$run
stage_inserts=0; [ $stage = load ] && stage_inserts=5
case "$1" in check | streams) # Answers from files, and no part of a run.
  echo "$*" >> "$here/../asked"
  cat "$here/../$1.err" >&2 2>/dev/null; cat "$here/../$1.out" 2>/dev/null
  exit "$(cat "$here/../$1.code" 2>/dev/null || echo 0)" ;;
esac
mkdir -p "$runs"
echo "$stage $index/$count $run $*" >> "$here/../calls"
now() { date -u +%Y-%m-%dT%H:%M:%S.%NZ; }
put() { cat > "$1.$$" && mv "$1.$$" "$1"; }
unit="\"source\":\"s\",\"account\":\"a$index\",\"stream\":\"jobs\""
plan() { echo "{\"run_id\":\"$run\",\"tasks\":$count,\"units\":[{$unit}]}" | put "$runs/plan.json"; }
latest() { echo "{\"run_id\":\"$run\",\"finished_at\":\"$(now)\",\"durations_ms\":{}}" | put "$landing/runs/latest.json"; }
report() {
  error=null; [ -n "$3" ] && error="\"$3\""
  echo "{\"version\":1,\"run_id\":\"$run\",\"stage\":\"$stage\",\"task_index\":$index,\"task_count\":$count,\"status\":\"$1\",
    \"started_at\":\"$(now)\",\"finished_at\":\"$(now)\",\"tool_version\":\"0\",\"units\":[{$unit,\"table\":\"jobs\",\"status\":\"$2\",
    \"mode\":\"snapshot\",\"rows_extracted\":7,\"rows_inserted\":${inserted:-$((stage_inserts))},\"rows_updated\":${updated:-0},\"rows_deleted\":${deleted:-0},\"rows_suspected\":${suspected:-0},\"bytes\":70,\"started_at\":\"$(now)\",\"finished_at\":\"$(now)\",
    \"duration_ms\":1,\"error\":$error}]}" | put "$runs/$stage-$index-of-$count.json"
}
wait_for() { while [ ! -e "$here/../$1" ]; do sleep 0.02; done; }
"#;
pub(crate) const EXTRACT_WELL: &str = "plan; report finished done; latest; exit 0";
pub(crate) const LOAD_WELL: &str = "report finished done; exit 0";

pub(crate) struct World {
    dir: TempDir,
}

impl World {
    /// Two jobs that do well.
    pub(crate) fn new() -> Self {
        Self::with(EXTRACT_WELL, LOAD_WELL)
    }

    pub(crate) fn with(extract: &str, load: &str) -> Self {
        let world = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(world.path("bin")).unwrap();
        world.job("extract-job", extract);
        world.job("load-job", load);
        world.pipeline("");
        world
    }

    pub(crate) fn job(&self, name: &str, body: &str) {
        let file = self.path("bin").join(name);
        fs::write(&file, format!("{PRELUDE}{body}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn pipeline(&self, more: &str) {
        let text = format!(
            "landing: ./landing\nwarehouse: {{type: duckdb, path: ./w.duckdb}}\n\
             sources:\n  - connector: servicetitan\n    name: s\n    accounts: [{{id: a0}}, {{id: a1}}]\n{more}"
        );
        fs::write(self.path("pipeline.yaml"), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.prepared(Command::new(env!("CARGO_BIN_EXE_orchestrator")), arguments)
    }

    /// A shell that does what the text says, where a program of this world would run.
    pub(crate) fn shell(&self, text: &str) -> Command {
        self.prepared(Command::new("sh"), &["-c", text])
    }

    fn prepared(&self, mut command: Command, arguments: &[&str]) -> Command {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("DRAYAGE_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.dir.path()).env("DRAYAGE_BIN_DIR", self.path("bin"));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// `orchestrator run` with more arguments, to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let all: Vec<&str> =
            ["run", "--pipeline", "pipeline.yaml"].into_iter().chain(arguments.iter().copied()).collect();
        Ended::from(self.command(&all).output().unwrap())
    }

    /// `orchestrator run --output json`, left running.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let fixed = ["run", "--pipeline", "pipeline.yaml", "--output", "json"];
        let all: Vec<&str> = fixed.into_iter().chain(arguments.iter().copied()).collect();
        self.command(&all).spawn().unwrap()
    }

    /// What the scripts were called with, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The stages that were called.
    pub(crate) fn stages(&self) -> Vec<String> {
        self.calls().iter().map(|call| call.split(' ').next().unwrap_or_default().to_owned()).collect()
    }

    /// What `extract-job check` or `streams` prints, and its exit code.
    pub(crate) fn answers(&self, command: &str, out: &str, err: &str, code: i32) {
        for (end, text) in [("out", out), ("err", err), ("code", &code.to_string())] {
            fs::write(self.path(&format!("{command}.{end}")), text).unwrap();
        }
    }

    pub(crate) fn touch(&self, name: &str) {
        fs::write(self.path(name), "").unwrap();
    }

    pub(crate) fn wait_for(&self, name: &str) {
        wait_until(name, || self.path(name).exists());
    }

    /// The lease that is held.
    pub(crate) fn lease(&self) -> Value {
        let text = fs::read(self.path("landing/runs/lease.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub(crate) fn lease_is_free(&self) -> bool {
        !self.path("landing/runs/lease.json").exists()
    }
}

pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn signal(process: &Child, signal: rustix::process::Signal) {
    let pid = i32::try_from(process.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Ended {
    pub(crate) fn of(process: Child) -> Self {
        process.wait_with_output().unwrap().into()
    }

    /// Standard output, which must be one JSON object and nothing else.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }
}

pub(crate) fn holder_of(landing: &Path) -> Value {
    let file: Value = serde_json::from_slice(&fs::read(landing.join("runs/lease.json")).unwrap()).unwrap();
    file["holder"].clone()
}
