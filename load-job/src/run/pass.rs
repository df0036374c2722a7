//! One pass over the batches of a table: read, shape on every core, hand on to the warehouse; and what was seen on the way.
//! The first pass keeps of each record what decides about it, the second one makes rows of those that change.

use super::error::LoadError;
use super::reject::Rejects;
use crate::read::{self, Block, ReadError};
use crate::shape::{
    BatchContext, ColumnType, Hint, Observed, RejectReason, ShapedBlock, Shaper, TablePlan, Wanted, Widening,
};
use crate::warehouse::{Target, WarehouseError};
use arrow::array::RecordBatch;
use contract::batch::Batch;
use contract::landing::Landing;
use contract::shutdown::Shutdown;
use contract::telemetry::{self, Event};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;

/// Records that the types of a new table's keys are guessed from; the pass over all of them shows whether they are right.
const SAMPLE: usize = 2_000;

/// So many small objects of the landing zone are read or written at the same time.
pub(super) const SIDE_BY_SIDE: usize = 16;

/// A batch that is to be loaded.
pub(super) struct Input {
    pub(super) batch: Batch,
    pub(super) context: BatchContext,
}

/// What became of a batch in a pass.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) rejects: Rejects,
    pub(super) error: Option<ReadError>,
}

/// Where the pieces of a pass run.
pub(super) struct Workers<'a> {
    pub(super) landing: &'a dyn Landing,
    pub(super) runtime: &'a Handle,
    pub(super) threads: usize,
    pub(super) shutdown: &'a Shutdown,
}

/// So many batches are read at the same time: most are small, and take longer to be opened than to be read.
const READERS: usize = 4;

/// What a pass reads.
pub(super) struct Reading<'a> {
    pub(super) inputs: &'a [Input],
    /// The records, numbered over all inputs.
    pub(super) wanted: &'a Wanted,
    /// Inputs that are left out.
    pub(super) excluded: &'a [bool],
    /// Whether it is the first pass, which tells how far it is, and keeps blocks for the second.
    pub(super) is_first: bool,
    /// What the first pass keeps for the second.
    pub(super) kept: &'a Kept,
}

/// So many bytes are kept between the passes.
const MOST_KEPT: usize = 4 << 20;

/// The blocks of small batches, from the first pass for the second: those are not opened twice.
#[derive(Default)]
pub(super) struct Kept(Mutex<KeptBlocks>);

#[derive(Default)]
struct KeptBlocks {
    jobs: Vec<Job>,
    bytes: usize,
    /// All blocks of the first pass are there.
    is_whole: bool,
    overflows: bool,
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, KeptBlocks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, job: &Job) {
        let mut kept = self.lock();
        kept.bytes += job.block.data.len();
        if kept.bytes > MOST_KEPT {
            kept.overflows = true;
            kept.jobs = Vec::new();
        } else {
            kept.jobs.push(job.clone());
        }
    }

    /// The first pass is over; `is_right`: it has read everything.
    fn end(&self, is_right: bool) {
        let mut kept = self.lock();
        kept.is_whole = is_right && !kept.overflows;
        if !kept.is_whole {
            kept.jobs = Vec::new();
        }
    }

    /// The blocks of the pass before, if all are there.
    fn take(&self) -> Option<Vec<Job>> {
        let mut kept = self.lock();
        kept.is_whole.then(|| std::mem::take(&mut kept.jobs))
    }
}

/// What a pass has brought.
pub(super) struct Passed<T> {
    pub(super) staged: T,
    pub(super) observed: Observed,
    /// One for each input.
    pub(super) outcomes: Vec<Outcome>,
}

/// Reads, shapes, and hands the rows to `stage`, which takes them until the channel closes.
pub(super) fn pass<T>(
    workers: &Workers<'_>,
    reading: &Reading<'_>,
    shaper: impl Fn() -> Shaper + Sync,
    stage: impl FnOnce(&Receiver<RecordBatch>) -> Result<T, WarehouseError>,
) -> Result<Passed<T>, LoadError> {
    let outcomes: Vec<Mutex<Outcome>> = reading.inputs.iter().map(|_| Mutex::default()).collect();
    let observed = Mutex::new(Observed::default());
    let failure: Mutex<Option<LoadError>> = Mutex::new(None);
    let fail = |error: LoadError| {
        failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    };
    let (to_shapers, blocks) = bounded::<Job>(1);
    let (to_stage, rows) = bounded::<RecordBatch>(1);
    let staged = std::thread::scope(|scope| {
        let (outcomes, observed, fail, shaper) = (&outcomes, &observed, &fail, &shaper);
        scope.spawn(move || hand_on(workers, reading, to_shapers, outcomes));
        for _ in 0..workers.threads.max(1) {
            let (blocks, to_stage) = (blocks.clone(), to_stage.clone());
            scope.spawn(move || {
                let mut shaper = shaper();
                if let Err(error) = shape_all(&mut shaper, reading, &blocks, &to_stage, outcomes) {
                    fail(error);
                }
                observed.lock().unwrap_or_else(PoisonError::into_inner).merge(&shaper.observed());
            });
        }
        drop((blocks, to_stage));
        let staged = stage(&rows);
        // Unblocks the threads above if staging ended early.
        drop(rows);
        staged
    });
    let staged = staged?;
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let outcomes = outcomes.into_iter().map(|outcome| outcome.into_inner().unwrap_or_else(PoisonError::into_inner));
    Ok(Passed {
        staged,
        observed: observed.into_inner().unwrap_or_else(PoisonError::into_inner),
        outcomes: outcomes.collect(),
    })
}

/// What the first records show: enough to guess the types of a new table's keys.
pub(super) fn sample(workers: &Workers<'_>, inputs: &[Input], blank: &Arc<TablePlan>) -> Result<Observed, LoadError> {
    let mut shaper = Shaper::of_keys(blank.clone(), &[], &[]);
    let Some(input) = inputs.iter().find(|input| input.batch.records > 0) else { return Ok(Observed::default()) };
    let mut failure = None;
    let all = |_: Range<u64>| true;
    let result = read::blocks(workers.landing, workers.runtime, &input.batch, all, |block| {
        let ends = memchr::memchr_iter(b'\n', &block.data).map(|at| at + 1);
        let lines = &block.data[..ends.take(SAMPLE).last().unwrap_or(block.data.len())];
        let shaped = shaper.shape(lines, block.first, &BatchContext::default(), &Wanted::All);
        failure = shaped.err();
        false
    });
    if let Some(error) = failure {
        return Err(LoadError::Internal(error.to_string()));
    }
    // A damaged part shows again in the pass, where it counts against its batch alone.
    drop(result);
    Ok(shaper.observed())
}

#[derive(Clone)]
struct Job {
    input: usize,
    block: Block,
    seq: u64,
}

/// Hands all blocks to the shapers: those that were kept, else those that are read.
fn hand_on(workers: &Workers<'_>, reading: &Reading<'_>, to_shapers: Sender<Job>, outcomes: &[Mutex<Outcome>]) {
    if let Some(jobs) = reading.kept.take() {
        for job in jobs.into_iter().filter(|job| !reading.excluded[job.input]) {
            if to_shapers.send(job).is_err() {
                return;
            }
        }
        return;
    }
    let mut base = 0;
    let places = reading.inputs.iter().enumerate().map(|(index, input)| {
        let first = base;
        base += input.batch.records;
        (index, first)
    });
    let places: Vec<(usize, u64)> = places.filter(|(index, _)| !reading.excluded[*index]).collect();
    let next = AtomicUsize::new(0);
    let is_right = AtomicBool::new(true);
    std::thread::scope(|scope| {
        for _ in 0..READERS.min(places.len()) {
            let to_shapers = to_shapers.clone();
            scope.spawn(|| {
                let to_shapers = to_shapers;
                while let Some((index, first)) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match read_one(workers, reading, (*index, *first), &to_shapers, outcomes) {
                        Ended::Whole => {}
                        Ended::Broken => is_right.store(false, Ordering::Relaxed),
                        Ended::Stopped => return is_right.store(false, Ordering::Relaxed),
                    }
                }
            });
        }
    });
    if reading.is_first {
        reading.kept.end(is_right.into_inner());
    }
}

/// How the reading of a batch ended.
enum Ended {
    Whole,
    Broken,
    /// Nobody wants more.
    Stopped,
}

/// Reads one batch, whose records are numbered from `first`.
fn read_one(
    workers: &Workers<'_>,
    reading: &Reading<'_>,
    (index, first): (usize, u64),
    to_shapers: &Sender<Job>,
    outcomes: &[Mutex<Outcome>],
) -> Ended {
    let input = &reading.inputs[index];
    let (mut bytes, mut going_on) = (0, true);
    let is_wanted = |part: Range<u64>| reading.wanted.has_any(first + part.start..first + part.end);
    let result = read::blocks(workers.landing, workers.runtime, &input.batch, is_wanted, |block| {
        bytes += block.data.len() as u64;
        let records = block.first;
        let job = Job { input: index, seq: first + block.first, block };
        if reading.is_first {
            reading.kept.keep(&job);
        }
        going_on = to_shapers.send(job).is_ok() && !workers.shutdown.is_requested();
        if reading.is_first {
            telemetry::emit(&Event::Progress {
                stage: "load".into(),
                unit: input.batch.unit(),
                records,
                bytes,
                total: Some(input.batch.records),
            });
        }
        going_on
    });
    match result {
        Err(error) => {
            outcomes[index].lock().unwrap_or_else(PoisonError::into_inner).error = Some(error);
            Ended::Broken
        }
        Ok(()) if going_on => Ended::Whole,
        Ok(()) => Ended::Stopped,
    }
}

fn shape_all(
    shaper: &mut Shaper,
    reading: &Reading<'_>,
    blocks: &Receiver<Job>,
    to_stage: &Sender<RecordBatch>,
    outcomes: &[Mutex<Outcome>],
) -> Result<(), LoadError> {
    for job in blocks {
        let context = &reading.inputs[job.input].context;
        let shaped = shaper.shape(&job.block.data, job.seq, context, reading.wanted);
        let ShapedBlock { rows, rejects } = shaped.map_err(|error| LoadError::Internal(error.to_string()))?;
        if !rejects.is_empty() {
            let mut outcome = outcomes[job.input].lock().unwrap_or_else(PoisonError::into_inner);
            for (range, reason) in rejects {
                let is_misfit = matches!(reason, RejectReason::KeyMisfit(..));
                let added = outcome.rejects.add(&job.block.data[range], &reason.to_string(), is_misfit);
                added.map_err(|error| LoadError::Internal(format!("a reject cannot be kept: {error}")))?;
            }
        }
        drop(job);
        if rows.num_rows() > 0 && to_stage.send(rows).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Asks about the table whether a column may have another type.
pub(super) struct AskTarget<'a> {
    pub(super) target: &'a mut dyn Target,
    /// Whether columns take on the types of their hints.
    pub(super) retype: bool,
}

impl Widening for AskTarget<'_> {
    type Error = WarehouseError;

    fn is_exact_as_double(&mut self, column: &str) -> Result<bool, Self::Error> {
        self.target.is_exact_as_double(column)
    }

    fn retypes(&mut self, column: &str, from: ColumnType, to: &Hint) -> Result<Option<bool>, Self::Error> {
        self.retype.then(|| self.target.can_change(column, from, to)).transpose()
    }
}
