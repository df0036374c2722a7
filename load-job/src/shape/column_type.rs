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
            Bool, EpochFine, EpochFraction, EpochInt53, EpochInt64, EpochText, FineDatetime, FineTimestamp, Float,
            FloatDecimal, FloatWhole, Int53, Int64, IntNumeric, LongDecimal, Null, Text, TextBroken, TextDate,
            TextDatetime, TextInt, TextTimestamp,
        };
        match self {
            Self::Bool => Kinds::of(&[Null, Bool]),
            Self::Int64 => Kinds::of(&[Null, Int53, Int64, FloatWhole, EpochInt53, EpochInt64]),
            Self::Float64 => {
                Kinds::of(&[Null, Int53, FloatWhole, FloatDecimal, Float, EpochInt53, EpochFraction, EpochFine])
            }
            Self::Numeric => Kinds::of(&[
                Null,
                Int53,
                Int64,
                IntNumeric,
                FloatWhole,
                FloatDecimal,
                LongDecimal,
                EpochInt53,
                EpochInt64,
                EpochFraction,
                EpochFine,
            ]),
            Self::String => Kinds::of(&[
                Null,
                Text,
                TextInt,
                TextDate,
                TextDatetime,
                TextTimestamp,
                FineDatetime,
                FineTimestamp,
                TextBroken,
                EpochText,
            ]),
            Self::Date => Kinds::of(&[Null, TextDate]),
            Self::Datetime => Kinds::of(&[Null, TextDatetime, FineDatetime]),
            Self::Timestamp => Kinds::of(&[
                Null,
                TextTimestamp,
                FineTimestamp,
                EpochInt53,
                EpochInt64,
                EpochFraction,
                EpochFine,
                EpochText,
            ]),
            Self::Json => Kinds::ALL,
        }
    }

    /// The kinds of `kinds` that are not held.
    pub fn misfits(self, kinds: Kinds) -> Kinds {
        kinds.without(self.held())
    }

    /// All kinds that are held as keys: two keys never become one, nor one key two. A whole number and the text of it are one key, for APIs
    /// write an id as either.
    pub(super) fn held_as_key(self) -> Kinds {
        use Kind::{
            EpochFine, EpochInt53, EpochInt64, EpochText, FineDatetime, FineTimestamp, Int53, Int64, IntHuge,
            IntNumeric, TextBroken, TextInt,
        };
        let held = self.held();
        match self {
            Self::Int64 | Self::Numeric => held.union(Kinds::of(&[TextInt, EpochText])),
            Self::String => {
                let whole = Kinds::of(&[Int53, Int64, IntNumeric, IntHuge, EpochInt53, EpochInt64]);
                held.union(whole).without(Kinds::of(&[TextBroken]))
            }
            Self::Json => held.without(Kinds::of(&[TextBroken])),
            Self::Datetime => held.without(Kinds::of(&[FineDatetime])),
            Self::Timestamp => held.without(Kinds::of(&[FineTimestamp, EpochFine])),
            Self::Bool | Self::Float64 | Self::Date => held,
        }
    }

    /// The type of a new key column: the hint's if it holds all keys, else the first that does. A double is the last choice, since it cannot
    /// hold large ids, and cannot be clustered by.
    pub(super) fn decide_key(hint: Option<Self>, kinds: Kinds) -> Option<Self> {
        // A text with half a character is rejected, whatever the column.
        let values = kinds.without(Kinds::of(&[Kind::Null, Kind::TextBroken]));
        let holds = |ty: &Self| values.without(ty.held_as_key()).is_empty();
        if values.is_empty() {
            let hint = hint.map(|hint| if hint == Self::Float64 { Self::Int64 } else { hint });
            return hint.or_else(|| kinds.has(Kind::TextBroken).then_some(Self::String));
        }
        if let Some(hint) = hint.filter(|hint| *hint != Self::Float64 && holds(hint)) {
            return Some(hint);
        }
        // Digits in a text stay text unless a hint says otherwise: 00501 may follow.
        let is_text = values.has(Kind::TextInt);
        let order = [Self::Bool, Self::Int64, Self::Numeric, Self::String, Self::Float64, Self::Json];
        let order = order.into_iter().filter(|ty| !is_text || !matches!(ty, Self::Int64 | Self::Numeric));
        Some(order.into_iter().find(holds).unwrap_or(Self::Json))
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
        // A few numbers of too many digits go beside the column; the others are worth a column that can be reckoned with.
        let short = values.without(Kinds::of(&[Kind::LongFloat]));
        let values = if short.without(Kinds::NUMBERS).is_empty() && !short.is_empty() { short } else { values };
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
            ColumnHint::Timestamp
            | ColumnHint::TimestampSeconds
            | ColumnHint::TimestampMillis
            | ColumnHint::TimestampMicros => Self::Timestamp,
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
            (&[LongFloat], Some(ColumnType::Json)),
            (&[LongFloat, Int53, Float], Some(ColumnType::Float64)),
            (&[LongFloat, LongDecimal], Some(ColumnType::Numeric)),
            (&[LongFloat, Text], Some(ColumnType::Json)),
            (&[TextInt, Text], Some(ColumnType::String)),
            (&[FineTimestamp, TextTimestamp], Some(ColumnType::Timestamp)),
        ];
        for (kinds, expected) in cases {
            assert_eq!(ColumnType::decide(Kinds::of(kinds)), *expected, "{kinds:?}");
        }
    }

    #[test]
    fn a_key_column_holds_its_keys_as_they_are() {
        use ColumnType as C;
        use Kind::*;
        let cases: &[(Option<ColumnType>, &[Kind], ColumnType)] = &[
            (None, &[Int53], C::Int64),
            (None, &[TextTimestamp], C::String),
            (Some(C::Timestamp), &[TextTimestamp], C::Timestamp),
            (Some(C::Timestamp), &[TextTimestamp, FineTimestamp], C::String),
            (Some(C::Datetime), &[FineDatetime], C::String),
            (Some(C::Float64), &[Int53, Int64], C::Int64),
            (Some(C::Float64), &[Int53], C::Int64),
            (Some(C::Float64), &[], C::Int64),
            (Some(C::Float64), &[FloatWhole, FloatDecimal], C::Numeric),
            (Some(C::Float64), &[Float], C::Float64),
            (Some(C::Int64), &[TextInt], C::Int64),
            (Some(C::Int64), &[TextInt, Text], C::String),
            (Some(C::String), &[Int53, Int64, Text], C::String),
            (None, &[Int53, TextInt], C::String),
            (None, &[TextInt], C::String),
            (None, &[Int64, IntNumeric], C::Numeric),
            (None, &[IntHuge, Text], C::String),
            (None, &[FloatDecimal, Text], C::Json),
            (None, &[Nested], C::Json),
        ];
        for (hint, kinds, expected) in cases {
            assert_eq!(ColumnType::decide_key(*hint, Kinds::of(kinds)), Some(*expected), "{hint:?} {kinds:?}");
        }
        assert!(ColumnType::ALL.iter().all(|ty| !ty.held_as_key().has(TextBroken)));
    }
}
