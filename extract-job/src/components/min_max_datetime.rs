//! MinMaxDatetime: a moment as a template, held between a minimum and a maximum. A plain text stands for one without bounds.

use super::datetime_based_cursor::check_format;
use super::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::template::{Names, datetime};
use chrono::{DateTime, FixedOffset};
use contract::yaml::Kind;

#[derive(Debug)]
pub(crate) struct MinMaxDatetime {
    datetime: Expression,
    format: Option<String>,
    least: Option<Expression>,
    most: Option<Expression>,
}

impl MinMaxDatetime {
    /// Reads the field `key` of a cursor.
    pub(crate) fn read(reader: &Reader<'_>, key: &str) -> Option<Self> {
        let node = reader.get(key)?;
        if !matches!(node.kind, Kind::Map(_)) {
            let datetime = reader.expression(key, Names::ANYWHERE)?;
            return Some(Self { datetime, format: None, least: None, most: None });
        }
        let child = reader.child(key)?;
        if child.kind() != "MinMaxDatetime" {
            child.unsupported("MinMaxDatetime");
            return None;
        }
        let datetime = child.required_expression("datetime", Names::ANYWHERE);
        let format = child.text("datetime_format").filter(|format| !format.is_empty());
        check_format(&child, "datetime_format", format.as_deref());
        let least = child.expression("min_datetime", Names::ANYWHERE);
        let most = child.expression("max_datetime", Names::ANYWHERE);
        child.finish();
        Some(Self { datetime: datetime?, format, least, most })
    }

    /// Whether one of its templates may read this name.
    pub(crate) fn may_read(&self, name: &str) -> bool {
        [Some(&self.datetime), self.least.as_ref(), self.most.as_ref()]
            .into_iter()
            .flatten()
            .any(|e| e.may_read(name, None))
    }

    /// The moment; `fallback` is the format where it has none of its own.
    pub(crate) fn evaluate(&self, scope: &Scope, fallback: &str) -> Result<DateTime<FixedOffset>, String> {
        let format = self.format.as_deref().unwrap_or(fallback);
        let moment = |expression: &Expression| {
            let text = expression.text(scope).map_err(|error| error.to_string())?;
            // A value in full ISO form is taken whatever the format says: settings are mostly written so.
            let parsed = datetime::parse(&text, format);
            parsed.or_else(|error| datetime::parse_iso(&text).map_err(|_| format!("`{text}`: {error}")))
        };
        let mut value = moment(&self.datetime)?;
        if let Some(least) = &self.least {
            value = value.max(moment(least)?);
        }
        if let Some(most) = &self.most {
            value = value.min(moment(most)?);
        }
        Ok(value)
    }
}
