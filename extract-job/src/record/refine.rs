//! What becomes of the records of one answer, in the order of the format: filter, transformations, cursor, redaction.
//! Where a stream has none of them, or only a filter, the records stay the bytes that the API sent.

use super::redaction::Redaction;
use super::tree::Tree;
use crate::components::datetime_based_cursor::Highest;
use crate::components::declarative_stream::DeclarativeStream;
use crate::components::expression::Scope;
use crate::components::windows::Window;
use crate::http::buffers::{Buffer, BufferWriter, Buffers};
use crate::record_slicer::text_of_field;
use crate::template::{Names, Shared};
use chrono::{DateTime, FixedOffset};
use serde_json::Value;
use std::borrow::Cow;
use std::io::Write;
use std::ops::Range;

/// What the records of an answer go through.
pub(crate) struct Refinement<'a> {
    pub(crate) stream: &'a DeclarativeStream,
    /// Settings, slice and page token.
    pub(crate) scope: &'a Scope,
    pub(crate) cursor_field: Option<&'a str>,
    /// Where the API cannot filter by time: records outside are dropped.
    pub(crate) bounds: Option<Window>,
    pub(crate) redaction: Option<&'a Redaction>,
    /// Whether paging looks at the last record.
    pub(crate) wants_last: bool,
}

/// The records that are left.
#[derive(Debug)]
pub(crate) struct Refined {
    pub(crate) body: Buffer,
    pub(crate) records: Vec<Range<usize>>,
    pub(crate) highest: Option<DateTime<FixedOffset>>,
    /// The last record that came out, before it was redacted.
    pub(crate) last: Option<Value>,
    /// How many came out.
    pub(crate) came_out: u64,
    /// How many the filter left out.
    pub(crate) filtered: u64,
    /// A record has a value in the cursor's field.
    pub(crate) has_cursor_value: bool,
    /// A format of the cursor reads such a value.
    pub(crate) has_readable_cursor: bool,
    /// The last record is older than the start of the bounds: all that follow in a newest-first feed are.
    pub(crate) is_past: bool,
}

impl Refined {
    /// Takes in what the records after these have shown; they themselves come later.
    pub(crate) fn and_then(&mut self, later: Self) {
        if later.came_out > 0 {
            self.is_past = later.is_past;
        }
        self.highest = self.highest.max(later.highest);
        self.last = later.last.or(self.last.take());
        self.came_out += later.came_out;
        self.filtered += later.filtered;
        self.has_cursor_value |= later.has_cursor_value;
        self.has_readable_cursor |= later.has_readable_cursor;
    }
}

/// Collects the results, record by record.
struct Collector<'a> {
    refinement: &'a Refinement<'a>,
    highest: Option<Highest<'a>>,
    came_out: u64,
    filtered: u64,
    has_cursor_value: bool,
    has_readable_cursor: bool,
    is_past: bool,
}

impl Refinement<'_> {
    /// Refines the records of one answer; takes time where records have to be built.
    ///
    /// # Errors
    /// A template that cannot be evaluated, a record that cannot be read.
    pub(crate) fn refine(
        &self,
        body: Buffer,
        mut records: Vec<Range<usize>>,
        buffers: &Buffers,
    ) -> Result<Refined, String> {
        let selector = &self.stream.retriever.selector;
        let is_changed = !self.stream.transformations.is_empty() || self.stream.has_nested_key();
        let rewrites = is_changed || self.redaction.is_some();
        if rewrites || selector.filter.is_some() {
            return self.rebuild(body, records, buffers, rewrites);
        }
        let mut collector = self.collector();
        let mut last = None;
        records.retain(|range| {
            let raw = &body[range.clone()];
            let value = self.cursor_field.and_then(|field| text_of_field(raw, field));
            let (came_out, stays) = collector.see(value);
            if came_out {
                last = Some(range.clone());
            }
            stays
        });
        let last = last.filter(|_| self.wants_last).and_then(|range| Some(Tree::parse(&body[range]).ok()?.to_value()));
        Ok(collector.done(body, records, last))
    }

    fn rebuild(
        &self,
        body: Buffer,
        records: Vec<Range<usize>>,
        buffers: &Buffers,
        rewrites: bool,
    ) -> Result<Refined, String> {
        let room = if rewrites { body.len() } else { 0 };
        let mut out = BufferWriter::new(buffers, room).map_err(|error| format!("no memory: {error}"))?;
        let (mut at, mut kept, mut line) = (0, Vec::with_capacity(records.len()), Vec::new());
        let mut collector = self.collector();
        let mut last = None;
        for range in records {
            let tree =
                Tree::parse(&body[range.clone()]).map_err(|error| format!("a record cannot be read: {error}"))?;
            let Some(mut tree) = self.shape(tree)? else {
                collector.filtered += 1;
                continue;
            };
            let value = self.cursor_field.and_then(|field| tree.get(field)?.as_text()).map(Cow::Owned);
            let (came_out, stays) = collector.see(value);
            if came_out && self.wants_last {
                last = Some(tree.to_value());
            }
            if !stays {
                continue;
            }
            if !rewrites {
                kept.push(range);
                continue;
            }
            if let Some(redaction) = self.redaction {
                redaction.apply(&mut tree)?;
            }
            line.clear();
            tree.write(&mut line);
            kept.push(at..at + line.len());
            line.push(b'\n');
            at += line.len();
            out.write_all(&line).map_err(|error| format!("no memory: {error}"))?;
        }
        let body = if rewrites { out.into_buffer() } else { body };
        Ok(collector.done(body, kept, last))
    }

    /// Filters and transforms one record; nothing if it goes.
    fn shape(&self, mut tree: Tree) -> Result<Option<Tree>, String> {
        let selector = &self.stream.retriever.selector;
        let cursor = self.stream.cursor.as_ref();
        let transforms_first = selector.transform_before_filtering.unwrap_or_else(|| {
            cursor.is_some_and(crate::components::datetime_based_cursor::DatetimeBasedCursor::is_client_side)
        });
        let keeps = |tree: &Tree| match &selector.filter {
            None => Ok(true),
            Some(filter) => filter.keeps(&self.scope.clone().with(Names::RECORD, Shared::of(tree))),
        };
        if !transforms_first && !keeps(&tree)? {
            return Ok(None);
        }
        // What is no object cannot be transformed; the load rejects it with its reason.
        if matches!(tree, Tree::Map(_)) {
            for transformation in &self.stream.transformations {
                transformation.apply(&mut tree, self.scope)?;
            }
            self.stream.lift_keys(&mut tree);
        }
        if transforms_first && !keeps(&tree)? {
            return Ok(None);
        }
        Ok(Some(tree))
    }

    fn collector(&self) -> Collector<'_> {
        let highest = self.stream.cursor.as_ref().map(Highest::new);
        Collector {
            refinement: self,
            highest,
            came_out: 0,
            filtered: 0,
            has_cursor_value: false,
            has_readable_cursor: false,
            is_past: false,
        }
    }
}

impl Collector<'_> {
    /// Whether a record with this cursor value has come out, and whether it stays.
    fn see(&mut self, value: Option<Cow<'_, str>>) -> (bool, bool) {
        let (Some(cursor), Some(value)) = (&self.refinement.stream.cursor, value) else {
            // A record without a cursor value is kept, and does not count.
            self.came_out += 1;
            self.is_past = false;
            return (true, true);
        };
        self.has_cursor_value = true;
        let Some(bounds) = self.refinement.bounds else {
            self.came_out += 1;
            if let Some(highest) = &mut self.highest {
                highest.see(value);
            }
            return (true, true);
        };
        let instant = cursor.instant(&value);
        self.has_readable_cursor |= instant.is_some();
        let stays = instant.is_none_or(|instant| (bounds.start..=bounds.end).contains(&instant));
        let came_out = stays || !cursor.is_client_side();
        if came_out {
            self.came_out += 1;
            self.is_past = instant.is_some_and(|instant| instant < bounds.start);
        }
        if stays && let Some(highest) = &mut self.highest {
            highest.see(value);
        }
        (came_out, stays)
    }

    fn done(self, body: Buffer, records: Vec<Range<usize>>, last: Option<Value>) -> Refined {
        let highest = self.highest.as_ref().and_then(Highest::instant);
        Refined {
            body,
            records,
            highest,
            last,
            came_out: self.came_out,
            filtered: self.filtered,
            has_cursor_value: self.has_cursor_value,
            has_readable_cursor: self.has_readable_cursor || highest.is_some(),
            is_past: self.is_past,
        }
    }
}
