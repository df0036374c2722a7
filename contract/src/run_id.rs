//! Run ids: `YYYYMMDDTHHMMSSZ-xxxxxx`, the UTC start and six random characters, so that they sort by time.
//! Only texts of that shape are accepted: a run id becomes part of paths, table names and job ids.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Clocks of two machines may differ by so much.
const SKEW: TimeDelta = TimeDelta::minutes(1);

/// The latest moment that is not ahead of the clock.
pub fn latest_moment(now: DateTime<Utc>) -> DateTime<Utc> {
    now + SKEW
}

/// The id of one run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// A text that is no run id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no run id: it looks like 20260131T235900Z-a1b2c3")]
pub struct RunIdError(String);

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
        let time = self.0.split('-').next().unwrap_or_default();
        // Only such texts become an id.
        NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%SZ").map(|time| time.and_utc()).unwrap_or_default()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, RunIdError> {
        let wrong = || RunIdError(text.chars().take(60).collect());
        let (time, suffix) = text.split_once('-').ok_or_else(wrong)?;
        let time_fits = time.len() == 16 && NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%SZ").is_ok();
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
}
