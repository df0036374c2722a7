//! Instants of the stand-in's world: ticks of 100 ns since 1970 (UTC), which is what seven decimals of a second can say.
//! Reading a filter's value and writing a record's text agree exactly: no tick is lost on the way.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// 100 ns since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticks(pub(crate) u64);

pub(crate) const SECOND: u64 = 10_000_000;
pub(crate) const HOUR: u64 = 3600 * SECOND;
pub(crate) const DAY: u64 = 24 * HOUR;

impl Ticks {
    /// 2022-01-01T00:00:00Z: nothing was created earlier.
    pub(crate) const BEGINNING: Self = Self(1_640_995_200 * SECOND);
    /// 2025-02-28T00:00:00Z: the first generation's records were all modified earlier.
    const FIRST_PERIOD: Self = Self(1_740_700_800 * SECOND);

    /// The start of the day in which a generation's changes happen.
    pub(crate) fn period(generation: u32) -> Self {
        Self(Self::FIRST_PERIOD.0 + u64::from(generation.saturating_sub(1)) * DAY)
    }

    pub(crate) fn midnight(self) -> Self {
        Self(self.0 - self.0 % DAY)
    }

    pub(crate) fn plus(self, ticks: u64) -> Self {
        Self(self.0.saturating_add(ticks))
    }

    /// Reads an RFC 3339 date-time, one without a zone (taken as UTC), or a date. Before 1970 counts as 1970.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let instant = DateTime::parse_from_rfc3339(text)
            .map(|time| time.to_utc())
            .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|time| time.and_utc()))
            .or_else(|error| {
                NaiveDate::parse_from_str(text, "%Y-%m-%d")
                    .map_err(|_| error)
                    .map(|date| date.and_time(chrono::NaiveTime::MIN).and_utc())
            })
            .ok()?;
        let seconds = u64::try_from(instant.timestamp()).unwrap_or(0);
        Some(Self(seconds.saturating_mul(SECOND) + u64::from(instant.timestamp_subsec_nanos()) / 100))
    }

    /// Writes `2025-03-01T05:06:07.1234567Z`; fewer decimals (3, 1 or none) where the instant needs no more.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let (days, rest) = (self.0 / DAY, self.0 % DAY);
        let (year, month, day) = civil(days);
        let seconds = rest / SECOND;
        let mut text = *b"0000-00-00T00:00:00.0000000Z";
        digits(&mut text[0..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], seconds / 3600);
        digits(&mut text[14..16], seconds / 60 % 60);
        digits(&mut text[17..19], seconds % 60);
        let fraction = rest % SECOND;
        digits(&mut text[20..27], fraction);
        let end = match fraction {
            0 => 19,
            _ if fraction.is_multiple_of(1_000_000) => 21,
            _ if fraction.is_multiple_of(10_000) => 23,
            _ => 27,
        };
        text[end] = b'Z';
        out.extend_from_slice(&text[..=end]);
    }
}

fn digits(place: &mut [u8], mut value: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month and day of a day since 1970 (the proleptic Gregorian calendar in eras of 400 years).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn text_and_ticks_agree() {
        let cases = [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("2024-02-29T23:59:59.9999999Z", "2024-02-29T23:59:59.9999999Z"),
            ("2025-03-01T05:06:07.5Z", "2025-03-01T05:06:07.5Z"),
            ("2025-03-01T05:06:07.120Z", "2025-03-01T05:06:07.120Z"),
            ("2025-03-01T05:06:07.0001", "2025-03-01T05:06:07.0001000Z"),
            ("2025-12-31T23:00:00-02:00", "2026-01-01T01:00:00Z"),
            ("2020-01-02", "2020-01-02T00:00:00Z"),
        ];
        for (text, expected) in cases {
            let mut out = Vec::new();
            Ticks::parse(text).expect(text).write(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        for wrong in ["", "yesterday", "2025-13-01", "2025-03-01 05:06", "2025-03-01T05:06:07+25:00"] {
            assert_eq!(Ticks::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn periods_are_days() {
        let mut out = Vec::new();
        Ticks::period(2).write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "2025-03-01T00:00:00Z");
        assert_eq!(Ticks::period(1).plus(DAY), Ticks::period(2));
    }
}
