//! Tests of printing by date directives, as a table and over arbitrary formats.

use proptest::prelude::*;

use super::*;

#[test]
fn instants_are_printed_by_their_format() {
    let instant = DateTime::parse_from_rfc3339("2026-05-03T08:05:09.012345+02:00").unwrap();
    for (form, expected) in [
        ("%Y-%m-%dT%H:%M:%S.%f%z", "2026-05-03T08:05:09.012345+0200"),
        ("%Y-%m-%dT%H:%M:%SZ", "2026-05-03T08:05:09Z"),
        ("%H:%M:%S.%_ms", "08:05:09.012"),
        ("%-d/%-m/%y %I %p %a %A %b %B %j", "3/5/26 08 AM Sun Sunday May May 123"),
        ("%s", "1777788309"),
        ("%ms", "1777788309012"),
        ("%epoch_microseconds", "1777788309012345"),
        ("%F %T %% %Q", "2026-05-03 08:05:09 % %Q"),
        ("%U %W %V %G %u %w", "18 17 18 2026 7 0"),
        ("100%", "100%"),
    ] {
        assert_eq!(format(instant, form), expected, "{form}");
    }
}

proptest! {
    #[test]
    fn any_format_is_handled_without_panic(form in "\\PC*") {
        let _ = format(DateTime::UNIX_EPOCH.fixed_offset(), &form);
    }

    #[test]
    fn directives_are_handled_without_panic(form in "(%[-a-zA-Z%_]|[-:T .Zé]|%_ms){0,10}") {
        let _ = format(DateTime::UNIX_EPOCH.fixed_offset(), &form);
    }

    #[test]
    fn what_is_printed_reads_back(micros in -62_000_000_000_000_000_i64..250_000_000_000_000_000) {
        let instant = DateTime::from_timestamp_micros(micros).unwrap().fixed_offset();
        let form = "%Y-%m-%dT%H:%M:%S.%f%z";
        if instant.year() >= 1000 {
            prop_assert_eq!(parse(&format(instant, form), form), Ok(instant));
        }
    }
}
