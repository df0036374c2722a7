//! The launcher against the stand-in of Cloud Run, where a whole run is more than is needed: lost leases, deleted executions, settings.
//! Whole runs, kills and signals are in `tests/cloud_run`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::launcher::TaskExit;
use contract::google::Endpoint;
use contract::landing;
use contract::secret::Machine;
use sandbox::cloud_run::{Call, CloudRun, ExecutionState, Fault, FaultAction, Job, Options};
use std::path::Path;
use tempfile::TempDir;

const RUN: &str = "20260131T235900Z-a1b2c3";

struct World {
    cloud: CloudRun,
    launcher: CloudRunLauncher,
    shutdown: Shutdown,
    _dir: TempDir,
}

/// A cloud whose two jobs are a shell; what they do is in their arguments.
fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let job = |name: &str| Job { max_retries: 0, ..Job::new(name, "/bin/sh") };
    let jobs = vec![job("extract-job"), job("load-job")];
    let cloud = CloudRun::start(Options { jobs, ..Options::new(dir.path().join("logs")) }).unwrap();
    let landing = landing::open_folder(&dir.path().join("landing")).unwrap();
    let endpoint = Endpoint { url: cloud.url().to_owned(), takes_credentials: false };
    let mut launcher = CloudRunLauncher::new(Rest::at(Service::Run, endpoint), &entry(), landing, None);
    launcher.pause = Duration::from_millis(10)..=Duration::from_millis(20);
    World { cloud, launcher, shutdown: Shutdown::new(), _dir: dir }
}

fn entry() -> CloudRunEntry {
    CloudRunEntry {
        project: "sandbox-project".into(),
        region: "us-central1".into(),
        extract_job: "extract-job".into(),
        load_job: "load-job".into(),
        extract_tasks: None,
        load_tasks: None,
        extract_timeout: None,
        load_timeout: None,
    }
}

fn order(stage: Stage, script: &str) -> StageOrder {
    StageOrder {
        stage,
        run_id: RUN.parse().unwrap(),
        tasks: 2,
        arguments: vec!["-c".into(), script.into()],
        since: None,
    }
}

/// A script that goes on until it is told to stop.
const LONG: &str = "trap 'exit 1' TERM; sleep 60 & wait $!";

impl World {
    async fn run(&self, order: &StageOrder) -> StageEnd {
        self.launcher.run_stage(order, &self.shutdown).await.unwrap()
    }

    async fn until(&self, holds: impl Fn(&CloudRun) -> bool) {
        for _ in 0..3000 {
            if holds(&self.cloud) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("waited in vain: {:?}", self.cloud.executions());
    }
}

#[tokio::test]
async fn a_stage_is_run_and_its_standing_known_to_others() {
    let world = world();
    let order = order(Stage::Load, "[ $CLOUD_RUN_TASK_INDEX = 1 ] && exit 3; exit 0");
    let standing = |since| world.launcher.standing(&order.run_id, Stage::Load, since);
    assert_eq!(standing(None).await.unwrap(), Standing::NotStarted);
    let begun = Some(Utc::now());
    let end = world.run(&order).await;
    let exits: Vec<TaskExit> = end.tasks.iter().map(|task| task.exit).collect();
    assert_eq!(exits, [TaskExit::Code(0), TaskExit::Code(3)]);
    let said = end.tasks[1].said.join("; ");
    assert!(said.contains("exited with an error.; log: https://console.cloud.google.com/logs/"), "{said}");
    assert_eq!((end.joined, end.interrupted, end.left_running), (None, None, None));
    assert_eq!(standing(begun).await.unwrap(), Standing::Ended);
    // Going on with a run that is over starts nothing, and tells the same.
    let again = world.run(&StageOrder { since: begun, ..order.clone() }).await;
    assert_eq!(again.tasks, end.tasks);
    assert!(again.joined.is_some());
    assert_eq!(world.cloud.executions().len(), 1);
    // Wanted anew, it is started anew; also if whoever wants it has died before it could start it.
    world.run(&order).await;
    assert_eq!(world.cloud.executions().len(), 2);
    let later = Some(Utc::now());
    assert_eq!(standing(later).await.unwrap(), Standing::NotStarted);
    world.run(&StageOrder { since: later, ..order.clone() }).await;
    assert_eq!(world.cloud.executions().len(), 3);
}

#[tokio::test]
async fn a_lost_lease_cancels_the_execution() {
    let world = world();
    let order = order(Stage::Extract, LONG);
    let lose = async {
        world.until(|cloud| cloud.executions().iter().any(|seen| seen.state == ExecutionState::Running)).await;
        world.shutdown.request("the loss of its lease to another run");
    };
    let (end, ()) = tokio::join!(world.run(&order), lose);
    assert_eq!(end.interrupted.as_deref(), Some("the loss of its lease to another run"));
    assert_eq!((end.left_running, end.tasks.len()), (None, 2));
    assert_eq!(world.cloud.executions()[0].state, ExecutionState::Cancelled);
}

#[tokio::test]
async fn an_execution_that_was_deleted_ends_the_wait() {
    let world = world();
    world.cloud.fault(Fault::once(Call::GetExecution, FaultAction::Status(404)).always());
    let end = world.run(&order(Stage::Extract, "exit 0")).await;
    assert!(end.remarks[0].contains("knows execution extract-job-"), "{end:?}");
    assert!(end.tasks.iter().all(|task| task.exit == TaskExit::Code(1)), "{end:?}");
}

#[tokio::test]
async fn tasks_that_cannot_be_listed_follow_from_the_execution() {
    let world = world();
    world.cloud.fault(Fault::once(Call::ListTasks, FaultAction::PermissionDenied).always());
    let end = world.run(&order(Stage::Extract, "exit 0")).await;
    let exits: Vec<TaskExit> = end.tasks.iter().map(|task| task.exit).collect();
    assert_eq!(exits, [TaskExit::Code(0), TaskExit::Code(0)]);
}

#[tokio::test]
async fn a_running_stage_is_joined_by_the_same_order_only() {
    let world = world();
    let order = order(Stage::Load, LONG);
    let stop = async {
        world.until(|cloud| !cloud.executions().is_empty()).await;
        world.shutdown.request("SIGTERM");
    };
    let (end, ()) = tokio::join!(world.run(&order), stop);
    let left = end.left_running.unwrap();
    assert!(left.contains("gcloud run jobs executions cancel load-job-"), "{left}");
    assert_eq!(end.interrupted.as_deref(), Some("SIGTERM"));

    let other = StageOrder { arguments: vec!["-c".into(), "exit 0".into()], ..order.clone() };
    let error = world.launcher.run_stage(&other, &Shutdown::new()).await.unwrap_err();
    assert!(matches!(error, LaunchError::StillRunning { .. }) && error.leaves_tasks(), "{error}");
    assert!(error.hint().unwrap().contains("gcloud run jobs executions describe"), "{error}");

    let name = world.cloud.executions()[0].name.clone();
    let polls =
        |cloud: &CloudRun| cloud.requests().iter().filter(|request| request.call == Some(Call::GetExecution)).count();
    let before = polls(&world.cloud);
    let cancel = async {
        // The first look decides to join; the others wait.
        world.until(|cloud| polls(cloud) > before + 2).await;
        world.launcher.client.cancel(&name).await.unwrap();
    };
    let (again, joined_at) = (Shutdown::new(), Utc::now());
    let (end, ()) = tokio::join!(world.launcher.run_stage(&order, &again), cancel);
    assert!(end.unwrap().joined.is_some());
    // It is the second order's from now on, too.
    let standing = world.launcher.standing(&order.run_id, Stage::Load, Some(joined_at)).await;
    assert_eq!(standing.unwrap(), Standing::Ended);
    assert_eq!(world.cloud.executions().len(), 1);
}

#[tokio::test]
async fn a_start_that_another_has_taken_over_is_not_sent() {
    let world = world();
    let order = order(Stage::Extract, "exit 0");
    let landing = world.launcher.landing.as_ref();
    let launch = |token: &str| record::Launch {
        token: token.into(),
        job: "extract-job".into(),
        arguments: Vec::new(),
        tasks: 1,
        requested_at: Utc::now() - chrono::TimeDelta::hours(1),
        wanted_at: None,
        execution: None,
        ended_at: None,
    };
    record::begin(landing, &order.run_id, order.stage, &launch("mine"), None).await.unwrap();
    let noted = record::read(landing, &order.run_id, order.stage).await.unwrap();
    record::begin(landing, &order.run_id, order.stage, &launch("another's"), noted.clone()).await.unwrap();
    let Err(error) = world.launcher.start(&order, noted, &world.shutdown).await else { panic!("it was started") };
    assert!(matches!(error, LaunchError::Overtaken { .. }), "{error}");
    assert!(world.cloud.executions().is_empty());
}

#[tokio::test]
async fn a_stop_before_the_start_starts_nothing() {
    let world = world();
    world.shutdown.request("SIGTERM");
    let end = world.run(&order(Stage::Extract, "exit 0")).await;
    assert_eq!((end.tasks.len(), end.interrupted.as_deref(), end.left_running), (0, Some("SIGTERM"), None));
    assert!(world.cloud.executions().is_empty());
    let run_id = RUN.parse().unwrap();
    assert_eq!(world.launcher.standing(&run_id, Stage::Extract, None).await.unwrap(), Standing::NotStarted);
}

#[test]
fn settings_that_cannot_work_are_named() {
    let pipeline = |entry: &str| {
        let text = format!(
            "landing: ./landing\nwarehouse: {{type: duckdb, path: ./w}}\n\
             sources: [{{connector: servicetitan, accounts: [{{id: a}}]}}]\norchestrator: {{launcher: {{cloud_run: {entry}}}}}\n"
        );
        let pipeline = Pipeline::parse("p.yaml", &text, Path::new("."), &Machine).unwrap();
        let contract::pipeline::LauncherEntry::Map(map) = pipeline.orchestrator.launcher.clone() else { panic!() };
        check(&pipeline, &map.cloud_run)
    };
    assert_eq!(
        pipeline("{project: p, region: r, extract_job: e, load_job: l, load_tasks: 1, extract_tasks: 9}"),
        Ok(())
    );
    let shared = pipeline("{project: p, region: r, extract_job: e, load_job: l, load_tasks: 2}").unwrap_err();
    assert!(shared.contains("load_tasks: a DuckDB file cannot be shared by Cloud Run tasks"), "{shared}");
    let path = pipeline("{project: p, region: r, extract_job: projects/p/jobs/e, load_job: l}").unwrap_err();
    assert!(path.contains("cloud_run.extract_job: `projects/p/jobs/e` is no such name"), "{path}");
}

#[test]
fn the_own_execution_is_read_from_the_environment() {
    let of = |set: &[(&str, &str)]| {
        own_execution(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    };
    let execution = ("CLOUD_RUN_EXECUTION", "orchestrator-abc12");
    let expect = |attempt| Some(OwnExecution { name: "orchestrator-abc12".into(), attempt });
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[execution]), expect(0));
    assert_eq!(of(&[execution, ("CLOUD_RUN_TASK_ATTEMPT", "2")]), expect(2));
    assert_eq!(of(&[execution, ("CLOUD_RUN_TASK_INDEX", "1")]), None);
    assert_eq!(of(&[("CLOUD_RUN_EXECUTION", "../x")]), None);
}
