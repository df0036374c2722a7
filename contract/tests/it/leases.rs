//! The lease: one run at a time, jobs of one run together, dead and expired holders taken over once their jobs are gone, loss noticed.

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use contract::landing::{FolderLanding, Landing, PutMode, paths};
use contract::lease::{Holder, Lease, LeaseError, LeaseFile, current};
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use std::sync::Arc;

struct World {
    _folder: tempfile::TempDir,
    landing: Arc<dyn Landing>,
    shutdown: Shutdown,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let landing = Arc::new(FolderLanding::open(folder.path().to_str().unwrap()).unwrap());
    World { _folder: folder, landing, shutdown: Shutdown::new() }
}

fn run(n: u32) -> RunId {
    format!("20260101T00000{n}Z-aaaaaa").parse().unwrap()
}

impl World {
    async fn take(&self, run: &RunId) -> Result<Lease, LeaseError> {
        Lease::take(self.landing.clone(), run, "test", false, &self.shutdown).await
    }

    async fn leave(&self, holder: Holder, seconds_ago: i64) {
        self.leave_as(run(9), holder, seconds_ago).await;
    }

    async fn leave_as(&self, run_id: RunId, holder: Holder, seconds_ago: i64) {
        self.leave_with(run_id, holder, seconds_ago, Vec::new()).await;
    }

    async fn leave_with(&self, run_id: RunId, holder: Holder, seconds_ago: i64, jobs: Vec<Holder>) {
        let at = Utc::now() - TimeDelta::seconds(seconds_ago);
        let file = LeaseFile { run_id, holder, acquired_at: at, renewed_at: at, execution: None, jobs };
        let bytes = Bytes::from(serde_json::to_vec(&file).unwrap());
        self.landing.put(paths::LEASE, bytes, PutMode::Overwrite).await.unwrap();
    }
}

#[tokio::test]
async fn a_second_run_is_refused_by_name_and_the_same_run_joins() {
    let world = world();
    let held = world.take(&run(1)).await.unwrap();
    let refused = world.take(&run(2)).await.unwrap_err().to_string();
    assert!(refused.contains(run(1).as_str()) && refused.contains("held by test (process"), "{refused}");
    let joined = world.take(&run(1)).await.unwrap();
    joined.release().await.unwrap();
    assert!(current(world.landing.as_ref()).await.unwrap().is_some(), "who joined does not give it back");
    held.release().await.unwrap();
    assert_eq!(current(world.landing.as_ref()).await.unwrap(), None);
    world.take(&run(2)).await.unwrap();
}

/// A process that was, on this machine.
fn dead() -> Holder {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    Holder { pid, ..Holder::this_process("orchestrator") }
}

/// A process of this machine that lives until it is killed.
fn living() -> (std::process::Child, Holder) {
    let child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let started = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap();
    let holder = Holder { pid: child.id(), started, ..Holder::this_process("extract-job") };
    (child, holder)
}

#[tokio::test]
async fn a_dead_process_of_this_machine_holds_nothing() {
    let world = world();
    world.leave(dead(), 0).await;
    world.take(&run(1)).await.unwrap();
}

#[tokio::test]
async fn a_dead_holders_lease_is_taken_over_when_its_last_job_is_gone() {
    for same_run in [false, true] {
        let world = world();
        let (mut job, holder) = living();
        let id = if same_run { run(1) } else { run(9) };
        world.leave_with(id, dead(), 0, vec![dead(), holder]).await;
        let (landing, shutdown) = (world.landing.clone(), world.shutdown.clone());
        let taking = tokio::spawn(async move { Lease::take_alone(landing, &run(1), "orchestrator", &shutdown).await });
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert!(!taking.is_finished(), "the job lives");
        job.kill().unwrap();
        job.wait().unwrap();
        taking.await.unwrap().unwrap();
        let file = current(world.landing.as_ref()).await.unwrap().unwrap();
        assert_eq!((file.run_id, file.jobs.len()), (run(1), 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_does_not_end_is_named_with_the_cure() {
    // Expired or not: what is seen to live is at work.
    for seconds_ago in [0, 3600] {
        let world = world();
        let (mut job, holder) = living();
        world.leave_with(run(9), dead(), seconds_ago, vec![holder]).await;
        let error = world.take(&run(1)).await.unwrap_err();
        assert_eq!(error.other_run(), Some(&run(9)));
        let error = error.to_string();
        for part in
            [run(9).as_str(), &format!("its extract-job (process {}", job.id()), &format!("kill -9 {}", job.id())]
        {
            assert!(error.contains(part), "{part}: {error}");
        }
        job.kill().unwrap();
        job.wait().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_cannot_be_seen_counts_as_living_until_the_lease_expires() {
    let hidden = Holder { boot: "another container".into(), ..Holder::this_process("load-job") };
    let world = world();
    world.leave_with(run(9), dead(), 30, vec![hidden.clone()]).await;
    assert!(matches!(world.take(&run(1)).await, Err(LeaseError::Held { .. })));
    world.leave_with(run(9), dead(), 61, vec![hidden]).await;
    world.take(&run(1)).await.unwrap();
}

#[tokio::test]
async fn who_takes_a_lease_alone_does_not_join() {
    let world = world();
    let _held = world.take(&run(1)).await.unwrap();
    let refused = Lease::take_alone(world.landing.clone(), &run(1), "orchestrator", &world.shutdown).await;
    assert!(matches!(refused, Err(LeaseError::Held { .. })), "{refused:?}");
}

/// The file that serialises writes of the lease, held as a stopped process would hold it.
fn lock(world: &World) -> std::fs::File {
    let name = world._folder.path().join(".tmp/runs__lease.json.lock");
    let file = std::fs::File::create(name).unwrap();
    file.lock().unwrap();
    file
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_not_given_back_is_waited_for_with_a_bound() {
    let world = world();
    let _lock = lock(&world);
    let error = world.take(&run(1)).await.unwrap_err().to_string();
    assert!(error.contains("has held the lock") && error.contains("kill -CONT"), "{error}");
}

#[tokio::test]
async fn a_wait_for_a_lock_ends_soon_when_told_to_stop() {
    let world = world();
    let _lock = lock(&world);
    let begun = std::time::Instant::now();
    let stop = world.shutdown.clone();
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        stop.request("SIGTERM");
    });
    let error = world.take(&run(1)).await.unwrap_err().to_string();
    assert_eq!(error, "stopped by SIGTERM while waiting for the lease");
    assert!(begun.elapsed() < std::time::Duration::from_secs(6), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn another_machines_lease_holds_until_it_expires() {
    let elsewhere = Holder { host: "elsewhere".into(), pid: 1, ..Holder::this_process("far") };
    let world = world();
    world.leave(elsewhere.clone(), 30).await;
    assert!(matches!(world.take(&run(1)).await, Err(LeaseError::Held { age: 30..=32, .. })));
    world.leave(elsewhere, 61).await;
    world.take(&run(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_stops_the_work_and_is_not_given_back() {
    let world = world();
    let held = world.take(&run(1)).await.unwrap();
    world.leave(Holder::this_process("thief"), 0).await;
    let reason = world.shutdown.requested().await;
    assert!(reason.contains("the loss of its lease"), "{reason}");
    held.release().await.unwrap();
    let left = current(world.landing.as_ref()).await.unwrap().unwrap();
    assert_eq!((left.run_id, left.holder.program.as_str()), (run(9), "thief"));
}

#[tokio::test(start_paused = true)]
async fn a_held_lease_is_renewed_while_the_run_lives() {
    let world = world();
    let held = world.take(&run(1)).await.unwrap();
    world.leave_as(run(1), Holder::this_process("test"), 50).await;
    let before = current(world.landing.as_ref()).await.unwrap().unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(16)).await;
    let mut after = current(world.landing.as_ref()).await.unwrap().unwrap();
    // The renewal itself runs on another thread; give it its turns.
    for _ in 0..1000 {
        if after.renewed_at > before.renewed_at {
            break;
        }
        tokio::task::yield_now().await;
        after = current(world.landing.as_ref()).await.unwrap().unwrap();
    }
    assert!(after.renewed_at > before.renewed_at);
    assert_eq!(after.acquired_at, before.acquired_at, "a renewal keeps the start");
    held.release().await.unwrap();
}

#[tokio::test]
async fn a_wait_for_the_lease_ends_when_told_to_stop() {
    let world = world();
    let _held = world.take(&run(1)).await.unwrap();
    let stop = Shutdown::new();
    stop.request("SIGTERM");
    let stopped = Lease::take(world.landing.clone(), &run(2), "test", true, &stop).await.unwrap_err();
    assert_eq!(stopped.to_string(), "stopped by SIGTERM while waiting for the lease");
}

#[tokio::test]
async fn waiting_ends_with_the_other_run() {
    let world = world();
    let held = world.take(&run(1)).await.unwrap();
    let (landing, shutdown) = (world.landing.clone(), world.shutdown.clone());
    let waiting = tokio::spawn(async move { Lease::take(landing, &run(2), "test", true, &shutdown).await });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    held.release().await.unwrap();
    waiting.await.unwrap().unwrap();
}

async fn break_lease(world: &World, text: &'static str) {
    world.landing.put(paths::LEASE, Bytes::from(text), PutMode::Overwrite).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_broken_lease_that_nobody_renews_is_taken_over() {
    // Cut by a disk that was full, emptied by a crash, of another program.
    for text in ["", "{", r#"{"version": 9, "run": "x"}"#] {
        let world = world();
        break_lease(&world, text).await;
        let error = current(world.landing.as_ref()).await.unwrap_err().to_string();
        let file = format!("{}/runs/lease.json", world.landing.location());
        assert!(
            error.contains(&format!("{file} cannot be read")) && error.contains(&format!("rm '{file}'")),
            "{error}"
        );
        let begun = tokio::time::Instant::now();
        world.take(&run(1)).await.unwrap();
        let waited = begun.elapsed().as_secs();
        assert!((60..=75).contains(&waited), "{waited} s");
        assert_eq!(current(world.landing.as_ref()).await.unwrap().unwrap().run_id, run(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_cannot_be_read_but_is_renewed_is_another_runs() {
    let world = world();
    break_lease(&world, r#"{"version": 9, "renewed": 1}"#).await;
    let renewal = async {
        tokio::time::sleep(std::time::Duration::from_secs(15)).await;
        break_lease(&world, r#"{"version": 9, "renewed": 2}"#).await;
    };
    let wanted = run(1);
    let (taken, ()) = tokio::join!(world.take(&wanted), renewal);
    let error = taken.unwrap_err().to_string();
    assert!(error.contains("if no run is going on, it can be removed at once: rm '"), "{error}");
}

#[tokio::test]
async fn broken_files_say_which_command_mends_them() {
    use contract::stored::{self, Checkpoint, Latest};
    let world = world();
    let landing = world.landing.as_ref();
    let unit = contract::unit::Unit::new("s", "a", "jobs").unwrap();
    let (checkpoint, suspects) = (paths::checkpoint(&unit), paths::suspects(&unit));
    for path in [paths::LATEST, &checkpoint, &suspects] {
        landing.put(path, Bytes::from("{"), PutMode::Overwrite).await.unwrap();
    }
    let errors = [
        (stored::read::<Latest>(landing, paths::LATEST).await.unwrap_err(), paths::LATEST, "needs --run-id"),
        (stored::read::<Checkpoint>(landing, &checkpoint).await.unwrap_err(), &checkpoint, "from its start"),
        (contract::suspects::read(landing, &unit).await.unwrap_err(), &suspects, "looked for anew"),
    ];
    for (error, path, says) in errors {
        let (error, command) = (error.to_string(), format!("rm '{}/{path}'", landing.location()));
        assert!(error.contains(says) && error.ends_with(&command), "{error}");
    }
}

async fn renewed_at(world: &World) -> chrono::DateTime<Utc> {
    current(world.landing.as_ref()).await.unwrap().unwrap().renewed_at
}

/// One renewal of whoever has joined; it runs on another thread and must be given its turns.
async fn after_a_renewal(world: &World, before: chrono::DateTime<Utc>) -> bool {
    tokio::time::sleep(std::time::Duration::from_secs(16)).await;
    for _ in 0..1000 {
        if renewed_at(world).await > before {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test(start_paused = true)]
async fn a_task_keeps_the_lease_of_an_orchestrator_that_is_silent() {
    let elsewhere = Holder { host: "elsewhere".into(), pid: 1, ..Holder::this_process("orchestrator") };
    let world = world();
    world.leave_as(run(1), elsewhere.clone(), 40).await;
    let before = renewed_at(&world).await;
    let joined = world.take(&run(1)).await.unwrap();
    assert!(after_a_renewal(&world, before).await, "its renewal is overdue");
    let left = current(world.landing.as_ref()).await.unwrap().unwrap();
    assert_eq!((left.holder, left.acquired_at), (elsewhere, before), "it stays the orchestrator's");
    joined.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_leaves_renewing_to_an_orchestrator_that_does_it() {
    let elsewhere = Holder { host: "elsewhere".into(), pid: 1, ..Holder::this_process("orchestrator") };
    let world = world();
    // Its clock is ahead, too: that is no reason to think that it is late.
    world.leave_as(run(1), elsewhere, -5).await;
    let before = renewed_at(&world).await;
    let joined = world.take(&run(1)).await.unwrap();
    assert!(!after_a_renewal(&world, before).await);
    joined.release().await.unwrap();
}

fn elsewhere() -> Holder {
    Holder { host: "elsewhere".into(), pid: 1, ..Holder::this_process("orchestrator") }
}

const A_DAY: i64 = 24 * 3600;

#[tokio::test]
async fn a_clock_that_is_a_little_ahead_counts_as_now() {
    let world = world();
    world.leave(elsewhere(), -30).await;
    assert!(matches!(world.take(&run(1)).await, Err(LeaseError::Held { age: 0, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_lease_from_the_future_that_nobody_renews_expires_all_the_same() {
    let world = world();
    world.leave(elsewhere(), -A_DAY).await;
    let begun = tokio::time::Instant::now();
    world.take(&run(1)).await.unwrap();
    let waited = begun.elapsed().as_secs();
    assert!((60..=75).contains(&waited), "{waited} s");
}

#[tokio::test(start_paused = true)]
async fn a_lease_from_the_future_that_is_renewed_is_another_runs() {
    let world = world();
    world.leave(elsewhere(), -A_DAY).await;
    let renewal = async {
        tokio::time::sleep(std::time::Duration::from_secs(15)).await;
        world.leave(elsewhere(), -A_DAY - 15).await;
    };
    let (begun, wanted) = (tokio::time::Instant::now(), run(1));
    let (taken, ()) = tokio::join!(world.take(&wanted), renewal);
    assert!(matches!(taken, Err(LeaseError::Held { .. })), "{taken:?}");
    assert!(begun.elapsed().as_secs() < 30);
}

#[tokio::test(start_paused = true)]
async fn a_task_renews_a_lease_from_the_future_that_its_orchestrator_renews_no_more() {
    let world = world();
    world.leave_as(run(1), elsewhere(), -A_DAY).await;
    let before = renewed_at(&world).await;
    // It joins without a wait.
    let joined = world.take(&run(1)).await.unwrap();
    let begun = tokio::time::Instant::now();
    while renewed_at(&world).await == before {
        assert!(begun.elapsed().as_secs() < 58, "another run could take it before it is renewed");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    joined.release().await.unwrap();
}
