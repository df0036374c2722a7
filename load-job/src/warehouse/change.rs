//! The change set: what it follows from, what it would do to each account's rows, and what is left of it after the checks.

use super::WarehouseError;
use crate::shape::{ColumnPlan, TablePlan, Wanted};
use chrono::{DateTime, Utc};
use contract::batch::Write;
use std::sync::Arc;

/// How one account's staged rows meet the target.
#[derive(Debug, Clone)]
pub struct AccountChange {
    /// The account.
    pub account: String,
    /// Whether live rows that are absent are looked for.
    pub may_delete: bool,
    /// Only these of them: each the JSON list of its account and the texts of its key.
    pub named: Option<Vec<String>>,
}

/// All that a change set follows from, beside the staged keys.
#[derive(Debug, Clone)]
pub struct ChangeRequest {
    /// How the table is written.
    pub write: Write,
    /// The table's plan, which follows from all records.
    pub plan: Arc<TablePlan>,
    /// Key columns (without the account), as they are staged; empty for replace and append.
    pub keys: Vec<ColumnPlan>,
    /// The accounts.
    pub accounts: Vec<AccountChange>,
    /// Whether rows of the same content are written anew.
    pub rewrite: bool,
}

#[cfg(feature = "duckdb")]
impl ChangeRequest {
    /// Whether live rows that are absent are looked for, in a table that is there.
    pub(super) fn looks_for_absent(&self) -> bool {
        self.write.marks_absent() && self.accounts.iter().any(|account| account.may_delete)
    }
}

/// What would happen to one account's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Records staged.
    pub staged: u64,
    /// Different keys (rows, for append) among them.
    pub distinct: u64,
    /// Rows that the target does not have.
    pub inserted: u64,
    /// Rows with other content, or restored.
    pub updated: u64,
    /// Live rows that are absent from a snapshot.
    pub deleted: u64,
    /// Rows of the same content.
    pub unchanged: u64,
    /// Staged records that are written if all of this is done. A content that is replaced is written as a whole, so that there may be more of
    /// them than of rows that are new.
    pub written: u64,
    /// Live rows of the account before.
    pub live: u64,
    /// When the newest of the account's rows was written, live or not.
    pub newest: Option<DateTime<Utc>>,
}

/// What is left of a change set after the checks.
#[derive(Debug, Clone, Default)]
pub struct Decision {
    /// Accounts that are left out altogether.
    pub excluded: Vec<String>,
    /// Accounts whose deletes are held back.
    pub keep: Vec<String>,
    /// Absent rows of other accounts that stay as they are, as [`super::ChangeSet::absent`] names them.
    pub spare: Vec<String>,
}

/// Sixty staged records to a word: which sixty, and a bit for each that is to be written. Sixty fit into the whole numbers of every warehouse.
pub(super) const TO_A_WORD: u64 = 60;

/// The staged records that are to be written: all, none, or those that are listed by [`TO_A_WORD`].
pub(super) fn wanted_of(
    counts: &[Counts],
    records: u64,
    listed: impl FnOnce() -> Result<Vec<(u64, u64)>, WarehouseError>,
) -> Result<Wanted, WarehouseError> {
    let sum = |of: fn(&Counts) -> u64| counts.iter().map(of).sum::<u64>();
    let written = sum(|counts| counts.written);
    if written == sum(|counts| counts.staged) {
        return Ok(Wanted::All);
    }
    let mut wanted = Wanted::none_of(records);
    if written == 0 {
        return Ok(wanted);
    }
    for (block, bits) in listed()? {
        let set = (0..TO_A_WORD).filter(|bit| bits >> bit & 1 == 1);
        let numbers = set.map(|bit| block.saturating_mul(TO_A_WORD).saturating_add(bit));
        if let Some(unknown) = numbers.into_iter().find(|number| !wanted.add(*number)) {
            let message = format!("it names record {unknown} of {records}");
            return Err(WarehouseError::Statement { what: "list the rows that change".into(), message });
        }
    }
    Ok(wanted)
}
