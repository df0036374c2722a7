//! Answers that are lost, late or refused: a start takes effect once, a poll that fails ends nothing, a refusal is clear and at once.

use super::{Cloud, HELD};
use crate::world::{EXTRACT_WELL, Ended, LOAD_WELL};
use sandbox::cloud_run::{Call, Fault, FaultAction, Strikes};
use std::time::Duration;

#[test]
fn a_start_takes_effect_once_whatever_its_answer() {
    let unavailable = || FaultAction::StatusWithBody(503, "<html>try later</html>".into());
    let table = [
        ("lost after it took effect", vec![FaultAction::CutAfter]),
        ("an error after it took effect", vec![FaultAction::StatusAfter(503)]),
        ("a server error after it took effect", vec![FaultAction::StatusAfter(500)]),
        ("lost before", vec![FaultAction::Cut]),
        ("too many requests", vec![FaultAction::Status(429)]),
        (
            "refused, lost, refused, then lost after it took effect",
            vec![FaultAction::Status(429), FaultAction::Cut, unavailable(), FaultAction::CutAfter],
        ),
    ];
    for (what, faults) in table {
        let cloud = Cloud::new(EXTRACT_WELL, LOAD_WELL);
        for fault in faults {
            cloud.server.fault(Fault::once(Call::Run, fault));
        }
        let ended = cloud.run(&[]);
        assert_eq!(ended.code, Some(0), "{what}: {ended:?}");
        assert_eq!(cloud.jobs(), ["extract-job", "load-job"], "{what}");
    }
}

#[test]
fn a_start_is_found_though_the_list_fails_at_first() {
    let cloud = Cloud::new(EXTRACT_WELL, LOAD_WELL);
    cloud.server.fault(Fault::once(Call::Run, FaultAction::CutAfter));
    // The two lists before the start are the check of the permission.
    cloud.server.fault(Fault::once(Call::ListExecutions, FaultAction::Status(503)).after(2).times(4));
    let ended = cloud.run(&[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
}

#[test]
fn polls_that_fail_do_not_end_the_wait() {
    let cloud = Cloud::new(HELD, LOAD_WELL);
    let run = cloud.start(None, &[]);
    cloud.world.wait_for("up-extract");
    for fault in [
        FaultAction::Status(503),
        FaultAction::Status(429),
        FaultAction::StatusWithBody(502, "<html>bad gateway</html>".into()),
        FaultAction::Cut,
        FaultAction::PermissionDenied,
        FaultAction::Status(404),
    ] {
        cloud.server.fault(Fault { strikes: Strikes::Next(2), ..Fault::once(Call::GetExecution, fault) });
    }
    let polls = || cloud.server.requests().iter().filter(|request| request.call == Some(Call::GetExecution)).count();
    let before = polls();
    crate::world::wait_until("polls", || polls() > before + 14);
    cloud.world.touch("go");
    let ended = Ended::of(run);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("failed to see how the extract is going"), "{ended:?}");
    assert!(ended.err.contains("Cloud Run answers again"), "{ended:?}");
    assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
}

#[test]
fn an_outage_during_the_wait_is_waited_out() {
    let cloud = Cloud::new("plan; sleep 0.2; report finished done; latest; exit 0", LOAD_WELL);
    let outage = |call| Fault::once(call, FaultAction::Status(503)).during(Duration::from_millis(900));
    for call in [Call::GetExecution, Call::ListTasks] {
        cloud.server.fault(outage(call));
    }
    let ended = cloud.run(&[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(cloud.jobs(), ["extract-job", "load-job"]);
}

#[test]
fn what_is_refused_is_told_with_the_role_that_is_missing() {
    let denied = |call| vec![Fault::once(call, FaultAction::PermissionDenied).always()];
    let table = [
        (
            denied(Call::GetJob),
            "",
            "cannot see job extract-job in project sandbox-project, region us-central1",
            "needs roles/run.viewer",
        ),
        (denied(Call::ListExecutions), "", "cannot list the executions of job extract-job", "needs roles/run.viewer"),
        (denied(Call::Run), "", "cannot start job extract-job", "needs roles/run.jobsExecutorWithOverrides"),
        (vec![Fault::once(Call::Run, FaultAction::Status(400)).always()], "", "cannot start job extract-job", ""),
    ];
    for (faults, more, says, hint) in table {
        let cloud = Cloud::with(EXTRACT_WELL, LOAD_WELL, more, |_| {});
        faults.into_iter().for_each(|fault| cloud.server.fault(fault));
        let ended = cloud.run(&[]);
        assert_eq!(ended.code, Some(3), "{says}: {ended:?}");
        assert!(ended.err.contains(says) && ended.err.contains(hint), "{says}: {ended:?}");
        assert!(cloud.jobs().is_empty() && cloud.world.lease_is_free(), "{says}");
    }
}

#[test]
fn a_job_that_is_not_there_is_named_before_anything_starts() {
    let cloud = Cloud::new(EXTRACT_WELL, LOAD_WELL);
    cloud.world.pipeline(
        "orchestrator: {launcher: {cloud_run: {project: sandbox-project, region: us-central1, \
         extract_job: extract-job, load_job: lode-job}}}\n",
    );
    let ended = cloud.run(&[]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.err.contains("cannot see job lode-job in project sandbox-project, region us-central1"), "{ended:?}");
    assert!(ended.err.contains("compare orchestrator.launcher.cloud_run"), "{ended:?}");
    assert!(cloud.jobs().is_empty() && cloud.world.lease_is_free());
}

#[test]
fn a_load_that_is_refused_leaves_the_extract_told() {
    let cloud = Cloud::new(EXTRACT_WELL, LOAD_WELL);
    cloud.server.fault(Fault::once(Call::Run, FaultAction::PermissionDenied).after(1).always());
    let ended = cloud.run(&[]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let json = ended.json();
    assert_eq!(json["extract"][0]["rows_extracted"], 7);
    assert!(json["errors"].to_string().contains("needs roles/run.jobsExecutorWithOverrides"), "{json}");
    assert_eq!(cloud.jobs(), ["extract-job"]);
    assert!(cloud.world.lease_is_free());
}
