//! One row for each unit, from what both stages and the plan say of it.
//! A unit that nobody reports has not been done, whatever the exit codes say.

use crate::stage::Stage;
use contract::report::{Remedy, UnitReport, UnitStatus};
use contract::unit::Unit;
use std::collections::BTreeMap;

/// How a unit ended, both stages taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowStatus {
    /// Loaded.
    Done,
    /// Nothing was to be done.
    Skipped,
    /// Extracted; nobody asked for more.
    Extracted,
    /// The extract never got to it, or died over it.
    NotExtracted,
    /// Extracted, but the load did not get to it.
    NotLoaded,
    /// A stage says that it failed.
    Failed,
}

impl RowStatus {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Extracted => "extracted",
            Self::NotExtracted => "not extracted",
            Self::NotLoaded => "not loaded",
            Self::Failed => "failed",
        }
    }
}

/// One unit of a run.
#[derive(Debug, Clone)]
pub struct Row {
    /// The unit.
    pub unit: Unit,
    /// Target table; empty if nobody got to know it.
    pub table: String,
    /// How it ended.
    pub status: RowStatus,
    /// Records received from the API, or read from the batch.
    pub extracted: u64,
    /// Rows inserted.
    pub inserted: u64,
    /// Rows updated or restored.
    pub updated: u64,
    /// Rows marked as deleted.
    pub deleted: u64,
    /// Rows that are missing, and not marked as deleted yet.
    pub suspected: u64,
    /// Rows whose content was the same.
    pub unchanged: u64,
    /// Records that came more than once.
    pub repeated: u64,
    /// Records kept under `rejects/`.
    pub rejected: u64,
    /// Both stages together, in milliseconds.
    pub duration_ms: u64,
    /// The stage that failed and its error.
    pub error: Option<(Stage, String)>,
    /// What it needs, where another try alone would fail again.
    pub remedy: Option<Remedy>,
    /// Warnings of both stages.
    pub warnings: Vec<String>,
    /// Why it was not read in this run, as the pipeline file wants it.
    pub not_due: Option<String>,
}

impl Row {
    fn new(unit: Unit) -> Self {
        Self {
            unit,
            table: String::new(),
            status: RowStatus::NotExtracted,
            extracted: 0,
            inserted: 0,
            updated: 0,
            deleted: 0,
            suspected: 0,
            unchanged: 0,
            repeated: 0,
            rejected: 0,
            duration_ms: 0,
            error: None,
            remedy: None,
            warnings: Vec::new(),
            not_due: None,
        }
    }

    fn add(&mut self, stage: Stage, report: &UnitReport) {
        self.table.clone_from(&report.table);
        // A retried extract skips what is complete and received nothing; the load has read the batch all the same.
        if Stage::FIRST.contains(&stage) {
            self.extracted = self.extracted.max(report.rows_extracted);
        }
        self.inserted += report.rows_inserted;
        self.updated += report.rows_updated;
        self.deleted += report.rows_deleted;
        self.suspected = report.rows_suspected;
        if Stage::FIRST.contains(&stage) {
            self.unchanged += report.rows_unchanged;
            self.repeated += report.rows_repeated;
            self.rejected += report.rows_rejected;
        } else {
            // Of a second reading, what the first one did not have.
            self.extracted += report.rows_inserted + report.rows_updated;
        }
        self.not_due = self.not_due.take().or_else(|| report.not_due.clone());
        self.duration_ms += report.duration_ms;
        for warning in &report.warnings {
            if !self.warnings.contains(warning) {
                self.warnings.push(warning.clone());
            }
        }
        // What failed to extract cannot be loaded; the cause is told, not its consequence.
        if report.status == UnitStatus::Failed && self.error.is_none() {
            let error = report.error.clone().unwrap_or_else(|| "no reason was given".into());
            self.error = Some((stage, error));
            self.remedy = report.remedy;
        }
    }

    /// Whether something was read or loaded of it, well.
    pub(crate) fn has_news(&self) -> bool {
        matches!(self.status, RowStatus::Done | RowStatus::Extracted)
    }

    /// How it ended, in a word.
    pub(crate) fn told(&self) -> &'static str {
        if self.not_due.is_some() { "not due" } else { self.status.as_str() }
    }

    /// What went wrong with the unit, in words; `None` if all is well.
    pub(crate) fn failure(&self) -> Option<String> {
        let unit = &self.unit;
        match (self.status, &self.error) {
            (RowStatus::Failed, Some((stage, error))) => Some(format!("{stage} {unit}: {error}")),
            (RowStatus::Failed, None) => Some(format!("{unit}: failed")),
            (RowStatus::NotExtracted, _) => Some(format!("extract {unit}: no task has reported it")),
            (RowStatus::NotLoaded, _) => Some(format!("load {unit}: extracted, but not loaded")),
            (RowStatus::Done | RowStatus::Skipped | RowStatus::Extracted, _) => None,
        }
    }
}

/// The rows, sorted by unit.
pub(crate) fn join(planned: &[Unit], extract: &[UnitReport], load: &[UnitReport], only: Option<Stage>) -> Vec<Row> {
    let by_unit = |reports: &[UnitReport]| -> BTreeMap<Unit, UnitReport> {
        reports.iter().map(|report| (report.unit(), report.clone())).collect()
    };
    let (extracts, loads) = (by_unit(extract), by_unit(load));
    let mut units: Vec<&Unit> = planned.iter().chain(extracts.keys()).chain(loads.keys()).collect();
    units.sort();
    units.dedup();
    let row = |unit: &Unit| {
        let mut row = Row::new(unit.clone());
        let (extract, load) = (extracts.get(unit), loads.get(unit));
        for (stage, report) in [(Stage::Extract, extract), (Stage::Load, load)] {
            if let Some(report) = report {
                row.add(stage, report);
            }
        }
        row.status = status(extract.map(|report| report.status), load.map(|report| report.status), only);
        row
    };
    units.into_iter().map(row).collect()
}

/// Adds what the confirming round has done.
pub(crate) fn confirm(rows: &mut [Row], extract: &[UnitReport], load: &[UnitReport]) {
    for (stage, reports) in [(Stage::ConfirmExtract, extract), (Stage::ConfirmLoad, load)] {
        for report in reports {
            let Some(row) = rows.iter_mut().find(|row| row.unit == report.unit()) else { continue };
            let suspected = row.suspected;
            row.add(stage, report);
            if stage == Stage::ConfirmExtract || report.status == UnitStatus::Failed {
                row.suspected = suspected;
            }
            if report.status == UnitStatus::Failed {
                row.status = RowStatus::Failed;
            }
        }
    }
}

fn status(extract: Option<UnitStatus>, load: Option<UnitStatus>, only: Option<Stage>) -> RowStatus {
    use UnitStatus::{Done, Failed, Skipped};
    match (extract, load) {
        (Some(Failed), _) | (_, Some(Failed)) => RowStatus::Failed,
        (_, Some(Done)) => RowStatus::Done,
        (_, Some(Skipped)) => RowStatus::Skipped,
        (Some(Done | Skipped), None) if only == Some(Stage::Extract) => RowStatus::Extracted,
        (Some(Done), None) => RowStatus::NotLoaded,
        (Some(Skipped), None) => RowStatus::Skipped,
        (None, None) => RowStatus::NotExtracted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_of_a_unit() {
        use UnitStatus::{Done, Failed, Skipped};
        let both = None;
        let table = [
            (Some(Done), Some(Done), both, RowStatus::Done),
            (Some(Skipped), Some(Done), both, RowStatus::Done),
            (Some(Done), Some(Skipped), both, RowStatus::Skipped),
            (Some(Done), Some(Failed), both, RowStatus::Failed),
            (Some(Failed), Some(Skipped), both, RowStatus::Failed),
            (Some(Done), None, both, RowStatus::NotLoaded),
            (Some(Skipped), None, both, RowStatus::Skipped),
            (None, None, both, RowStatus::NotExtracted),
            (Some(Done), None, Some(Stage::Extract), RowStatus::Extracted),
            (Some(Failed), None, Some(Stage::Extract), RowStatus::Failed),
            (None, Some(Done), Some(Stage::Load), RowStatus::Done),
        ];
        for (extract, load, only, expected) in table {
            assert_eq!(status(extract, load, only), expected, "{extract:?} {load:?} {only:?}");
        }
    }
}
