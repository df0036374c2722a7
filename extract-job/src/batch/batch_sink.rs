//! The sink of an extract: the slices of a stream go side by side into parts. A small slice goes into a part together with others; a large
//! one gets parts of its own. A slice counts only when it is whole, so that a part never holds half of one.

use super::block::Block;
use super::part_writer::{PartNumbers, PartWriter};
use super::resume::{self, Resume, StoredSlice};
use super::slice_writer::SliceWriter;
use crate::http::buffers::Buffers;
use crate::read::cpu::Cpu;
use crate::read::page::ReadError;
use crate::read::slice::{Slice, SliceOutcome};
use crate::read::stream_reader::{Opened, RecordSink};
use async_trait::async_trait;
use contract::batch::Part;
use contract::landing::{Landing, LandingError, paths};
use contract::pipeline::Compression;
use contract::round::RunRound;
use contract::unit::Unit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The part of small slices is closed when they have so many bytes (compressed), or have waited so long: then they are safe.
const SHARED_PART: u64 = 16 * 1024 * 1024;
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// So many numbers in a row may be without a part before there is none beyond them: a killed try leaves no more of them open.
const MOST_MISSING: usize = 32;
/// All that parts may have.
const COMPRESSIONS: [Compression; 2] = [Compression::Gzip, Compression::Zstd];

/// Writes one batch's records.
#[derive(Clone)]
pub(crate) struct BatchSink {
    pub(super) shared: Arc<Shared>,
}

/// What the writers of all slices share.
pub(super) struct Shared {
    pub(super) landing: Arc<dyn Landing>,
    pub(super) unit: Unit,
    pub(super) run: RunRound,
    pub(super) compression: Compression,
    pub(super) cpu: Cpu,
    pub(super) buffers: Buffers,
    pub(super) numbers: PartNumbers,
    /// Records and bytes so far, for the progress that is shown.
    pub(super) shown: (AtomicU64, AtomicU64),
    state: Mutex<State>,
}

struct State {
    /// What an earlier try of the run has stored, and what this one adds.
    resume: Resume,
    parts: Vec<Part>,
    records: u64,
    bytes: u64,
    /// The part that small slices share.
    open: Option<SharedPart>,
}

struct SharedPart {
    writer: PartWriter,
    slices: Vec<StoredSlice>,
    bytes: u64,
    since: Instant,
}

/// What a whole slice has left to be stored.
pub(super) struct Finished {
    pub(super) slice: String,
    pub(super) outcome: SliceOutcome,
    /// Parts of its own.
    pub(super) parts: Vec<Part>,
    /// Blocks for the shared part.
    pub(super) blocks: Vec<Block>,
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// What a finished sink has stored.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) parts: Vec<Part>,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Whether a progress file may lie beside them, which nobody needs any more.
    pub(crate) has_progress: bool,
}

impl BatchSink {
    /// A sink that goes on where `resume` stopped.
    pub(crate) fn new(
        landing: Arc<dyn Landing>,
        unit: Unit,
        run: RunRound,
        compression: Compression,
        cpu: Cpu,
        buffers: Buffers,
        resume: Resume,
    ) -> Self {
        let numbers = PartNumbers::after(resume.next_part());
        let (parts, records, bytes) = resume.stored();
        let shown = (AtomicU64::new(records), AtomicU64::new(bytes));
        let state = Mutex::new(State { resume, parts, records, bytes, open: None });
        let shared = Shared { landing, unit, run, compression, cpu, buffers, numbers, shown, state };
        Self { shared: Arc::new(shared) }
    }

    /// Closes the last part.
    pub(crate) async fn finish(self) -> Result<Stored, ReadError> {
        let mut state = self.shared.state.lock().await;
        state.close().await?;
        let mut parts = std::mem::take(&mut state.parts);
        parts.sort_by(|left, right| left.path.cmp(&right.path));
        let has_progress = state.resume.may_be_there();
        Ok(Stored { parts, records: state.records, bytes: state.bytes, has_progress })
    }

    /// After a failure that makes what was read unfit to lie there: no part of it is left, nor would another try go on with it. That is also
    /// true of parts that no list has: of slices that were given up, and of a try that was killed.
    pub(crate) async fn forget(self) {
        let mut state = self.shared.state.lock().await;
        if let Err(error) = state.close().await {
            // What cannot be closed is not stored.
            tracing::debug!(unit = %self.shared.unit, %error, "the last part was not stored");
        }
        state.parts.clear();
        let Shared { landing, unit, run, .. } = &*self.shared;
        let (ours, mut missing) = (self.shared.numbers.next(), 0);
        for number in 0.. {
            missing += 1;
            // An earlier try may have had another `compression`.
            for compression in COMPRESSIONS {
                let path = paths::part(unit, run, number, compression.extension());
                if number >= ours {
                    match landing.read(&path).await {
                        Ok(_) => missing = 0,
                        Err(LandingError::NotFound { .. }) => continue,
                        Err(error) => {
                            tracing::warn!(%unit, %path, %error, "whether a part is there cannot be seen; it is removed");
                        }
                    }
                }
                if let Err(error) = landing.remove(&path).await {
                    tracing::error!(%unit, %path, %error, "what was read, with fields in clear, could not be removed");
                }
            }
            if number < ours {
                missing = 0;
            } else if missing > MOST_MISSING {
                break;
            }
        }
        resume::remove(landing.as_ref(), unit, run).await;
    }

    /// After a failure: what has been read stays stored, so that the next try of this run need not read it again.
    pub(crate) async fn save(self) {
        let mut state = self.shared.state.lock().await;
        // A part that cannot be closed takes its slices with it; those of other parts are kept all the same.
        let closed = state.close().await;
        let written = state.resume.write(&self.shared).await;
        for error in [closed, written].into_iter().filter_map(Result::err) {
            tracing::warn!(unit = %self.shared.unit, %error, "what was read could not be kept for another try");
        }
    }
}

#[async_trait]
impl RecordSink for BatchSink {
    async fn open(&self, slice: &Slice) -> Result<Opened, ReadError> {
        let identity = slice.identity();
        if let Some(outcome) = self.shared.state.lock().await.resume.outcome(&identity) {
            return Ok(Opened::Stored(outcome));
        }
        Ok(Opened::Sink(Box::new(SliceWriter::new(self.shared.clone(), identity))))
    }
}

impl Shared {
    /// Stores a whole slice.
    pub(super) async fn add(&self, finished: Finished) -> Result<(), ReadError> {
        let Finished { slice, outcome, parts, blocks, records, bytes } = finished;
        let mut state = self.state.lock().await;
        state.records += records;
        state.bytes += bytes;
        let stored = StoredSlice::new(slice, &outcome, records, bytes);
        if blocks.is_empty() && parts.is_empty() {
            // Nothing came; that is known as soon as the progress is written.
            state.resume.add(vec![stored], &[]);
            return Ok(());
        }
        if !parts.is_empty() {
            state.resume.add(vec![stored], &parts);
            state.parts.extend(parts);
            return state.resume.write_at_times(self).await;
        }
        let open = match &mut state.open {
            Some(open) => open,
            None => state.open.insert(SharedPart {
                writer: PartWriter::new(self),
                slices: Vec::new(),
                bytes: 0,
                since: Instant::now(),
            }),
        };
        for block in blocks {
            open.bytes += block.compressed.len() as u64;
            open.writer.append(block).await.map_err(landing)?;
        }
        open.slices.push(stored);
        if open.bytes >= SHARED_PART || open.since.elapsed() >= LONGEST_WAIT {
            state.close().await?;
            state.resume.write_at_times(self).await?;
        }
        Ok(())
    }

    /// Shows how far it has come.
    pub(super) fn show(&self, records: u64, bytes: u64) -> (u64, u64) {
        let before =
            (self.shown.0.fetch_add(records, Ordering::Relaxed), self.shown.1.fetch_add(bytes, Ordering::Relaxed));
        (before.0 + records, before.1 + bytes)
    }
}

impl State {
    /// Makes the shared part visible.
    async fn close(&mut self) -> Result<(), ReadError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let parts = open.writer.finish().await.map_err(landing)?;
        self.resume.add(open.slices, &parts);
        self.parts.extend(parts);
        Ok(())
    }
}

pub(super) fn landing(error: LandingError) -> ReadError {
    ReadError(error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
