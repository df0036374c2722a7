//! What `prune` removes from a landing folder, and what it leaves for those that may need it.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use contract::landing::{FolderLanding, Landing, PutMode, paths};
use contract::prune::{Act, Pruned, prune};
use contract::round::Round;
use contract::run_id::RunId;
use contract::suspects::{self, Suspects};
use contract::unit::{Task, Unit};
use serde_json::{Value, json};

struct World {
    folder: tempfile::TempDir,
    landing: FolderLanding,
}

fn run(day: u32) -> RunId {
    format!("202601{day:02}T023000Z-aaaaaa").parse().unwrap()
}

fn unit(stream: &str) -> Unit {
    Unit::new("s", "a", stream).unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let landing = FolderLanding::open(folder.path().to_str().unwrap()).unwrap();
        Self { folder, landing }
    }

    async fn put(&self, path: &str, value: Value) {
        self.landing.put(path, Bytes::from(value.to_string()), PutMode::Overwrite).await.unwrap();
    }

    async fn batch(&self, stream: &str, day: u32, mode: &str) {
        let (unit, run) = (unit(stream), run(day));
        self.put(&paths::part(&unit, &run, 0, "gz"), json!("records")).await;
        let batch = json!({"mode": mode, "source": "s", "account": "a", "stream": stream});
        self.put(&paths::batch(&unit, &run), batch).await;
    }

    async fn loaded(&self, stream: &str, day: u32) {
        let checkpoint = json!({"run_id": run(day), "state": null, "updated_at": now()});
        self.put(&paths::checkpoint(&unit(stream)), checkpoint).await;
    }

    async fn latest(&self, day: u32) {
        self.put(paths::LATEST, json!({"run_id": run(day), "finished_at": now(), "durations_ms": {}})).await;
    }

    fn prune(&self, act: Act) -> Pruned {
        prune(self.folder.path(), TimeDelta::days(10), now(), act).unwrap()
    }

    /// The days whose batches of a stream are there.
    fn days(&self, stream: &str) -> Vec<u32> {
        let is_there = |day: &u32| self.folder.path().join(paths::batch_folder(&unit(stream), &run(*day))).exists();
        (1..=31).filter(is_there).collect()
    }
}

#[tokio::test]
async fn what_is_old_and_loaded_goes() {
    let world = World::new();
    for day in [1, 2, 20, 25, 30] {
        world.batch("jobs", day, "incremental").await;
        world.put(&paths::rejects(&unit("jobs"), &run(day)), json!("rejected")).await;
    }
    world.loaded("jobs", 30).await;
    world.latest(30).await;
    let counted = world.prune(Act::Count);
    assert_eq!((counted.batches, counted.rejects, counted.kept), (3, 3, 0));
    assert_eq!(world.days("jobs").len(), 5);
    assert_eq!(world.prune(Act::Remove), counted);
    assert_eq!(world.days("jobs"), [25, 30]);
    assert!(world.landing.get(&paths::rejects(&unit("jobs"), &run(20))).await.unwrap().is_none());
    assert!(world.landing.get(&paths::rejects(&unit("jobs"), &run(25))).await.unwrap().is_some());
    assert_eq!(world.prune(Act::Remove), Pruned::default());
}

#[tokio::test]
async fn what_is_needed_stays_however_old() {
    let world = World::new();
    // Never loaded; its newest complete batch is none of those that have only begun.
    for day in [1, 2] {
        world.batch("never_loaded", day, "snapshot").await;
    }
    world.put(&paths::progress(&unit("never_loaded"), &run(3)), json!({})).await;
    // The last one was not loaded, the one before is where the next extract goes on.
    for day in [1, 2, 3] {
        world.batch("half", day, "incremental").await;
    }
    world.loaded("half", 2).await;
    // Suspects of an older reading.
    for day in [1, 2, 3, 4] {
        world.batch("missing", day, "snapshot").await;
    }
    world.loaded("missing", 4).await;
    let mut suspected = Suspects::new(run(2), Round::First, "t", now(), &["id".into()]);
    (suspected.keys, suspected.times) = (vec![vec!["1".into()]], vec![1]);
    suspects::write(&world.landing, &unit("missing"), Some(&suspected)).await.unwrap();
    // Backfills, of which one was loaded.
    for (day, mode) in [(1, "window"), (2, "window"), (4, "incremental")] {
        world.batch("filled", day, mode).await;
    }
    world.loaded("filled", 4).await;
    let done = contract::report::UnitReport::start(&unit("filled"), "t", now());
    let report = json!({"version": 1, "run_id": run(1), "stage": "load", "task_index": 0, "task_count": 1, "status": "finished",
        "started_at": now(), "finished_at": now(), "tool_version": "0", "units": [done]});
    world.put(&paths::report(&run(1), "load", Task::ONLY), report).await;
    // The latest run, and one that is going on.
    for day in [5, 6, 7] {
        world.batch("current", day, "snapshot").await;
    }
    world.loaded("current", 7).await;
    world.latest(5).await;
    let holder = contract::lease::Holder::this_process("orchestrator");
    world
        .put(paths::LEASE, json!({"run_id": run(6), "holder": holder, "acquired_at": now(), "renewed_at": now()}))
        .await;

    world.prune(Act::Remove);
    let left = ["never_loaded", "half", "missing", "filled", "current"].map(|stream| world.days(stream));
    assert_eq!(left, [vec![1, 2], vec![2, 3], vec![2, 4], vec![2, 4], vec![5, 6, 7]]);
}

#[tokio::test]
async fn where_it_cannot_be_told_nothing_goes() {
    for path in ["runs/latest.json", "runs/lease.json", "checkpoints/s/a/jobs.json", "suspects/s/a/jobs.json.gz"] {
        let world = World::new();
        for day in [1, 2, 3] {
            world.batch("jobs", day, "snapshot").await;
        }
        world.loaded("jobs", 3).await;
        world.landing.put(path, Bytes::from("{"), PutMode::Overwrite).await.unwrap();
        let error = prune(world.folder.path(), TimeDelta::days(10), now(), Act::Remove).unwrap_err().to_string();
        assert!(error.contains(path), "{error}");
        assert_eq!(world.days("jobs"), [1, 2, 3], "{path}");
    }
}
