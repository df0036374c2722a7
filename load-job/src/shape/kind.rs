//! What a JSON value is, as finely as types need it: [`Kind`] of one value, [`Kinds`] of all values of a field.
//! A value's kind is read from its text, so that no digit is lost before a type is chosen.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike};

/// The kind of one JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// null, or no such field.
    Null = 1,
    /// true or false.
    Bool = 1 << 1,
    /// A whole number that a double holds exactly (at most 2^53).
    Int53 = 1 << 2,
    /// A larger one that fits 64 bits.
    Int64 = 1 << 3,
    /// A larger one of at most 29 digits.
    IntNumeric = 1 << 4,
    /// A still larger one.
    IntHuge = 1 << 5,
    /// Written with a fraction or an exponent, but whole and at most 2^53 (`250.0`).
    FloatWhole = 1 << 6,
    /// A fraction of at most 9 digits, 29 before it.
    FloatDecimal = 1 << 7,
    /// Another number that a double holds: its shortest text is the number again (`1e300`, `0.1234567891`).
    Float = 1 << 8,
    /// Beyond a double (`1e999`, `1e-999`).
    FloatHuge = 1 << 9,
    /// Text.
    Text = 1 << 10,
    /// `2026-01-31`.
    TextDate = 1 << 11,
    /// `2026-01-31T23:59:00`, without a zone.
    TextDatetime = 1 << 12,
    /// A full RFC 3339 date-time with its zone.
    TextTimestamp = 1 << 13,
    /// An object or an array.
    Nested = 1 << 14,
    /// A fraction as `FloatDecimal`, but of more digits than a double keeps.
    LongDecimal = 1 << 15,
    /// A number of more digits than a double keeps, beyond NUMERIC's too (`0.123456789012345678`).
    LongFloat = 1 << 16,
    /// A text that is a whole number of 64 bits, written as a number is (`123`, not `0123`).
    TextInt = 1 << 17,
    /// As `TextDatetime`, with digits finer than a microsecond.
    FineDatetime = 1 << 18,
    /// As `TextTimestamp`, with digits finer than a microsecond.
    FineTimestamp = 1 << 19,
    /// A text with half a surrogate pair, which is no character.
    TextBroken = 1 << 20,
    /// As `Int53`, or `FloatWhole`: a time counted from 1970.
    EpochInt53 = 1 << 21,
    /// As `Int64`: such a time.
    EpochInt64 = 1 << 22,
    /// As `FloatDecimal`: such a time, in whole microseconds.
    EpochFraction = 1 << 23,
    /// As `EpochFraction`, with digits finer than a microsecond.
    EpochFine = 1 << 24,
    /// As `TextInt`: such a time.
    EpochText = 1 << 25,
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds(u32);

impl Kinds {
    /// The kinds of numbers that some type of number holds.
    pub const NUMBERS: Self = Self(
        Kind::Int53 as u32
            | Kind::Int64 as u32
            | Kind::IntNumeric as u32
            | Kind::FloatWhole as u32
            | Kind::FloatDecimal as u32
            | Kind::Float as u32
            | Kind::LongDecimal as u32,
    );
    /// No kind.
    pub const NONE: Self = Self(0);
    /// Every kind.
    pub const ALL: Self = Self(u32::MAX);

    /// The set of these.
    pub fn of(kinds: &[Kind]) -> Self {
        Self(kinds.iter().fold(0, |set, kind| set | *kind as u32))
    }

    /// Adds one.
    pub fn add(&mut self, kind: Kind) {
        self.0 |= kind as u32;
    }

    /// Both together.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is not in `other`.
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether it holds a kind.
    pub fn has(self, kind: Kind) -> bool {
        self.0 & kind as u32 != 0
    }

    /// Whether it holds none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The kind of a JSON number, from its text.
pub(super) fn number(text: &str) -> Kind {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return match (digits.len(), text.parse::<i64>()) {
            (..=15, _) => Kind::Int53,
            (_, Ok(value)) if value.unsigned_abs() <= 1 << 53 => Kind::Int53,
            (_, Ok(_)) => Kind::Int64,
            (..=29, Err(_)) => Kind::IntNumeric,
            _ => Kind::IntHuge,
        };
    }
    let Ok(value) = text.parse::<f64>() else { return Kind::FloatHuge };
    if !value.is_finite() {
        return Kind::FloatHuge;
    }
    match decimal(text) {
        Some(scaled) if scaled % NUMERIC_ONE == 0 && (scaled / NUMERIC_ONE).unsigned_abs() <= 1 << 53 => {
            Kind::FloatWhole
        }
        // The double's own shortest text is the number again, or digits would be lost.
        Some(scaled) if decimal(&value.to_string()) != Some(scaled) => Kind::LongDecimal,
        Some(_) => Kind::FloatDecimal,
        // Too small for a double: it would be rounded away.
        None if value == 0.0 => Kind::FloatHuge,
        None if digits_of(text) == digits_of(&format!("{value:e}")) => Kind::Float,
        None => Kind::LongFloat,
    }
}

/// A number's digits without zeros at either end, and the power of ten of the last one: alike for equal numbers, however they are written.
fn digits_of(text: &str) -> Option<(String, i64)> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole.trim_start_matches('-'), fraction].concat();
    let significant = digits.trim_end_matches('0');
    let cut = i64::try_from(digits.len() - significant.len()).ok()?;
    let last = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(cut)?;
    Some((significant.trim_start_matches('0').to_owned(), last))
}

/// Whether a JSON number is an INT64, or a double as a FLOAT64 column takes it.
pub(crate) fn is_held_by_a_machine_number(text: &str) -> bool {
    matches!(number(text), Kind::Int53 | Kind::Int64 | Kind::FloatWhole | Kind::FloatDecimal | Kind::Float)
}

/// 1 in the unscaled form of NUMERIC: 9 digits after the point.
const NUMERIC_ONE: i128 = 1_000_000_000;

/// A number's text as an unscaled decimal of scale 9; `None` if it does not fit exactly (29 digits before, 9 after the point).
pub(super) fn decimal(text: &str) -> Option<i128> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let mut unscaled: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        unscaled = unscaled.checked_mul(10)?.checked_add(i128::from(digit.wrapping_sub(b'0')))?;
    }
    let fraction_digits = i32::try_from(fraction.len()).ok()?;
    let mut shift = exponent.checked_sub(fraction_digits)?.checked_add(9)?;
    while shift < 0 && unscaled != 0 {
        if unscaled % 10 != 0 {
            return None;
        }
        unscaled /= 10;
        shift += 1;
    }
    if unscaled == 0 {
        return Some(0);
    }
    for _ in 0..shift {
        unscaled = unscaled.checked_mul(10)?;
    }
    let limit = 10_i128.pow(38);
    (unscaled < limit).then_some(if negative { -unscaled } else { unscaled })
}

/// The kind of a text (without its quotes, unescaped), and its place in time: microseconds since 1970, or days for a date.
pub(super) fn text(text: &str) -> (Kind, i64) {
    let bytes = text.as_bytes();
    if is_whole_number(text) {
        return (Kind::TextInt, 0);
    }
    if bytes.len() < 10 || bytes.len() > 40 || bytes[4] != b'-' || !bytes[0].is_ascii_digit() {
        return (Kind::Text, 0);
    }
    let found = if bytes.len() == 10 {
        date(text).map(|days| (Kind::TextDate, days))
    } else {
        let is_fine = is_finer_than_micros(text);
        let (timestamp, datetime) = match is_fine {
            true => (Kind::FineTimestamp, Kind::FineDatetime),
            false => (Kind::TextTimestamp, Kind::TextDatetime),
        };
        let found = timestamp_micros(text).map(|micros| (timestamp, micros));
        found.or_else(|| datetime_micros(text).map(|micros| (datetime, micros)))
    };
    found.unwrap_or((Kind::Text, 0))
}

/// Whether a text is a whole number of 64 bits as JSON writes one, without needless zeros.
fn is_whole_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let is_plain = matches!(digits, [b'1'..=b'9', ..]) || text == "0";
    is_plain && digits.iter().all(u8::is_ascii_digit) && text.parse::<i64>().is_ok()
}

/// Whether a time has a digit other than zero after its sixth decimal.
fn is_finer_than_micros(text: &str) -> bool {
    let Some(point) = text.find('.') else { return false };
    let fraction = text.as_bytes()[point + 1..].iter().take_while(|byte| byte.is_ascii_digit());
    fraction.skip(6).any(|digit| *digit != b'0')
}

/// Whether a text has digits where the shape has `0`, and else what the shape has: chrono alone would take `2026- 1-31`.
fn is_shaped(text: &str, shape: &str) -> bool {
    let fits = |(byte, wanted): (u8, u8)| if wanted == b'0' { byte.is_ascii_digit() } else { byte == wanted };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

/// Days since 1970-01-01 of `YYYY-MM-DD`.
fn date(text: &str) -> Option<i64> {
    let parsed = is_shaped(text, "0000-00-00").then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()?;
    (parsed.year() >= 1).then(|| parsed.signed_duration_since(NaiveDate::default()).num_days())
}

/// Microseconds since 1970 of a full RFC 3339 date-time; finer digits are cut.
fn timestamp_micros(text: &str) -> Option<i64> {
    let separator = *text.as_bytes().get(10)?;
    if separator != b'T' {
        return None;
    }
    let parsed = DateTime::parse_from_rfc3339(text).ok()?;
    let utc = parsed.naive_utc();
    // A leap second has no place on the axis of microseconds; years outside 1–9999 have none in BigQuery.
    let holds = parsed.nanosecond() < 1_000_000_000 && (1..=9999).contains(&utc.year());
    holds.then(|| utc.and_utc().timestamp() * 1_000_000 + i64::from(parsed.nanosecond() / 1_000))
}

/// Microseconds since 1970 of a date-time without a zone; finer digits are cut.
fn datetime_micros(text: &str) -> Option<i64> {
    let format = if text.as_bytes().get(10)? == &b'T' { "%Y-%m-%dT%H:%M:%S%.f" } else { "%Y-%m-%d %H:%M:%S%.f" };
    let shape = if text.as_bytes()[10] == b'T' { "0000-00-00T00:00:00" } else { "0000-00-00 00:00:00" };
    let parsed =
        is_shaped(text.get(..19)?, shape).then(|| NaiveDateTime::parse_from_str(text, format).ok()).flatten()?;
    let holds = parsed.nanosecond() < 1_000_000_000 && (1..=9999).contains(&parsed.year());
    holds.then(|| parsed.and_utc().timestamp() * 1_000_000 + i64::from(parsed.nanosecond() / 1_000))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers() {
        let cases = [
            ("0", Kind::Int53),
            ("-9007199254740992", Kind::Int53),
            ("9007199254740993", Kind::Int64),
            ("9223372036854775807", Kind::Int64),
            ("9223372036854775808", Kind::IntNumeric),
            ("99999999999999999999999999999", Kind::IntNumeric),
            ("100000000000000000000000000000", Kind::IntHuge),
            ("1.0000000000000000000", Kind::FloatWhole),
            ("250.0", Kind::FloatWhole),
            ("1e3", Kind::FloatWhole),
            ("0.0725", Kind::FloatDecimal),
            ("1234567890123456.78", Kind::LongDecimal),
            ("9007199254740993.5", Kind::LongDecimal),
            ("100000000000000000001.0", Kind::LongDecimal),
            ("0.1234567891", Kind::Float),
            ("0.123456789012345678", Kind::LongFloat),
            ("123456789012345.1234567891", Kind::LongFloat),
            ("0.30000000000000004", Kind::Float),
            ("0.3000000000000000400", Kind::Float),
            ("3.0000000000000004e-1", Kind::Float),
            ("1.7976931348623157e308", Kind::Float),
            ("12345678901234567890e12", Kind::LongFloat),
            ("1e300", Kind::Float),
            ("1e999", Kind::FloatHuge),
            ("-1e-400", Kind::FloatHuge),
            ("0e5", Kind::FloatWhole),
            ("-0.0", Kind::FloatWhole),
        ];
        for (text, kind) in cases {
            assert_eq!(number(text), kind, "{text}");
        }
    }

    #[test]
    fn texts() {
        let cases = [
            ("00501", Kind::Text),
            ("2026-01-31", Kind::TextDate),
            ("2026-02-30", Kind::Text),
            ("2026- 1-31", Kind::Text),
            ("2026-01-31T 1:02:03", Kind::Text),
            ("2026-01-31T1:2:3", Kind::Text),
            ("2026-01-31 01:02:03.5", Kind::TextDatetime),
            ("2026-01-31T23:59:00Z", Kind::TextTimestamp),
            ("2026-03-04T05:06:07.1234567Z", Kind::FineTimestamp),
            ("2026-03-04T05:06:07.1234560Z", Kind::TextTimestamp),
            ("2026-03-04T05:06:07.1234567", Kind::FineDatetime),
            ("123", Kind::TextInt),
            ("-9223372036854775808", Kind::TextInt),
            ("9223372036854775808", Kind::Text),
            ("0", Kind::TextInt),
            ("-0", Kind::Text),
            ("2026013123", Kind::TextInt),
            ("2026-03-04T05:06:07+07:00", Kind::TextTimestamp),
            ("2026-03-04 05:06:07Z", Kind::Text),
            ("2026-03-04T05:06:07", Kind::TextDatetime),
            ("2026-03-04T23:59:60Z", Kind::Text),
            ("0000-03-04T05:06:07Z", Kind::Text),
            ("1234-56", Kind::Text),
        ];
        for (value, kind) in cases {
            assert_eq!(text(value).0, kind, "{value}");
        }
    }

    #[test]
    fn finer_digits_are_cut_never_rounded() {
        let cut = timestamp_micros("2026-03-04T05:06:07.9999999Z").unwrap();
        assert_eq!(cut, timestamp_micros("2026-03-04T05:06:07.999999Z").unwrap());
        let before_1970 = timestamp_micros("1969-12-31T23:59:59.9999999Z").unwrap();
        assert_eq!(before_1970, -1);
    }

    #[test]
    fn decimals_are_exact_or_nothing() {
        assert_eq!(decimal("1.5"), Some(1_500_000_000));
        assert_eq!(decimal("-12.000000001"), Some(-12_000_000_001));
        assert_eq!(decimal("1e-9"), Some(1));
        assert_eq!(decimal("1e-10"), None);
        assert_eq!(decimal("1.10e1"), Some(11_000_000_000));
        assert_eq!(decimal("1e29"), None);
        assert_eq!(decimal("0e999999999"), Some(0));
        assert_eq!(decimal("1e2147483647"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(value in "[0-9eE.+T:Z -]{0,45}") {
            let _ = (text(&value), decimal(&value));
            if serde_json::from_str::<serde_json::Number>(&value).is_ok() {
                let _ = number(&value);
            }
        }
    }
}
