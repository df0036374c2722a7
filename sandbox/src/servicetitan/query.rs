//! Query parameters of one request: foreign, missing and wrong ones are named in a 400.

use super::reply::Refusal;
use super::time::Ticks;
use super::world::Period;

/// The decoded parameters of one request, in order.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        Self { pairs: pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect() }
    }

    /// Refuses parameters of other names.
    pub(crate) fn allow(&self, names: &[&str]) -> Result<(), Refusal> {
        let foreign = self.pairs.iter().find(|(name, _)| !names.iter().any(|other| other.eq_ignore_ascii_case(name)));
        foreign.map_or(Ok(()), |(name, _)| Err(Refusal::field(name, "is not known here")))
    }

    /// Refuses a request without one of these.
    pub(crate) fn require(&self, names: &[&str]) -> Result<(), Refusal> {
        let missing = names.iter().find(|name| self.get(name).is_none_or(str::is_empty));
        missing.map_or(Ok(()), |name| Err(Refusal::field(name, "is required")))
    }

    /// `name=value&…` without any encoding.
    pub(crate) fn decoded(&self) -> String {
        let pairs: Vec<_> = self.pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    }

    /// The first value; names are matched without regard to case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(
        &self,
        name: &str,
        default: u64,
        allowed: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, Refusal> {
        let Some(value) = self.get(name) else { return Ok(default) };
        value.parse().ok().filter(|number| allowed.contains(number)).ok_or_else(|| Refusal::parameter(name, value))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        self.choice(name, &[("true", true), ("false", false)]).map(|flag| flag.unwrap_or(false))
    }

    pub(crate) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let found = choices.iter().find(|(text, _)| text.eq_ignore_ascii_case(value));
        found.map(|(_, choice)| Some(*choice)).ok_or_else(|| Refusal::parameter(name, value))
    }

    pub(crate) fn time(&self, name: &str) -> Result<Option<Ticks>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        Ticks::parse(value).map(Some).ok_or_else(|| Refusal::parameter(name, value))
    }

    /// A lower bound (inclusive), an upper bound (exclusive) and an upper bound that is inclusive.
    pub(crate) fn period(&self, from: &str, before: &str, until: Option<&str>) -> Result<Period, Refusal> {
        let until = until.map(|name| self.time(name)).transpose()?.flatten().map(|time| time.plus(1));
        let before = [self.time(before)?, until].into_iter().flatten().min();
        Ok(Period { from: self.time(from)?, before })
    }

    /// Comma-separated ids, fifty at the most.
    pub(crate) fn ids(&self) -> Result<Option<Vec<i64>>, Refusal> {
        let Some(value) = self.get("ids") else { return Ok(None) };
        let ids: Result<Vec<i64>, _> = value.split(',').map(|id| id.trim().parse()).collect();
        match ids {
            Ok(ids) if ids.len() <= 50 => Ok(Some(ids)),
            _ => Err(Refusal::parameter("ids", value)),
        }
    }
}
