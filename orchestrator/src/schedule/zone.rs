//! The time zone of a timetable: UTC, or that of this machine (which the variable TZ can name).
//! The one place that turns moments into wall-clock times and back.

use chrono::{DateTime, Local, SecondsFormat, TimeDelta, TimeZone, Utc};
use croner::Cron;
use std::fmt::Display;
use std::str::FromStr;

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    /// Coordinated Universal Time.
    Utc,
    /// The machine's.
    Local,
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "utc" => Ok(Self::Utc),
            "local" => Ok(Self::Local),
            _ => {
                Err("expected `UTC` or `local`; for another zone say `local` and set TZ, for example TZ=Europe/Berlin"
                    .into())
            }
        }
    }
}

impl Zone {
    /// The first time after a moment that a pattern matches.
    pub(super) fn next(self, pattern: &Cron, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Utc => next_in(&Utc, pattern, after),
            Self::Local => next_in(&Local, pattern, after),
        }
    }

    /// A moment with the zone's offset.
    pub(super) fn show(self, at: DateTime<Utc>) -> String {
        match self {
            Self::Utc => show_in(&Utc, at),
            Self::Local => show_in(&Local, at),
        }
    }
}

fn next_in<Tz: TimeZone>(zone: &Tz, pattern: &Cron, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    // Where clocks are set back, wall-clock times are no order: a timetable must never stand still, so it is looked further ahead.
    let starts = [0, 1, 60, 120].map(|minutes| after + TimeDelta::minutes(minutes));
    let found = |start: DateTime<Utc>| pattern.find_next_occurrence(&start.with_timezone(zone), false).ok();
    starts.into_iter().filter_map(found).map(|at| at.with_timezone(&Utc)).find(|at| *at > after)
}

fn show_in<Tz: TimeZone<Offset: Display>>(zone: &Tz, at: DateTime<Utc>) -> String {
    at.with_timezone(zone).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_read() {
        assert_eq!("UTC".parse(), Ok(Zone::Utc));
        assert_eq!("Local".parse(), Ok(Zone::Local));
        assert!("Mars/Olympus".parse::<Zone>().unwrap_err().contains("TZ=Europe/Berlin"));
    }
}
