//! Reads instants by Python's strptime directives and the format's own (`%s`, `%ms`, `%_ms` …): the one reading of a cursor's formats, by
//! which the extract finds the state and the load the newer of two records.
//! Guarantees: no panic on any text or format, a text without zone is UTC, and the result has whole microseconds.
//!
//! One deviation from the reference engine, on purpose: `%f` takes any number of digits there are (sources send seven)
//! and cuts what is finer than a microsecond. The reference takes one to six and drops the cursor value otherwise.
//! A cut value is never later than the true one, so a lower bound made of it loses nothing.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Offset, TimeDelta, TimeZone, Utc};
use thiserror::Error;

/// Why a text could not be read as an instant. Never holds the text, which may come from a record.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum DatetimeError {
    /// The text does not have the shape of the format.
    #[error("the value does not match the datetime format `{0}`")]
    Mismatch(String),
    /// The format uses a directive that is not supported for reading.
    #[error("the datetime format `{0}` has the unsupported directive `{1}`")]
    Directive(String, String),
    /// The text is no ISO 8601 date or date-time.
    #[error("the value is not an ISO 8601 date-time")]
    NotIso,
}
/// The months' names in English, whatever the machine's language.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The days' names, from Monday on.
pub const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Reads `text` by `format`; the whole text must match. Without a zone in the text the result is UTC.
///
/// # Errors
/// The text does not match, or the format has a directive that cannot be read by.
pub fn parse(text: &str, format: &str) -> Result<DateTime<FixedOffset>, DatetimeError> {
    let mismatch = || DatetimeError::Mismatch(format.to_owned());
    let epoch = |micros: Option<i64>| {
        let instant = micros.and_then(DateTime::from_timestamp_micros);
        // Milliseconds read as seconds are no moment, but a mistake: Python's years end here too.
        let instant = instant.filter(|instant| (1..=9999).contains(&instant.year())).ok_or_else(mismatch)?;
        Ok(instant.fixed_offset())
    };
    let integer = || text.trim().parse::<i64>().ok();
    match format {
        "%s" => epoch(integer().and_then(|seconds| seconds.checked_mul(1_000_000))),
        "%ms" => epoch(integer().and_then(|millis| millis.checked_mul(1_000))),
        "%epoch_microseconds" => epoch(integer()),
        "%s_as_float" => {
            let seconds = text.trim().parse::<f64>().ok().filter(|seconds| seconds.abs() < 1e12);
            epoch(seconds.map(|seconds| (seconds * 1e6).round() as i64))
        }
        _ => {
            let mut fields = Fields::default();
            let rest = fields.read(text, format)?;
            if !rest.is_empty() {
                return Err(mismatch());
            }
            fields.instant().ok_or_else(mismatch)
        }
    }
}

/// Reads an ISO 8601 date or date-time (`2026`, `2026-01`, `2026-01-02`, `20260102`, with a time and a zone or without).
///
/// # Errors
/// The text is none.
pub fn parse_iso(text: &str) -> Result<DateTime<FixedOffset>, DatetimeError> {
    const DATES: [&str; 4] = ["%Y-%m-%d", "%Y%m%d", "%Y-%m", "%Y"];
    const TIMES: [&str; 6] = ["%H:%M:%S.%f", "%H:%M:%S", "%H:%M", "%H%M%S.%f", "%H%M%S", "%H%M"];
    let text = text.trim();
    let (date, time) = match text.find(['T', ' ', 't']) {
        Some(at) => (&text[..at], Some(text[at + 1..].replace(',', "."))),
        None => (text, None),
    };
    for format in DATES {
        let fits = matches!((format, date.len()), ("%Y-%m-%d", 10) | ("%Y%m%d", 8) | ("%Y-%m", 7) | ("%Y", 4));
        if !fits {
            continue;
        }
        let Some(time) = &time else {
            return parse(date, format).map_err(|_| DatetimeError::NotIso);
        };
        let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
        let (clock, zone) = time.split_at(zone_at);
        // The end of a day is the start of the next.
        let end = clock.strip_prefix("24").filter(|rest| rest.chars().all(|c| matches!(c, '0' | ':' | '.')));
        let (clock, days) = if let Some(rest) = end { (format!("00{rest}"), 1) } else { (clock.to_owned(), 0) };
        let zone = match zone {
            "z" => "Z".to_owned(),
            short if short.len() == 3 => format!("{short}00"),
            other => other.to_owned(),
        };
        let clock_format = TIMES.iter().find(|format| Fields::default().read(&clock, format).is_ok_and(str::is_empty));
        let (Some(clock_format), zone_format) = (clock_format, if zone.is_empty() { "" } else { "%z" }) else {
            return Err(DatetimeError::NotIso);
        };
        return parse(&format!("{date}T{clock}{zone}"), &format!("{format}T{clock_format}{zone_format}"))
            .ok()
            .and_then(|instant| instant.checked_add_signed(TimeDelta::days(days)))
            .ok_or(DatetimeError::NotIso);
    }
    Err(DatetimeError::NotIso)
}
/// What has been read so far; the defaults are Python's.
struct Fields {
    year: i32,
    month: u32,
    day: u32,
    ordinal: Option<u32>,
    hour: u32,
    /// `%I` was read: the hour counts from noon or midnight, as `%p` says. `%p` means nothing to `%H`.
    twelve: bool,
    afternoon: bool,
    minute: u32,
    second: u32,
    micros: u32,
    zone: Option<FixedOffset>,
}

impl Default for Fields {
    fn default() -> Self {
        Fields {
            year: 1900,
            month: 1,
            day: 1,
            ordinal: None,
            hour: 0,
            twelve: false,
            afternoon: false,
            minute: 0,
            second: 0,
            micros: 0,
            zone: None,
        }
    }
}

impl Fields {
    /// Consumes the front of `text` by `format`; returns what is left over.
    fn read<'t>(&mut self, text: &'t str, format: &str) -> Result<&'t str, DatetimeError> {
        let mismatch = || DatetimeError::Mismatch(format.to_owned());
        let mut text = text;
        let mut pattern = format;
        while let Some(character) = pattern.chars().next() {
            pattern = &pattern[character.len_utf8()..];
            if character.is_whitespace() {
                let trimmed = text.trim_start();
                if trimmed.len() == text.len() {
                    return Err(mismatch());
                }
                text = trimmed;
                pattern = pattern.trim_start();
            } else if character != '%' {
                let first = text.chars().next().filter(|c| c.eq_ignore_ascii_case(&character)).ok_or_else(mismatch)?;
                text = &text[first.len_utf8()..];
            } else if let Some(after) = pattern.strip_prefix("_ms") {
                pattern = after;
                text = self.fraction(text).ok_or_else(mismatch)?;
            } else {
                let name = pattern.chars().next().unwrap_or('%');
                pattern = &pattern[name.len_utf8().min(pattern.len())..];
                text = self.directive(name, text).map_err(|known| match known {
                    true => mismatch(),
                    false => DatetimeError::Directive(format.to_owned(), format!("%{name}")),
                })?;
            }
        }
        Ok(text)
    }

    /// Reads one directive. The error says whether the directive is known at all.
    fn directive<'t>(&mut self, name: char, text: &'t str) -> Result<&'t str, bool> {
        let done = match name {
            'Y' => fixed(text, 4).map(|(year, rest)| (self.year = year.cast_signed(), rest).1),
            'y' => fixed(text, 2).map(|(year, rest)| {
                self.year = year.cast_signed() + if year < 69 { 2000 } else { 1900 };
                rest
            }),
            'm' => number(text, 1, 12).map(|(month, rest)| (self.month = month, rest).1),
            'd' => number(text, 1, 31).map(|(day, rest)| (self.day = day, rest).1),
            'H' => number(text, 0, 23).map(|(hour, rest)| (self.hour = hour, rest).1),
            'I' => number(text, 1, 12).map(|(hour, rest)| {
                self.hour = hour % 12;
                self.twelve = true;
                rest
            }),
            'M' => number(text, 0, 59).map(|(minute, rest)| (self.minute = minute, rest).1),
            'S' => number(text, 0, 61).map(|(second, rest)| (self.second = second, rest).1),
            'j' => (1..=3)
                .rev()
                .find_map(|digits| fixed(text, digits).filter(|(day, _)| (1..=366).contains(day)))
                .map(|(day, rest)| (self.ordinal = Some(day), rest).1),
            'f' => self.fraction(text),
            'z' => self.offset(text),
            'Z' => ["UTC", "GMT", "Z"].iter().find_map(|zone| strip_ignoring_case(text, zone)).inspect(|_| {
                self.zone = Some(Utc.fix());
            }),
            'b' | 'h' => named(text, &MONTHS, 3).map(|(month, rest)| (self.month = month + 1, rest).1),
            'B' => named(text, &MONTHS, 9).map(|(month, rest)| (self.month = month + 1, rest).1),
            'a' => named(text, &DAYS, 3).map(|(_, rest)| rest),
            'A' => named(text, &DAYS, 9).map(|(_, rest)| rest),
            'p' => ["AM", "PM"].iter().find_map(|half| {
                let rest = strip_ignoring_case(text, half)?;
                self.afternoon = *half == "PM";
                Some(rest)
            }),
            '%' => text.strip_prefix('%'),
            _ => return Err(false),
        };
        done.ok_or(true)
    }

    /// Any number of digits after the point; finer ones than microseconds are cut.
    fn fraction<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let digits = &text[..end];
        self.micros = format!("{:0<6}", digits.get(..6).unwrap_or(digits)).parse().ok()?;
        (end > 0).then_some(&text[end..])
    }

    /// `Z`, `+hh:mm` or `+hhmm`; seconds of an offset are accepted when zero.
    fn offset<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        if let Some(rest) = text.strip_prefix('Z') {
            self.zone = Some(Utc.fix());
            return Some(rest);
        }
        let sign = match text.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let (hours, rest) = fixed(&text[1..], 2)?;
        let (minutes, rest) = fixed(rest.strip_prefix(':').unwrap_or(rest), 2).filter(|(minutes, _)| *minutes < 60)?;
        let rest = rest.strip_prefix(":00").unwrap_or(rest);
        self.zone = Some(FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60).cast_signed())?);
        Some(rest)
    }

    fn instant(&self) -> Option<DateTime<FixedOffset>> {
        let date = match self.ordinal {
            Some(ordinal) => NaiveDate::from_yo_opt(self.year, ordinal)?,
            None => NaiveDate::from_ymd_opt(self.year, self.month, self.day)?,
        };
        let hour = self.hour + if self.twelve && self.afternoon { 12 } else { 0 };
        let clock = date.and_hms_opt(hour, self.minute, self.second)? + TimeDelta::microseconds(i64::from(self.micros));
        if self.year < 1 {
            return None;
        }
        self.zone.unwrap_or_else(|| Utc.fix()).from_local_datetime(&clock).single()
    }
}

fn strip_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    text.get(..prefix.len()).filter(|front| front.eq_ignore_ascii_case(prefix)).map(|_| &text[prefix.len()..])
}

/// Exactly `digits` digits.
fn fixed(text: &str, digits: usize) -> Option<(u32, &str)> {
    let front = text.get(..digits).filter(|front| front.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((front.parse().ok()?, &text[digits..]))
}

/// Two digits where they are in range, else one.
fn number(text: &str, lowest: u32, highest: u32) -> Option<(u32, &str)> {
    [2, 1].into_iter().find_map(|digits| fixed(text, digits).filter(|(number, _)| (lowest..=highest).contains(number)))
}

fn named<'t>(text: &'t str, names: &[&str], longest: usize) -> Option<(u32, &'t str)> {
    names
        .iter()
        .zip(0..)
        .find_map(|(name, index)| strip_ignoring_case(text, &name[..name.len().min(longest)]).map(|rest| (index, rest)))
}
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
