//! The range of dates of a request: ISO 8601 with a zone, lower bound inclusive, upper bound exclusive.
//! More than ninety days are refused, and so is a range that ends before it begins.

use chrono::DateTime;

use super::refusal::Refusal;
use crate::lives::DAY;

const LONGEST: i64 = 90 * DAY;

/// Milliseconds since 1970; a bound that is not given is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    from: i64,
    to: i64,
}

impl Window {
    pub(crate) fn read(from: Option<&str>, to: Option<&str>) -> Result<Self, Refusal> {
        let bound = |name: &str, text: Option<&str>, open: i64| match text.map(DateTime::parse_from_rfc3339) {
            None => Ok(open),
            Some(Ok(time)) => Ok(time.timestamp_millis()),
            Some(Err(_)) => Err(Refusal::bad_request(format!("{name} is no ISO 8601 date-time with a zone"))),
        };
        let window = Self { from: bound("fromDateTime", from, i64::MIN)?, to: bound("toDateTime", to, i64::MAX)? };
        if window.from >= window.to {
            return Err(Refusal::bad_request("toDateTime must be after fromDateTime"));
        }
        if from.is_some() && to.is_some() && window.to.saturating_sub(window.from) > LONGEST {
            return Err(Refusal::bad_request("The range of dates must not be longer than 90 days"));
        }
        Ok(window)
    }

    pub(crate) fn holds(&self, time: i64) -> bool {
        (self.from..self.to).contains(&time)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_what_is_refused() {
        let window = Window::read(Some("2025-01-01T00:00:00Z"), Some("2025-01-02T00:00:00+01:00")).unwrap();
        let start = 1_735_689_600_000;
        for (time, inside) in [(start - 1, false), (start, true), (start + 23 * 3_600_000, false)] {
            assert_eq!(window.holds(time), inside, "{time}");
        }
        assert!(Window::read(None, None).unwrap().holds(start));
        assert!(Window::read(Some("2020-01-01T00:00:00Z"), None).unwrap().holds(start));
        let ranges = [
            ("2025-01-01T00:00:00Z", "2025-04-01T00:00:00Z", true),
            ("2025-01-01T00:00:00Z", "2025-04-01T00:00:01Z", false),
            ("2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z", false),
            ("2025-01-01", "2025-01-02", false),
            ("2025-01-01T00:00:00", "2025-01-02T00:00:00", false),
            ("2025-01-01T00:00:00.5Z", "2025-01-01T00:00:00.6Z", true),
        ];
        for (from, to, taken) in ranges {
            assert_eq!(Window::read(Some(from), Some(to)).is_ok(), taken, "{from} to {to}");
        }
    }
}
