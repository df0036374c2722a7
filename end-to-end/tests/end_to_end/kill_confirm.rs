//! The round that confirms deletes, killed all over: its orchestrator and its jobs, before, in and after the second reading and its load.
//! No row that the API has is marked at any moment. The same run again, the next run, and a next run before which everything has come
//! back all end right.

use crate::model::{Audit, Model};
use crate::programs::{Running, kill, lives, wait_until};
use crate::world::{ACCOUNTS, World, copy, files, remove};
use sandbox::fault::{Fault, FaultAction};

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const STREAMS: &str = "campaigns,employees,jobs";
const SNAPSHOTS: &str = "campaigns,employees";
const RUN: &str = "20260131T235900Z-a1b2c3";
/// The run after it.
const NEXT: &str = "20260131T235959Z-a1b2c3";
const FOR_EVER: FaultAction = FaultAction::Hang(Duration::from_secs(600));

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Orchestrator,
    Job(&'static str),
}

/// A world that has loaded the first generation (saved as `calm`) and serves the second one.
struct Confirming {
    world: World,
    /// The tables that the run is to make of it.
    second: Model,
}

fn among(streams: &'static str) -> impl Fn(&str, &str) -> bool {
    move |_, stream| streams.split(',').any(|name| name == stream)
}

/// How rows that are missing are looked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    /// By their ids, as the connector does.
    Ids,
    /// By a second reading of the whole list, as for a resource that takes no ids.
    Lists,
}

impl Confirming {
    fn new(records: usize, page_size: usize, asking: Asking) -> Self {
        let world = World::new(records, page_size);
        if asking == Asking::Lists {
            let connector = fs::read_to_string("../extract-job/connectors/servicetitan.yaml").unwrap();
            let lines = connector.lines().filter(|line| !line.contains("x-confirm: "));
            fs::write(world.path("servicetitan.yaml"), lines.collect::<Vec<_>>().join("\n")).unwrap();
            world.pipeline(page_size, |text| text.replace("connector: servicetitan", "connector: ./servicetitan.yaml"));
        }
        let mut model = Model::default();
        world.run(&["--run-id", "20260131T235800Z-a1b2c3", "--stream", STREAMS]).expect(0);
        model.observe(&world, among(STREAMS));
        world.save("calm");
        world.api.set_generation(2);
        model.observe(&world, among(STREAMS));
        assert!(model.deleted("campaigns") > 1 && model.deleted("employees") > 1);
        Self { world, second: model }
    }

    /// Brings the run to where its first load has found suspects, by its jobs alone, and saves that (`suspected`); then to where they have
    /// been read once more, and saves that too (`read`).
    fn prepare(&self) {
        let world = &self.world;
        for (program, arguments) in [("extract-job", &["--stream", STREAMS][..]), ("load-job", &[])] {
            world.call(program, &[&["--run-id", RUN][..], arguments].concat()).expect(0);
        }
        for (account, stream) in [(&ACCOUNTS[0], "campaigns"), (&ACCOUNTS[1], "employees")] {
            assert!(self.suspects(account.id, stream).exists(), "{stream} of {} has suspects", account.id);
        }
        world.save("suspected");
        world.call("extract-job", &["--run-id", RUN, "--stream", STREAMS, "--confirm"]).expect(0);
        assert!(self.batch(ACCOUNTS[0].id, "campaigns").exists() && self.batch(ACCOUNTS[1].id, "employees").exists());
        assert!(!self.batch(ACCOUNTS[0].id, "jobs").exists(), "what lacks nothing is not read again");
        world.save("read");
    }

    fn suspects(&self, account: &str, stream: &str) -> PathBuf {
        self.world.path(&format!("landing/suspects/servicetitan/{account}/{stream}.json.gz"))
    }

    /// The description of a confirming batch.
    fn batch(&self, account: &str, stream: &str) -> PathBuf {
        self.world.path(&format!("landing/batches/servicetitan/{account}/{stream}/{RUN}/confirm/batch.json"))
    }

    /// How many rows are marked now.
    fn marked(&self) -> usize {
        self.second.marked(&self.world.warehouse())
    }

    fn gone(&self) -> usize {
        SNAPSHOTS.split(',').map(|stream| self.second.deleted(stream)).sum()
    }

    /// Leaves the run as a kill of `victim` leaves it, with nothing at work any more.
    fn kill(&self, mut run: Running, victim: Victim) {
        match victim {
            Victim::Orchestrator => {
                run.kill();
                wait_until("the end of its jobs", || !run.orphans().iter().any(|id| lives(*id)));
            }
            Victim::Job(job) => {
                kill(run.child(job));
                let code = run.wait();
                assert!(matches!(code, Some(1 | 3)), "{code:?} {}", run.log());
                assert!(run.log().contains("killed by signal 9"), "{}", run.log());
            }
        }
        self.world.api.clear_script();
    }

    /// What was killed is left to each of its futures, one after the other. `has_loaded`: the first load had committed everything.
    fn ends_right(&self, what: &str, has_loaded: bool) {
        let world = &self.world;
        self.second.check_that_nothing_is_deleted_falsely(world);
        world.save("killed");
        self.ends_well(&format!("{what}; the run again"), &["--run-id", RUN, "--stream", STREAMS]);
        // Once more it has nothing to do.
        let before = world.warehouse().everything();
        self.ends_well(&format!("{what}; the run twice again"), &["--run-id", RUN, "--stream", STREAMS]);
        assert!(world.warehouse().everything() == before, "{what}: the run twice again changed rows");

        world.restore("killed");
        self.ends_well(&format!("{what}; the next run"), &["--run-id", NEXT, "--stream", STREAMS]);

        // What the run has missed is back, and what was new is gone.
        world.restore("killed");
        world.api.set_generation(1);
        world.run(&["--run-id", NEXT, "--stream", SNAPSHOTS]).expect(0);
        self.second.check_that_nothing_is_deleted_falsely(world);
        if has_loaded {
            let mut back = self.second.clone();
            back.observe(world, among(SNAPSHOTS));
            let problems = back.problems(&world.warehouse(), Audit::Deleted);
            assert!(problems.is_empty(), "{what}; everything is back: {problems:#?}");
        }
        world.api.set_generation(2);
    }

    /// A run that makes the tables right, and leaves nothing to be confirmed.
    fn ends_well(&self, what: &str, arguments: &[&str]) {
        let ended = self.world.run(arguments);
        assert_eq!(ended.code, Some(0), "{what}: {}", ended.text());
        let problems = self.second.problems(&self.world.warehouse(), Audit::Deleted);
        assert!(problems.is_empty(), "{what}: {problems:#?}");
        assert_eq!(files(&self.world.path("landing/suspects")), Vec::<PathBuf>::new(), "{what}");
    }
}

#[test]
fn between_the_first_load_and_the_second_reading() {
    let confirming = Confirming::new(300, 20, Asking::Ids);
    let world = &confirming.world;
    for victim in [Victim::Orchestrator, Victim::Job("load-job")] {
        world.restore("calm");
        // As soon as the first suspects are written down; the other tables may not be loaded yet.
        let run = world.start("orchestrator", &["run", "--run-id", RUN, "--stream", STREAMS], "log");
        let suspects = world.path("landing/suspects");
        wait_until("suspects", || files(&suspects).iter().any(|file| file.extension().is_some_and(|of| of == "gz")));
        if let Victim::Job(job) = victim {
            // The load may be over before it can be killed; then it is the second one that is.
            kill(run.child(job));
            let mut run = run;
            let code = run.wait();
            assert!(matches!(code, Some(1 | 3)), "{code:?} {}", run.log());
        } else {
            confirming.kill(run, victim);
        }
        confirming.ends_right(&format!("{victim:?} killed after suspects were written"), false);
    }
    world.restore("calm");
    confirming.prepare();
    world.restore("suspected");
    assert_eq!(confirming.marked(), 0, "one reading is no proof");
    confirming.ends_right("nothing of the confirming round was begun", true);
}

#[test]
fn in_and_after_the_second_reading() {
    let confirming = Confirming::new(300, 20, Asking::Lists);
    for victim in [Victim::Orchestrator, Victim::Job("extract-job")] {
        for is_one_done in [false, true] {
            // The second page of the second reading; the first reading's answer may be under way for a moment, too.
            kill_while_asking(&confirming, "page=2&", 1, victim, is_one_done);
        }
    }
}

#[test]
fn while_rows_are_asked_for_by_their_ids() {
    let confirming = Confirming::new(300, 20, Asking::Ids);
    for (victim, is_one_done) in [(Victim::Orchestrator, true), (Victim::Job("extract-job"), false)] {
        kill_while_asking(&confirming, "ids=", 0, victim, is_one_done);
    }
}

/// A kill while requests hang whose query has this text, after as many as are answered: for both streams, or when one is done.
fn kill_while_asking(confirming: &Confirming, query: &str, after: usize, victim: Victim, is_one_done: bool) {
    let world = &confirming.world;
    let hang = |account: usize, path: &str| {
        world.api.script(Fault {
            query_contains: Some(query.to_owned()),
            tenant: Some(ACCOUNTS[account].tenant.to_owned()),
            ..Fault::once(path, FOR_EVER).after(after)
        });
    };
    world.restore("calm");
    world.api.clear_requests();
    hang(1, "/employees");
    if !is_one_done {
        hang(0, "/campaigns");
    }
    let run = world.start("orchestrator", &["run", "--run-id", RUN, "--stream", STREAMS], "log");
    let hangs = |account: usize, path: &str| {
        let path = format!("/{}{path}", ACCOUNTS[account].tenant);
        let requests = world.api.requests().into_iter();
        let that = requests.filter(|of| of.path.ends_with(&path) && of.query.contains(query)).nth(after);
        that.is_some_and(|request| request.status == 0)
    };
    let done = confirming.batch(ACCOUNTS[0].id, "campaigns");
    wait_until("the second reading", || {
        hangs(1, "/employees") && if is_one_done { done.exists() } else { hangs(0, "/campaigns") }
    });
    assert_eq!(confirming.marked(), 0, "one reading is no proof");
    confirming.kill(run, victim);
    assert!(!confirming.batch(ACCOUNTS[1].id, "employees").exists());
    assert_eq!(done.exists(), is_one_done);
    // Half a reading proves nothing; what has landed of the other one may be loaded.
    let marked = confirming.marked();
    assert!(marked < confirming.gone(), "{marked} rows are marked");
    confirming.ends_right(&format!("{victim:?} killed at {query}, one stream done: {is_one_done}"), true);
}

#[test]
fn all_over_the_second_load() {
    let confirming = Confirming::new(1500, 100, Asking::Lists);
    let world = &confirming.world;
    confirming.prepare();
    let arguments = ["--run-id", RUN, "--stream", STREAMS, "--confirm"];
    let start = Instant::now();
    world.call("load-job", &arguments).expect(0);
    let whole = start.elapsed();
    confirming.second.check(&world.warehouse());
    world.save("done");

    let mut killed = 0;
    for attempt in 0..6 {
        world.restore("read");
        let mut load = world.start("load-job", &arguments, "load.log");
        std::thread::sleep(whole.mul_f64((f64::from(attempt) + 0.5) / 6.0));
        killed += usize::from(!load.is_over());
        load.kill();
        confirming.ends_right(&format!("the second load killed at {attempt}/6 of its time"), true);
    }
    assert!(killed >= 3, "only {killed} of 6 loads were still at work when they were killed");

    // As soon as a transaction commits: the suspects are written after it.
    let wal = world.path("w.duckdb.wal");
    let size = || fs::metadata(&wal).map_or(0, |file| file.len());
    for commits in [1, 2] {
        world.restore("read");
        let mut load = world.start("load-job", &arguments, "load.log");
        let (mut seen, mut grown) = (size(), 0);
        while grown < commits && !load.is_over() {
            let now = size();
            grown += u32::from(now > seen);
            seen = now;
        }
        load.kill();
        confirming.ends_right(&format!("the second load killed after commit {commits}"), true);
    }
}

#[test]
fn between_the_second_load_and_its_suspects() {
    let confirming = Confirming::new(300, 20, Asking::Ids);
    let world = &confirming.world;
    confirming.prepare();
    world.call("load-job", &["--run-id", RUN, "--stream", STREAMS, "--confirm"]).expect(0);
    assert_eq!(confirming.marked(), confirming.gone());
    let done = world.warehouse().everything();
    world.save("done");

    // The tables have the marks, and the landing zone still has the suspects, for certain.
    let half = || {
        world.restore("read");
        for place in ["w.duckdb", "w.duckdb.wal"] {
            remove(&world.path(place));
            copy(&world.path("done").join(place), &world.path(place));
        }
    };
    half();
    world.run(&["--run-id", RUN, "--stream", STREAMS]).expect(0);
    assert!(world.warehouse().everything() == done, "the run again changed rows");
    half();
    world.call("load-job", &["--run-id", RUN, "--stream", STREAMS, "--confirm"]).expect(0);
    assert!(world.warehouse().everything() == done, "the second load again changed rows");
    half();
    confirming.ends_right("the second load had committed, but not rewritten the suspects", true);
}

#[test]
fn an_orchestrator_that_dies_during_the_second_load() {
    let confirming = Confirming::new(300, 20, Asking::Ids);
    let world = &confirming.world;
    confirming.prepare();
    let begun = |stage: &str| {
        let folder = world.path(&format!("landing/runs/{RUN}/confirm"));
        files(&folder).iter().any(|file| file.file_name().unwrap().to_string_lossy().starts_with(stage))
    };
    for delay in [0, 40, 120] {
        world.restore("suspected");
        let run = world.start("orchestrator", &["run", "--run-id", RUN, "--stream", STREAMS], "log");
        wait_until("the second load", || begun("load-"));
        std::thread::sleep(Duration::from_millis(delay));
        confirming.kill(run, Victim::Orchestrator);
        confirming.ends_right(&format!("the orchestrator killed {delay} ms into the second load"), true);
    }
}
