//! A length of time as the pipeline file and flags write it: a whole number and a unit (`30s`, `5m`, `24h`, `30d`, `2w`).

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Units with their letters and seconds, the longest first.
const UNITS: [(char, u64); 5] = [('w', 7 * 86_400), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];
/// What is written, for messages and for the schema.
pub(super) const FORM: &str = "expected a number and a unit, s, m, h, d or w: 30s, 5m, 24h, 30d";
pub(super) const PATTERN: &str = "^[0-9]{1,9}[smhdw]$";
/// No number has more digits: nine of weeks are nineteen million years.
const MOST_DIGITS: usize = 9;

/// A length of time in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

impl Span {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// The length.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// The length, to reckon with moments.
    pub fn delta(self) -> chrono::TimeDelta {
        chrono::TimeDelta::from_std(self.duration()).unwrap_or(chrono::TimeDelta::MAX)
    }
}

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let unit = text.chars().last().and_then(|last| UNITS.iter().find(|(letter, _)| *letter == last));
        let (letter, seconds) = unit.ok_or(FORM)?;
        let number = text.strip_suffix(*letter).unwrap_or_default();
        let is_number = !number.is_empty() && number.len() <= MOST_DIGITS && number.bytes().all(|b| b.is_ascii_digit());
        let number: u64 = if is_number { number.parse().map_err(|_| FORM)? } else { return Err(FORM) };
        Ok(Self(number * seconds))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days are said in hours up to two of them, as people do: `24h`, `30d`.
        let fits = |(letter, seconds): &&(char, u64)| {
            self.0 > 0 && self.0.is_multiple_of(*seconds) && *letter != 'w' && (*letter != 'd' || self.0 > 2 * seconds)
        };
        let (letter, seconds) = UNITS.iter().find(fits).copied().unwrap_or(('s', 1));
        write!(f, "{}{letter}", self.0 / seconds)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time: a number and a unit, s, m, h, d or w (`30s`, `5m`, `24h`, `30d`).",
            "type": "string",
            "pattern": PATTERN,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_shown() {
        for (text, seconds, shown) in [
            ("0s", 0, "0s"),
            ("30s", 30, "30s"),
            ("5m", 300, "5m"),
            ("90m", 5400, "90m"),
            ("24h", 86_400, "24h"),
            ("1d", 86_400, "24h"),
            (" 30d ", 30 * 86_400, "30d"),
            ("2w", 14 * 86_400, "14d"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.duration().as_secs(), span.to_string().as_str()), (seconds, shown), "{text}");
        }
        for text in ["", "h", "24", "24 h", "-1h", "1.5h", "24H", "1y", "1234567890s", "1mm", "٣h"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
