//! `progress.json`, beside the parts of a batch that is not complete yet: which slices are stored already. Another try of the same run
//! does not read them again. It lies there only while a batch of several slices is in work; the load knows nothing of it.

use super::batch_sink::Shared;
use super::part_writer::number_of;
use crate::read::page::ReadError;
use crate::read::slice::SliceOutcome;
use crate::record::redaction::Redaction;
use chrono::{DateTime, FixedOffset, Utc};
use contract::batch::Part;
use contract::evidence::Evidence;
use contract::landing::{Landing, paths};
use contract::round::RunRound;
use contract::stored::{self, StoredError};
use contract::unit::Unit;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The version of the format; another one is not used, and everything is read again.
const VERSION: u32 = 3;
/// A try that comes later than this begins anew.
const LONGEST_PAUSE: chrono::TimeDelta = chrono::TimeDelta::hours(12);
/// No more slices than this are noted: the others are read again.
const MOST: usize = 50_000;
/// How often it is written while slices are read.
const EVERY: Duration = Duration::from_secs(10);

/// A slice whose records are stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredSlice {
    slice: String,
    records: u64,
    bytes: u64,
    highest: Option<DateTime<FixedOffset>>,
    evidence: Evidence,
}

/// What the windows were cut from: slices of another plan are not the same slices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Basis {
    /// When the first try began; the windows of all tries end there.
    pub(crate) now: DateTime<Utc>,
    pub(crate) state: Option<Value>,
    pub(crate) range: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// `gz` or `zst`, the manifest's and the settings' digest.
    pub(crate) shape: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct File {
    version: u32,
    basis: Basis,
    slices: Vec<StoredSlice>,
    parts: Vec<Part>,
    /// The fields to be redacted that some record has had.
    redacted: Vec<String>,
}

/// What is stored of a batch so far.
#[derive(Debug)]
pub(crate) struct Resume {
    file: File,
    known: HashMap<String, usize>,
    /// When it was written last; at first, when the try began.
    written: Instant,
    /// Whether the file may be there: an earlier try has left it, or this one has tried to write it.
    may_be_there: bool,
    redaction: Option<Arc<Redaction>>,
}

impl StoredSlice {
    pub(super) fn new(slice: String, outcome: &SliceOutcome, records: u64, bytes: u64) -> Self {
        Self { slice, records, bytes, highest: outcome.highest, evidence: outcome.evidence.clone() }
    }
}

impl Resume {
    /// Nothing is stored yet.
    pub(crate) fn fresh(basis: Basis) -> Self {
        let (slices, parts, redacted) = (Vec::new(), Vec::new(), Vec::new());
        let file = File { version: VERSION, basis, slices, parts, redacted };
        Self { file, known: HashMap::new(), written: Instant::now(), may_be_there: false, redaction: None }
    }

    /// What an earlier try has stored, if it read by the same plan; else a fresh start.
    ///
    /// # Errors
    /// The landing zone refuses.
    pub(crate) async fn read(
        landing: &dyn Landing,
        unit: &Unit,
        run: &RunRound,
        basis: Basis,
    ) -> Result<Self, StoredError> {
        let (found, may_be_there) = match stored::read::<File>(landing, &paths::progress(unit, run)).await {
            Ok(found) => {
                let is_there = found.is_some();
                (found, is_there)
            }
            // What cannot be read is of no use: the slices are read again.
            Err(StoredError::Malformed { .. }) => (None, true),
            Err(error) => return Err(error),
        };
        // After so long the first try's now is too far back: rows may have changed since then.
        let is_recent = |file: &File| basis.now - file.basis.now < LONGEST_PAUSE;
        let fits = |file: &File| {
            file.version == VERSION && is_recent(file) && Basis { now: basis.now, ..file.basis.clone() } == basis
        };
        let Some(file) = found.filter(fits) else { return Ok(Self { may_be_there, ..Self::fresh(basis) }) };
        tracing::info!(%unit, slices = file.slices.len(), "going on with what an earlier try of this run has stored");
        let known = file.slices.iter().enumerate().map(|(place, slice)| (slice.slice.clone(), place)).collect();
        Ok(Self { file, known, written: Instant::now(), may_be_there, redaction: None })
    }

    /// Notes what a redaction finds, beside the slices in which it did; what was found in those that are stored is found.
    #[must_use]
    pub(crate) fn noting(self, redaction: Option<Arc<Redaction>>) -> Self {
        redaction.iter().for_each(|redaction| redaction.recall(&self.file.redacted));
        Self { redaction, ..self }
    }

    /// Whether an earlier try has stored some of it.
    pub(crate) fn goes_on(&self) -> bool {
        !self.file.slices.is_empty()
    }

    /// When the first try began.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.file.basis.now
    }

    /// Whether there may be a file to be removed: asked in vain it costs a call to the landing zone, for every unit.
    pub(super) fn may_be_there(&self) -> bool {
        self.may_be_there
    }

    pub(super) fn next_part(&self) -> usize {
        self.file.parts.iter().filter_map(number_of).max().map_or(0, |highest| highest + 1)
    }

    /// Parts, records and bytes so far.
    pub(super) fn stored(&self) -> (Vec<Part>, u64, u64) {
        let slices = &self.file.slices;
        let (mut records, mut bytes) =
            (slices.iter().map(|slice| slice.records), slices.iter().map(|slice| slice.bytes));
        // They are for people: whether they are right is seen by `batch.json`.
        let sum = |counts: &mut dyn Iterator<Item = u64>| counts.fold(0, u64::saturating_add);
        (self.file.parts.clone(), sum(&mut records), sum(&mut bytes))
    }

    /// What a stored slice has given.
    pub(super) fn outcome(&self, slice: &str) -> Option<SliceOutcome> {
        let stored = self.file.slices.get(*self.known.get(slice)?)?;
        Some(SliceOutcome {
            records: stored.records,
            highest: stored.highest,
            last_token: None,
            evidence: stored.evidence.clone(),
        })
    }

    pub(super) fn add(&mut self, slices: Vec<StoredSlice>, parts: &[Part]) {
        // A stream that is one slice has nothing to go on with.
        let slices: Vec<_> = slices.into_iter().filter(|slice| !slice.slice.is_empty()).collect();
        if slices.is_empty() || self.file.slices.len() >= MOST {
            return;
        }
        self.file.slices.extend(slices);
        self.file.parts.extend_from_slice(parts);
    }

    pub(super) async fn write_at_times(&mut self, shared: &Shared) -> Result<(), ReadError> {
        if self.written.elapsed() < EVERY {
            return Ok(());
        }
        self.write(shared).await
    }

    pub(super) async fn write(&mut self, shared: &Shared) -> Result<(), ReadError> {
        if self.file.slices.is_empty() {
            return Ok(());
        }
        let path = paths::progress(&shared.unit, &shared.run);
        if let Some(redaction) = &self.redaction {
            self.file.redacted = redaction.found();
        }
        self.may_be_there = true;
        stored::write(shared.landing.as_ref(), &path, &self.file)
            .await
            .map_err(|error| ReadError(error.to_string()))?;
        self.written = Instant::now();
        Ok(())
    }
}

/// The batch is complete: nobody goes on with it.
pub(crate) async fn remove(landing: &dyn Landing, unit: &Unit, run: &RunRound) {
    if let Err(error) = landing.remove(&paths::progress(unit, run)).await {
        tracing::debug!(%unit, %error, "the progress file stays");
    }
}
