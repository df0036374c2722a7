//! The summary as a person reads it: a table of units, what failed, what to know, one closing line, and what to do next.
//! Nothing here decides how the run ended.

use super::rows::{Row, RowStatus};
use super::{Ran, RunStatus, RunSummary};
use crate::arguments::{go_on, load_again, only_these, run_again};
use crate::stage::Stage;
use comfy_table::{CellAlignment, Table, presets};
use contract::exit::Exit;
use contract::report::Remedy;
use contract::run_id::RunId;
use contract::unit::Unit;
use std::collections::BTreeMap;

/// How many commands are told that single accounts need, and for how many streams each: a line of a message is cut.
const MOST_NEEDS: usize = 5;
const MOST_STREAMS: usize = 8;

/// The whole summary: blocks with a blank line between them.
pub(crate) fn render(summary: &RunSummary) -> String {
    let warning = |row: &Row| row.warnings.iter().map(|text| format!("{}: {text}", row.unit)).collect::<Vec<_>>();
    let warnings: Vec<String> = summary.rows.iter().flat_map(warning).collect();
    let missing = |row: &Row| {
        let rows = if row.suspected == 1 { "row is" } else { "rows are" };
        format!(
            "{}: {} {rows} missing; what is missing again in the next run is marked as deleted",
            row.unit, row.suspected
        )
    };
    let missing: Vec<String> = summary.rows.iter().filter(|row| row.suspected > 0).map(missing).collect();
    let not_due = |row: &Row| Some(format!("{}: {}", row.unit, row.not_due.as_ref()?));
    let not_due: Vec<String> = summary.rows.iter().filter_map(not_due).collect();
    let (well, failed) = summary.counts();
    let s = if well == 1 { "" } else { "s" };
    let word = if summary.status == RunStatus::Interrupted { ", interrupted" } else { "" };
    let time = seconds(summary.duration_ms);
    let mut closing = format!("run {}: {well} unit{s} done, {failed} failed in {time} s{word}", summary.run_id);
    if let Some(next) = &summary.next {
        closing = format!("{closing}\n{next}");
    }
    let units = if summary.rows.is_empty() { String::new() } else { units_table(&summary.rows) };
    let blocks = [
        units,
        section("failed", &summary.errors),
        section("missing", &missing),
        section("warnings", &warnings),
        section("not due", &not_due),
        closing,
    ];
    blocks.iter().map(|block| block.trim_end()).filter(|block| !block.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn section(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = lines.iter().map(|line| format!("\n  {}", line.replace('\n', "\n  "))).collect();
    format!("{title}:{}", lines.concat())
}

fn units_table(rows: &[Row]) -> String {
    let titles = [
        "source",
        "account",
        "stream",
        "table",
        "extracted",
        "inserted",
        "updated",
        "deleted",
        "unchanged",
        "repeated",
        "rejected",
        "seconds",
        "status",
    ];
    let cells = rows.iter().map(|row| {
        let mut cells =
            vec![row.unit.source.clone(), row.unit.account.clone(), row.unit.stream.clone(), row.table.clone()];
        let counts = [row.extracted, row.inserted, row.updated, row.deleted, row.unchanged, row.repeated, row.rejected];
        cells.extend(counts.iter().map(u64::to_string));
        cells.extend([seconds(row.duration_ms), row.told().to_owned()]);
        cells
    });
    table(&titles, 4..12, cells)
}

/// A plain table; the columns of `numbers` are aligned to the right.
pub(crate) fn table(
    titles: &[&str],
    numbers: std::ops::Range<usize>,
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(titles);
    table.add_rows(rows);
    for index in numbers {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let trimmed = |line: String| format!("{}\n", line.strip_prefix(' ').unwrap_or(&line).trim_end());
    table.lines().map(trimmed).collect()
}

/// Seconds with one decimal.
pub(crate) fn seconds(milliseconds: u64) -> String {
    format!("{:.1}", milliseconds as f64 / 1000.0)
}

/// What to do after a run that is not the whole thing.
pub(super) fn next_step(ran: &Ran, exit: Exit, interrupted: bool, landed: bool, rows: &[Row]) -> Option<String> {
    let (pipeline, run_id) = (&ran.pipeline, &ran.run_id);
    if [&ran.extract, &ran.load].into_iter().flatten().any(|stage| stage.end.left_running.is_some()) {
        return Some(format!("to go on with it: {}", ran.again));
    }
    let extract_stopped = ran.load.is_none() && ran.only != Some(Stage::Load);
    if interrupted && extract_stopped {
        return Some(format!("to go on where it stopped: {}", go_on(pipeline, run_id)));
    }
    if exit == Exit::Done {
        let extracted = ran.only == Some(Stage::Extract);
        return extracted.then(|| format!("to load it: {}", load_again(pipeline, run_id)));
    }
    if extract_stopped {
        let load = landed && ran.only == Some(Stage::Extract);
        let mut lines = needs(pipeline, run_id, rows);
        lines.extend(load.then(|| format!("to load what has landed: {}", load_again(pipeline, run_id))));
        return (!lines.is_empty()).then(|| lines.join("\n"));
    }
    let of = |stage: Stage| {
        rows.iter().any(|row| match (row.status, &row.error) {
            (RowStatus::Failed, _) if row.remedy.is_some() => false,
            (RowStatus::Failed, Some((failed, _))) => failed.job() == stage,
            (RowStatus::NotExtracted, _) => stage == Stage::Extract,
            (RowStatus::NotLoaded, _) => stage == Stage::Load,
            _ => false,
        })
    };
    let load_failed =
        of(Stage::Load) || ran.load.as_ref().is_some_and(|load| !matches!(load.exit, Exit::Done | Exit::SomeFailed));
    let mut lines = Vec::new();
    if of(Stage::Extract) {
        lines.push(
            "what failed to extract is untouched in the warehouse; the next run extracts it from where it was"
                .to_owned(),
        );
    }
    if load_failed {
        lines.push(format!("to load again without extracting: {}", load_again(pipeline, run_id)));
    }
    lines.extend(needs(pipeline, run_id, rows));
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What units need that would fail again by themselves: a command for those of one account, since a flag is for nobody else.
fn needs(pipeline: &str, run_id: &RunId, rows: &[Row]) -> Vec<String> {
    let mut needing: BTreeMap<(Remedy, &str, &str), Vec<&Unit>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.status == RowStatus::Failed) {
        if let Some(remedy) = row.remedy {
            needing.entry((remedy, &row.unit.source, &row.unit.account)).or_default().push(&row.unit);
        }
    }
    let line = |(remedy, units): (Remedy, &[&Unit])| {
        let (these, flag) = (only_these(units), remedy.flag().unwrap_or_default());
        match remedy {
            Remedy::Force | Remedy::AllowMassDelete | Remedy::TakeOver => {
                format!("if that is right: {} {these} {flag}", load_again(pipeline, run_id))
            }
            Remedy::FullRefresh => format!("to extract from the start: {} {these} {flag}", run_again(pipeline)),
            Remedy::AnotherRun => format!("to extract again: {} {these}", run_again(pipeline)),
        }
    };
    let commands =
        || needing.iter().flat_map(|((remedy, ..), units)| units.chunks(MOST_STREAMS).map(move |some| (*remedy, some)));
    let mut lines: Vec<String> = commands().take(MOST_NEEDS).map(line).collect();
    let left = commands().skip(MOST_NEEDS).map(|(_, units)| units.len()).sum::<usize>();
    if left > 0 {
        lines.push(format!("and for {left} more units likewise"));
    }
    lines
}
