//! DatetimeBasedCursor: which span of time is read, cut into windows, and the state that remains.
//! The state is the highest cursor value seen in records, never the end of a window: what arrives late is not lost.

use super::expression::{Expression, Scope};
use super::min_max_datetime::MinMaxDatetime;
use super::request_option::{Injection, RequestOption};
use super::windows::{Span, Window, cut};
use crate::manifest::reader::Reader;
use crate::record_slicer;
use crate::template::Names;
use crate::template::datetime;
use crate::template::duration::IsoDuration;
use chrono::{DateTime, FixedOffset, Utc};
use serde_json::{Map, Value, json};
use std::ops::Range;

#[derive(Debug)]
pub(crate) struct DatetimeBasedCursor {
    cursor_field: Expression,
    format: String,
    /// In the order in which they are tried; the last one is `format`.
    formats: Vec<String>,
    start: MinMaxDatetime,
    end: Option<MinMaxDatetime>,
    step: Option<Expression>,
    granularity: Option<IsoDuration>,
    lookback: Option<Expression>,
    start_option: Option<RequestOption>,
    end_option: Option<RequestOption>,
    start_field: String,
    end_field: String,
    strict: bool,
}

/// The range to read instead of what the state says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backfill {
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: DateTime<Utc>,
}

/// What one run reads.
#[derive(Debug, PartialEq)]
pub(crate) struct Slices {
    pub(crate) windows: Vec<Window>,
    /// The state if no record comes: the old one, or the start.
    pub(crate) floor: DateTime<FixedOffset>,
}

impl DatetimeBasedCursor {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "DatetimeBasedCursor" {
            reader.unsupported("DatetimeBasedCursor");
            return None;
        }
        let cursor_field = reader.required_expression("cursor_field", Names::ANYWHERE);
        reader.required("datetime_format");
        let format = reader.text("datetime_format");
        let mut formats: Vec<String> = reader
            .get("cursor_datetime_formats")
            .map(|node| node.items().iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
            .unwrap_or_default();
        formats.extend(format.clone());
        reader.required("start_datetime");
        let start = MinMaxDatetime::read(reader, "start_datetime");
        let end = MinMaxDatetime::read(reader, "end_datetime");
        if reader.has("step") != reader.has("cursor_granularity") {
            reader.error("`step` and `cursor_granularity` go together: both or neither");
        }
        let duration = |key: &str| {
            reader.text(key).and_then(|text| match IsoDuration::parse(&text) {
                Ok(duration) => Some(duration),
                Err(error) => {
                    reader.error_at(key, error);
                    None
                }
            })
        };
        let granularity = duration("cursor_granularity");
        let option = |key: &str| reader.child(key).and_then(|child| RequestOption::read(&child));
        let cursor = Self {
            cursor_field: cursor_field?,
            format: format?,
            formats,
            start: start?,
            end,
            step: reader.expression("step", Names::ANYWHERE),
            granularity,
            lookback: reader.expression("lookback_window", Names::ANYWHERE),
            start_option: option("start_time_option"),
            end_option: option("end_time_option"),
            start_field: reader.text("partition_field_start").unwrap_or_else(|| "start_time".into()),
            end_field: reader.text("partition_field_end").unwrap_or_else(|| "end_time".into()),
            strict: reader.boolean("is_compare_strictly", false),
        };
        reader.refuse(&["is_data_feed", "is_client_side_incremental", "global_substream_cursor", "clamping"]);
        reader.finish();
        Some(cursor)
    }

    /// The name of the record's field.
    pub(crate) fn field(&self, scope: &Scope) -> Result<String, String> {
        self.cursor_field.text(scope).map_err(|error| format!("`cursor_field`: {error}"))
    }

    /// The name of the record's field for the batch's description, where it depends on no setting.
    pub(crate) fn plain_field(&self) -> Option<String> {
        self.cursor_field.text(&Scope::new(DateTime::UNIX_EPOCH)).ok().filter(|field| !field.is_empty())
    }

    /// The windows to read, from the state of the last run or for a backfill.
    ///
    /// # Errors
    /// A template, a date or a state that cannot be read; windows without number.
    pub(crate) fn slices(
        &self,
        scope: &Scope,
        state: Option<&Value>,
        backfill: Option<Backfill>,
        now: DateTime<Utc>,
    ) -> Result<Slices, String> {
        let step = self.duration(self.step.as_ref(), scope, "step")?;
        let (span, floor) = match backfill {
            Some(Backfill { from, to }) => (Span { start: from.into(), end: to.into() }, from.fixed_offset()),
            None => self.span(scope, state, now)?,
        };
        let windows = cut(span, step.as_ref(), self.granularity.as_ref(), self.strict)?;
        Ok(Slices { windows, floor })
    }

    /// Start = the later of start_datetime and state, the lookback taken off the state alone and never before start_datetime.
    fn span(
        &self,
        scope: &Scope,
        state: Option<&Value>,
        now: DateTime<Utc>,
    ) -> Result<(Span, DateTime<FixedOffset>), String> {
        let first = self.start.evaluate(scope, &self.format).map_err(|error| format!("`start_datetime`: {error}"))?;
        let end = match &self.end {
            Some(end) => end.evaluate(scope, &self.format).map_err(|error| format!("`end_datetime`: {error}"))?,
            None => now.into(),
        };
        let Some(state) = self.parse_state(scope, state)? else {
            return Ok((Span { start: first, end }, first));
        };
        let looked_back = match self.duration(self.lookback.as_ref(), scope, "lookback_window")? {
            Some(lookback) => lookback.sub_from(state).map_err(|error| format!("`lookback_window`: {error}"))?,
            None => state,
        };
        Ok((Span { start: first.max(looked_back), end }, first.max(state)))
    }

    fn duration(&self, text: Option<&Expression>, scope: &Scope, key: &str) -> Result<Option<IsoDuration>, String> {
        let Some(text) = text else { return Ok(None) };
        let text = text.text(scope).map_err(|error| format!("`{key}`: {error}"))?;
        if text.is_empty() {
            return Ok(None);
        }
        IsoDuration::parse(&text).map(Some).map_err(|error| format!("`{key}`: {error}"))
    }

    fn parse_state(&self, scope: &Scope, state: Option<&Value>) -> Result<Option<DateTime<FixedOffset>>, String> {
        let Some(state) = state.filter(|state| !state.is_null()) else { return Ok(None) };
        let field = self.field(scope)?;
        let value = state.get(&field).ok_or_else(|| format!("the state has no `{field}`; use --full-refresh"))?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match self.parse(&text) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(format!("the state's `{field}` fits none of the cursor's formats; use --full-refresh")),
        }
    }

    fn parse(&self, text: &str) -> Option<DateTime<FixedOffset>> {
        self.formats.iter().find_map(|format| datetime::parse(text, format).ok())
    }

    /// The state in the format of the cursor.
    pub(crate) fn state(&self, field: &str, highest: DateTime<FixedOffset>) -> Value {
        json!({ field: datetime::format(highest, &self.format) })
    }

    /// The names of a window in templates.
    pub(crate) fn slice(&self, window: &Window) -> Value {
        let mut slice = Map::new();
        slice.insert(self.start_field.clone(), Value::String(datetime::format(window.start, &self.format)));
        slice.insert(self.end_field.clone(), Value::String(datetime::format(window.end, &self.format)));
        Value::Object(slice)
    }

    /// The window's boundaries on their way into the request.
    pub(crate) fn injections(&self, window: &Window, scope: &Scope) -> Result<Vec<Injection>, String> {
        let options = [(&self.start_option, window.start), (&self.end_option, window.end)];
        let injections = options.into_iter().filter_map(|(option, instant)| {
            let value = Value::String(datetime::format(instant, &self.format));
            option.as_ref().map(|option| option.inject(value, scope).map_err(|error| error.to_string()))
        });
        injections.collect()
    }

    /// The highest cursor value of a page; records without a readable one do not count.
    pub(crate) fn highest(&self, field: &str, body: &[u8], records: &[Range<usize>]) -> Option<DateTime<FixedOffset>> {
        let mut highest: Option<(String, DateTime<FixedOffset>)> = None;
        for range in records {
            let Some(text) = record_slicer::text_of_field(&body[range.clone()], field) else { continue };
            if let Some((have, _)) = &highest
                && (*have == *text || is_surely_earlier(&text, have))
            {
                continue;
            }
            if let Some(instant) = self.parse(&text)
                && highest.as_ref().is_none_or(|(_, have)| instant > *have)
            {
                highest = Some((text.into_owned(), instant));
            }
        }
        highest.map(|(_, instant)| instant)
    }
}

/// Two UTC timestamps of one shape (`2026-01-02T03:04:05.678Z`) compare as text; all else has to be parsed.
fn is_surely_earlier(text: &str, than: &str) -> bool {
    let utc = |text: &[u8]| text.len() >= 20 && text[4] == b'-' && text[7] == b'-' && text.ends_with(b"Z");
    text.len() == than.len() && utc(text.as_bytes()) && utc(than.as_bytes()) && text < than
}
