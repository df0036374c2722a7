//! Run ids: `YYYYMMDDTHHMMSSZ-xxxxxx`, the UTC start and six random characters, so that they sort by time.
//! Only texts of that shape are accepted: a run id becomes part of paths, table names and job ids.

use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeDelta, Utc};
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How far ahead of this machine's clock an id may be: that of the orchestrator's machine may differ so much.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(1);

/// The latest moment that is not ahead of the clock.
pub fn latest_moment(now: DateTime<Utc>) -> DateTime<Utc> {
    now + CLOCKS_DIFFER
}

/// The id of one run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// Why a text cannot be the id of the run that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunIdError {
    /// It is none.
    #[error("`{0}` is no run id: it looks like 20260131T235900Z-a1b2c3")]
    Malformed(String),
    /// It would be newer than every run to come, whose batches would then be refused as older.
    #[error(
        "run {run_id} lies in the future: it is {now} by this machine's clock; set the clock that is wrong (`date -u`), or give no run id, \
         so that a new one is made"
    )]
    Ahead {
        /// The id.
        run_id: RunId,
        /// The clock.
        now: String,
    },
}

impl RunId {
    /// A new id for a run that starts now.
    pub fn new(now: DateTime<Utc>) -> Self {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let mut rng = rand::rng();
        let suffix: String = (0..6).map(|_| LETTERS[rng.random_range(0..LETTERS.len())] as char).collect();
        Self(format!("{}-{suffix}", now.format("%Y%m%dT%H%M%SZ")))
    }

    /// When the run began, by its id.
    pub fn started(&self) -> DateTime<Utc> {
        // Only texts that have a time become an id.
        begun_at(&self.0).unwrap_or_default()
    }

    /// An id that a person or a program asks for: one of a run that has begun, or begins now.
    ///
    /// # Errors
    /// A text that is no run id, or one from the future.
    pub fn asked_for(text: &str) -> Result<Self, RunIdError> {
        let (run_id, now) = (text.parse::<Self>()?, Utc::now());
        if run_id.is_ahead_of(now) {
            return Err(RunIdError::Ahead { run_id, now: now.to_rfc3339_opts(SecondsFormat::Secs, true) });
        }
        Ok(run_id)
    }

    /// Whether it lies in the future, by this machine's clock: a clock was wrong when it was made.
    pub fn is_ahead(&self) -> bool {
        self.is_ahead_of(Utc::now())
    }

    fn is_ahead_of(&self, now: DateTime<Utc>) -> bool {
        self.started() > latest_moment(now)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn begun_at(text: &str) -> Option<DateTime<Utc>> {
    let (time, _) = text.split_once('-')?;
    NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%SZ").ok().map(|time| time.and_utc())
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, RunIdError> {
        let wrong = || RunIdError::Malformed(text.chars().take(60).collect());
        let (time, suffix) = text.split_once('-').ok_or_else(wrong)?;
        let time_fits = time.len() == 16 && begun_at(text).is_some();
        let suffix_fits = suffix.len() == 6 && suffix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if time_fits && suffix_fits { Ok(Self(text.to_owned())) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for RunId {
    type Error = RunIdError;

    fn try_from(text: String) -> Result<Self, RunIdError> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_read_back() {
        let early = RunId::new("2026-01-31T23:59:00Z".parse().unwrap());
        let late = RunId::new("2026-02-01T00:00:00Z".parse().unwrap());
        assert!(early < late);
        assert_eq!(early.as_str().parse::<RunId>().unwrap(), early);
        assert_eq!(early.started().to_rfc3339(), "2026-01-31T23:59:00+00:00");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "latest", "20260131T235900Z", "20260131T235900Z-A1b2c3", "20261331T235900Z-a1b2c3", "../x-a1b2c3"]
        {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_id_from_the_future_is_no_run_that_can_be_asked_for() {
        let now: DateTime<Utc> = "2026-01-31T23:59:00Z".parse().unwrap();
        for (text, is_ahead) in [
            ("20260131T235900Z-a1b2c3", false),
            ("20260201T000000Z-a1b2c3", false),
            ("20260201T000001Z-a1b2c3", true),
            ("20991231T235959Z-a1b2c3", true),
            ("20160229T000000Z-a1b2c3", false),
        ] {
            assert_eq!(text.parse::<RunId>().unwrap().is_ahead_of(now), is_ahead, "{text}");
        }
        assert!(RunId::asked_for(RunId::new(Utc::now()).as_str()).is_ok());
        let ahead = RunId::new(Utc::now() + TimeDelta::seconds(90));
        let error = RunId::asked_for(ahead.as_str()).unwrap_err().to_string();
        assert!(error.contains(ahead.as_str()) && error.contains("give no run id"), "{error}");
    }
}
