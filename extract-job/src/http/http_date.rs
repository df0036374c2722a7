//! HTTP dates (RFC 9110, 5.6.7) in their three spellings, and how long it is until one of them.
//! The answer's own `Date` header is the present where it has one: a clock that is wrong here or there does no harm.

use chrono::{DateTime, NaiveDateTime, Utc};
use reqwest::header::{DATE, HeaderMap};
use std::time::Duration;

/// The time until a date; nothing if the text is none, zero if it has passed.
pub(crate) fn until(text: &str, headers: &HeaderMap) -> Option<Duration> {
    let date = parse(text)?;
    Some((date - now(headers)).to_std().unwrap_or_default())
}

/// The present, as the answer says it.
pub(crate) fn now(headers: &HeaderMap) -> DateTime<Utc> {
    headers.get(DATE).and_then(|date| parse(date.to_str().ok()?)).unwrap_or_else(Utc::now)
}

fn parse(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(date) = DateTime::parse_from_rfc2822(text) {
        return Some(date.to_utc());
    }
    // The two old forms, which servers may still send.
    let old = |format| NaiveDateTime::parse_from_str(text, format).ok();
    old("%A, %d-%b-%y %H:%M:%S GMT").or_else(|| old("%a %b %e %H:%M:%S %Y")).map(|date| date.and_utc())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn all_three_spellings_are_one_instant() {
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse(text).map(|date| date.timestamp()), Some(784_111_777), "{text}");
        }
        for text in ["", "120", "1994-11-06", "Sun, 41 Nov 1994 08:49:37 GMT"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_answers_own_clock_counts() {
        let headers = HeaderMap::from_iter([(DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"))]);
        assert_eq!(until("Sun, 06 Nov 1994 08:51:37 GMT", &headers), Some(Duration::from_secs(120)));
        assert_eq!(until("Sun, 06 Nov 1994 08:49:07 GMT", &headers), Some(Duration::ZERO));
        assert_eq!(until("soon", &headers), None);
        assert!(until("Fri, 31 Dec 9999 23:59:59 GMT", &HeaderMap::new()).unwrap() > Duration::from_secs(1_000_000));
    }
}
