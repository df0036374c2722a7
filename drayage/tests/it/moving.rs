//! Deletes under movement: whatever comes and goes while lists are read, no row that is there is ever marked as deleted, and when it is calm
//! again every row that is gone is. Both jobs run as the orchestrator starts them, in this process.

use crate::moving_api::{List, SHAPES, World, serve, stream};
use chrono::Utc;
use contract::pipeline::Pipeline;
use contract::run_id::RunId;
use contract::secret::Machine;
use contract::shutdown::Shutdown;
use contract::unit::Task;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;

/// Seeds, unless `DRAYAGE_TEST_SEEDS` says how many; in pipelines of so many streams.
const SEEDS: u64 = 40;
const STREAMS: u64 = 20;
/// Runs while everything moves.
const MOVING: usize = 3;

struct Bench {
    folder: tempfile::TempDir,
    world: Arc<Mutex<World>>,
    confirm: &'static str,
}

impl Bench {
    async fn new(seeds: std::ops::Range<u64>, confirm: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world: Arc<Mutex<World>> = Arc::default();
        let url = serve(world.clone()).await;
        let (mut streams, mut entries) = (Vec::new(), Vec::new());
        for seed in seeds {
            let (name, shape) = (format!("s{seed}"), SHAPES[usize::try_from(seed).unwrap() % SHAPES.len()]);
            streams.push(stream(&name, shape, &url));
            // So much moves that more than half of a table may be gone when it is calm again; the guard against that has tests of its own.
            entries.push(json!({"name": name, "max_delete_fraction": 1.0}));
            world.lock().unwrap().lists.insert(name, List::new(shape, seed + 1));
        }
        let manifest = json!({
            "version": "6.0.0", "type": "DeclarativeSource", "streams": streams,
            "check": {"type": "CheckStream", "stream_names": []},
        });
        std::fs::write(folder.path().join("x.yaml"), manifest.to_string()).unwrap();
        let pipeline = json!({
            "landing": "./landing", "warehouse": {"type": "duckdb", "path": "./w.duckdb"}, "confirm_deletes": confirm,
            "sources": [{"connector": "./x.yaml", "name": "s", "accounts": [{"id": "a"}], "streams": entries}],
        });
        std::fs::write(folder.path().join("pipeline.yaml"), pipeline.to_string()).unwrap();
        Self { folder, world, confirm }
    }

    fn pipeline(&self) -> String {
        self.folder.path().join("pipeline.yaml").to_string_lossy().into_owned()
    }

    /// One run, as the orchestrator has it; the requests of each round.
    async fn run(&self) -> (usize, usize) {
        let run = RunId::new(Utc::now());
        let first = self.round(&run, false).await;
        let mut second = 0;
        if first.1 > 0 && self.confirm == "same_run" {
            second = self.round(&run, true).await.0;
        }
        (first.0, second)
    }

    async fn round(&self, run: &RunId, confirm: bool) -> (usize, u64) {
        let before = self.world.lock().unwrap().requests;
        let options = extract_job::Options {
            pipeline: self.pipeline(),
            run_id: Some(run.clone()),
            selection: extract_job::Selection::default(),
            full_refresh: false,
            range: None,
            limit: None,
            confirm,
            task: Task::ONLY,
            wait: false,
            wait_factor: 0.001,
        };
        let report = extract_job::extract(&options, &Machine, &Shutdown::new()).await.unwrap();
        let moves = self.world.lock().unwrap().moves;
        for unit in &report.units {
            // So many rows may come in before a page that it is the earlier one again. That is refused, and nothing of the stream is loaded.
            let is_refused = |error: &String| moves && error.contains("a page repeats an earlier one");
            assert!(unit.error.as_ref().is_none_or(is_refused), "{unit:?}");
        }
        let (path, run, runtime) = (self.pipeline(), run.clone(), Handle::current());
        let load = move || {
            let pipeline = Pipeline::read(&path, &Machine).unwrap();
            let landing = contract::landing::open(&pipeline.landing).unwrap();
            let options = load_job::run::Options { confirm, ..load_job::run::Options::default() };
            load_job::run::load(&pipeline, &landing, &options, &run, Task::ONLY, &Shutdown::new(), &runtime).unwrap()
        };
        let loaded = tokio::task::spawn_blocking(load).await.unwrap();
        for unit in &loaded.units {
            assert_eq!(unit.error, None, "{unit:?}");
        }
        let requests = self.world.lock().unwrap().requests - before;
        self.check_no_live_row_is_marked();
        (requests, loaded.units.iter().map(|unit| unit.rows_suspected).sum())
    }

    /// The rows of each table, and whether they are marked.
    fn tables(&self) -> BTreeMap<String, BTreeMap<u32, bool>> {
        let connection = duckdb::Connection::open(self.folder.path().join("w.duckdb")).unwrap();
        let lists: Vec<String> = self.world.lock().unwrap().lists.keys().cloned().collect();
        let rows = |name: &String| {
            let sql = format!("SELECT id, _etl_operation = 'DELETE' FROM bronze.{name}");
            let mut statement = connection.prepare(&sql).unwrap();
            let rows = statement.query_map([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, bool>(1)?))).unwrap();
            (name.clone(), rows.map(Result::unwrap).collect())
        };
        lists.iter().map(rows).collect()
    }

    fn check_no_live_row_is_marked(&self) {
        let world = self.world.lock().unwrap();
        let lists: BTreeMap<&String, _> =
            world.lists.iter().map(|(name, list)| (name, (list.ids(), list.shape))).collect();
        let lists: BTreeMap<String, _> = lists.into_iter().map(|(name, known)| (name.clone(), known)).collect();
        drop(world);
        for (name, rows) in self.tables() {
            let (live, shape) = &lists[&name];
            let wrong: Vec<u32> =
                rows.iter().filter(|(id, marked)| **marked && live.contains(id)).map(|(id, _)| *id).collect();
            assert!(wrong.is_empty(), "{name} ({shape:?}): live rows are marked as deleted: {wrong:?}");
        }
    }

    fn check_every_row(&self) {
        for (name, rows) in self.tables() {
            let live = self.world.lock().unwrap().lists[&name].ids();
            let unmarked: std::collections::BTreeSet<u32> =
                rows.iter().filter(|(_, marked)| !**marked).map(|(id, _)| *id).collect();
            assert_eq!(unmarked, live, "{name}");
        }
    }
}

async fn seeds_of(confirm: &'static str, seeds: u64) {
    for first in (0..seeds).step_by(usize::try_from(STREAMS).unwrap()) {
        let bench = Bench::new(first..(first + STREAMS).min(seeds), confirm).await;
        bench.run().await;
        bench.world.lock().unwrap().moves = true;
        for _ in 0..MOVING {
            bench.run().await;
        }
        bench.world.lock().unwrap().moves = false;
        // One calm run is enough where it confirms what it finds missing.
        for _ in 0..if confirm == "same_run" { 1 } else { 2 } {
            bench.run().await;
        }
        bench.check_every_row();
        let (first, second) = bench.run().await;
        assert_eq!(second, 0, "nothing is missing: {first} requests, and none to confirm");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_live_row_is_marked_whatever_moves() {
    let seeds = std::env::var("DRAYAGE_TEST_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    seeds_of("same_run", seeds.unwrap_or(SEEDS)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gone_is_marked_by_the_next_run_where_that_is_wanted() {
    seeds_of("next_run", STREAMS).await;
}
