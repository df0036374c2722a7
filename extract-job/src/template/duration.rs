//! ISO-8601 durations whose years and months are calendar units: symbolic until they meet a date.
//! Guarantees: adding and subtracting clamps to the end of the month, never panics, and reports leaving the calendar.

use chrono::{DateTime, FixedOffset, Months, TimeDelta};
use thiserror::Error;

/// Why a duration could not be read or applied.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DurationError {
    /// The text is no ISO-8601 duration such as `P1D`, `PT10M` or `P1Y2M3DT4H`.
    #[error("the duration is not of the form PnYnMnWnDTnHnMnS")]
    Malformed,
    /// A year or month with a fraction, which has no length.
    #[error("years and months of a duration must be whole numbers")]
    FractionOfMonth,
    /// A number too large, or a result outside the calendar.
    #[error("the duration is out of range")]
    OutOfRange,
}

/// A duration of whole months and an exact span of time (microseconds).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IsoDuration {
    pub(super) months: i64,
    pub(super) exact: TimeDelta,
}

impl IsoDuration {
    /// An exact duration without calendar units.
    pub(crate) fn exact(span: TimeDelta) -> IsoDuration {
        IsoDuration { months: 0, exact: span }
    }

    /// Reads `[+-]PnYnMnWnDTnHnMnS`; fractions (`.` or `,`) are allowed except for years and months.
    pub(crate) fn parse(text: &str) -> Result<IsoDuration, DurationError> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let rest = rest.strip_prefix('P').ok_or(DurationError::Malformed)?;
        let (date, time) = match rest.split_once('T') {
            Some((date, time)) if !time.is_empty() => (date, time),
            Some(_) => return Err(DurationError::Malformed),
            None if rest.is_empty() => return Err(DurationError::Malformed),
            None => (rest, ""),
        };
        let mut months = 0_i64;
        let mut micros = 0_i128;
        for (amount, unit) in parts(date, "YMWD")? {
            match unit {
                'Y' => months = months.checked_add(amount.whole()? * 12).ok_or(DurationError::OutOfRange)?,
                'M' => months = months.checked_add(amount.whole()?).ok_or(DurationError::OutOfRange)?,
                'W' => micros += amount.times(7 * 86_400_000_000),
                _ => micros += amount.times(86_400_000_000),
            }
        }
        for (amount, unit) in parts(time, "HMS")? {
            micros += amount.times(match unit {
                'H' => 3_600_000_000,
                'M' => 60_000_000,
                _ => 1_000_000,
            });
        }
        let exact = i64::try_from(micros).map(TimeDelta::microseconds).map_err(|_| DurationError::OutOfRange)?;
        let duration = IsoDuration { months, exact };
        Ok(if negative { duration.negated() } else { duration })
    }

    /// Whether the duration takes no time at all.
    pub(crate) fn is_zero(&self) -> bool {
        self.months == 0 && self.exact.is_zero()
    }

    /// The same duration backwards.
    pub(crate) fn negated(self) -> IsoDuration {
        IsoDuration { months: -self.months, exact: -self.exact }
    }

    /// The sum of two durations.
    pub(crate) fn plus(self, other: IsoDuration) -> Result<IsoDuration, DurationError> {
        let months = self.months.checked_add(other.months).ok_or(DurationError::OutOfRange)?;
        let exact = self.exact.checked_add(&other.exact).ok_or(DurationError::OutOfRange)?;
        Ok(IsoDuration { months, exact })
    }

    /// The instant this much later: months first (31 January + 1 month = the last of February), then the exact part.
    pub(crate) fn add_to(&self, instant: DateTime<FixedOffset>) -> Result<DateTime<FixedOffset>, DurationError> {
        let count = u32::try_from(self.months.unsigned_abs()).map_err(|_| DurationError::OutOfRange)?;
        let moved = if self.months < 0 {
            instant.checked_sub_months(Months::new(count))
        } else {
            instant.checked_add_months(Months::new(count))
        };
        moved.and_then(|instant| instant.checked_add_signed(self.exact)).ok_or(DurationError::OutOfRange)
    }

    /// The instant this much earlier; see [`IsoDuration::add_to`].
    pub(crate) fn sub_from(&self, instant: DateTime<FixedOffset>) -> Result<DateTime<FixedOffset>, DurationError> {
        self.negated().add_to(instant)
    }
}

/// A decimal number: `digits` × 10^-`scale`.
#[derive(Clone, Copy)]
struct Amount {
    digits: i64,
    scale: u32,
}

impl Amount {
    fn whole(self) -> Result<i64, DurationError> {
        match self.scale {
            0 => Ok(self.digits),
            _ => Err(DurationError::FractionOfMonth),
        }
    }

    fn times(self, micros: i128) -> i128 {
        i128::from(self.digits) * micros / 10_i128.pow(self.scale)
    }
}

/// Splits `1Y2M` into numbers and units; the units must come in the order given, each at most once.
fn parts(text: &str, units: &str) -> Result<Vec<(Amount, char)>, DurationError> {
    let mut parts = Vec::new();
    let mut left = units;
    let mut number = String::new();
    for character in text.chars() {
        match character {
            '0'..='9' => number.push(character),
            '.' | ',' if !number.is_empty() && !number.contains('.') => number.push('.'),
            unit => {
                let position = left.find(unit).ok_or(DurationError::Malformed)?;
                left = &left[position + 1..];
                parts.push((amount(&number)?, unit));
                number.clear();
            }
        }
    }
    if number.is_empty() { Ok(parts) } else { Err(DurationError::Malformed) }
}

fn amount(number: &str) -> Result<Amount, DurationError> {
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return Err(DurationError::Malformed),
        Some((whole, fraction)) => (whole, &fraction[..fraction.len().min(9)]),
        None => (number, ""),
    };
    if whole.is_empty() {
        return Err(DurationError::Malformed);
    }
    // Below 10^9 whole units nothing overflows on the way to microseconds, and no calendar reaches further.
    if whole.trim_start_matches('0').len() > 9 {
        return Err(DurationError::OutOfRange);
    }
    let digits = format!("{whole}{fraction}").parse().map_err(|_| DurationError::OutOfRange)?;
    Ok(Amount { digits, scale: u32::try_from(fraction.len()).unwrap_or(0) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instant(text: &str) -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339(text).unwrap()
    }

    #[test]
    fn durations_move_instants_by_calendar_and_clock() {
        for (text, from, to) in [
            ("P1D", "2026-01-31T10:00:00Z", "2026-02-01T10:00:00Z"),
            ("P1M", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z"),
            ("P1M", "2024-01-31T10:00:00Z", "2024-02-29T10:00:00Z"),
            ("P1Y", "2024-02-29T00:00:00Z", "2025-02-28T00:00:00Z"),
            ("P1Y2M3W4DT5H6M7S", "2026-01-01T00:00:00Z", "2027-03-26T05:06:07Z"),
            ("-P1M", "2026-03-31T00:00:00Z", "2026-02-28T00:00:00Z"),
            ("PT0.5S", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.500Z"),
            ("P0,5D", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z"),
            ("PT36H", "2026-01-01T00:00:00+02:00", "2026-01-02T12:00:00+02:00"),
        ] {
            let duration = IsoDuration::parse(text).unwrap();
            assert_eq!(duration.add_to(instant(from)).unwrap(), instant(to), "{text}");
        }
        let month = IsoDuration::parse("P1M").unwrap();
        assert_eq!(month.sub_from(instant("2026-03-31T00:00:00Z")).unwrap(), instant("2026-02-28T00:00:00Z"));
    }

    #[test]
    fn bad_durations_are_told() {
        for text in
            ["", "P", "PT", "1D", "P1", "P1X", "PT1D", "P1DT", "P1D1Y", "P1D1D", "p1d", "P-1D", "P1.D", "P.5D", "P1D "]
        {
            assert_eq!(IsoDuration::parse(text), Err(DurationError::Malformed), "{text:?}");
        }
        assert_eq!(IsoDuration::parse("P0.5M"), Err(DurationError::FractionOfMonth));
        assert_eq!(IsoDuration::parse("P99999999999D"), Err(DurationError::OutOfRange));
        let age = IsoDuration::parse("P999999999D").unwrap_or(IsoDuration::parse("P900000Y").unwrap());
        assert_eq!(age.add_to(instant("2026-01-01T00:00:00Z")), Err(DurationError::OutOfRange));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC*") {
            let _ = IsoDuration::parse(&text);
        }

        #[test]
        fn any_duration_is_applied_without_panic(text in "[-+]?P[0-9]{0,9}[YMWD]?[0-9.,]{0,12}[YMWD]?(T[0-9.,]{1,12}[HMS]([0-9.]{1,9}S)?)?") {
            if let Ok(duration) = IsoDuration::parse(&text) {
                let _ = duration.add_to(instant("2026-01-31T00:00:00Z"));
                let _ = duration.sub_from(instant("0001-01-31T00:00:00Z"));
            }
        }
    }
}
