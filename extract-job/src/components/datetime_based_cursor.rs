//! DatetimeBasedCursor: which span of time is read, cut into windows, and the state that remains.
//! The state is the highest cursor value seen in records, never the end of a window: what arrives late is not lost.

use super::expression::{Expression, Scope};
use super::min_max_datetime::MinMaxDatetime;
use super::request_option::{Injection, RequestOption};
use super::windows::{Span, Window, cut};
use crate::manifest::reader::Reader;
use crate::template::Names;
use crate::template::datetime;
use crate::template::duration::IsoDuration;
use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use contract::cursor::CursorFormats;
use contract::yaml::Node;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// An end this close to now is now: templates are evaluated a little later than the run has begun.
const AROUND_NOW: TimeDelta = TimeDelta::minutes(1);
/// No reading takes longer; a snapshot whose records are filtered here reaches so far into the future.
const LONGEST_READING: TimeDelta = TimeDelta::days(1);

#[derive(Debug)]
pub(crate) struct DatetimeBasedCursor {
    cursor_field: Expression,
    format: String,
    /// In the order in which they are tried; the last one is `format`.
    formats: CursorFormats,
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
    /// The API cannot filter by time, and its newest records come first: reading stops at the first page that ends before the start.
    is_data_feed: bool,
    /// The API cannot filter by time: records outside of the window are dropped here.
    is_client_side: bool,
    /// One state for all partitions.
    is_global: bool,
    /// The end of a window goes into the requests.
    sends_end: bool,
}

/// The range to read instead of what the state says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backfill {
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: DateTime<Utc>,
}

/// Which range of time is read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Range {
    /// From the state of the last run on. `least_lookback` is taken off it where the cursor's own lookback is shorter.
    Since {
        state: Option<DateTime<FixedOffset>>,
        least_lookback: TimeDelta,
    },
    /// All there is: also what changes while it is read.
    Everything,
    Backfill(Backfill),
}

/// What one run reads.
#[derive(Debug, PartialEq)]
pub(crate) struct Slices {
    pub(crate) windows: Vec<Window>,
    /// The state if no record comes: the old one, or the start.
    pub(crate) floor: DateTime<FixedOffset>,
    /// What is newer than the end is left out: rows that change while everything is read seem to be gone.
    pub(crate) ends_early: bool,
    /// The same for what changes from now on.
    pub(crate) ends_now: bool,
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
        check_format(reader, "datetime_format", format.as_deref());
        let mut formats: Vec<String> = reader
            .get("cursor_datetime_formats")
            .map(|node| node.items().iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
            .unwrap_or_default();
        formats.iter().for_each(|format| check_format(reader, "cursor_datetime_formats", Some(format)));
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
                    reader.error_at(key, format!("is `{text}`: {error}"));
                    None
                }
            })
        };
        let granularity = duration("cursor_granularity");
        for key in ["step", "lookback_window"] {
            let text = reader.get(key).and_then(Node::as_str).filter(|text| !text.is_empty() && !text.contains("{{"));
            if let Some((text, Err(error))) = text.map(|text| (text, IsoDuration::parse(text))) {
                reader.error_at(key, format!("is `{text}`: {error}"));
            }
        }
        let option = |key: &str| reader.child(key).and_then(|child| RequestOption::read(&child));
        let cursor = Self {
            cursor_field: cursor_field?,
            format: format?,
            formats: formats.into(),
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
            is_data_feed: reader.boolean("is_data_feed", false),
            is_client_side: reader.boolean("is_client_side_incremental", false),
            is_global: reader.boolean("global_substream_cursor", false),
            sends_end: reader.has("end_time_option"),
        };
        if (cursor.is_data_feed || cursor.is_client_side) && cursor.step.is_some() {
            reader.error_at(
                "step",
                "cannot stand with `is_data_feed` or `is_client_side_incremental`: each window would read everything",
            );
        }
        reader.refuse(&["clamping"]);
        reader.finish();
        Some(cursor)
    }

    /// The name of the record's field.
    pub(crate) fn field(&self, scope: &Scope) -> Result<String, String> {
        self.cursor_field.text(scope).map_err(|error| format!("`cursor_field`: {error}"))
    }

    /// The name of the record's field, where it depends on no setting.
    pub(crate) fn plain_field(&self) -> Option<String> {
        self.cursor_field.text(&Scope::new(DateTime::UNIX_EPOCH)).ok().filter(|field| !field.is_empty())
    }

    /// The names under which templates find a window.
    pub(crate) fn slice_fields(&self) -> [&str; 2] {
        [&self.start_field, &self.end_field]
    }

    /// The name under which templates find the end of a window.
    pub(crate) fn end_field(&self) -> &str {
        &self.end_field
    }

    /// A template puts the end of a window into the requests.
    pub(crate) fn note_end_in_templates(&mut self) {
        self.sends_end = true;
    }

    /// Whether the API is told where a window ends.
    pub(crate) fn sends_end(&self) -> bool {
        self.sends_end
    }

    pub(crate) fn is_data_feed(&self) -> bool {
        self.is_data_feed
    }

    pub(crate) fn is_client_side(&self) -> bool {
        self.is_client_side
    }

    pub(crate) fn is_global(&self) -> bool {
        self.is_global
    }

    pub(crate) fn granularity(&self) -> Option<&IsoDuration> {
        self.granularity.as_ref()
    }

    /// What is wrong with the range that the settings give, as far as it is known before anything is read.
    pub(crate) fn range_problem(&self, scope: &Scope) -> Option<String> {
        let of_slices = ["stream_slice", "stream_partition", "stream_interval"];
        let moments = [("start_datetime", Some(&self.start)), ("end_datetime", self.end.as_ref())];
        let mut moments = moments.into_iter().filter_map(|(key, moment)| Some((key, moment?)));
        moments.find_map(|(key, moment)| {
            if of_slices.iter().any(|name| moment.may_read(name)) {
                return None;
            }
            moment.evaluate(scope, &self.format).err().map(|error| format!("`{key}`: {error}"))
        })
    }

    /// The windows to read.
    ///
    /// # Errors
    /// A template or a date that cannot be read; windows without number.
    pub(crate) fn slices(&self, scope: &Scope, range: Range, now: DateTime<Utc>) -> Result<Slices, String> {
        let step = self.duration(self.step.as_ref(), scope, "step")?;
        let (span, floor) = match range {
            Range::Backfill(Backfill { from, to }) => {
                (Span { start: from.into(), end: to.into() }, from.fixed_offset())
            }
            Range::Since { state, least_lookback } => self.span(scope, state, least_lookback, now)?,
            Range::Everything => {
                let (span, floor) = self.span(scope, None, TimeDelta::zero(), now)?;
                // A row that changes while everything is read lies beyond the end, and would be taken for gone. Where the records are
                // filtered here the end can be open; an API may refuse one in the future.
                let is_open = span.end >= now - AROUND_NOW && (self.is_client_side || self.is_data_feed);
                let end = if is_open { span.end.max((now + LONGEST_READING).into()) } else { span.end };
                (Span { end, ..span }, floor)
            }
        };
        let windows = cut(span, step.as_ref(), self.granularity.as_ref(), self.strict)?;
        let (ends_early, ends_now) = (span.end < now - AROUND_NOW, self.sends_end && span.end < now + LONGEST_READING);
        Ok(Slices { windows, floor, ends_early, ends_now })
    }

    /// Start = the later of start_datetime and state, the lookback taken off the state alone and never before start_datetime.
    fn span(
        &self,
        scope: &Scope,
        state: Option<DateTime<FixedOffset>>,
        least_lookback: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<(Span, DateTime<FixedOffset>), String> {
        let first = self.start.evaluate(scope, &self.format).map_err(|error| format!("`start_datetime`: {error}"))?;
        let end = match &self.end {
            Some(end) => end.evaluate(scope, &self.format).map_err(|error| format!("`end_datetime`: {error}"))?,
            None => now.into(),
        };
        let Some(state) = state else {
            return Ok((Span { start: first, end }, first));
        };
        let looked_back = match self.duration(self.lookback.as_ref(), scope, "lookback_window")? {
            Some(lookback) => lookback.sub_from(state).map_err(|error| format!("`lookback_window`: {error}"))?,
            None => state,
        };
        let looked_back = looked_back.min(state.checked_sub_signed(least_lookback).unwrap_or(state));
        Ok((Span { start: first.max(looked_back), end }, first.max(state)))
    }

    fn duration(&self, text: Option<&Expression>, scope: &Scope, key: &str) -> Result<Option<IsoDuration>, String> {
        let Some(text) = text else { return Ok(None) };
        let text = text.text(scope).map_err(|error| format!("`{key}`: {error}"))?;
        if text.is_empty() {
            return Ok(None);
        }
        IsoDuration::parse(&text).map(Some).map_err(|error| format!("`{key}` is `{text}`: {error}"))
    }

    /// The instant in a state `{cursor_field: text}`.
    ///
    /// # Errors
    /// The state is not this cursor's.
    pub(crate) fn parse_state(
        &self,
        scope: &Scope,
        state: Option<&Value>,
    ) -> Result<Option<DateTime<FixedOffset>>, String> {
        let Some(state) = state.filter(|state| !state.is_null()) else { return Ok(None) };
        let field = self.field(scope)?;
        let value = state.get(&field).ok_or_else(|| format!("the state has no `{field}`; use --full-refresh"))?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match self.instant(&text) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(format!("the state's `{field}` fits none of the cursor's formats; use --full-refresh")),
        }
    }

    /// The state in the format of the cursor.
    pub(crate) fn state(&self, field: &str, highest: DateTime<FixedOffset>) -> Value {
        json!({ field: self.print(highest) })
    }

    /// An instant in the format of the cursor: in UTC where the format has no zone. The wall clock of a record's own zone would be read as UTC
    /// by the next run, which would then skip the rows of the hours between.
    fn print(&self, instant: DateTime<FixedOffset>) -> String {
        let instant = if names_zone(&self.format) { instant } else { instant.to_utc().fixed_offset() };
        datetime::format(instant, &self.format)
    }

    /// The instant as the format can tell it: a window is split at a moment that can be asked for.
    pub(crate) fn as_printed(&self, instant: DateTime<FixedOffset>) -> DateTime<FixedOffset> {
        datetime::parse(&self.print(instant), &self.format).unwrap_or(instant)
    }

    /// The names of a window in templates.
    pub(crate) fn slice(&self, window: &Window) -> Map<String, Value> {
        let mut slice = Map::new();
        slice.insert(self.start_field.clone(), Value::String(self.print(window.start)));
        slice.insert(self.end_field.clone(), Value::String(self.print(window.end)));
        slice
    }

    /// The window's boundaries on their way into the request.
    pub(crate) fn injections(&self, window: &Window, scope: &Scope) -> Result<Vec<Injection>, String> {
        let options = [(&self.start_option, window.start), (&self.end_option, window.end)];
        let injections = options.into_iter().filter_map(|(option, instant)| {
            let value = Value::String(self.print(instant));
            option.as_ref().map(|option| option.inject(value, scope).map_err(|error| error.to_string()))
        });
        injections.collect()
    }

    /// The instant of a record's cursor value.
    pub(crate) fn instant(&self, text: &str) -> Option<DateTime<FixedOffset>> {
        self.formats.instant(text)
    }

    /// How the values of records are read.
    pub(crate) fn formats(&self) -> &CursorFormats {
        &self.formats
    }
}

/// The highest cursor value among records; those without a readable one do not count.
pub(crate) struct Highest<'a> {
    cursor: &'a DatetimeBasedCursor,
    highest: Option<(String, DateTime<FixedOffset>)>,
}

impl<'a> Highest<'a> {
    pub(crate) fn new(cursor: &'a DatetimeBasedCursor) -> Self {
        Self { cursor, highest: None }
    }

    /// Sees one record's value.
    pub(crate) fn see(&mut self, text: Cow<'_, str>) {
        if let Some((have, _)) = &self.highest
            && (*have == *text || is_surely_earlier(&text, have))
        {
            return;
        }
        if let Some(instant) = self.cursor.instant(&text)
            && self.highest.as_ref().is_none_or(|(_, have)| instant > *have)
        {
            self.highest = Some((text.into_owned(), instant));
        }
    }

    pub(crate) fn instant(&self) -> Option<DateTime<FixedOffset>> {
        self.highest.as_ref().map(|(_, instant)| *instant)
    }
}

/// Refuses a format that is none: it would be sent to the API letter by letter, and would read no value.
pub(super) fn check_format(reader: &Reader<'_>, key: &str, format: Option<&str>) {
    if let Some(format) = format.filter(|format| !format.contains('%')) {
        reader.error_at(
            key,
            format!("has no directive: `{format}` would stand for itself; write `%Y-%m-%d` for a date, `%s` for seconds since 1970"),
        );
    }
}

/// Whether a format has a directive for the zone.
fn names_zone(format: &str) -> bool {
    let mut rest = format;
    while let Some((_, after)) = rest.split_once('%') {
        if after.starts_with(['z', 'Z']) || after.starts_with(":z") {
            return true;
        }
        // What follows `%` belongs to it, `%%` above all.
        let mut characters = after.chars();
        characters.next();
        rest = characters.as_str();
    }
    false
}

/// Two UTC timestamps of one shape (`2026-01-02T03:04:05.678Z`) compare as text; all else has to be parsed.
fn is_surely_earlier(text: &str, than: &str) -> bool {
    let utc = |text: &[u8]| text.len() >= 20 && text[4] == b'-' && text[7] == b'-' && text.ends_with(b"Z");
    text.len() == than.len() && utc(text.as_bytes()) && utc(than.as_bytes()) && text < than
}
