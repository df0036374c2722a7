//! Times that an API counts from 1970-01-01: numbers and texts of digits, which a hint makes into instants.
//! What is no such time stays what it is, and goes beside the column as any value that does not fit.

use super::kind::{self, Kind};
use super::value::Value;
use std::ops::RangeInclusive;

/// What an epoch time is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
}

/// The years 1 to 9999, which is what TIMESTAMP holds in BigQuery, in microseconds.
const HELD: RangeInclusive<i128> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// A whole one in the unscaled form of [`kind::decimal`].
const ONE: i128 = 1_000_000_000;

impl EpochUnit {
    /// Microseconds in one.
    pub fn micros(self) -> u32 {
        match self {
            Self::Seconds => 1_000_000,
            Self::Millis => 1_000,
            Self::Micros => 1,
        }
    }

    /// The first and the last time of the years that TIMESTAMP holds.
    pub fn held(self) -> (i64, i64) {
        let in_units = |micros: i128| i64::try_from(micros / i128::from(self.micros())).unwrap_or_default();
        (in_units(*HELD.start()), in_units(*HELD.end()))
    }
}

/// Makes a value an instant if it is a time of this unit.
pub(super) fn read(value: &mut Value<'_>, unit: EpochUnit) {
    let text = match value.kind {
        Kind::Int53 | Kind::Int64 | Kind::FloatWhole | Kind::FloatDecimal => value.raw,
        Kind::TextInt => &value.text,
        _ => return,
    };
    let Some(scaled) = kind::decimal(text).and_then(|number| number.checked_mul(i128::from(unit.micros()))) else {
        return;
    };
    let micros = scaled.div_euclid(ONE);
    let (true, Ok(time)) = (HELD.contains(&micros), i64::try_from(micros)) else { return };
    value.time = time;
    value.kind = match value.kind {
        Kind::TextInt => Kind::EpochText,
        Kind::Int64 => Kind::EpochInt64,
        Kind::FloatDecimal if scaled % ONE != 0 => Kind::EpochFine,
        Kind::FloatDecimal => Kind::EpochFraction,
        _ => Kind::EpochInt53,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_of_digits_are_times() {
        let cases = [
            ("1708936896489", EpochUnit::Millis, Kind::EpochInt53, 1_708_936_896_489_000),
            ("\"1708936896489\"", EpochUnit::Millis, Kind::EpochText, 1_708_936_896_489_000),
            ("1708936896489.0", EpochUnit::Millis, Kind::EpochInt53, 1_708_936_896_489_000),
            ("1708936896.25", EpochUnit::Seconds, Kind::EpochFraction, 1_708_936_896_250_000),
            ("170893689.12345678", EpochUnit::Seconds, Kind::EpochFine, 170_893_689_123_456),
            ("-1", EpochUnit::Seconds, Kind::EpochInt53, -1_000_000),
            ("-0.0000001", EpochUnit::Seconds, Kind::EpochFine, -1),
            ("253402300799999999", EpochUnit::Micros, Kind::EpochInt64, 253_402_300_799_999_999),
            // Beyond the year 9999, no number, or a number that is more exact than a double.
            ("1708936896489", EpochUnit::Seconds, Kind::Int53, 0),
            ("\"2026-01-31\"", EpochUnit::Seconds, Kind::TextDate, 20_484),
            ("\"soon\"", EpochUnit::Seconds, Kind::Text, 0),
            ("true", EpochUnit::Seconds, Kind::Bool, 0),
            ("1708936896.12345678", EpochUnit::Seconds, Kind::LongDecimal, 0),
            ("1e300", EpochUnit::Seconds, Kind::Float, 0),
        ];
        for (raw, unit, kind, time) in cases {
            let mut value = Value::read(raw);
            read(&mut value, unit);
            assert_eq!((value.kind, value.time), (kind, time), "{raw}");
        }
    }
}
