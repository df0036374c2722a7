//! When runs are due: times of day or a cron pattern, in a time zone.
//! A time that the clocks skip in spring is due when they have skipped it; one that they show twice in autumn is due once.

use super::zone::Zone;
use chrono::{DateTime, NaiveTime, Timelike, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// More due times than this are not counted.
pub(super) const MOST_COUNTED: usize = 1000;

/// A list of patterns; a run is due whenever one of them is.
#[derive(Debug, Clone)]
pub(crate) struct Timetable {
    patterns: Vec<Cron>,
    zone: Zone,
}

impl Timetable {
    /// Every day at these times.
    ///
    /// # Errors
    /// None is known; the pattern library could refuse.
    pub(crate) fn at(times: &[NaiveTime], zone: Zone) -> Result<Self, String> {
        let pattern = |time: &NaiveTime| format!("{} {} {} * * *", time.second(), time.minute(), time.hour());
        let patterns = times.iter().map(|time| parse(&pattern(time))).collect::<Result<_, _>>()?;
        Ok(Self { patterns, zone })
    }

    /// Whenever a cron pattern matches: five fields (minute, hour, day, month, weekday), or six with seconds first.
    ///
    /// # Errors
    /// What is wrong with it, or that it never matches.
    pub(crate) fn cron(pattern: &str, zone: Zone) -> Result<Self, String> {
        let timetable = Self { patterns: vec![parse(pattern)?], zone };
        if timetable.next(Utc::now()).is_none() {
            return Err("it never comes".into());
        }
        Ok(timetable)
    }

    /// The first due time after a moment; `None` if there is none any more.
    pub(crate) fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.patterns.iter().filter_map(|pattern| self.zone.next(pattern, after)).min()
    }

    /// How many due times lie after the one moment and not after the other; at most [`MOST_COUNTED`].
    pub(crate) fn passed(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> usize {
        std::iter::successors(self.next(after), |due| self.next(*due))
            .take_while(|due| *due <= until)
            .take(MOST_COUNTED)
            .count()
    }

    /// A moment as the zone's clocks show it.
    pub(crate) fn show(&self, at: DateTime<Utc>) -> String {
        self.zone.show(at)
    }
}

fn parse(pattern: &str) -> Result<Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    parser.parse(pattern).map_err(|error| error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn next(timetable: &Timetable, after: &str, count: usize) -> Vec<String> {
        let first = timetable.next(after.parse().unwrap());
        let all = std::iter::successors(first, |due| timetable.next(*due)).take(count);
        all.map(|due| due.format("%d %H:%M:%S").to_string()).collect()
    }

    #[test]
    fn times_of_day() {
        let time = |text: &str| text.parse::<NaiveTime>().unwrap();
        let timetable = Timetable::at(&[time("04:00:00"), time("02:30:00")], Zone::Utc).unwrap();
        let due = ["30 02:30:00", "30 04:00:00", "31 02:30:00", "31 04:00:00"];
        assert_eq!(next(&timetable, "2026-01-30T00:00:00Z", 4), due);
        // The moment itself is not after itself.
        assert_eq!(next(&timetable, "2026-01-30T02:30:00Z", 1), ["30 04:00:00"]);
        assert_eq!(next(&timetable, "2026-01-30T02:29:59.999Z", 1), ["30 02:30:00"]);
        assert_eq!(timetable.show("2026-01-30T02:30:00Z".parse().unwrap()), "2026-01-30T02:30:00Z");
    }

    #[test]
    fn cron_patterns() {
        let six = Timetable::cron("0 */6 * * *", Zone::Utc).unwrap();
        assert_eq!(next(&six, "2026-01-30T05:00:00Z", 4), ["30 06:00:00", "30 12:00:00", "30 18:00:00", "31 00:00:00"]);
        let seconds = Timetable::cron("*/20 * * * * *", Zone::Utc).unwrap();
        assert_eq!(next(&seconds, "2026-01-30T05:00:00.3Z", 3), ["30 05:00:20", "30 05:00:40", "30 05:01:00"]);
        for pattern in ["", "x", "* * *", "61 * * * *", "0 0 30 2 *", "* * * * * * *"] {
            assert!(Timetable::cron(pattern, Zone::Utc).is_err(), "{pattern}");
        }
    }

    #[test]
    fn what_has_passed_is_counted() {
        let minutes = Timetable::cron("* * * * *", Zone::Utc).unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let from = at("2026-01-30T05:00:00Z");
        assert_eq!(minutes.passed(from, at("2026-01-30T05:00:59Z")), 0);
        assert_eq!(minutes.passed(from, at("2026-01-30T05:03:00Z")), 3);
        assert_eq!(minutes.passed(from, at("2026-03-01T05:00:00Z")), MOST_COUNTED);
        assert_eq!(minutes.passed(from, at("2026-01-30T04:00:00Z")), 0);
    }
}
