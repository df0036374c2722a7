//! The decoded parameters of a request, and the ranges of time that they may ask for.
//! A wrong value is refused by its name, never taken as something else.

use super::refusal::Refusal;

/// The first value of each name counts.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        Self { pairs: pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect() }
    }

    /// `name=value&…` without any encoding.
    pub(crate) fn decoded(&self) -> String {
        let pairs: Vec<_> = self.pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str, default: usize, most: usize) -> Result<usize, Refusal> {
        let Some(text) = self.get(name) else { return Ok(default) };
        text.parse().ok().filter(|number| (1..=most).contains(number)).ok_or_else(|| Refusal::parameter(name))
    }

    /// Milliseconds since 1970.
    pub(crate) fn time(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().ok().map(Some).ok_or_else(|| Refusal::parameter(name))
    }

    pub(crate) fn period(&self, from: &str, to: &str, inclusive: bool) -> Result<Period, Refusal> {
        Ok(Period { from: self.time(from)?, to: self.time(to)?, inclusive })
    }
}

/// A range of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Period {
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
    inclusive: bool,
}

impl Period {
    pub(crate) fn holds(&self, time: i64) -> bool {
        let after = |from: i64| time > from || (self.inclusive && time == from);
        let before = |to: i64| time < to || (self.inclusive && time == to);
        self.from.is_none_or(after) && self.to.is_none_or(before)
    }
}
