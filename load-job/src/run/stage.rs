//! One pass over the batches of a table: read, shape on every core, stage; and what was seen on the way.
//! The plan is proven by the pass itself: if all records call for another plan, the rows are staged again under that one.

use super::error::LoadError;
use super::reject::Rejects;
use crate::read::{self, Block, ReadError};
use crate::shape::{BatchContext, ColumnType, Hint, Observed, RejectReason, ShapedBlock, Shaper, TablePlan, Widening};
use crate::warehouse::{Warehouse, WarehouseError};
use arrow::array::RecordBatch;
use contract::batch::Batch;
use contract::landing::Landing;
use contract::shutdown::Shutdown;
use contract::telemetry::{self, Event};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Records that the first plan is drawn from; the pass then proves it or not.
const SAMPLE: usize = 2_000;

/// A batch that is to be staged.
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

/// Stages all inputs; returns the plan they are staged under, and each batch's outcome.
/// `make_plan` gives the plan for what was observed; it must not depend on anything that staging changes.
pub(super) fn stage(
    workers: &Workers<'_>,
    inputs: &[Input],
    warehouse: &mut dyn Warehouse,
    mut make_plan: impl FnMut(&mut dyn Warehouse, &Observed) -> Result<TablePlan, LoadError>,
) -> Result<(TablePlan, Vec<Outcome>), LoadError> {
    // What the hints say of reading holds for the first records as well.
    let blank = Arc::new(make_plan(warehouse, &Observed::default())?);
    let mut plan = make_plan(warehouse, &sample(workers, inputs, &blank)?)?;
    // The second pass has seen everything, so its plan stands; a third would mean a fault in this program.
    for _ in 0..3 {
        let shared = Arc::new(plan.clone());
        let (observed, outcomes) = loop {
            match pass(workers, inputs, warehouse, &shared) {
                Err(LoadError::Warehouse(error @ WarehouseError::OutOfMemory { .. })) => {
                    if !warehouse.take_more_memory()? {
                        return Err(error.into());
                    }
                }
                passed => break passed?,
            }
        };
        let proven = make_plan(warehouse, &observed)?;
        if proven == plan {
            return Ok((plan, outcomes));
        }
        tracing::debug!("the first records did not show all types; staging again with those of all records");
        plan = proven;
    }
    Err(LoadError::Internal("the table's plan does not settle".into()))
}

/// Looks at the first records of each batch.
fn sample(workers: &Workers<'_>, inputs: &[Input], blank: &Arc<TablePlan>) -> Result<Observed, LoadError> {
    let mut observed = Observed::default();
    for input in inputs {
        let mut failure = None;
        let result = read::blocks(workers.landing, workers.runtime, &input.batch, |block| {
            let mut shaper = Shaper::new(blank.clone());
            let end =
                block.data.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).take(SAMPLE).last();
            let lines = &block.data[..end.unwrap_or(block.data.len())];
            match shaper.shape(lines, block.first, &BatchContext::default()) {
                Ok(_) => observed.merge(&shaper.observed()),
                Err(error) => failure = Some(error),
            }
            false
        });
        if let Some(error) = failure {
            return Err(LoadError::Internal(error.to_string()));
        }
        // A damaged part shows again in the pass, where it counts against its batch alone.
        drop(result);
    }
    Ok(observed)
}

struct Job {
    input: usize,
    block: Block,
    seq: u64,
}

fn pass(
    workers: &Workers<'_>,
    inputs: &[Input],
    warehouse: &mut dyn Warehouse,
    plan: &Arc<TablePlan>,
) -> Result<(Observed, Vec<Outcome>), LoadError> {
    let outcomes: Vec<Mutex<Outcome>> = inputs.iter().map(|_| Mutex::default()).collect();
    let observed = Mutex::new(Observed::default());
    let failure: Mutex<Option<LoadError>> = Mutex::new(None);
    let fail = |error: LoadError| {
        failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    };
    let (to_shapers, blocks) = bounded::<Job>(1);
    let (to_stage, rows) = bounded::<RecordBatch>(1);
    let staged = std::thread::scope(|scope| {
        let (outcomes, observed, fail) = (&outcomes, &observed, &fail);
        scope.spawn(move || read_all(workers, inputs, &to_shapers, outcomes));
        for _ in 0..workers.threads.max(1) {
            let (blocks, to_stage, plan) = (blocks.clone(), to_stage.clone(), plan.clone());
            scope.spawn(move || {
                let mut shaper = Shaper::new(plan);
                if let Err(error) = shape_all(&mut shaper, inputs, &blocks, &to_stage, outcomes) {
                    fail(error);
                }
                observed.lock().unwrap_or_else(PoisonError::into_inner).merge(&shaper.observed());
            });
        }
        drop((blocks, to_stage));
        let staged = warehouse.stage(plan, &rows);
        // Unblocks the threads above if staging ended early.
        drop(rows);
        staged
    });
    staged?;
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let outcomes = outcomes.into_iter().map(|outcome| outcome.into_inner().unwrap_or_else(PoisonError::into_inner));
    Ok((observed.into_inner().unwrap_or_else(PoisonError::into_inner), outcomes.collect()))
}

fn read_all(workers: &Workers<'_>, inputs: &[Input], to_shapers: &Sender<Job>, outcomes: &[Mutex<Outcome>]) {
    let mut base = 0;
    for (index, input) in inputs.iter().enumerate() {
        let mut bytes = 0;
        let result = read::blocks(workers.landing, workers.runtime, &input.batch, |block| {
            bytes += block.data.len() as u64;
            let records = block.first;
            let job = Job { input: index, seq: base + block.first, block };
            let going_on = to_shapers.send(job).is_ok() && !workers.shutdown.is_requested();
            telemetry::emit(&Event::Progress {
                stage: "load".into(),
                unit: input.batch.unit(),
                records,
                bytes,
                total: Some(input.batch.records),
            });
            going_on
        });
        if let Err(error) = result {
            outcomes[index].lock().unwrap_or_else(PoisonError::into_inner).error = Some(error);
        }
        base += input.batch.records;
    }
}

fn shape_all(
    shaper: &mut Shaper,
    inputs: &[Input],
    blocks: &Receiver<Job>,
    to_stage: &Sender<RecordBatch>,
    outcomes: &[Mutex<Outcome>],
) -> Result<(), LoadError> {
    for job in blocks {
        let shaped = shaper.shape(&job.block.data, job.seq, &inputs[job.input].context);
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

/// Asks the warehouse whether a column may have another type.
pub(super) struct AskWarehouse<'a> {
    pub(super) warehouse: &'a mut dyn Warehouse,
    pub(super) table: &'a crate::warehouse::TableName,
    /// Whether columns take on the types of their hints.
    pub(super) retype: bool,
}

impl Widening for AskWarehouse<'_> {
    type Error = crate::warehouse::WarehouseError;

    fn is_exact_as_double(&mut self, column: &str) -> Result<bool, Self::Error> {
        self.warehouse.is_exact_as_double(self.table, column)
    }

    fn retypes(&mut self, column: &str, from: ColumnType, to: &Hint) -> Result<Option<bool>, Self::Error> {
        self.retype.then(|| self.warehouse.can_change(self.table, column, from, to)).transpose()
    }
}
