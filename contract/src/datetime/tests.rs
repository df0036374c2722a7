//! Tests of reading by date directives, as tables and over arbitrary text.
//! They fix the deviation on `%f`, the zones and the special formats.

use proptest::prelude::*;

use super::*;

#[test]
fn texts_are_read_by_their_format() {
    for (text, format, expected) in [
        ("2026-05-11T08:30:00Z", "%Y-%m-%dT%H:%M:%SZ", "2026-05-11T08:30:00Z"),
        ("2026-05-11t08:30:00z", "%Y-%m-%dT%H:%M:%SZ", "2026-05-11T08:30:00Z"),
        ("2026-05-11T08:30:00.7654321Z", "%Y-%m-%dT%H:%M:%S.%fZ", "2026-05-11T08:30:00.765432Z"),
        ("2024-12-31T23:59:59.9999999Z", "%Y-%m-%dT%H:%M:%S.%f%z", "2024-12-31T23:59:59.999999Z"),
        ("2026-05-11T08:30:00.5+02:00", "%Y-%m-%dT%H:%M:%S.%f%z", "2026-05-11T08:30:00.500+02:00"),
        ("2026-05-11 08:30:00 -0530", "%Y-%m-%d %H:%M:%S %z", "2026-05-11T08:30:00-05:30"),
        ("2026-05-11", "%Y-%m-%d", "2026-05-11T00:00:00Z"),
        ("2026-5-1", "%Y-%m-%d", "2026-05-01T00:00:00Z"),
        ("20260511", "%Y%m%d", "2026-05-11T00:00:00Z"),
        ("2026-131", "%Y-%j", "2026-05-11T00:00:00Z"),
        ("11 may 26 01:05 pm", "%d %b %y %I:%M %p", "2026-05-11T13:05:00Z"),
        ("Mon, 11 May 2026 12:00:00 GMT", "%a, %d %B %Y %H:%M:%S %Z", "2026-05-11T12:00:00Z"),
        ("1700000000", "%s", "2023-11-14T22:13:20Z"),
        ("1700000000123", "%ms", "2023-11-14T22:13:20.123Z"),
        ("1700000000.25", "%s_as_float", "2023-11-14T22:13:20.250Z"),
        ("1700000000123456", "%epoch_microseconds", "2023-11-14T22:13:20.123456Z"),
        ("2026-05-11T08:30:00.123Z", "%Y-%m-%dT%H:%M:%S.%_msZ", "2026-05-11T08:30:00.123Z"),
        ("100%", "1%M%%", "1900-01-01T00:00:00Z"),
    ] {
        let read = parse(text, format).unwrap_or_else(|error| panic!("{text} by {format}: {error}"));
        assert_eq!(read, DateTime::parse_from_rfc3339(expected).unwrap(), "{text} by {format}");
    }
}

#[test]
fn texts_that_do_not_fit_are_told() {
    for (text, format) in [
        ("2026-05-11T08:30:00", "%Y-%m-%dT%H:%M:%SZ"),
        ("2026-05-11Z", "%Y-%m-%d"),
        ("2026-02-30", "%Y-%m-%d"),
        ("2026-13-01", "%Y-%m-%d"),
        ("0000-01-01", "%Y-%m-%d"),
        ("2026-01-01 10:00:61", "%Y-%m-%d %H:%M:%S"),
        ("", "%Y"),
        ("12.5", "%s"),
        ("9223372036854775807", "%s"),
        ("nan", "%s_as_float"),
        ("2026-05-11T08:30:00+2", "%Y-%m-%dT%H:%M:%S%z"),
    ] {
        assert_eq!(parse(text, format), Err(DatetimeError::Mismatch(format.into())), "{text} by {format}");
    }
    assert_eq!(parse("1", "%Q"), Err(DatetimeError::Directive("%Q".into(), "%Q".into())));
}

#[test]
fn iso_texts_are_read() {
    for (text, expected) in [
        ("2026", "2026-01-01T00:00:00Z"),
        ("2026-05", "2026-05-01T00:00:00Z"),
        ("2026-05-11", "2026-05-11T00:00:00Z"),
        ("20260511", "2026-05-11T00:00:00Z"),
        ("2026-05-11T08:30", "2026-05-11T08:30:00Z"),
        ("2026-05-11 08:30:00", "2026-05-11T08:30:00Z"),
        ("2026-05-11T08:30:00.1234567Z", "2026-05-11T08:30:00.123456Z"),
        ("2026-05-11T08:30:00+02", "2026-05-11T08:30:00+02:00"),
        ("20260511T083000Z", "2026-05-11T08:30:00Z"),
        ("2026-05-11T08:30:00-05:30", "2026-05-11T08:30:00-05:30"),
    ] {
        assert_eq!(parse_iso(text).unwrap(), DateTime::parse_from_rfc3339(expected).unwrap(), "{text}");
    }
    for text in ["", "now", "2026-5-1", "2026-05-11T", "2026-05-11Tx", "05/11/2026", "T10:00"] {
        assert_eq!(parse_iso(text), Err(DatetimeError::NotIso), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_and_format_is_handled_without_panic(text in "\\PC*", form in "\\PC*") {
        let _ = parse(&text, &form);
        let _ = parse_iso(&text);
    }

    #[test]
    fn directives_are_handled_without_panic(text in "[0-9:.TZ+ é-]{0,30}", form in "(%[-a-zA-Z%_]|[-:T .Zé]|%_ms){0,10}") {
        let _ = parse(&text, &form);
        let _ = parse_iso(&text);
    }
}
