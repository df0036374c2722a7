//! A span of time cut into windows: every moment of it is in exactly one, as far as the granularity tells moments apart.

use crate::template::duration::IsoDuration;
use chrono::{DateTime, FixedOffset};

/// A manifest that asks for more windows has a step that was not meant.
const MOST_WINDOWS: usize = 100_000;

/// What is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: DateTime<FixedOffset>,
    pub(crate) end: DateTime<FixedOffset>,
}

/// One part of it, both ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) start: DateTime<FixedOffset>,
    pub(crate) end: DateTime<FixedOffset>,
}

/// `[a, a+step−granularity], [a+step, …]`; the last window ends exactly at the end. Without a step it is one window.
pub(crate) fn cut(
    span: Span,
    step: Option<&IsoDuration>,
    granularity: Option<&IsoDuration>,
    strict: bool,
) -> Result<Vec<Window>, String> {
    // A window of a single moment makes sense only where moments have a width.
    let touching = granularity.is_some() && !strict;
    let holds = |start: DateTime<FixedOffset>| start < span.end || (touching && start == span.end);
    let mut windows = Vec::new();
    let mut start = span.start;
    while holds(start) {
        let next = match step {
            Some(step) => Some(step.add_to(start).map_err(|error| format!("`step`: {error}"))?),
            None => None,
        };
        let Some(next) = next.filter(|next| holds(*next)) else {
            windows.push(Window { start, end: span.end });
            break;
        };
        if next <= start || windows.len() >= MOST_WINDOWS {
            return Err(format!("`step` is too small: more than {MOST_WINDOWS} windows"));
        }
        let end = match granularity {
            Some(granularity) => {
                granularity.sub_from(next).map_err(|error| format!("`cursor_granularity`: {error}"))?
            }
            None => next,
        };
        windows.push(Window { start, end: end.max(start) });
        start = next;
    }
    Ok(windows)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod fuzz;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339(&format!("{text}Z")).unwrap()
    }

    fn cut_text(
        start: &str,
        end: &str,
        step: Option<&str>,
        granularity: Option<&str>,
        strict: bool,
    ) -> Vec<(String, String)> {
        let parse = |text: Option<&str>| text.map(|text| IsoDuration::parse(text).unwrap());
        let (step, granularity) = (parse(step), parse(granularity));
        let windows =
            cut(Span { start: at(start), end: at(end) }, step.as_ref(), granularity.as_ref(), strict).unwrap();
        let text = |moment: DateTime<FixedOffset>| moment.format("%m-%dT%H:%M:%S").to_string();
        windows.iter().map(|window| (text(window.start), text(window.end))).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn the_example_of_the_format() {
        let windows = cut_text("2026-01-01T00:00:00", "2026-01-10T12:00:00", Some("P4D"), Some("PT1S"), false);
        let expected = [
            ("01-01T00:00:00", "01-04T23:59:59"),
            ("01-05T00:00:00", "01-08T23:59:59"),
            ("01-09T00:00:00", "01-10T12:00:00"),
        ];
        assert_eq!(windows, pairs(&expected));
    }

    #[test]
    fn ends_steps_and_emptiness() {
        let day = "2026-01-31T00:00:00";
        let one = [("01-31T00:00:00", "01-31T00:00:00")];
        assert_eq!(cut_text(day, day, Some("P1D"), Some("PT1S"), false), pairs(&one));
        assert_eq!(cut_text(day, day, Some("P1D"), Some("PT1S"), true), pairs(&[]));
        assert_eq!(cut_text(day, day, None, None, false), pairs(&[]));
        assert_eq!(cut_text(day, "2026-01-30T00:00:00", Some("P1D"), Some("PT1S"), false), pairs(&[]));
        let months = cut_text(day, "2026-04-02T00:00:00", Some("P1M"), Some("P1D"), false);
        let expected = [
            ("01-31T00:00:00", "02-27T00:00:00"),
            ("02-28T00:00:00", "03-27T00:00:00"),
            ("03-28T00:00:00", "04-02T00:00:00"),
        ];
        assert_eq!(months, pairs(&expected), "months are calendar months");
        assert_eq!(
            cut_text("2026-01-01T00:00:00", day, None, None, false),
            pairs(&[("01-01T00:00:00", "01-31T00:00:00")])
        );
    }

    #[test]
    fn a_step_that_never_ends_is_refused() {
        let second = IsoDuration::parse("PT1S").unwrap();
        let span = Span { start: at("2000-01-01T00:00:00"), end: at("2026-01-01T00:00:00") };
        assert!(cut(span, Some(&second), Some(&second), false).unwrap_err().contains("too small"));
        let zero = IsoDuration::parse("PT0S").unwrap();
        assert!(cut(span, Some(&zero), Some(&second), false).is_err());
    }

    proptest! {
        #[test]
        fn windows_cover_the_span_exactly_once(seconds in 0i64..2_000_000, step in 1i64..100_000) {
            let start = at("2026-01-01T00:00:00");
            let second = IsoDuration::parse("PT1S").unwrap();
            let step = IsoDuration::parse(&format!("PT{step}S")).unwrap();
            let span = Span { start, end: start + chrono::TimeDelta::seconds(seconds) };
            if let Ok(windows) = cut(span, Some(&step), Some(&second), false) {
                prop_assert_eq!(windows.first().unwrap().start, span.start);
                prop_assert_eq!(windows.last().unwrap().end, span.end);
                for pair in windows.windows(2) {
                    prop_assert_eq!(pair[0].end + chrono::TimeDelta::seconds(1), pair[1].start);
                }
            }
        }
    }
}
