//! The time zone of a timetable: UTC, that of this machine, or one by its name (`Europe/Berlin`).
//! The one place that turns moments into wall-clock times and back.

use chrono::{DateTime, Local, SecondsFormat, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
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
    /// One of the IANA database.
    Named(Tz),
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "utc" => Ok(Self::Utc),
            "local" => Ok(Self::Local),
            _ => text
                .parse()
                .map(Self::Named)
                .map_err(|_| "expected `UTC`, `local`, or a name like Europe/Berlin".into()),
        }
    }
}

impl Zone {
    /// The first time after a moment that a pattern matches.
    pub(super) fn next(self, pattern: &Cron, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Utc => next_in(&Utc, pattern, after),
            Self::Local => next_in(&Local, pattern, after),
            Self::Named(zone) => next_in(&zone, pattern, after),
        }
    }

    /// A moment with the zone's offset.
    pub(super) fn show(self, at: DateTime<Utc>) -> String {
        match self {
            Self::Utc => show_in(&Utc, at),
            Self::Local => show_in(&Local, at),
            Self::Named(zone) => show_in(&zone, at),
        }
    }
}

fn next_in<Z: TimeZone>(zone: &Z, pattern: &Cron, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    // Where clocks are set back, wall-clock times are no order: a timetable must never stand still, so it is looked further ahead.
    let starts = [0, 1, 60, 120].map(|minutes| after + TimeDelta::minutes(minutes));
    let found = |start: DateTime<Utc>| pattern.find_next_occurrence(&start.with_timezone(zone), false).ok();
    starts.into_iter().filter_map(found).map(|at| at.with_timezone(&Utc)).find(|at| *at > after)
}

fn show_in<Z: TimeZone<Offset: Display>>(zone: &Z, at: DateTime<Utc>) -> String {
    at.with_timezone(zone).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What a pattern matches in Berlin after a moment.
    fn berlin(pattern: &str, after: &str, count: usize) -> Vec<String> {
        let (zone, pattern): (Zone, Cron) = ("Europe/Berlin".parse().unwrap(), pattern.parse().unwrap());
        let first = zone.next(&pattern, after.parse().unwrap());
        let all = std::iter::successors(first, |due| zone.next(&pattern, *due)).take(count);
        all.map(|due| zone.show(due)).collect()
    }

    #[test]
    fn zones_are_read() {
        assert_eq!("UTC".parse(), Ok(Zone::Utc));
        assert_eq!("Local".parse(), Ok(Zone::Local));
        assert_eq!("Europe/Berlin".parse(), Ok(Zone::Named(chrono_tz::Europe::Berlin)));
        assert!("Mars/Olympus".parse::<Zone>().unwrap_err().contains("a name like Europe/Berlin"));
    }

    #[test]
    fn a_time_of_day_stays_where_the_clocks_show_it() {
        assert_eq!(
            berlin("30 4 * * *", "2026-03-28T00:00:00Z", 2),
            ["2026-03-28T04:30:00+01:00", "2026-03-29T04:30:00+02:00"]
        );
    }

    #[test]
    fn a_time_that_is_skipped_is_due_when_the_clocks_have_skipped_it() {
        assert_eq!(
            berlin("30 2 * * *", "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
        );
    }

    #[test]
    fn a_time_that_is_shown_twice_is_due_once() {
        assert_eq!(
            berlin("30 2 * * *", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]
        );
    }

    #[test]
    fn a_rhythm_is_kept_while_the_clocks_are_set_back() {
        let due = berlin("*/30 * * * *", "2026-10-24T23:59:00Z", 6);
        let expected = [
            "2026-10-25T02:00:00+02:00",
            "2026-10-25T02:30:00+02:00",
            "2026-10-25T02:00:00+01:00",
            "2026-10-25T02:30:00+01:00",
            "2026-10-25T03:00:00+01:00",
            "2026-10-25T03:30:00+01:00",
        ];
        assert_eq!(due, expected);
    }
}
