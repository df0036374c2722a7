//! Arrow builders, one a column, and where a value of a field goes among the field's columns.
//! A value is appended only where its kind fits, so no conversion can fail or round.

use super::canonical_json::canonical_json;
use super::column_type::ColumnType;
use super::kind::{self, Kind};
use super::table_plan::ColumnPlan;
use super::value::{Value, whole_surrogates};
use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;
use std::sync::Arc;

/// The type of a staged column.
pub(super) fn arrow_type(ty: ColumnType) -> DataType {
    match ty {
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Numeric => DataType::Decimal128(38, 9),
        ColumnType::String | ColumnType::Json => DataType::Utf8,
        ColumnType::Date => DataType::Date32,
        ColumnType::Datetime | ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

/// Puts a value into the first column that holds it, and null into the others.
pub(super) fn append(builders: &mut [Builder], plan: &[ColumnPlan], columns: &[usize], value: Option<&Value<'_>>) {
    let mut value = value.filter(|value| value.kind != Kind::Null);
    for column in columns {
        let builder = &mut builders[*column];
        match value {
            Some(found) if plan[*column].holds(found.kind) => {
                builder.append(found, plan[*column].is_canonical);
                value = None;
            }
            // The plan follows from all records, so only a null has no column.
            _ => builder.append_null(),
        }
    }
}

/// Gathers the values of one column.
pub(super) enum Builder {
    Bool(BooleanBuilder),
    Int64(Int64Builder),
    Float64(Float64Builder),
    Numeric(Decimal128Builder),
    String(StringBuilder),
    Json(StringBuilder),
    Date(Date32Builder),
    Datetime(TimestampMicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Builder {
    pub(super) fn new(ty: ColumnType) -> Self {
        match ty {
            ColumnType::Bool => Self::Bool(BooleanBuilder::new()),
            ColumnType::Int64 => Self::Int64(Int64Builder::new()),
            ColumnType::Float64 => Self::Float64(Float64Builder::new()),
            ColumnType::Numeric => Self::Numeric(Decimal128Builder::new()),
            ColumnType::String => Self::String(StringBuilder::new()),
            ColumnType::Json => Self::Json(StringBuilder::new()),
            ColumnType::Date => Self::Date(Date32Builder::new()),
            ColumnType::Datetime => Self::Datetime(TimestampMicrosecondBuilder::new()),
            ColumnType::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new()),
        }
    }

    /// Appends a value whose kind fits.
    fn append(&mut self, value: &Value<'_>, is_canonical: bool) {
        let number = number_text(value);
        match self {
            Self::Bool(builder) => builder.append_value(value.raw == "true"),
            Self::Int64(builder) => builder.append_option(whole(value)),
            Self::Float64(builder) => builder.append_option(value.raw.parse().ok()),
            Self::Numeric(builder) => builder.append_option(kind::decimal(number)),
            Self::String(builder) if value.text.is_empty() && !value.raw.starts_with('"') => {
                builder.append_value(value.raw);
            }
            Self::String(builder) => builder.append_value(&value.text),
            Self::Json(builder) if is_canonical => builder.append_value(canonical_json(value.json())),
            Self::Json(builder) => builder.append_value(whole_surrogates(value.json())),
            Self::Date(builder) => builder.append_option(i32::try_from(value.time).ok()),
            Self::Datetime(builder) | Self::Timestamp(builder) => builder.append_value(value.time),
        }
    }

    fn append_null(&mut self) {
        match self {
            Self::Bool(builder) => builder.append_null(),
            Self::Int64(builder) => builder.append_null(),
            Self::Float64(builder) => builder.append_null(),
            Self::Numeric(builder) => builder.append_null(),
            Self::String(builder) | Self::Json(builder) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
            Self::Datetime(builder) | Self::Timestamp(builder) => builder.append_null(),
        }
    }

    pub(super) fn finish(self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Bool(mut builder) => Arc::new(builder.finish()),
            Self::Int64(mut builder) => Arc::new(builder.finish()),
            Self::Float64(mut builder) => Arc::new(builder.finish()),
            Self::Numeric(mut builder) => Arc::new(builder.finish().with_precision_and_scale(38, 9)?),
            Self::String(mut builder) | Self::Json(mut builder) => Arc::new(builder.finish()),
            Self::Date(mut builder) => Arc::new(builder.finish()),
            Self::Datetime(mut builder) | Self::Timestamp(mut builder) => Arc::new(builder.finish()),
        })
    }
}

/// A whole number, also one that is written `250.0`.
fn whole(value: &Value<'_>) -> Option<i64> {
    let number = number_text(value);
    let fraction = || i64::try_from(kind::decimal(number)? / 1_000_000_000).ok();
    number.parse().ok().or_else(fraction)
}

/// The digits of a number, or of a text that is one.
fn number_text<'v>(value: &'v Value<'_>) -> &'v str {
    if matches!(value.kind, Kind::TextInt | Kind::EpochText) { &value.text } else { value.raw }
}
