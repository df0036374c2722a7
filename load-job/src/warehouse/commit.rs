//! What is written beside the rows, and what it costs.

use super::{Identity, Remember};
use chrono::{DateTime, Utc};
use contract::report::UnitReport;
use contract::run_id::RunId;

/// A load that was applied to a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastApplied {
    /// The run.
    pub run_id: RunId,
    /// When it was applied.
    pub at: DateTime<Utc>,
}

/// What is written in the same transaction as the rows, or right after it.
#[derive(Debug, Clone)]
pub struct Commit<'a> {
    /// The run.
    pub run_id: &'a RunId,
    /// The stage of the log rows.
    pub stage: String,
    /// The one instant of all rows.
    pub synced: DateTime<Utc>,
    /// The unit reports for the log table.
    pub units: &'a [UnitReport],
    /// The table's identity; `None` where there is no table and none is made.
    pub identity: Option<&'a Identity>,
    /// What is remembered of the batches.
    pub remember: &'a [Remember],
}

/// What a warehouse read for a table's load, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Bytes read.
    pub processed: u64,
    /// Bytes billed.
    pub billed: u64,
}

impl Spent {
    /// Divides it among units by their share of the records' bytes; what does not divide goes to the first.
    pub fn share(self, units: &mut [UnitReport]) {
        let weights: Vec<u128> = units.iter().map(|unit| u128::from(unit.bytes.max(1))).collect();
        let all: u128 = weights.iter().sum();
        let part = |of: u64, weight: u128| u64::try_from(u128::from(of) * weight / all.max(1)).unwrap_or(u64::MAX);
        for (unit, weight) in units.iter_mut().zip(&weights) {
            (unit.bytes_processed, unit.bytes_billed) = (part(self.processed, *weight), part(self.billed, *weight));
        }
        let given = |of: fn(&UnitReport) -> u64| units.iter().map(of).sum::<u64>();
        let (processed, billed) = (given(|unit| unit.bytes_processed), given(|unit| unit.bytes_billed));
        if let Some(first) = units.first_mut() {
            first.bytes_processed += self.processed.saturating_sub(processed);
            first.bytes_billed += self.billed.saturating_sub(billed);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use contract::unit::Unit;

    #[test]
    fn costs_are_shared_by_bytes_and_add_up() {
        let unit =
            |bytes| UnitReport { bytes, ..UnitReport::start(&Unit::new("s", "a", "t").unwrap(), "t", Utc::now()) };
        let mut units = [unit(1), unit(3), unit(0)];
        Spent { processed: 101, billed: 10 }.share(&mut units);
        let shares: Vec<(u64, u64)> = units.iter().map(|unit| (unit.bytes_processed, unit.bytes_billed)).collect();
        assert_eq!(shares, [(21, 2), (60, 6), (20, 2)]);
    }
}
