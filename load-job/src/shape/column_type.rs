//! The nine column types, the same in every warehouse, and which kinds of values each of them holds without loss.
//! A warehouse only says how it spells them.

use super::kind::{Kind, Kinds};
use contract::pipeline::ColumnHint;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColumnType {
    /// true or false.
    Bool,
    /// A whole number of 64 bits.
    Int64,
    /// A binary floating-point number.
    Float64,
    /// A decimal with 29 digits before and 9 after the point.
    Numeric,
    /// Text.
    String,
    /// A day.
    Date,
    /// A day and time without a zone, in microseconds.
    Datetime,
    /// An instant, in microseconds.
    Timestamp,
    /// Any JSON value.
    Json,
}

impl ColumnType {
    /// All types.
    pub const ALL: [Self; 9] = [
        Self::Bool,
        Self::Int64,
        Self::Float64,
        Self::Numeric,
        Self::String,
        Self::Date,
        Self::Datetime,
        Self::Timestamp,
        Self::Json,
    ];

    /// The name in the pipeline file, in messages and in `schema_changes`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Int64 => "INT64",
            Self::Float64 => "FLOAT64",
            Self::Numeric => "NUMERIC",
            Self::String => "STRING",
            Self::Date => "DATE",
            Self::Datetime => "DATETIME",
            Self::Timestamp => "TIMESTAMP",
            Self::Json => "JSON",
        }
    }

    /// Whether a value of this kind is held without loss.
    pub fn fits(self, kind: Kind) -> bool {
        self.held().has(kind)
    }

    /// All kinds that are held without loss.
    fn held(self) -> Kinds {
        use Kind::{
            Bool, Float, FloatDecimal, FloatWhole, Int53, Int64, IntNumeric, LongDecimal, Null, Text, TextDate,
            TextDatetime, TextTimestamp,
        };
        match self {
            Self::Bool => Kinds::of(&[Null, Bool]),
            Self::Int64 => Kinds::of(&[Null, Int53, Int64, FloatWhole]),
            Self::Float64 => Kinds::of(&[Null, Int53, FloatWhole, FloatDecimal, Float]),
            Self::Numeric => Kinds::of(&[Null, Int53, Int64, IntNumeric, FloatWhole, FloatDecimal, LongDecimal]),
            Self::String => Kinds::of(&[Null, Text, TextDate, TextDatetime, TextTimestamp]),
            Self::Date => Kinds::of(&[Null, TextDate]),
            Self::Datetime => Kinds::of(&[Null, TextDatetime]),
            Self::Timestamp => Kinds::of(&[Null, TextTimestamp]),
            Self::Json => Kinds::ALL,
        }
    }

    /// The kinds of `kinds` that are not held.
    pub fn misfits(self, kinds: Kinds) -> Kinds {
        kinds.without(self.held())
    }

    /// The type of a new column that has no hint, from all values it must hold; `None` while all are null.
    pub fn decide(kinds: Kinds) -> Option<Self> {
        let values = kinds.without(Kinds::of(&[Kind::Null]));
        if values.is_empty() {
            return None;
        }
        // DATE and DATETIME come from hints alone.
        let order = [Self::Bool, Self::Int64, Self::Float64, Self::Numeric, Self::Timestamp, Self::String];
        // Whole numbers written with a fraction are FLOAT64: 1.0 today, 1.5 tomorrow.
        let order = order.into_iter().filter(|ty| *ty != Self::Int64 || !values.has(Kind::FloatWhole));
        Some(order.into_iter().find(|ty| ty.misfits(values).is_empty()).unwrap_or(Self::Json))
    }
}

impl From<ColumnHint> for ColumnType {
    fn from(hint: ColumnHint) -> Self {
        match hint {
            ColumnHint::Bool => Self::Bool,
            ColumnHint::Int64 => Self::Int64,
            ColumnHint::Float64 => Self::Float64,
            ColumnHint::Numeric => Self::Numeric,
            ColumnHint::String => Self::String,
            ColumnHint::Date => Self::Date,
            ColumnHint::Datetime => Self::Datetime,
            ColumnHint::Timestamp => Self::Timestamp,
            ColumnHint::Json => Self::Json,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_from_all_kinds_seen() {
        use Kind::*;
        let cases: &[(&[Kind], Option<ColumnType>)] = &[
            (&[], None),
            (&[Null], None),
            (&[Null, Bool], Some(ColumnType::Bool)),
            (&[Int53, Int64], Some(ColumnType::Int64)),
            (&[Int53, Float], Some(ColumnType::Float64)),
            (&[FloatWhole], Some(ColumnType::Float64)),
            (&[Int64, FloatDecimal], Some(ColumnType::Numeric)),
            (&[Int64, Float], Some(ColumnType::Json)),
            (&[Int53, IntNumeric], Some(ColumnType::Numeric)),
            (&[IntHuge], Some(ColumnType::Json)),
            (&[TextTimestamp, Null], Some(ColumnType::Timestamp)),
            (&[TextTimestamp, Text], Some(ColumnType::String)),
            (&[TextDate], Some(ColumnType::String)),
            (&[Int53, Text], Some(ColumnType::Json)),
            (&[Nested], Some(ColumnType::Json)),
            (&[Nested, Text], Some(ColumnType::Json)),
        ];
        for (kinds, expected) in cases {
            assert_eq!(ColumnType::decide(Kinds::of(kinds)), *expected, "{kinds:?}");
        }
    }
}
