//! What is noted of the statement that was last to write into a table: under which id it was sent, when, and whether it has ended. The note
//! lies in the landing zone, so that the next load waits for a statement that a killed one has left running, whatever account it runs as.
//!
//! BigQuery shows a job to the account that has run it, and to holders of `bigquery.jobs.get`. To any other it answers 403, for a job that is
//! there, and perhaps also for one that is not: nobody can tell these apart, so the note is what a statement is judged by then.

use super::client::Client;
use super::job::Settled;
use crate::warehouse::WarehouseError;
use chrono::{DateTime, TimeDelta, Utc};
use contract::google::retry::scaled;
use contract::landing::Landing;
use contract::stored;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a statement that cannot be seen may still be running. A statement of a load takes seconds to minutes. Should one take longer, two
/// MERGEs exclude each other in BigQuery, and the second one's row count is checked; rows of `write: append` could come twice.
const UNSEEN: Duration = Duration::from_secs(30 * 60);

/// The note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ApplyNote {
    /// The id of its job, without the attempt's number.
    job: String,
    /// The number of the attempt that it began with.
    #[serde(default)]
    attempt: u32,
    /// When it was sent; none in older notes.
    #[serde(default)]
    at: Option<DateTime<Utc>>,
    /// Whether it is known to have ended.
    #[serde(default)]
    ended: bool,
}

/// Where the statement of this load goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Next {
    /// The attempt to begin with.
    pub(super) attempt: u32,
    /// Ids that are taken by jobs that cannot be seen belong to statements that have ended: the next one is tried.
    pub(super) skips_unseen: bool,
}

impl ApplyNote {
    pub(super) fn new(job: &str, attempt: u32) -> Self {
        Self { job: job.to_owned(), attempt, at: Some(Utc::now()), ended: false }
    }

    pub(super) fn ended(self) -> Self {
        Self { ended: true, ..self }
    }

    /// Where the note of a table lies; `stem`: the id of a statement on it.
    fn path(stem: &str) -> String {
        format!("applies/{}.json", stem.rsplit('_').next().unwrap_or_default())
    }

    fn read(client: &Client, landing: &dyn Landing, stem: &str) -> Result<Option<Self>, WarehouseError> {
        let path = Self::path(stem);
        client.runtime.block_on(stored::read(landing, &path)).map_err(|error| WarehouseError::Statement {
            what: format!("read {path}"),
            message: format!(
                "{error}; it only says which statement wrote into the table last: once no load is at work on the table, delete it and load the run again"
            ),
        })
    }

    pub(super) fn write(&self, client: &Client, landing: &dyn Landing) -> Result<(), WarehouseError> {
        let path = Self::path(&self.job);
        client
            .runtime
            .block_on(stored::write(landing, &path, self))
            .map_err(|error| WarehouseError::Statement { what: format!("write {path}"), message: error.to_string() })
    }

    /// Waits for whatever earlier loads have left running on the table, under the id of this load or of another one.
    pub(super) fn settle(
        client: &Client,
        landing: &dyn Landing,
        what: &str,
        stem: &str,
    ) -> Result<Next, WarehouseError> {
        let note = Self::read(client, landing, stem)?;
        let (own, other) = match note {
            Some(note) if note.job == stem => (Some(note), None),
            note => (None, note),
        };
        if let Some(note) = other.filter(|note| !note.ended)
            && let Settled::Unseen(attempt) = client.settle(what, &note.job)?
            && attempt <= note.attempt
        {
            note.outwait(client, what)?;
        }
        let attempt = match client.settle(what, stem)? {
            Settled::Next(attempt) => return Ok(Next { attempt, skips_unseen: false }),
            Settled::Unseen(attempt) => attempt,
        };
        // The note is written before the statement is sent: without it there is none.
        let Some(note) = own else { return Ok(Next { attempt, skips_unseen: false }) };
        // Beyond the attempt that it notes, its job was seen, and has ended.
        if !note.ended && attempt <= note.attempt {
            note.outwait(client, what)?;
        }
        Ok(Next { attempt: attempt.max(note.attempt + 1), skips_unseen: true })
    }

    /// Waits until a statement that cannot be seen has ended in all likelihood.
    fn outwait(&self, client: &Client, what: &str) -> Result<(), WarehouseError> {
        let Self { job, at, .. } = self;
        let left = left(*at, Utc::now(), scaled(UNSEEN));
        tracing::warn!(
            job,
            "the statement that wrote into the table last was run by another account, and this one may not see whether it has ended: grant it \
             bigquery.jobs.get on project {}. {}",
            client.project,
            if left.is_zero() {
                "It was sent long ago: going on".to_owned()
            } else {
                format!("Waiting {} s, then going on", left.as_secs().max(1))
            }
        );
        client.sleep(left, what, job)
    }
}

/// How long a statement is still waited for that was sent then. One of before, whose time nobody knows, is not waited for.
fn left(at: Option<DateTime<Utc>>, now: DateTime<Utc>, bound: Duration) -> Duration {
    let Some(at) = at else { return Duration::ZERO };
    // A clock that is ahead makes no wait longer than the bound.
    let age = (now - at).max(TimeDelta::zero()).to_std().unwrap_or_default();
    bound.saturating_sub(age)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_follows_from_the_age() {
        let now = Utc::now();
        let bound = Duration::from_secs(100);
        for (age, expected) in [(0, 100), (40, 60), (100, 0), (1_000_000, 0), (-1_000, 100)] {
            let at = now - TimeDelta::seconds(age);
            assert_eq!(left(Some(at), now, bound), Duration::from_secs(expected), "{age}");
        }
        assert_eq!(left(None, now, bound), Duration::ZERO);
    }

    #[test]
    fn notes_of_before_are_read() {
        let note: ApplyNote = serde_json::from_str(r#"{"job": "drayage_apply_run_digest"}"#).unwrap();
        assert_eq!((note.attempt, note.at, note.ended), (0, None, false));
        assert_eq!(ApplyNote::path(&note.job), "applies/digest.json");
    }
}
