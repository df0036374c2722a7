//! The values of a cursor: how they are read, and which of two is the later one. The extract finds the state by it, the load the newer of two
//! records with one key; both go by the formats of the manifest.
//!
//! A value's place is a text that sorts, byte by byte, as the values do, so that any warehouse can order by it. Whatever a format reads is
//! an instant. What none reads is placed as well as can be: an ISO 8601 text as an instant, a number in the unit of the cursor's epoch format
//! as one too, any other number below all instants. Nothing is rounded. What cannot be compared has no place.

use crate::datetime;
use chrono::{DateTime, FixedOffset};

/// Digits of a number that count; two numbers that agree in so many are the same.
const MOST_DIGITS: usize = 100;
/// Microseconds since 1970 of the first and of the last moment that the formats read.
const CALENDAR: [&str; 2] = ["-62135596800000000", "253402300799999999"];

/// A cursor's formats, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CursorFormats(Vec<String>);

/// How values are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CursorOrder {
    /// As the manifest's formats read them.
    By(CursorFormats),
    /// Nobody has told the formats: texts that are no ISO 8601 compare as texts.
    Unknown,
}

/// A record's value, as far as it can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorValue<'a> {
    /// The content of a text.
    Text(&'a str),
    /// The digits of a number, as JSON writes it.
    Number(&'a str),
}

impl From<Vec<String>> for CursorFormats {
    fn from(formats: Vec<String>) -> Self {
        Self(formats)
    }
}

impl CursorFormats {
    /// The formats.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// The instant of a value by the first format that fits; `None` if none does.
    pub fn instant(&self, text: &str) -> Option<DateTime<FixedOffset>> {
        self.0.iter().find_map(|format| datetime::parse(text, format).ok())
    }

    /// The power of ten that makes microseconds of a number of the cursor's epoch format.
    fn unit(&self) -> Option<i64> {
        self.0.iter().find_map(|format| match format.as_str() {
            "%s" | "%s_as_float" => Some(6),
            "%ms" => Some(3),
            "%epoch_microseconds" => Some(0),
            _ => None,
        })
    }
}

impl CursorOrder {
    /// The text that sorts as the values do; `None` for a value that counts as no cursor.
    pub fn place(&self, value: CursorValue<'_>) -> Option<String> {
        let (CursorValue::Text(text) | CursorValue::Number(text)) = value;
        let by_format = match self {
            Self::By(formats) => formats.instant(text),
            Self::Unknown => None,
        };
        if let Some(instant) = by_format.or_else(|| iso(value)) {
            return Decimal::read(&instant.timestamp_micros().to_string()).map(|micros| micros.place('w'));
        }
        match (self, value) {
            (Self::Unknown, CursorValue::Text(text)) => Some(format!("t{text}")),
            (Self::Unknown, CursorValue::Number(digits)) => Decimal::read(digits).map(|number| number.place('n')),
            (Self::By(formats), _) => {
                let number = Decimal::read(text)?;
                let moment = formats.unit().and_then(|unit| number.clone().in_calendar(unit));
                Some(moment.unwrap_or_else(|| number.place('n')))
            }
        }
    }
}

/// The instant of a full ISO 8601 date or date-time.
fn iso(value: CursorValue<'_>) -> Option<DateTime<FixedOffset>> {
    let CursorValue::Text(text) = value else { return None };
    let bytes = text.as_bytes();
    let is_date = bytes.len() >= 10 && bytes[0].is_ascii_digit() && bytes[4] == b'-' && bytes[7] == b'-';
    if is_date { datetime::parse_iso(text).ok() } else { None }
}

/// A number as it is written: `0.digits` times ten to the power of `exponent`.
#[derive(Debug, Clone)]
struct Decimal {
    is_negative: bool,
    /// Without zeros at either end; empty for zero.
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Reads a number as JSON writes it.
    fn read(text: &str) -> Option<Self> {
        let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, power(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        let all = || whole.bytes().chain(fraction.bytes());
        let zeros = all().take_while(|digit| *digit == b'0').count();
        let mut digits: Vec<u8> = all().skip(zeros).take(MOST_DIGITS).collect();
        let end = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
        digits.truncate(end);
        let places = i64::try_from(whole.len()).ok()? - i64::try_from(zeros).ok()?;
        Some(Self { is_negative, digits, exponent: exponent.saturating_add(places) })
    }

    /// As microseconds, if they are a moment of the calendar.
    fn in_calendar(mut self, unit: i64) -> Option<String> {
        self.exponent = self.exponent.saturating_add(unit);
        let place = self.place('w');
        let [first, last] = CALENDAR.map(|micros| Decimal::read(micros).map(|micros| micros.place('w')));
        (first? <= place && place <= last?).then_some(place)
    }

    /// The text that sorts as the numbers do: kind, sign, exponent, digits; of a negative number all of it turned round.
    fn place(&self, kind: char) -> String {
        if self.digits.is_empty() {
            return format!("{kind}0");
        }
        let exponent = self.exponent.clamp(-4_999, 4_999) + 5_000;
        let text = self.digits.iter().map(|digit| char::from(*digit));
        if self.is_negative {
            let turned = self.digits.iter().map(|digit| char::from(b'0' + (b'9' - digit)));
            // A longer one is smaller: what ends comes after all digits.
            return format!("{kind}-{:04}{}~", 9_999 - exponent, turned.collect::<String>());
        }
        format!("{kind}1{exponent:04}{}", text.collect::<String>())
    }
}

/// The number behind an `e`, held where no number of a record comes.
fn power(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let held = digits.parse::<i64>().unwrap_or(i64::MAX).min(1_000_000_000);
    Some(if text.starts_with('-') { -held } else { held })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::CursorValue::{Number, Text};
    use super::*;
    use proptest::prelude::*;

    fn by(formats: &[&str]) -> CursorOrder {
        CursorOrder::By(formats.iter().map(|format| (*format).to_owned()).collect::<Vec<_>>().into())
    }

    /// Each value is later than the one before.
    #[test]
    fn values_sort_as_the_formats_read_them() {
        let rising: [(&[&str], &[CursorValue<'_>]); 8] = [
            (
                &["%a, %d %b %Y %H:%M:%S %z"],
                &[
                    Text("Wed, 18 Jan 2023 23:30:52 +0000"),
                    Text("Thu, 19 Jan 2023 01:30:52 +0100"),
                    Text("Thu, 19 Jan 2023 00:30:53 +0000"),
                ],
            ),
            (&["%d/%m/%Y"], &[Text("31/12/2025"), Text("01/01/2026"), Text("02/01/2026")]),
            (&["%m/%d/%Y %H:%M:%S"], &[Text("12/31/2025 10:00:00"), Text("01/02/2026 10:00:00")]),
            // Also a number with a fraction, which the format does not read.
            (
                &["%s"],
                &[
                    Text("-5"),
                    Text("0"),
                    Text("999999999"),
                    Number("1000000000"),
                    Number("1000000000.5"),
                    Text("1000000001"),
                ],
            ),
            (
                &["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"],
                &[Text("2026-01-31T00:00:00Z"), Text("2026-01-31T00:00:00.500Z"), Text("2026-01-31T01:00:00+00:30")],
            ),
            (
                &["%epoch_microseconds"],
                &[Number("9007199254740992"), Number("9007199254740993"), Text("9007199254740994")],
            ),
            // Numbers that are no instants, exactly, and below all instants.
            (
                &["%Y-%m-%d"],
                &[
                    Number("-1e400"),
                    Number("-12.5"),
                    Number("-12.4"),
                    Number("0"),
                    Number("1e-400"),
                    Number("9007199254740992"),
                    Number("9007199254740993"),
                    Number("9223372036854775808"),
                    Number("1e19"),
                    Text("2026-01-01"),
                ],
            ),
            (&["%Y%m%d"], &[Number("7"), Number("20251231"), Text("20260101"), Text("2026-01-02")]),
        ];
        for (formats, values) in rising {
            let places: Vec<String> = values.iter().map(|value| by(formats).place(*value).expect("a place")).collect();
            assert!(places.is_sorted_by(|a, b| a < b), "{formats:?}: {values:?} {places:?}");
        }
    }

    #[test]
    fn what_cannot_be_compared_has_no_place() {
        for value in [
            Text(""),
            Text("yesterday"),
            Text("31/12/2025"),
            Text("1.2.3"),
            Text("0x10"),
            Text("nan"),
            Text("2026-13-01"),
        ] {
            assert_eq!(by(&["%Y-%m-%dT%H:%M:%SZ"]).place(value), None, "{value:?}");
        }
    }

    #[test]
    fn one_moment_has_one_place() {
        let order = by(&["%s", "%Y-%m-%dT%H:%M:%S%z"]);
        let place = order.place(Number("1767225600"));
        for same in
            [Text("1767225600"), Number("1767225600.0"), Number("1.7672256e9"), Text("2026-01-01T07:00:00+07:00")]
        {
            assert_eq!(order.place(same), place, "{same:?}");
        }
    }

    #[test]
    fn without_formats_texts_compare_as_texts() {
        let rising = [
            Number("-1"),
            Number("2"),
            Number("10"),
            Text(""),
            Text("a10"),
            Text("a9"),
            Text("2026-01-01T00:00:00Z"),
            Text("2026-01-01T00:00:00.5Z"),
        ];
        let places: Vec<String> = rising.iter().map(|value| CursorOrder::Unknown.place(*value).unwrap()).collect();
        assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
    }

    proptest! {
        #[test]
        fn whole_numbers_sort_exactly(a in any::<i64>(), b in any::<i64>()) {
            let place = |number: i64| by(&[]).place(Number(&number.to_string())).unwrap();
            prop_assert_eq!(place(a).cmp(&place(b)), a.cmp(&b));
        }

        #[test]
        fn decimals_sort_exactly(a in -99_999i64..99_999, b in -99_999i64..99_999, shift in 0u32..4, e in -3i32..4) {
            let place = |number: i64| by(&[]).place(Number(&format!("{number}e{e}"))).unwrap();
            prop_assert_eq!(place(a).cmp(&place(b)), a.cmp(&b));
            // The same number, written with a point.
            let power = 10i64.pow(shift);
            let sign = if a < 0 { "-" } else { "" };
            let written = format!("{sign}{}.{:0width$}", a.abs() / power, a.abs() % power, width = shift.max(1) as usize);
            let moved = by(&[]).place(Number(&format!("{a}e-{shift}"))).unwrap();
            if shift > 0 {
                prop_assert_eq!(by(&[]).place(Number(&written)).unwrap(), moved);
            }
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,40}", digits in "-?[0-9.eE+-]{0,30}") {
            for order in [by(&["%s", "%Y-%m-%d"]), CursorOrder::Unknown] {
                let _ = (order.place(Text(&text)), order.place(Number(&digits)), order.place(Text(&digits)));
            }
        }
    }
}
