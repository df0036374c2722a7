//! Logs as JSON lines in Cloud Logging's field names (`severity`, `message`, `time`, and the fields), one line an event.
//! Progress comes at most once in a while for each unit.

use super::event::Event;
use crate::unit::Unit;
use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// One log line: Cloud Logging lifts `severity`, `message` and `time` out of it.
pub fn log_line(severity: &str, message: &str, fields: Map<String, Value>) -> String {
    let mut line = Map::new();
    line.insert("severity".into(), severity.into());
    line.insert("message".into(), message.into());
    line.insert("time".into(), Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true).into());
    for (key, value) in fields {
        line.entry(key).or_insert(value);
    }
    Value::Object(line).to_string()
}

/// A JSON log line as a person reads it; other text stays as it is.
pub(super) fn readable(line: &str) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    let mut take =
        |key: &str| fields.remove(key).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let (severity, message, _) = (take("severity"), take("message"), take("time"));
    let rest: Vec<String> = fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("{severity:>7} {message} {}", rest.join(" ")).trim_end().to_owned()
}

fn write_line(line: &str) {
    // One write call a line, so that the lines of several processes do not mix.
    let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

pub(super) struct ProgressLines {
    every: Duration,
    last: Mutex<HashMap<Unit, Instant>>,
}

impl ProgressLines {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, last: Mutex::default() }
    }

    pub(super) fn show(&self, event: &Event) {
        let (_, unit) = event.subject();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Progress { .. } => {
                let due = last.get(unit).is_none_or(|at| at.elapsed() >= self.every);
                if !due {
                    return;
                }
                last.insert(unit.clone(), Instant::now());
            }
            Event::UnitStarted { .. } => {
                last.insert(unit.clone(), Instant::now());
            }
            Event::UnitFinished { .. } => {
                last.remove(unit);
            }
            Event::RetryScheduled { .. } => {}
        }
        let fields = match serde_json::to_value(event) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        write_line(&log_line(event.severity(), &event.message(), fields));
    }
}

pub(super) struct JsonLayer;

impl<S: Subscriber> Layer<S> for JsonLayer {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let severity = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARNING",
            Level::INFO => "INFO",
            Level::DEBUG | Level::TRACE => "DEBUG",
        };
        write_line(&log_line(severity, &fields.message, fields.map));
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    map: Map<String, Value>,
}

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        if field.name() == "message" {
            self.message = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        } else {
            self.map.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        self.set(field, text.into());
    }
}
