//! What goes wrong in a cloud: lost answers, failing polls, killed programs, interrupted uploads, a lost lease.
//! No row is lost, doubled or falsely deleted; no stage is started twice; the exit code is right.

use super::world::Cloud;
use crate::model::Model;
use crate::programs::{self, wait_until};
use crate::world::ACCOUNTS;
use sandbox::cloud_run::{Call, Fault, FaultAction};
use sandbox::cloud_storage;
use std::fs;
use std::time::Duration;

/// One snapshot and one incremental stream are enough to see rows get lost or deleted.
const STREAMS: [&str; 2] = ["campaigns", "jobs"];

fn observe(cloud: &Cloud, model: &mut Model, account: impl Fn(&str) -> bool) {
    model.observe(&cloud.world, |id, stream| STREAMS.contains(&stream) && account(id));
}

#[test]
fn lost_answers_and_failing_polls_start_nothing_twice() {
    let cloud = Cloud::new(40, 15, &STREAMS);
    let mut model = Model::default();
    // The first stage's start took effect, but its answer is lost; the second's is reported failed; then polls fail for a while.
    cloud.run.fault(Fault::once(Call::Run, FaultAction::CutAfter));
    cloud.run.fault(Fault::once(Call::Run, FaultAction::StatusAfter(503)));
    cloud.run.fault(Fault::once(Call::GetExecution, FaultAction::Status(503)).times(30));
    cloud.orchestrate(&[]).expect(0);
    observe(&cloud, &mut model, |_| true);
    model.check(&cloud.warehouse());
    assert_eq!(cloud.executions(), [("extract-job".to_owned(), 1), ("load-job".to_owned(), 1)].into());
}

#[test]
fn a_task_that_fails_for_good_fails_its_account_alone() {
    let cloud = Cloud::new(40, 15, &STREAMS);
    let mut model = Model::default();
    cloud.orchestrate(&[]).expect(0);
    observe(&cloud, &mut model, |_| true);
    cloud.world.api.set_generation(2);
    cloud.world.script(&ACCOUNTS[1], "/campaigns", None, 10_000, sandbox::fault::FaultAction::Status(403));
    cloud.world.script(&ACCOUNTS[1], "/jobs", None, 10_000, sandbox::fault::FaultAction::Status(403));
    let ended = cloud.orchestrate(&[]).expect(1);
    ended.says("bluebird");
    observe(&cloud, &mut model, |account| account == ACCOUNTS[0].id);
    model.check(&cloud.warehouse());
    let message = cloud.slack.messages().last().unwrap().body.to_string();
    assert!(message.contains("bluebird") && message.contains("403"), "{message}");
}

#[test]
fn a_retry_after_failures_starts_nothing_and_tells_nothing_again() {
    let cloud = Cloud::new(40, 15, &STREAMS);
    cloud.world.script(&ACCOUNTS[1], "/jobs", None, 10_000, sandbox::fault::FaultAction::Status(403));
    for attempt in [0, 1] {
        let mut orchestrator = cloud.start(&format!("attempt-{attempt}.log"), "orchestrator-r3", attempt);
        assert_eq!(orchestrator.wait(), Some(1), "{}", orchestrator.log());
        assert_eq!(cloud.executions(), [("extract-job".to_owned(), 1), ("load-job".to_owned(), 1)].into());
        assert_eq!(cloud.slack.messages().len(), 1, "attempt {attempt}");
    }
}

#[test]
fn an_orchestrator_that_is_killed_goes_on_with_its_run() {
    for stage in ["extract-job", "load-job"] {
        let cloud = Cloud::new(40, 15, &STREAMS);
        let mut model = Model::default();
        // Long enough for the kill to fall into the stage.
        let slow = cloud_storage::Fault::next(cloud_storage::FaultAction::Slow(Duration::from_secs(2)));
        let word = if stage == "extract-job" { "batch.json" } else { "checkpoints" };
        cloud.storage.fault(slow.on(word).times(4));
        let mut first = cloud.start("first.log", "orchestrator-x7", 0);
        wait_until(stage, || cloud.executions().contains_key(stage));
        first.kill();
        let mut second = cloud.start("second.log", "orchestrator-x7", 1);
        assert_eq!(second.wait(), Some(0), "{}\n{}", first.log(), second.log());
        observe(&cloud, &mut model, |_| true);
        model.check(&cloud.warehouse());
        let executions = cloud.executions();
        assert_eq!(executions, [("extract-job".to_owned(), 1), ("load-job".to_owned(), 1)].into(), "{}", second.log());
    }
}

#[test]
fn a_load_that_is_killed_after_its_merge_is_finished_by_its_retry() {
    let cloud = Cloud::new(40, 15, &STREAMS);
    let mut model = Model::default();
    cloud.orchestrate(&[]).expect(0);
    observe(&cloud, &mut model, |_| true);
    cloud.world.api.set_generation(2);
    let slow = cloud_storage::FaultAction::Slow(Duration::from_secs(20));
    cloud.storage.fault(cloud_storage::Fault::next(slow).on("checkpoints/servicetitan/acme/campaigns"));
    let mut orchestrator = cloud.start("killed.log", "orchestrator-k1", 0);
    let is_written = |request: &cloud_storage::RequestSeen| {
        request.method == "POST"
            && request.object.as_deref().is_some_and(|name| name.contains("checkpoints/servicetitan/acme/campaigns"))
    };
    let before = cloud.storage.requests().iter().filter(|request| is_written(request)).count();
    wait_until("the checkpoint's write", || {
        cloud.storage.requests().iter().filter(|request| is_written(request)).count() > before
    });
    for process in cloud.tasks("load-job") {
        programs::kill(process);
    }
    cloud.storage.clear_faults();
    assert_eq!(orchestrator.wait(), Some(0), "{}", orchestrator.log());
    observe(&cloud, &mut model, |_| true);
    model.check_after_a_break(&cloud.warehouse());
    let retried = cloud.run.executions().iter().flat_map(|execution| &execution.tasks).any(|task| task.retried > 0);
    assert!(retried, "a task was killed");
}

#[test]
fn an_upload_that_breaks_off_is_taken_up_again() {
    let cloud = Cloud::new(40, 15, &STREAMS);
    let mut model = Model::default();
    use cloud_storage::{Fault, FaultAction, Operation};
    for operation in [Operation::Start, Operation::Chunk, Operation::Finish] {
        cloud.storage.fault(Fault::once(operation, FaultAction::Cut).on("part-"));
        cloud.storage.fault(Fault::once(operation, FaultAction::DoneThenCut).on("part-"));
    }
    cloud.storage.fault(Fault::once(Operation::Upload, FaultAction::DoneThenCut).on("batch.json"));
    cloud.storage.fault(Fault::once(Operation::Download, FaultAction::CutBody { after_bytes: 10 }).on("part-"));
    cloud.storage.fault(Fault::once(Operation::Download, FaultAction::status(503)).on("batch.json"));
    cloud.orchestrate(&[]).expect(0);
    observe(&cloud, &mut model, |_| true);
    model.check(&cloud.warehouse());
}

#[test]
fn a_run_that_has_lost_its_lease_stops_and_changes_nothing_more() {
    let cloud = Cloud::new(40, 15, &STREAMS);
    let mut model = Model::default();
    // The extract is held up long enough for the lease to be looked at again.
    cloud.world.script(&ACCOUNTS[0], "/jobs", None, 1, sandbox::fault::FaultAction::Slow(Duration::from_secs(40)));
    let mut orchestrator = cloud.start("lease.log", "orchestrator-l1", 0);
    let lease = cloud.object("runs/lease.json");
    let other = cloud.object("batches/servicetitan/acme/campaigns");
    wait_until("the first batch", || crate::world::files(&other).iter().any(|file| file.ends_with("batch.json")));
    let taken = fs::read_to_string(&lease).unwrap();
    let run_id = taken.split("\"run_id\"").nth(1).unwrap().split('"').nth(1).unwrap().to_owned();
    fs::write(&lease, taken.replace(&run_id, "20990101T000000Z-zzzzzz")).unwrap();
    assert_ne!(orchestrator.wait(), Some(0), "{}", orchestrator.log());
    assert!(orchestrator.log().contains("lease"), "{}", orchestrator.log());
    assert!(!cloud.executions().contains_key("load-job"), "{}", orchestrator.log());
    wait_until("the tasks' end", || programs::children_named("extract-job").is_empty());
    fs::remove_file(&lease).unwrap();
    cloud.orchestrate(&[]).expect(0);
    observe(&cloud, &mut model, |_| true);
    model.check(&cloud.warehouse());
}
