//! Whether a batch may go on in a table: who wrote into it before, and whether it has all that the batch takes for granted.
//! A batch that holds only changes leaves a hole, for ever and without a word, in a table that lacks what came before.

use crate::warehouse::{Applied, Counts, ExistingTable, FULL, TableId, TableName, state_digest};
use chrono::{DateTime, Utc};
use contract::batch::{Batch, BatchMode};
use contract::stored::Checkpoint;
use contract::unit::Unit;
use serde_json::Value;

/// What is known of the table before the batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) table: &'a TableName,
    /// The table, if it is there.
    pub(super) existing: Option<&'a ExistingTable>,
    /// What the warehouse remembers of the unit, and of the table's rows of the unit's account.
    pub(super) remembered: &'a [Applied],
    pub(super) checkpoint: Option<&'a Checkpoint>,
    /// Whether the log has a load of the unit.
    pub(super) loaded_before: bool,
}

impl Known<'_> {
    fn id(&self) -> Option<&TableId> {
        self.existing.and_then(|table| table.id.as_ref())
    }

    /// Whether a batch went into this table, or was empty when there was none yet.
    fn is_here(&self, applied: &Applied) -> bool {
        match &applied.table_id {
            Some(id) => self.id() == Some(id),
            None => applied.table.eq_ignore_ascii_case(&self.table.in_schema()),
        }
    }

    /// Another unit that has written the account's rows of this table.
    pub(super) fn other_writer(&self, unit: &Unit) -> Option<&Unit> {
        let id = self.id()?;
        let mut writers = self.remembered.iter().filter(|applied| applied.table_id.as_ref() == Some(id));
        writers
            .find(|applied| applied.unit.account == unit.account && applied.unit != *unit)
            .map(|applied| &applied.unit)
    }

    /// Whether the table has states that hold no longer once a run is applied: of newer runs, or of another writer.
    pub(super) fn is_superseded_by(&self, batch: &Batch) -> bool {
        let unit = batch.unit();
        let here = self.remembered.iter().filter(|applied| self.is_here(applied));
        here.filter(|applied| applied.unit.account == unit.account)
            .any(|applied| applied.unit != unit || applied.run_id > batch.run_id)
    }

    /// Whether batches were applied before there was a table of this name.
    pub(super) fn has_unclaimed(&self) -> bool {
        self.remembered.iter().any(|applied| applied.table_id.is_none() && self.is_here(applied))
    }

    /// When the newest rows were written that a batch takes for granted: since the last full reading, by whatever batch.
    pub(super) fn newest_written(&self, batch: &Batch) -> Option<DateTime<Utc>> {
        continues(batch)?;
        let mut newest = None;
        let here = self.remembered.iter().filter(|applied| self.is_here(applied));
        for applied in here.filter(|applied| applied.unit.account == batch.account) {
            newest = newest.max(applied.synced);
            if applied.mode == FULL || applied.mode == BatchMode::Snapshot.as_str() {
                break;
            }
        }
        newest
    }

    /// When the rows of this same batch were written, if they were.
    pub(super) fn written_by(&self, batch: &Batch) -> Option<DateTime<Utc>> {
        let mut same = self.remembered.iter().filter(|applied| applied.unit == batch.unit() && self.is_here(applied));
        same.find(|applied| applied.run_id == batch.run_id).and_then(|applied| applied.synced)
    }

    /// Why a batch cannot go on in this table, if it cannot. A full reading and a backfill take nothing for granted.
    pub(super) fn gap(&self, batch: &Batch) -> Option<String> {
        let before = continues(batch)?;
        if self.has(batch, before) || self.is_of_before() && self.is_unknown(batch) {
            return None;
        }
        let why = match self.existing {
            None => "there is no such table any more".to_owned(),
            Some(_) if self.is_another() => {
                "it is another table than the one that the rows before went into: that one was dropped, or `table` or the schema have changed".to_owned()
            }
            Some(_) if !self.remembered.iter().any(|applied| applied.unit == batch.unit() && applied.state.is_some() && self.is_here(applied)) => {
                "it has nothing of the runs before".to_owned()
            }
            Some(_) => "it is not at the state that the batch begins with: the warehouse was restored from a backup, or an older run was applied over newer ones".to_owned(),
        };
        Some(format!(
            "the batch holds only what changed since an earlier run, but table {}: {why}; nothing was loaded; extract the stream again with --full-refresh",
            self.table
        ))
    }

    /// Whether the table has been at this state, or has the batch itself.
    fn has(&self, batch: &Batch, state: &Value) -> bool {
        let (unit, digest) = (batch.unit(), state_digest(state));
        let here = self.remembered.iter().filter(|applied| applied.unit == unit && self.is_here(applied));
        here.filter(|applied| applied.mode != BatchMode::Window.as_str())
            .any(|applied| applied.state.as_ref() == Some(&digest) || applied.run_id == batch.run_id)
    }

    /// Whether the table was there before the warehouse remembered what goes into it, and the unit has been loaded then.
    fn is_of_before(&self) -> bool {
        let is_old = |table: &ExistingTable| table.id.as_ref().is_none_or(TableId::is_of_old_table);
        self.existing.is_some_and(is_old)
            && self.loaded_before
            && self.checkpoint.is_none_or(|checkpoint| checkpoint.table.is_none())
    }

    /// Whether the warehouse remembers no state of the unit, wherever.
    fn is_unknown(&self, batch: &Batch) -> bool {
        !self.remembered.iter().any(|applied| applied.unit == batch.unit() && applied.state.is_some())
    }

    /// Whether the checkpoint names another table.
    fn is_another(&self) -> bool {
        let named = self.checkpoint.and_then(|checkpoint| checkpoint.table.as_deref());
        named.is_some_and(|named| self.id().map(TableId::as_str) != Some(named))
    }
}

/// The state that a batch of changes begins with; `None` for a batch that takes nothing for granted.
pub(super) fn continues(batch: &Batch) -> Option<&Value> {
    batch.state_before.as_ref().filter(|state| !state.is_null() && batch.mode == BatchMode::Incremental)
}

/// Why the rows of an account are not those that the warehouse remembers, if they are not: the table itself was set back.
pub(super) fn set_back(table: &TableName, newest: Option<DateTime<Utc>>, counts: &Counts) -> Option<String> {
    let written = newest.filter(|written| counts.newest.is_none_or(|newest| newest < *written))?;
    Some(format!(
        "the batch holds only what changed since an earlier run, but table {table} lacks the rows that were written into it at {}: it was restored from a backup, or they were removed; nothing was loaded; extract the stream again with --full-refresh",
        written.format("%Y-%m-%d %H:%M:%S UTC")
    ))
}
