//! A field that is a number, or a template over the settings that gives one.
//! What can be known when the manifest is loaded is checked then; a setting that gives no number is an error, never a default.

use super::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::template::{Names, python_text};
use chrono::DateTime;
use serde_json::Value;
use std::time::Duration;

/// The longest time that a manifest can ask for; more is nonsense.
const LONGEST: f64 = 1e9;

/// A number of at least 0.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    field: &'static str,
    expression: Expression,
}

impl Number {
    /// A number with or without a fraction.
    pub(crate) fn read(reader: &Reader<'_>, field: &'static str) -> Option<Self> {
        Self::checked(reader, field, |number, scope| number.value(scope).map(drop))
    }

    /// A whole number of at least `least`.
    pub(crate) fn read_whole(reader: &Reader<'_>, field: &'static str, least: u64) -> Option<Self> {
        Self::checked(reader, field, |number, scope| number.whole(scope, least).map(drop))
    }

    fn checked(
        reader: &Reader<'_>,
        field: &'static str,
        check: impl Fn(&Self, &Scope) -> Result<(), String>,
    ) -> Option<Self> {
        let number = Self { field, expression: reader.expression(field, Names::ANYWHERE)? };
        let known = !number.expression.may_read("config", None);
        if let (true, Err(why)) = (known, check(&number, &Scope::new(DateTime::UNIX_EPOCH))) {
            reader.error(why);
        }
        Some(number)
    }

    /// The number.
    ///
    /// # Errors
    /// A template that cannot be evaluated, or gives anything else.
    pub(crate) fn value(&self, scope: &Scope) -> Result<f64, String> {
        let found = self.evaluate(scope)?;
        let number = match &found {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number
            .filter(|number| (0.0..=LONGEST).contains(number))
            .ok_or_else(|| self.wrong("a number of at least 0", &found))
    }

    /// The number as a time in seconds.
    ///
    /// # Errors
    /// As [`Self::value`].
    pub(crate) fn seconds(&self, scope: &Scope) -> Result<Duration, String> {
        self.value(scope).map(Duration::from_secs_f64)
    }

    /// The number as a whole one of at least `least`.
    ///
    /// # Errors
    /// As [`Self::value`].
    pub(crate) fn whole(&self, scope: &Scope, least: u64) -> Result<u64, String> {
        let found = self.evaluate(scope)?;
        let number = match &found {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let wanted = || self.wrong(&format!("a whole number of at least {least}"), &found);
        number.filter(|number| *number >= least).ok_or_else(wanted)
    }

    fn evaluate(&self, scope: &Scope) -> Result<Value, String> {
        self.expression.value(scope).map_err(|error| format!("`{}`: {error}", self.field))
    }

    /// The value is shown only where it cannot be a secret that stands under the wrong setting.
    fn wrong(&self, wanted: &str, found: &Value) -> String {
        let shown = match found {
            Value::Number(_) | Value::Bool(_) | Value::Null => format!(", not {}", python_text(found)),
            _ => String::new(),
        };
        format!("`{}` must be {wanted}{shown}", self.field)
    }
}
