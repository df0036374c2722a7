//! The program `orchestrator` against the stand-in of Cloud Run, which runs the shell scripts as jobs: whole runs, faults, kills.
//! In every case: no stage of a run has two executions unless somebody asked for a second one.

mod adoption;
mod faults;
mod runs;

use crate::world::{Ended, World, wait_until};
use sandbox::cloud_run::{CloudRun, ExecutionSeen, ExecutionState, Job, Options};
use serde_json::Value;
use std::process::{Child, Command};
use std::time::Duration;

/// A job that goes on until the file `go` is there.
const HELD: &str = "plan; touch \"$here/../up-$stage\"; wait_for go; report finished done; latest; exit 0";

struct Cloud {
    world: World,
    server: CloudRun,
}

impl Cloud {
    fn new(extract: &str, load: &str) -> Self {
        Self::with(extract, load, "", |_| {})
    }

    /// `more` goes into the launcher's settings; `change` changes each job.
    fn with(extract: &str, load: &str, more: &str, change: impl Fn(&mut Job)) -> Self {
        let world = World::with(extract, load);
        let job = |name: &str| {
            let mut job = Job { max_retries: 0, ..Job::new(name, world.path("bin").join(name)) };
            change(&mut job);
            job
        };
        let jobs = vec![job("extract-job"), job("load-job")];
        let options = Options { jobs, grace: Duration::from_secs(2), ..Options::new(world.path("logs")) };
        let server = CloudRun::start(options).unwrap();
        let cloud = Self { world, server };
        cloud.settings(more);
        cloud
    }

    fn settings(&self, more: &str) {
        self.world.pipeline(&format!(
            "orchestrator: {{launcher: {{cloud_run: {{project: sandbox-project, region: us-central1, \
             extract_job: extract-job, load_job: load-job{more}}}}}}}\n"
        ));
    }

    /// `orchestrator run --output json`, as attempt `attempt` of an execution if one is named.
    fn command(&self, execution: Option<(&str, u32)>, arguments: &[&str]) -> Command {
        let fixed = ["run", "--pipeline", "pipeline.yaml", "--output", "json"];
        let all: Vec<&str> = fixed.into_iter().chain(arguments.iter().copied()).collect();
        let mut command = self.world.command(&all);
        for name in ["CLOUD_RUN_EXECUTION", "CLOUD_RUN_TASK_ATTEMPT", "CLOUD_RUN_TASK_INDEX"] {
            command.env_remove(name);
        }
        if let Some((name, attempt)) = execution {
            command.env("CLOUD_RUN_EXECUTION", name).env("CLOUD_RUN_TASK_ATTEMPT", attempt.to_string());
        }
        command.env("DRAYAGE_RUN_ENDPOINT", self.server.url()).env("DRAYAGE_WAIT_FACTOR", "0.01");
        // The programs are not there: nothing may run but the jobs of the cloud.
        command.env("DRAYAGE_BIN_DIR", self.world.path("no-programs"));
        command
    }

    fn start(&self, execution: Option<(&str, u32)>, arguments: &[&str]) -> Child {
        self.command(execution, arguments).spawn().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.start(None, arguments))
    }

    /// The jobs of all executions, oldest first.
    fn jobs(&self) -> Vec<String> {
        self.server.executions().into_iter().map(|seen| seen.job).collect()
    }

    fn execution(&self, index: usize) -> ExecutionSeen {
        self.server.executions().remove(index)
    }

    fn wait_for(&self, what: &str, holds: impl Fn(&[ExecutionSeen]) -> bool) {
        wait_until(what, || holds(&self.server.executions()));
    }

    fn wait_for_end(&self, index: usize) {
        self.wait_for("the end of an execution", |seen| {
            seen.get(index).is_some_and(|seen| matches!(seen.state, ExecutionState::Succeeded | ExecutionState::Failed))
        });
    }

    /// A file of the landing zone.
    fn stored(&self, path: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.world.path("landing").join(path)).unwrap()).unwrap()
    }
}
