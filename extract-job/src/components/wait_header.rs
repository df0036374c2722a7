//! What both header strategies share: the header's name, the regular expression that picks the number, and the cap.
//! A wait as long as the cap, or longer, stops the request instead; a cap of 0 lets no wait pass.

use super::backoff::Wait;
use super::expression::{Expression, Scope};
use super::number::Number;
use crate::manifest::reader::Reader;
use crate::template::Names;
use regex::Regex;
use reqwest::header::HeaderMap;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct WaitHeader {
    name: Expression,
    regex: Option<Pattern>,
    longest: Option<Number>,
}

/// A pattern is compiled when the manifest is loaded, unless a setting is part of it.
#[derive(Debug)]
enum Pattern {
    Fixed(Regex),
    Template(Expression),
}

impl WaitHeader {
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        let name = reader.required_expression("header", Names::ANYWHERE);
        let regex = reader.expression("regex", Names::ANYWHERE).and_then(|template| {
            if template.may_read("config", None) {
                return Some(Pattern::Template(template));
            }
            let text = template.text(&Scope::new(chrono::DateTime::UNIX_EPOCH)).map_err(|error| error.to_string());
            match text.and_then(|text| compile(&text)) {
                Ok(regex) => Some(Pattern::Fixed(regex)),
                Err(_) => {
                    reader.error_at("regex", "is no regular expression that can be used");
                    None
                }
            }
        });
        let longest = Number::read(reader, "max_waiting_time_in_seconds");
        Some(Self { name: name?, regex, longest })
    }

    /// The header's text; what the regular expression matches at its start, if it does.
    pub(super) fn text(&self, headers: &HeaderMap, scope: &Scope) -> Result<Option<String>, String> {
        let name = self.name.text(scope).map_err(|error| format!("`header`: {error}"))?;
        let Some(text) = headers.get(name.trim()).and_then(|value| value.to_str().ok()) else { return Ok(None) };
        let found = match &self.regex {
            None => None,
            Some(Pattern::Fixed(regex)) => regex.find(text),
            Some(Pattern::Template(template)) => {
                let pattern = template.text(scope).map_err(|error| format!("`regex`: {error}"))?;
                compile(&pattern)?.find(text)
            }
        };
        // Without a match the whole text counts, as in the reference engine.
        Ok(Some(found.map_or(text, |found| found.as_str()).to_owned()))
    }

    /// The wait, unless it is too long.
    pub(super) fn capped(&self, wait: Wait, scope: &Scope) -> Result<Wait, String> {
        let (Wait::For(time) | Wait::Asked(time)) = &wait else { return Ok(wait) };
        let longest = self.longest.as_ref().map(|longest| longest.seconds(scope)).transpose()?;
        Ok(match longest {
            Some(longest) if *time >= longest => Wait::Stop(too_long(*time)),
            _ => wait,
        })
    }
}

fn compile(text: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?:{text})")).map_err(|_| "`regex` is no regular expression that can be used".to_owned())
}

/// Why a request is not tried again.
pub(crate) fn too_long(wait: Duration) -> String {
    format!("the API asks to wait {} s, which is too long", wait.as_secs_f64().ceil())
}

/// Seconds as a number that is no nonsense.
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    (0.0..=1e9).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sensible_numbers_are_seconds() {
        assert_eq!(seconds(" 1.5 "), Some(Duration::from_millis(1500)));
        for text in ["", "-1", "NaN", "inf", "1e300", "soon"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
