//! The values that Python's datetime module has and JSON has not: instants, days and spans of time.
//! Guarantees: printed and compared as Python does; arithmetic that leaves the calendar is an error.

use std::cmp::Ordering;
use std::sync::Arc;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveTime, Timelike, Utc};
use minijinja::value::{DynObject, Object, ObjectRepr, Value, from_args};
use minijinja::{Error, ErrorKind, State};

use super::datetime::{offset_text, strftime};
use super::duration::IsoDuration;
use super::engine::fail;

/// A value that stands for time.
#[derive(Debug, Clone, Copy)]
pub(super) enum Temporal {
    /// An aware `datetime`.
    Instant(DateTime<FixedOffset>),
    /// A `date`.
    Day(NaiveDate),
    /// A `timedelta`, or with months an isodate `Duration`.
    Span(IsoDuration),
}

impl Temporal {
    pub(super) fn of(value: &Value) -> Option<Temporal> {
        value.downcast_object_ref::<Temporal>().copied()
    }

    fn text(&self) -> String {
        match self {
            Temporal::Instant(instant) => isoformat(*instant, ' '),
            Temporal::Day(day) => day.format("%Y-%m-%d").to_string(),
            Temporal::Span(span) => span_text(span),
        }
    }

    fn strftime(&self, format: &str) -> Option<String> {
        match self {
            Temporal::Instant(instant) => Some(strftime(instant.naive_local(), Some(*instant.offset()), format)),
            Temporal::Day(day) => Some(strftime(day.and_time(NaiveTime::MIN), None, format)),
            Temporal::Span(_) => None,
        }
    }

    /// The order of two values of one kind.
    pub(super) fn compare(&self, other: &Temporal) -> Option<Ordering> {
        match (self, other) {
            (Temporal::Instant(a), Temporal::Instant(b)) => Some(a.cmp(b)),
            (Temporal::Day(a), Temporal::Day(b)) => Some(a.cmp(b)),
            (Temporal::Span(a), Temporal::Span(b)) if a.months == b.months => Some(a.exact.cmp(&b.exact)),
            _ => None,
        }
    }
}

/// The text of a value that stands for time; `None` for any other value.
pub(super) fn text(value: &Value) -> Option<String> {
    Temporal::of(value).map(|temporal| temporal.text())
}

impl From<Temporal> for Value {
    fn from(temporal: Temporal) -> Value {
        Value::from_object(temporal)
    }
}

/// `left + right`, where one of them stands for time.
pub(super) fn add(left: Temporal, right: Temporal) -> Result<Temporal, Error> {
    match (left, right) {
        (Temporal::Span(span), other) | (other, Temporal::Span(span)) => moved(other, span),
        _ => Err(fail("two points in time cannot be added")),
    }
}

/// `left - right`, where both stand for time.
pub(super) fn sub(left: Temporal, right: Temporal) -> Result<Temporal, Error> {
    match (left, right) {
        (Temporal::Instant(a), Temporal::Instant(b)) => Ok(Temporal::Span(IsoDuration::exact(a - b))),
        (Temporal::Day(a), Temporal::Day(b)) => Ok(Temporal::Span(IsoDuration::exact(a - b))),
        (other, Temporal::Span(span)) => moved(other, span.negated()),
        _ => Err(fail("a date, a date-time and a duration cannot be subtracted from one another")),
    }
}

fn moved(point: Temporal, span: IsoDuration) -> Result<Temporal, Error> {
    let moved = match point {
        Temporal::Instant(instant) => span.add_to(instant).map(Temporal::Instant),
        // A date ignores what is less than a day, as Python does.
        Temporal::Day(day) => {
            let days = chrono::TimeDelta::days(span.exact.num_seconds().div_euclid(86_400));
            let midnight = day.and_time(NaiveTime::MIN).and_utc().fixed_offset();
            let whole = IsoDuration { exact: days, ..span };
            whole.add_to(midnight).map(|instant| Temporal::Day(instant.date_naive()))
        }
        Temporal::Span(other) => other.plus(span).map(Temporal::Span),
    };
    moved.map_err(|error| fail(error.to_string()))
}

impl Object for Temporal {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !matches!(&**self, Temporal::Span(span) if span.is_zero())
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let (day, time) = match &**self {
            Temporal::Instant(instant) => (instant.date_naive(), Some(instant.time())),
            Temporal::Day(day) => (*day, None),
            Temporal::Span(span) => {
                let seconds = span.exact.num_microseconds()?.div_euclid(1_000_000);
                return match key.as_str()? {
                    "days" => Some(Value::from(seconds.div_euclid(86_400))),
                    "seconds" => Some(Value::from(seconds.rem_euclid(86_400))),
                    "microseconds" => Some(Value::from(span.exact.num_microseconds()?.rem_euclid(1_000_000))),
                    _ => None,
                };
            }
        };
        match (key.as_str()?, time) {
            ("year", _) => Some(Value::from(day.year())),
            ("month", _) => Some(Value::from(day.month())),
            ("day", _) => Some(Value::from(day.day())),
            ("hour", Some(time)) => Some(Value::from(time.hour())),
            ("minute", Some(time)) => Some(Value::from(time.minute())),
            ("second", Some(time)) => Some(Value::from(time.second())),
            ("microsecond", Some(time)) => Some(Value::from(time.nanosecond() / 1_000)),
            _ => None,
        }
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        if method == "strftime" {
            let (format,): (&str,) = from_args(args)?;
            let text = self.strftime(format).map(Value::from);
            return text.ok_or_else(|| fail("a duration has no strftime"));
        }
        match (&**self, method) {
            // What other kinds of values have is missing here, whatever the arguments.
            _ if !["isoformat", "timestamp", "date", "weekday", "isoweekday", "total_seconds"].contains(&method) => {
                return Err(Error::from(ErrorKind::UnknownMethod));
            }
            _ => from_args::<()>(args)?,
        }
        match (&**self, method) {
            (Temporal::Instant(instant), "isoformat") => Ok(Value::from(isoformat(*instant, 'T'))),
            (Temporal::Day(_), "isoformat") => Ok(Value::from(self.text())),
            (Temporal::Instant(instant), "timestamp") => Ok(Value::from(instant.timestamp_micros() as f64 / 1e6)),
            (Temporal::Instant(instant), "date") => Ok(Temporal::Day(instant.date_naive()).into()),
            (Temporal::Instant(instant), "weekday") => Ok(Value::from(instant.weekday().num_days_from_monday())),
            (Temporal::Day(day), "weekday") => Ok(Value::from(day.weekday().num_days_from_monday())),
            (Temporal::Instant(instant), "isoweekday") => Ok(Value::from(instant.weekday().number_from_monday())),
            (Temporal::Day(day), "isoweekday") => Ok(Value::from(day.weekday().number_from_monday())),
            (Temporal::Span(span), "total_seconds") => {
                Ok(Value::from(span.exact.num_microseconds().unwrap_or(i64::MAX) as f64 / 1e6))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        self.compare(other.downcast_ref::<Temporal>()?)
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

/// `datetime.isoformat(sep)`: microseconds only where there are some.
fn isoformat(instant: DateTime<FixedOffset>, separator: char) -> String {
    let clock = instant.naive_local();
    let fraction = if clock.nanosecond() / 1_000 == 0 { "" } else { ".%f" };
    let text = strftime(clock, None, &format!("%Y-%m-%d{separator}%H:%M:%S{fraction}"));
    format!("{text}{}", offset_text(*instant.offset(), ":"))
}

/// `str(timedelta)`: `1 day, 2:03:04.000005`; years and months of a calendar duration come first.
fn span_text(span: &IsoDuration) -> String {
    let micros = span.exact.num_microseconds().unwrap_or(i64::MAX);
    let (days, rest) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let mut parts = Vec::new();
    for (count, unit) in [(span.months / 12, "year"), (span.months % 12, "month"), (days, "day")] {
        if count != 0 {
            // The library that the reference engine uses knows no single year.
            let plural = if count.abs() == 1 && unit != "year" { "" } else { "s" };
            parts.push(format!("{count} {unit}{plural}"));
        }
    }
    let seconds = rest / 1_000_000;
    let mut clock = format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if rest % 1_000_000 != 0 {
        clock.push_str(&format!(".{:06}", rest % 1_000_000));
    }
    parts.push(clock);
    parts.join(", ")
}

/// The value of an instant in UTC.
pub(super) fn utc(instant: DateTime<Utc>) -> Value {
    Temporal::Instant(instant.fixed_offset()).into()
}
