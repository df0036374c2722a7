//! WaitTimeFromHeader: the API says in a header how many seconds to wait.
//! A wait as long as the limit, or longer, stops the stream instead.

use super::backoff::Wait;
use super::expression::Scope;
use crate::components::expression::Expression;
use crate::manifest::reader::Reader;
use crate::template::Names;
use regex::Regex;
use reqwest::header::HeaderMap;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct WaitTimeFromHeader {
    header: Expression,
    regex: Option<Regex>,
    longest: Option<Duration>,
}

impl WaitTimeFromHeader {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let header = reader.required_expression("header", Names::ANYWHERE);
        let regex = reader.text("regex").and_then(|text| match Regex::new(&format!("^(?:{text})")) {
            Ok(regex) => Some(regex),
            Err(_) => {
                reader.error_at("regex", "is no regular expression that can be used");
                None
            }
        });
        let longest = reader.number("max_waiting_time_in_seconds").map(Duration::from_secs_f64);
        reader.finish();
        Some(Self { header: header?, regex, longest })
    }

    pub(crate) fn wait(&self, headers: &HeaderMap, scope: &Scope) -> Option<Wait> {
        let name = self.header.text(scope).ok()?;
        let text = headers.get(name.trim())?.to_str().ok()?;
        let text = match &self.regex {
            Some(regex) => regex.find(text)?.as_str(),
            None => text,
        };
        let wait = seconds(text)?;
        match self.longest {
            Some(longest) if wait >= longest => Some(Wait::Stop(wait)),
            _ => Some(Wait::For(wait)),
        }
    }
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
