//! Old batches and rejects leave a landing folder: by hand, and after each run where the pipeline file says how long they are kept.
//! Always under the lease, so that no run reads what is removed.

use crate::error::RunError;
use crate::trigger;
use chrono::Utc;
use contract::landing;
use contract::lease::Lease;
use contract::pipeline::{Pipeline, Span};
use contract::prune::{self, Act, PruneError, Pruned};
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use std::path::PathBuf;

const PROGRAM: &str = "prune";

/// Prunes the landing folder of a pipeline, if no run is going on.
///
/// # Errors
/// The pipeline file is wrong, its landing zone is a bucket, a run is going on, or the folder cannot be read or changed.
pub(crate) async fn by_hand(path: &str, keep: Option<Span>, act: Act, shutdown: &Shutdown) -> Result<Pruned, RunError> {
    let pipeline = trigger::read(path).await?;
    if pipeline.landing.path().is_none() {
        return Err(RunError::Usage(format!(
            "{} is a bucket: give it a lifecycle rule that deletes what is old under `batches/` and `rejects/`; prune is for folders",
            pipeline.landing
        )));
    }
    let Some(keep) = keep.or(pipeline.keep) else {
        return Err(RunError::Usage(
            "say how long batches and rejects are kept: --keep 30d, or `landing: {path: …, keep: 30d}` in the pipeline file".into(),
        ));
    };
    let landing = landing::open(&pipeline.landing)?;
    let lease = Lease::take_alone(landing, &RunId::new(Utc::now()), PROGRAM, shutdown).await?;
    let pruned = at(&pipeline, keep, act).await;
    if let Err(error) = lease.release().await {
        tracing::warn!(%error, "failed to give the lease back; it expires by itself");
    }
    Ok(pruned?)
}

/// Prunes after a run that still holds its lease, if the pipeline file says how long things are kept. The run's result stands whatever
/// comes of it.
pub(crate) async fn after_run(pipeline: &Pipeline) {
    let Some(keep) = pipeline.keep else { return };
    match at(pipeline, keep, Act::Remove).await {
        Ok(pruned) if pruned == Pruned::default() => {}
        Ok(pruned) => tracing::info!("{}", told(&pruned, Act::Remove)),
        Err(error) => tracing::warn!(%error, "old batches stay"),
    }
}

async fn at(pipeline: &Pipeline, keep: Span, act: Act) -> Result<Pruned, PruneError> {
    let root = PathBuf::from(pipeline.landing.as_str());
    let work = tokio::task::spawn_blocking(move || prune::prune(&root, keep.delta(), Utc::now(), act));
    match work.await {
        Ok(pruned) => pruned,
        // It is never cancelled, so this is a bug's panic, and goes on as one.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// What was removed, in a line.
pub(crate) fn told(pruned: &Pruned, act: Act) -> String {
    let Pruned { batches, rejects, bytes, kept } = pruned;
    let would = if act == Act::Count { "would be " } else { "" };
    let s = |count: u64| if count == 1 { "" } else { "es" };
    let mib = *bytes as f64 / f64::from(1 << 20);
    let stay = if *kept > 0 { format!("; {kept} more are old, but may be needed") } else { String::new() };
    format!(
        "{would}removed: {batches} batch{} and {rejects} files of rejected records, {mib:.1} MiB{stay}",
        s(*batches)
    )
}
