//! Turns blocks of NDJSON lines into Arrow batches under a [`TablePlan`], and observes every value on the way.
//! Many shapers work side by side; the CPU-heavy middle of the load.

use super::column_builder::{Builder, append, arrow_type};
use super::hash;
use super::hint::Reading;
use super::kind::{Kind, Kinds};
use super::observe::Observed;
use super::record::{self, Fields};
use super::table_plan::TablePlan;
use super::value::Value;
use arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use contract::cursor::{CursorOrder, CursorValue};
use std::collections::HashMap;
use std::sync::Arc;

/// What a shaper must know of the batch that a block comes from.
#[derive(Debug, Clone, Default)]
pub(crate) struct BatchContext {
    /// Goes into `_etl_account`.
    pub(crate) account: String,
    /// The fields of the primary key.
    pub(crate) keys: Vec<String>,
    /// The field whose later value wins among records of one key, and how its values are compared.
    pub(crate) cursor: Option<(String, CursorOrder)>,
}

/// Why a record cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RejectReason {
    /// Not valid JSON, or no object.
    NoObject(String),
    /// A field of the primary key is missing or null.
    KeyMissing(String),
    /// A field of the primary key holds a text with half of a surrogate pair.
    KeyBroken(String),
    /// A field of the primary key holds a value that its column cannot hold.
    KeyMisfit(String, &'static str),
}

impl std::fmt::Display for RejectReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoObject(why) => write!(f, "the record is no JSON object: {why}"),
            Self::KeyMissing(field) => write!(f, "the primary key field `{field}` is missing or null"),
            Self::KeyBroken(field) => {
                write!(
                    f,
                    "the primary key field `{field}` has half of a character (a lone surrogate), which no column holds"
                )
            }
            Self::KeyMisfit(field, ty) => {
                write!(
                    f,
                    "the primary key field `{field}` does not fit its column's type {ty}, and a key is never altered: say `columns: {{{field}: STRING}}` \
                     (JSON where keys are objects or fractions) for the stream, give it another `table:` or drop the old one, and run it with \
                     --full-refresh"
                )
            }
        }
    }
}

/// What came of a block.
pub(crate) struct ShapedBlock {
    /// The rows: the plan's columns, then `_etl_account`, `_etl_row_hash`, `_etl_seq` and `_etl_order`.
    pub(crate) rows: RecordBatch,
    /// The lines that could not be loaded, each with its reason.
    pub(crate) rejects: Vec<(std::ops::Range<usize>, RejectReason)>,
}

/// Shapes blocks, one after the other.
pub(crate) struct Shaper {
    plan: Arc<TablePlan>,
    schema: Arc<Schema>,
    index: HashMap<String, usize>,
    /// The field plan of whole records.
    record: Option<usize>,
    /// Field plan of the n-th field of the last record: records of a stream mostly look alike.
    expected: Vec<usize>,
    /// The last record's fields sorted by name, to be used again while records look alike.
    order: Vec<u32>,
    kinds: Vec<(Kinds, (u64, u32))>,
    others: Observed,
    canonical: hash::Canonical,
}

const UNKNOWN: usize = usize::MAX;

impl Shaper {
    pub(crate) fn new(plan: Arc<TablePlan>) -> Self {
        let mut fields: Vec<Field> =
            plan.columns.iter().map(|column| Field::new(&column.name, arrow_type(column.ty), true)).collect();
        fields.push(Field::new("_etl_account", DataType::Utf8, false));
        fields.push(Field::new("_etl_row_hash", DataType::Utf8, false));
        fields.push(Field::new("_etl_seq", DataType::Int64, false));
        fields.push(Field::new("_etl_order", DataType::Utf8, true));
        Self {
            schema: Arc::new(Schema::new(fields)),
            index: plan.fields.iter().enumerate().map(|(index, field)| (field.field.clone(), index)).collect(),
            record: plan.fields.iter().position(|field| field.reading == Reading::Record),
            expected: Vec::new(),
            order: Vec::new(),
            kinds: vec![(Kinds::default(), (u64::MAX, 0)); plan.fields.len()],
            others: Observed::default(),
            canonical: hash::Canonical::default(),
            plan,
        }
    }

    /// What all blocks so far have shown.
    pub(crate) fn observed(&self) -> Observed {
        let mut observed = self.others.clone();
        for (field, (kinds, first)) in self.plan.fields.iter().zip(&self.kinds) {
            if !kinds.is_empty() {
                observed.add(&field.field, *kinds, *first);
            }
        }
        observed
    }

    /// Shapes the lines of `data`; the first line's number is `first_seq`.
    ///
    /// # Errors
    /// Arrow refuses the rows; that would be a fault of this program.
    pub(crate) fn shape(
        &mut self,
        data: &[u8],
        first_seq: u64,
        context: &BatchContext,
    ) -> Result<ShapedBlock, ArrowError> {
        let plan = self.plan.clone();
        let mut builders: Vec<Builder> = plan.columns.iter().map(|column| Builder::new(column.ty)).collect();
        let (mut accounts, mut hashes, mut seqs) = (StringBuilder::new(), StringBuilder::new(), Int64Builder::new());
        let mut orders = StringBuilder::new();
        let cursor = context.cursor.as_ref().and_then(|(field, order)| Some((*self.index.get(field)?, order)));
        let keys: Vec<usize> = context.keys.iter().map(|key| self.index.get(key).copied().unwrap_or(UNKNOWN)).collect();
        let mut rejects = Vec::new();
        let mut slots: Vec<Option<Value<'_>>> = vec![None; plan.fields.len()];
        let mut fields: Fields<'_> = Vec::new();
        let (mut start, mut seq) = (0, first_seq);
        while start < data.len() {
            let end = memchr::memchr(b'\n', &data[start..]).map_or(data.len(), |at| start + at);
            let range = start..end;
            start = end + 1;
            if data[range.clone()].iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            slots.fill(None);
            match self.read(&data[range.clone()], seq, &mut fields, &mut slots) {
                Err(reason) => rejects.push((range, reason)),
                Ok(hash) => match self.key_problem(&keys, context, &slots) {
                    Some(reason) => rejects.push((range, reason)),
                    None => {
                        for (field, slot) in plan.fields.iter().zip(&slots) {
                            append(&mut builders, &plan.columns, &field.columns, slot.as_ref());
                        }
                        accounts.append_value(&context.account);
                        hashes.append_value(String::from_utf8_lossy(&hash));
                        seqs.append_value(i64::try_from(seq).unwrap_or(i64::MAX));
                        orders.append_option(cursor.and_then(|(index, order)| place(slots[index].as_ref()?, order)));
                    }
                },
            }
            seq += 1;
        }
        let mut arrays: Vec<ArrayRef> = builders.into_iter().map(Builder::finish).collect::<Result<_, _>>()?;
        arrays.push(Arc::new(accounts.finish()));
        arrays.push(Arc::new(hashes.finish()));
        arrays.push(Arc::new(seqs.finish()));
        arrays.push(Arc::new(orders.finish()));
        let rows = RecordBatch::try_new(self.schema.clone(), arrays)?;
        Ok(ShapedBlock { rows, rejects })
    }

    /// Reads one record into the slots of its fields, and hashes it.
    fn read<'a>(
        &mut self,
        line: &'a [u8],
        seq: u64,
        fields: &mut Fields<'a>,
        slots: &mut [Option<Value<'a>>],
    ) -> Result<[u8; 32], RejectReason> {
        record::read(line, fields)
            .map_err(|error| RejectReason::NoObject(format!("column {}: {}", error.column(), classify(&error))))?;
        let mut alike = self.order.len() == fields.len();
        for (place, (name, raw)) in fields.iter().enumerate() {
            let index = match self.expected.get(place).copied() {
                Some(index) if index != UNKNOWN && self.plan.fields[index].field == **name => index,
                _ => {
                    alike = false;
                    let index = self.index.get(name.as_ref()).copied().unwrap_or(UNKNOWN);
                    if place < self.expected.len() {
                        self.expected[place] = index;
                    } else {
                        self.expected.push(index);
                    }
                    index
                }
            };
            let mut value = Value::read(raw);
            let first = (seq, u32::try_from(place).unwrap_or(u32::MAX));
            if index == UNKNOWN {
                self.others.add(name, Kinds::of(&[value.kind]), first);
            } else {
                value.read_as(self.plan.fields[index].reading);
                let seen = &mut self.kinds[index];
                seen.0.add(value.kind);
                seen.1 = seen.1.min(first);
                slots[index] = Some(value);
            }
        }
        if let Some(index) = self.record {
            let text = std::str::from_utf8(line).map_err(|error| RejectReason::NoObject(error.to_string()))?;
            self.kinds[index].0.add(Kind::Nested);
            slots[index] = Some(Value::record(text.trim()));
        }
        if !alike {
            self.order = (0..u32::try_from(fields.len()).unwrap_or(0)).collect();
            self.order.sort_by(|a, b| fields[*a as usize].0.cmp(&fields[*b as usize].0));
        }
        Ok(self.hash(fields))
    }

    fn hash(&mut self, fields: &Fields<'_>) -> [u8; 32] {
        let hasher = &mut self.canonical;
        hasher.clear();
        hasher.update(b"o");
        for (at, place) in self.order.iter().enumerate() {
            let (name, raw) = &fields[*place as usize];
            // Of a field given twice the last one counts, as in the row; the sort is stable.
            if self.order.get(at + 1).is_none_or(|next| fields[*next as usize].0 != *name) {
                hash::key(hasher, name);
                hash::value(hasher, raw);
            }
        }
        hasher.update(b"e");
        hash::finish(hasher)
    }

    fn key_problem(&self, keys: &[usize], context: &BatchContext, slots: &[Option<Value<'_>>]) -> Option<RejectReason> {
        for (name, index) in context.keys.iter().zip(keys) {
            let value = slots.get(*index).and_then(Option::as_ref).filter(|value| value.kind != Kind::Null);
            let Some(value) = value else {
                // A key that the plan does not know yet is null in every record, or the plan will be made anew.
                return Some(RejectReason::KeyMissing(name.clone()));
            };
            if value.kind == Kind::TextBroken || value.has_half_characters() {
                return Some(RejectReason::KeyBroken(name.clone()));
            }
            let own = self.plan.fields[*index].columns.first().map(|column| &self.plan.columns[*column]);
            if let Some(own) = own.filter(|own| !own.holds(value.kind)) {
                return Some(RejectReason::KeyMisfit(name.clone(), own.ty.name()));
            }
        }
        None
    }
}

/// The place of a record among the versions of its key; none where its cursor cannot be compared.
fn place(value: &Value<'_>, order: &CursorOrder) -> Option<String> {
    match value.raw.as_bytes().first()? {
        b'"' => order.place(CursorValue::Text(&value.text)),
        b'-' | b'0'..=b'9' => order.place(CursorValue::Number(value.raw)),
        _ => None,
    }
}

/// The parser's complaint without the place (a line has its own) and without any of the record's text.
fn classify(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => "it is another kind of value",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "it is not valid JSON",
    }
}
