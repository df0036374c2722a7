//! The functions that templates may call: time, dates, durations, largest and smallest, URLs and names.
//! Guarantees: the time of day comes from the context alone, so that a rendering can be repeated.

use std::str::FromStr;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{Environment, Error, State};
use rand::Rng;

use super::context::NOW;
use super::duration::IsoDuration;
use super::engine::{capped, fail, undefined};
use super::temporal::{Temporal, utc};
use super::{datetime, operators};

pub(super) fn register(env: &mut Environment<'static>) {
    env.add_function("now_utc", |state: &State| now(state).map(utc));
    env.add_function("today_utc", |state: &State| now(state).map(|now| Value::from(Temporal::Day(now.date_naive()))));
    env.add_function("day_delta", day_delta);
    env.add_function("duration", duration);
    env.add_function("format_datetime", format_datetime);
    env.add_function("timestamp", timestamp);
    env.add_function("str_to_datetime", |text: &str| iso_utc(text).map(utc));
    env.add_function("max", |values: Rest<Value>| extreme(values, true));
    env.add_function("min", |values: Rest<Value>| extreme(values, false));
    env.add_function("today_with_timezone", today_with_timezone);
    env.add_function("sanitize_url", |text: &str| capped(text.len() * 3).map(|()| percent_encoded(text, "", true)));
    env.add_function("camel_case_to_snake_case", camel_case_to_snake_case);
    env.add_function("generate_uuid", generate_uuid);
}

fn now(state: &State) -> Result<DateTime<Utc>, Error> {
    match state.lookup(NOW).as_ref().and_then(Temporal::of) {
        Some(Temporal::Instant(instant)) => Ok(instant.to_utc()),
        _ => Err(fail("the time is not known here")),
    }
}

fn day_delta(state: &State, days: i64, format: Option<&str>, named: Kwargs) -> Result<String, Error> {
    let format = named.get::<Option<&str>>("format")?.or(format);
    named.assert_all_used()?;
    let day = TimeDelta::try_days(days).and_then(|days| now(state).ok()?.checked_add_signed(days));
    let day = day.ok_or_else(|| fail("day_delta leaves the calendar"))?;
    Ok(datetime::format(day.fixed_offset(), format.unwrap_or("%Y-%m-%dT%H:%M:%S.%f%z")))
}

fn duration(text: &str) -> Result<Value, Error> {
    IsoDuration::parse(text).map(|span| Temporal::Span(span).into()).map_err(|error| fail(error.to_string()))
}

fn format_datetime(value: Value, format: &str, input: Option<&str>, named: Kwargs) -> Result<String, Error> {
    let input = named.get::<Option<&str>>("input_format")?.or(input);
    named.assert_all_used()?;
    if value.is_undefined() {
        return Err(undefined());
    }
    let instant = match (Temporal::of(&value), input) {
        (Some(Temporal::Instant(instant)), _) => {
            return Ok(datetime::strftime(instant.naive_local(), Some(*instant.offset()), format));
        }
        (Some(Temporal::Day(day)), _) => {
            return Ok(datetime::strftime(day.and_time(chrono::NaiveTime::MIN), None, format));
        }
        (Some(Temporal::Span(_)), _) => return Err(fail("format_datetime does not take a duration")),
        (None, Some(input)) => {
            let text = super::python_text::of(&value)?;
            datetime::parse(&text, input).map_err(|error| fail(error.to_string()))?
        }
        (None, None) => match value.as_str() {
            Some(text) => iso_utc(text)?.fixed_offset(),
            None => seconds_since_epoch(&value)?,
        },
    };
    Ok(datetime::format(instant, format))
}

fn seconds_since_epoch(value: &Value) -> Result<DateTime<FixedOffset>, Error> {
    let seconds = f64::try_from(value.clone()).ok().filter(|seconds| seconds.abs() < 1e12);
    let instant = seconds.and_then(|seconds| DateTime::from_timestamp_micros((seconds * 1e6).round() as i64));
    instant.map(|instant| instant.fixed_offset()).ok_or_else(|| fail("the number is not a time in epoch seconds"))
}

fn timestamp(value: Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(undefined());
    }
    if let Some(text) = value.as_str() {
        return Ok(Value::from(iso_utc(text)?.timestamp_micros() as f64 / 1e6));
    }
    if value.is_integer() {
        return Ok(value);
    }
    let number = f64::try_from(value).ok().filter(|number| number.abs() < 9e18);
    number.map(|number| Value::from(number.trunc() as i64)).ok_or_else(|| fail("timestamp takes a number or a text"))
}

fn iso_utc(text: &str) -> Result<DateTime<Utc>, Error> {
    datetime::parse_iso(text).map(|instant| instant.to_utc()).map_err(|error| fail(error.to_string()))
}

/// The largest or smallest of the arguments, or of the one list that is given.
fn extreme(values: Rest<Value>, largest: bool) -> Result<Value, Error> {
    let candidates = match values.0.as_slice() {
        [only] => only.try_iter()?.collect(),
        _ => values.0,
    };
    let mut candidates = candidates.into_iter();
    let mut best = candidates.next().ok_or_else(|| fail("max and min need at least one value"))?;
    for candidate in candidates {
        let order = operators::compare(&candidate, &best)?;
        if if largest { order.is_gt() } else { order.is_lt() } {
            best = candidate;
        }
    }
    Ok(best)
}

fn today_with_timezone(state: &State, zone: &str) -> Result<Value, Error> {
    let zone = chrono_tz::Tz::from_str(zone).map_err(|_| fail("the time zone is not an IANA zone"))?;
    Ok(Temporal::Day(now(state)?.with_timezone(&zone).date_naive()).into())
}

/// Percent-encodes all but letters, digits, `_.-~` and `safe`; a space as `+` in forms.
pub(super) fn percent_encoded(text: &str, safe: &str, form: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(char::from(byte)),
            b' ' if form => out.push('+'),
            byte if safe.as_bytes().contains(&byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn camel_case_to_snake_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for (index, character) in text.chars().enumerate() {
        if index > 0 && character.is_ascii_uppercase() {
            out.push('_');
        }
        out.extend(character.to_lowercase());
    }
    out
}

/// A random (version 4) UUID.
fn generate_uuid() -> String {
    let random: u128 = rand::rng().random();
    let bits = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
