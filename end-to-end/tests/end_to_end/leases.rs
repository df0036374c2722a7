//! Two orchestrators on one landing zone: the second one stops and names the first; what a killed one holds blocks nobody.

use crate::model::Model;
use crate::programs::{lives, wait_until};
use crate::world::{ACCOUNTS, World};
use sandbox::fault::FaultAction;
use std::time::Duration;

#[test]
fn the_second_run_stops_and_a_killed_one_does_not_block() {
    let world = World::new(60, 20);
    world.script(&ACCOUNTS[0], "/campaigns", None, 1, FaultAction::Hang(Duration::from_secs(600)));
    let mut first = world.start("orchestrator", &["run"], "first.log");
    let asked = || world.api.requests().iter().any(|request| request.path.contains("/900100/campaigns"));
    wait_until("the first run's request", asked);

    let second = world.run(&[]).expect(3);
    second.says("its lease is held by orchestrator");
    second.says(&format!("process {} on", first.id()));
    // The jobs by themselves are held off as well.
    world.call("extract-job", &[]).expect(3).says("its lease is held by orchestrator");
    world
        .call("load-job", &["--run-id", "20260131T235900Z-a1b2c3"])
        .expect(3)
        .says("its lease is held by orchestrator");
    assert!(!world.path("w.duckdb").exists());

    first.kill();
    let left_behind = first.orphans().to_vec();
    assert!(left_behind.iter().any(|id| lives(*id)), "the killed run's extract is still at work");
    let mut model = Model::default();
    world.run(&[]).expect(0).says("taking over the lease");
    model.observe(&world, |_, _| true);
    model.check(&world.warehouse());
    assert!(!world.path("landing/runs/lease.json").exists());

    // What the killed run has left behind ends without having touched anything.
    drop(first);
    world.run_and_check(2, &mut model, &[]);
}
