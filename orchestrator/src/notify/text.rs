//! What a message says: a headline, a line for each source and stream that was read, what failed, and how to go on. Slack's mrkdwn, in blocks.
//! Only error texts come from outside; they are stripped of secrets, cut to one line, and escaped.

use super::known::Known;
use crate::arguments::run_again;
use crate::error::RunError;
use crate::stage::Stage;
use crate::summary::rows::{Row, RowStatus};
use crate::summary::{RunStatus, RunSummary};
use contract::report::UnitReport;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Slack's limit of a section's text.
const LONGEST_BLOCK: usize = 3000;
/// How many lines of a kind are shown.
const MOST_SOURCES: usize = 20;
const MOST_STREAMS: usize = 20;
const MOST_UNITS: usize = 10;
const MOST_COMPLAINTS: usize = 5;
/// The most characters of one line, before escaping (which makes five of one at most).
const LONGEST_LINE: usize = 400;
/// What the load says of a snapshot whose deletes it held back.
const UNSTABLE: &str = "deletes are held back";

/// A message: its lines, escaped already. The first is the headline.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    lines: Vec<String>,
}

impl Message {
    /// The body of the request: the headline as text (for notifications), everything in blocks.
    pub(super) fn body(&self) -> Value {
        let mut blocks: Vec<String> = Vec::new();
        for line in &self.lines {
            match blocks.last_mut() {
                Some(block) if block.chars().count() + 1 + line.chars().count() <= LONGEST_BLOCK => {
                    block.push('\n');
                    block.push_str(line);
                }
                _ => blocks.push(line.clone()),
            }
        }
        let section = |text: &String| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } });
        json!({
            "text": self.lines.first().cloned().unwrap_or_default(),
            "blocks": blocks.iter().map(section).collect::<Vec<_>>(),
            // An address in an error is not to be visited by Slack.
            "unfurl_links": false,
            "unfurl_media": false,
        })
    }
}

/// What came of a run.
pub(super) fn of_summary(pipeline: &str, summary: &RunSummary, known: &Known) -> Message {
    let total = summary.rows.iter().fold(Counts::default(), |counts, row| counts.and(row));
    let (well, failed) = summary.counts();
    let all = well + failed;
    let time = span(summary.duration_ms);
    let (icon, what) = match summary.status {
        RunStatus::Done if total.extracted_only => {
            (":white_check_mark:", format!("extracted {}", many(total.extracted, "record")))
        }
        RunStatus::Done if total.changed() == 0 => (":white_check_mark:", "no changes".to_owned()),
        RunStatus::Done => (":white_check_mark:", "done".to_owned()),
        RunStatus::PartlyFailed if well == 0 => (":x:", "nothing is well".to_owned()),
        RunStatus::PartlyFailed => (":warning:", format!("{failed} of {} failed", many(all as u64, "unit"))),
        RunStatus::Failed => (":x:", "the run failed".to_owned()),
        RunStatus::Interrupted => (":x:", "the run was interrupted".to_owned()),
    };
    let mut lines = vec![
        format!("{icon} *{}*: {what}", line(pipeline, known)),
        format!("run `{}`, {}, {time}", summary.run_id, many(all as u64, "unit")),
    ];
    lines.extend(sources(summary));
    lines.extend(cautions(&summary.rows));
    lines.extend(failures(summary, known));
    if summary.status != RunStatus::Done {
        let again = || format!("to run it again: {}", run_again(pipeline));
        let next = summary.next_step().map_or_else(again, str::to_owned);
        lines.extend(next.lines().map(|text| line(text, known)));
    }
    Message { lines }
}

/// That a run could not begin or go on.
pub(super) fn of_error(pipeline: &str, error: &RunError, known: &Known) -> Message {
    let text = error.to_string();
    let mut told = text.lines().map(|text| line(text, known));
    let mut lines = vec![format!(":x: *{}*: there was no run", line(pipeline, known))];
    lines.extend(told.by_ref().take(MOST_UNITS));
    lines.extend(more(told.count()));
    lines.extend(error.hint().map(|hint| line(&hint, known)));
    Message { lines }
}

#[derive(Debug, Default)]
struct Counts {
    inserted: u64,
    updated: u64,
    deleted: u64,
    unchanged: u64,
    extracted: u64,
    /// Nothing was to be loaded.
    extracted_only: bool,
    accounts: BTreeSet<String>,
}

impl Counts {
    fn and(mut self, row: &Row) -> Self {
        self.inserted += row.inserted;
        self.updated += row.updated;
        self.deleted += row.deleted;
        self.unchanged += row.unchanged;
        self.extracted += row.extracted;
        self.extracted_only |= row.status == RowStatus::Extracted;
        self.accounts.insert(row.unit.account.clone());
        self
    }

    fn changed(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }

    fn told(&self) -> String {
        if self.extracted_only {
            return format!("{} extracted", many(self.extracted, "record"));
        }
        let changes = [(self.inserted, "inserted"), (self.updated, "updated"), (self.deleted, "deleted")];
        let mut parts: Vec<String> =
            changes.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        if parts.is_empty() {
            parts.push("no changes".to_owned());
        }
        parts.push(format!("{} unchanged", self.unchanged));
        parts.join(", ")
    }
}

/// A line for each source that was read, and under it one for each of its streams.
fn sources(summary: &RunSummary) -> Vec<String> {
    let mut sources: BTreeMap<&str, (Counts, BTreeMap<&str, Counts>)> = BTreeMap::new();
    for row in summary.rows.iter().filter(|row| row.has_news()) {
        let (counts, streams) = sources.entry(&row.unit.source).or_default();
        *counts = std::mem::take(counts).and(row);
        let counts = streams.entry(&row.unit.stream).or_default();
        *counts = std::mem::take(counts).and(row);
    }
    let mut left = MOST_STREAMS;
    let told = sources.iter().take(MOST_SOURCES).flat_map(|(name, (counts, streams))| {
        let time = span(took(&summary.extract, name) + took(&summary.load, name));
        let accounts = many(counts.accounts.len() as u64, "account");
        let source = format!("• *{}* ({accounts}): {} in {time}", escape(&cut(name)), counts.told());
        // Those that changed something first: where not all can be shown, they matter.
        let mut streams: Vec<(&&str, &Counts)> = streams.iter().collect();
        streams.sort_by_key(|(_, counts)| counts.changed() == 0);
        let shown = streams.len().min(left);
        left -= shown;
        let lines =
            streams.iter().take(shown).map(|(name, counts)| format!("    ◦ {}: {}", escape(&cut(name)), counts.told()));
        let rest = more(streams.len() - shown).map(|rest| format!("    ◦ {rest}"));
        std::iter::once(source).chain(lines).chain(rest).collect::<Vec<_>>()
    });
    let told: Vec<String> = told.collect();
    told.into_iter().chain(more(sources.len().saturating_sub(MOST_SOURCES))).collect()
}

/// From the first start to the last end of a source's units in one stage, in milliseconds.
fn took(reports: &[UnitReport], source: &str) -> u64 {
    let of_source = || reports.iter().filter(|report| report.source == source);
    let first = of_source().map(|report| report.started_at).min();
    let last = of_source().map(|report| report.finished_at).max();
    first.zip(last).map_or(0, |(first, last)| (last - first).num_milliseconds().max(0).unsigned_abs())
}

/// What to know though nothing failed, in numbers.
fn cautions(rows: &[Row]) -> Option<String> {
    let warnings = || rows.iter().flat_map(|row| &row.warnings);
    let unstable = rows.iter().filter(|row| row.warnings.iter().any(|text| text.contains(UNSTABLE))).count() as u64;
    let rejected: u64 = rows.iter().map(|row| row.rejected).sum();
    let counts = [
        (warnings().count() as u64, "warning", ""),
        (unstable, "unstable snapshot", ""),
        (rejected, "record", " rejected"),
    ];
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, what, more)| format!("{}{more}", many(*count, what)))
        .collect();
    (!parts.is_empty()).then(|| format!(":warning: {}", parts.join(", ")))
}

/// What failed: tasks and stages first, then units.
fn failures(summary: &RunSummary, known: &Known) -> Vec<String> {
    let of_units: BTreeSet<String> = summary.rows.iter().filter_map(Row::failure).collect();
    let complaints: Vec<&String> = summary.errors.iter().filter(|error| !of_units.contains(*error)).collect();
    let failed: Vec<&Row> = summary.rows.iter().filter(|row| !row.status.is_well()).collect();
    let mut lines: Vec<String> =
        complaints.iter().take(MOST_COMPLAINTS).map(|error| format!("• {}", line(error, known))).collect();
    lines.extend(more(complaints.len().saturating_sub(MOST_COMPLAINTS)));
    lines.extend(failed.iter().take(MOST_UNITS).map(|row| unit(row, known)));
    lines.extend(more(failed.len().saturating_sub(MOST_UNITS)));
    if !lines.is_empty() {
        lines.insert(0, "*Failed:*".to_owned());
    }
    lines
}

fn unit(row: &Row, known: &Known) -> String {
    let name = escape(&cut(&row.unit.to_string()));
    match (&row.error, row.status) {
        (Some((stage, error)), _) => format!("• `{name}` ({stage}): {}", line(error, known)),
        (None, RowStatus::NotLoaded) => format!("• `{name}` ({}): not loaded", Stage::Load),
        (None, status) => format!("• `{name}`: {}", status.as_str()),
    }
}

fn more(count: usize) -> Option<String> {
    (count > 0).then(|| format!("and {count} more"))
}

/// The first line of a text from outside, fit to be shown.
fn line(text: &str, known: &Known) -> String {
    let stripped = known.strip(text);
    escape(&cut(stripped.trim().lines().next().unwrap_or_default()))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST_LINE {
        return text.to_owned();
    }
    text.chars().take(LONGEST_LINE).chain(['…']).collect()
}

/// The three characters that Slack gives a meaning to in any text.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn many(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A duration in the two units that matter.
fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, _) => format!("{}.{} s", seconds, milliseconds % 1000 / 100),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests;
