//! Deletes in a cloud: two more executions of the same jobs confirm them. An orchestrator that dies in between is gone on with, and so is
//! a load; nothing is started twice, and no row that the API has is marked.

use super::world::Cloud;
use crate::model::Model;
use crate::programs::{kill, wait_until};
use crate::world::{ACCOUNTS, files, remove};
use sandbox::cloud_run::{Call, ExecutionState, Fault, FaultAction};
use sandbox::cloud_storage::{self, Operation};
use std::time::Duration;

/// The first generation is loaded, the second one is served; the tables as they are now, and as the next run must make them.
fn calm(streams: &[&str]) -> (Cloud, Model, Model) {
    let cloud = Cloud::new(60, 15, streams);
    let observe = |model: &mut Model| model.observe(&cloud.world, |_, stream| streams.contains(&stream));
    let mut first = Model::default();
    cloud.orchestrate(&[]).expect(0);
    observe(&mut first);
    cloud.world.api.set_generation(2);
    let mut second = first.clone();
    observe(&mut second);
    assert!(second.deleted("campaigns") > 0);
    (cloud, first, second)
}

/// The jobs of the executions since the first run, each with whether it is to confirm.
fn since_the_first_run(cloud: &Cloud) -> Vec<(String, bool)> {
    let executions = cloud.run.executions().into_iter().skip(2);
    executions.map(|execution| (execution.job, execution.args.iter().any(|argument| argument == "--confirm"))).collect()
}

#[track_caller]
fn each_stage_was_started_once(cloud: &Cloud, log: &str) {
    let stages = [("extract-job", false), ("load-job", false), ("extract-job", true), ("load-job", true)];
    assert_eq!(since_the_first_run(cloud), stages.map(|(job, confirms)| (job.to_owned(), confirms)), "{log}");
}

/// The end of a confirmed run: the tables are right, and no suspects are left.
#[track_caller]
fn is_right(cloud: &Cloud, second: &Model) {
    second.check(&cloud.warehouse());
    assert_eq!(files(&cloud.object("suspects")).len(), 0);
}

#[test]
fn two_more_executions_confirm_deletes_and_lost_answers_start_nothing_twice() {
    let (cloud, _, second) = calm(&["campaigns", "jobs"]);
    // The starts of both confirming stages take effect, but the orchestrator does not hear of it.
    cloud.run.fault(Fault::once(Call::Run, FaultAction::CutAfter).after(2));
    cloud.run.fault(Fault::once(Call::Run, FaultAction::StatusAfter(503)).after(2));
    let ended = cloud.orchestrate(&[]).expect(0);
    each_stage_was_started_once(&cloud, &ended.text());
    is_right(&cloud, &second);
    // Nothing is gone since: the next run confirms nothing.
    cloud.orchestrate(&[]).expect(0);
    assert_eq!(cloud.run.executions().len(), 2 + 4 + 2);
    is_right(&cloud, &second);
}

#[test]
fn an_orchestrator_that_dies_between_the_rounds_goes_on() {
    let (cloud, first, second) = calm(&["campaigns"]);
    let mut orchestrator = cloud.start("first.log", "orchestrator-b1", 0);
    wait_until("the first load", || cloud.executions().get("load-job") == Some(&2));
    // It does not hear of the load's end.
    cloud.run.fault(Fault::once(Call::GetExecution, FaultAction::Status(503)).always());
    wait_until("the end of the first load", || {
        cloud.run.executions().last().is_some_and(|execution| execution.state == ExecutionState::Succeeded)
    });
    orchestrator.kill();
    cloud.run.clear_faults();
    second.check_that_nothing_is_marked_falsely(&cloud.world, &cloud.warehouse());
    assert_eq!(since_the_first_run(&cloud).len(), 2, "{}", orchestrator.log());
    assert_eq!(first.marked(&cloud.warehouse()), 0, "one reading is no proof");
    assert!(!files(&cloud.object("suspects")).is_empty());

    let mut again = cloud.start("second.log", "orchestrator-b1", 1);
    assert_eq!(again.wait(), Some(0), "{}", again.log());
    each_stage_was_started_once(&cloud, &again.log());
    is_right(&cloud, &second);
}

#[test]
fn an_orchestrator_that_dies_in_the_confirming_round_goes_on() {
    for job in ["extract-job", "load-job"] {
        let (cloud, _, second) = calm(&["campaigns"]);
        // Long enough for the kill to fall into the stage.
        let slow = cloud_storage::FaultAction::Slow(Duration::from_secs(2));
        let slow = match job {
            "extract-job" => cloud_storage::Fault::next(slow).on("confirm/batch.json"),
            _ => cloud_storage::Fault::once(Operation::Delete, slow).on("suspects/"),
        };
        cloud.storage.fault(slow.times(4));
        let mut orchestrator = cloud.start("first.log", "orchestrator-c1", 0);
        wait_until(job, || since_the_first_run(&cloud).contains(&(job.to_owned(), true)));
        orchestrator.kill();
        second.check_that_nothing_is_marked_falsely(&cloud.world, &cloud.warehouse());
        let mut again = cloud.start("second.log", "orchestrator-c1", 1);
        assert_eq!(again.wait(), Some(0), "{}\n{}", orchestrator.log(), again.log());
        each_stage_was_started_once(&cloud, &again.log());
        is_right(&cloud, &second);
    }
}

#[test]
fn a_run_that_nobody_goes_on_with_is_made_good_by_the_next_one() {
    let (cloud, first, second) = calm(&["campaigns"]);
    let slow = cloud_storage::FaultAction::Slow(Duration::from_secs(2));
    cloud.storage.fault(cloud_storage::Fault::next(slow).on("confirm/batch.json").times(4));
    let mut orchestrator = cloud.start("first.log", "orchestrator-d1", 0);
    wait_until("the second reading", || since_the_first_run(&cloud).contains(&("extract-job".to_owned(), true)));
    orchestrator.kill();
    wait_until("the end of its tasks", || cloud.tasks("extract-job").is_empty());
    assert_eq!(first.marked(&cloud.warehouse()), 0, "nothing of the second reading is loaded");
    // Its lease has run out.
    remove(&cloud.object("runs/lease.json"));
    cloud.orchestrate(&[]).expect(0);
    // What the dead run has found missing is missing once more: the next one's first reading confirms it.
    let jobs: Vec<_> = since_the_first_run(&cloud).into_iter().skip(3).collect();
    assert_eq!(jobs, [("extract-job".to_owned(), false), ("load-job".to_owned(), false)]);
    second.check_after_a_break(&cloud.warehouse());
    assert_eq!(files(&cloud.object("suspects")).len(), 0);
}

#[test]
fn a_confirming_load_that_is_killed_after_its_merge_is_finished_by_its_retry() {
    let (cloud, _, second) = calm(&["campaigns"]);
    // Of this run, only the confirming load removes the suspects of this company.
    let place = format!("suspects/servicetitan/{}/campaigns", ACCOUNTS[0].id);
    let slow = cloud_storage::FaultAction::Slow(Duration::from_secs(20));
    cloud.storage.fault(cloud_storage::Fault::once(Operation::Delete, slow).on(&place));
    let removals = || {
        let requests = cloud.storage.requests().into_iter();
        let removes = requests.filter(|request| request.operation == Some(Operation::Delete));
        removes.filter(|request| request.object.as_deref().is_some_and(|name| name.contains(&place))).count()
    };
    // The first run has made sure that there were none.
    let before = removals();
    let mut orchestrator = cloud.start("killed.log", "orchestrator-e1", 0);
    wait_until("the suspects' removal", || removals() > before);
    second.check_that_nothing_is_marked_falsely(&cloud.world, &cloud.warehouse());
    for process in cloud.tasks("load-job") {
        kill(process);
    }
    cloud.storage.clear_faults();
    assert_eq!(orchestrator.wait(), Some(0), "{}", orchestrator.log());
    each_stage_was_started_once(&cloud, &orchestrator.log());
    let retried = cloud.run.executions().last().unwrap().tasks.iter().any(|task| task.retried > 0);
    assert!(retried, "a task was killed");
    is_right(&cloud, &second);
}
