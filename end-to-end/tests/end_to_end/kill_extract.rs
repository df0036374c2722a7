//! Extract-job killed in the middle of its pages: nothing half-read is loaded or deletes anything, and the next run makes it good.

use crate::model::Model;
use crate::programs::{kill, wait_until};
use crate::world::{ACCOUNTS, World};
use sandbox::fault::FaultAction;
use std::time::Duration;

const FOR_EVER: FaultAction = FaultAction::Hang(Duration::from_secs(600));

#[test]
fn the_next_run_makes_good_what_was_cut_short() {
    let world = World::new(150, 20);
    let mut model = Model::default();
    world.run_and_check(1, &mut model, &[]);
    // A snapshot, a list and a feed stop in the middle of their pages; the first pages have landed by then.
    let cases: [(&str, &str); 3] = [
        ("marketing/v2/tenant/900100/campaigns", "page=2&"),
        ("jpm/v2/tenant/900100/jobs", "page=3&"),
        ("jpm/v2/tenant/900100/export/jobs", "from="),
    ];
    for (number, (path, query)) in cases.into_iter().enumerate() {
        world.api.set_generation(number as u32 + 2);
        world.api.clear_requests();
        world.script(&ACCOUNTS[0], path, Some(query), 1, FOR_EVER);
        let others = world.path("landing/batches/servicetitan/bluebird/business_units");
        let batches = || others.read_dir().map_or(0, Iterator::count);
        let before = batches();
        let arguments = ["run", "--full-refresh"];
        let mut run = world.start("orchestrator", &arguments, "log");
        wait_until("the page", || {
            let mut seen = world.api.requests().into_iter();
            seen.any(|request| {
                request.status == 0
                    && request.path.contains(path)
                    && request.query.contains(query.trim_end_matches('&'))
            })
        });
        wait_until("another batch", || batches() > before);
        kill(run.child("extract-job"));
        let code = run.wait();
        assert!(matches!(code, Some(1 | 3)), "{code:?} {}", run.log());
        assert!(run.log().contains("killed by signal 9"), "{}", run.log());
        model.check_that_nothing_is_deleted_falsely(&world);

        world.api.clear_script();
        world.run(&["--full-refresh"]).expect(0);
        model.observe(&world, |_, _| true);
        model.check_after_a_break(&world.warehouse());
        assert!(model.deleted("campaigns") > number);
    }
}

#[test]
fn a_retry_of_a_killed_extract_keeps_what_was_complete() {
    let world = World::new(100, 20);
    world.script(&ACCOUNTS[0], "/campaigns", Some("page=2&"), 1, FOR_EVER);
    let run = "20260131T235900Z-a1b2c3";
    let mut first = world.start("extract-job", &["--run-id", run], "log");
    let place = world.path(&format!("landing/batches/servicetitan/bluebird/jobs_export/{run}/batch.json"));
    wait_until("the other batches", || place.exists());
    first.kill();
    let half = world.path(&format!("landing/batches/servicetitan/acme/campaigns/{run}/batch.json"));
    assert!(!half.exists());
    world.api.clear_requests();
    world.call("extract-job", &["--run-id", run]).expect(0).says("complete already");
    let asked = world.api.requests();
    assert!(asked.iter().any(|request| request.path.contains("/900100/campaigns")));
    assert!(asked.iter().all(|request| !request.path.contains("/900200/export/jobs")));
    world.call("load-job", &["--run-id", run]).expect(0);
    let mut model = Model::default();
    model.observe(&world, |_, _| true);
    model.check(&world.warehouse());
}
