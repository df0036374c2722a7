//! Prints instants by Python's strftime directives and the format's own (`%s`, `%ms`, `%_ms` …). How they are read is the contract's to say:
//! the load reads cursors too.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDateTime, Timelike};
use contract::datetime::{DAYS, MONTHS};
pub(crate) use contract::datetime::{parse, parse_iso};

/// Prints an instant by `format`, on the wall clock of its own zone (a literal `Z` converts nothing).
pub(crate) fn format(instant: DateTime<FixedOffset>, format: &str) -> String {
    let micros = instant.timestamp_micros();
    match format {
        "%s" => (micros / 1_000_000).to_string(),
        "%ms" => (micros / 1_000).to_string(),
        "%epoch_microseconds" => micros.to_string(),
        "%s_as_float" => {
            let mut text = String::new();
            super::python_text::float(&mut text, micros as f64 / 1e6);
            text
        }
        _ => strftime(instant.naive_local(), Some(*instant.offset()), &format.replace("%_ms", "\u{0}")),
    }
}

/// Python's `strftime`; a NUL stands for the three digits of `%_ms`. An unknown directive is printed as it stands.
pub(super) fn strftime(clock: NaiveDateTime, zone: Option<FixedOffset>, format: &str) -> String {
    let mut out = String::with_capacity(format.len() + 16);
    let mut rest = format.chars();
    while let Some(character) = rest.next() {
        match character {
            '\u{0}' => put(&mut out, format_args!("{:03}", clock.nanosecond() / 1_000_000)),
            '%' => match rest.next() {
                None => out.push('%'),
                Some('-') => {
                    let padded = rest.next().map(|name| directive(clock, zone, name)).unwrap_or_default();
                    let bare = padded.trim_start_matches('0');
                    out.push_str(if bare.is_empty() && !padded.is_empty() { "0" } else { bare });
                }
                Some(name) => out.push_str(&directive(clock, zone, name)),
            },
            other => out.push(other),
        }
    }
    out
}

fn put(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(arguments); // writing into a String cannot fail
}

fn directive(clock: NaiveDateTime, zone: Option<FixedOffset>, name: char) -> String {
    let hour12 = (clock.hour() + 11) % 12 + 1;
    let weekday = clock.weekday().num_days_from_monday();
    let day_name = DAYS[weekday as usize % 7];
    let month_name = MONTHS[clock.month0() as usize % 12];
    match name {
        'Y' => clock.year().to_string(),
        'y' => format!("{:02}", clock.year().rem_euclid(100)),
        'm' => format!("{:02}", clock.month()),
        'd' => format!("{:02}", clock.day()),
        'e' => format!("{:2}", clock.day()),
        'H' => format!("{:02}", clock.hour()),
        'I' => format!("{hour12:02}"),
        'M' => format!("{:02}", clock.minute()),
        'S' => format!("{:02}", clock.second()),
        'f' => format!("{:06}", clock.nanosecond() / 1_000 % 1_000_000),
        'j' => format!("{:03}", clock.ordinal()),
        'p' => if clock.hour() < 12 { "AM" } else { "PM" }.to_owned(),
        'a' => day_name[..3].to_owned(),
        'A' => day_name.to_owned(),
        'b' | 'h' => month_name[..3].to_owned(),
        'B' => month_name.to_owned(),
        'w' => ((weekday + 1) % 7).to_string(),
        'u' => (weekday + 1).to_string(),
        'G' => clock.iso_week().year().to_string(),
        'V' => format!("{:02}", clock.iso_week().week()),
        'U' => format!("{:02}", (clock.ordinal0() + 7 - (weekday + 1) % 7) / 7),
        'W' => format!("{:02}", (clock.ordinal0() + 7 - weekday) / 7),
        'F' => strftime(clock, zone, "%Y-%m-%d"),
        'T' => strftime(clock, zone, "%H:%M:%S"),
        'D' => strftime(clock, zone, "%m/%d/%y"),
        'R' => strftime(clock, zone, "%H:%M"),
        's' => zone.map_or(0, |zone| clock.and_utc().timestamp() - i64::from(zone.local_minus_utc())).to_string(),
        'z' => zone.map(|zone| offset_text(zone, "")).unwrap_or_default(),
        'Z' => match zone {
            Some(zone) if zone.local_minus_utc() == 0 => "UTC".to_owned(),
            Some(zone) => format!("UTC{}", offset_text(zone, ":")),
            None => String::new(),
        },
        'n' => "\n".to_owned(),
        't' => "\t".to_owned(),
        '%' => "%".to_owned(),
        other => format!("%{other}"),
    }
}

/// `+0200`, or `+02:00` with a colon between.
pub(super) fn offset_text(zone: FixedOffset, between: &str) -> String {
    let seconds = zone.local_minus_utc();
    let sign = if seconds < 0 { '-' } else { '+' };
    format!("{sign}{:02}{between}{:02}", seconds.abs() / 3600, seconds.abs() / 60 % 60)
}
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
