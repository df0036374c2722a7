//! Turns blocks of NDJSON lines into Arrow batches under a [`TablePlan`]: of each record what decides (key, hash, order), or its whole row.
//! Many shapers work side by side; the CPU-heavy middle of the load.

use super::column_builder::{Builder, append, arrow_type};
use super::kind::Kind;
use super::observe::Observed;
use super::record::Fields;
use super::record_reader::{RecordReader, Slots};
use super::table_plan::{ColumnPlan, TablePlan};
use super::value::Value;
use super::wanted::Wanted;
use arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use contract::cursor::{CursorOrder, CursorValue};
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
    /// The rows: the columns, then `_etl_account`, `_etl_row_hash` and `_etl_seq`; of keys also `_etl_order`.
    pub(crate) rows: RecordBatch,
    /// The lines that could not be loaded, each with its reason.
    pub(crate) rejects: Vec<(std::ops::Range<usize>, RejectReason)>,
}

/// Shapes blocks, one after the other.
pub(crate) struct Shaper {
    plan: Arc<TablePlan>,
    reader: RecordReader,
    schema: Arc<Schema>,
    /// The columns that come out.
    columns: Vec<ColumnPlan>,
    /// The slots whose values go into them, each with its columns.
    filled: Vec<(usize, Vec<usize>)>,
    /// Whether each row tells its place among the versions of its key.
    has_order: bool,
}

impl Shaper {
    /// A shaper of what decides about each record: the columns of its key, its hash, and its place among the versions of its key, which follows from
    /// its batch's cursor, one of `cursors`.
    pub(crate) fn of_keys(plan: Arc<TablePlan>, keys: &[String], cursors: &[String]) -> Self {
        let reader = RecordReader::new(plan.clone(), cursors);
        let own = |key: &String| Some((reader.slot(key)?, plan.own_column(key)?.clone()));
        let (slots, columns): (Vec<usize>, Vec<ColumnPlan>) = keys.iter().filter_map(own).unzip();
        let filled = slots.into_iter().enumerate().map(|(column, slot)| (slot, vec![column])).collect();
        Self::new(plan, reader, columns, filled, true)
    }

    /// A shaper of whole rows.
    pub(crate) fn of_rows(plan: Arc<TablePlan>) -> Self {
        let filled = plan.fields.iter().enumerate().map(|(slot, field)| (slot, field.columns.clone())).collect();
        Self::new(plan.clone(), RecordReader::new(plan.clone(), &[]), plan.columns.clone(), filled, false)
    }

    fn new(
        plan: Arc<TablePlan>,
        reader: RecordReader,
        columns: Vec<ColumnPlan>,
        filled: Vec<(usize, Vec<usize>)>,
        has_order: bool,
    ) -> Self {
        let mut fields: Vec<Field> =
            columns.iter().map(|column| Field::new(&column.name, arrow_type(column.ty), true)).collect();
        fields.push(Field::new("_etl_account", DataType::Utf8, false));
        fields.push(Field::new("_etl_row_hash", DataType::Utf8, false));
        fields.push(Field::new("_etl_seq", DataType::Int64, false));
        if has_order {
            fields.push(Field::new("_etl_order", DataType::Utf8, true));
        }
        Self { plan, reader, schema: Arc::new(Schema::new(fields)), columns, filled, has_order }
    }

    /// What all blocks so far have shown.
    pub(crate) fn observed(&self) -> Observed {
        self.reader.observed()
    }

    /// Shapes the lines of `data` that are wanted; the first line's number is `first_seq`.
    ///
    /// # Errors
    /// Arrow refuses the rows; that would be a fault of this program.
    pub(crate) fn shape(
        &mut self,
        data: &[u8],
        first_seq: u64,
        context: &BatchContext,
        wanted: &Wanted,
    ) -> Result<ShapedBlock, ArrowError> {
        let mut builders: Vec<Builder> = self.columns.iter().map(|column| Builder::new(column.ty)).collect();
        let (mut accounts, mut hashes, mut seqs) = (StringBuilder::new(), StringBuilder::new(), Int64Builder::new());
        let mut orders = StringBuilder::new();
        let cursor = context.cursor.as_ref().filter(|_| self.has_order);
        let cursor = cursor.and_then(|(field, order)| Some((self.reader.slot(field)?, order)));
        let keys: Vec<Option<usize>> = context.keys.iter().map(|key| self.reader.slot(key)).collect();
        let mut rejects = Vec::new();
        let mut slots = self.reader.slots();
        let mut fields: Fields<'_> = Vec::new();
        let (mut start, mut next) = (0, first_seq);
        while start < data.len() {
            let end = memchr::memchr(b'\n', &data[start..]).map_or(data.len(), |at| start + at);
            let range = start..end;
            start = end + 1;
            if data[range.clone()].iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let seq = next;
            next += 1;
            if !wanted.has(seq) {
                continue;
            }
            match self.reader.read(&data[range.clone()], seq, &mut fields, &mut slots) {
                Err(reason) => rejects.push((range, reason)),
                Ok(hash) => match self.key_problem(&keys, context, &slots) {
                    Some(reason) => rejects.push((range, reason)),
                    None => {
                        for (slot, columns) in &self.filled {
                            append(&mut builders, &self.columns, columns, slots[*slot].as_ref());
                        }
                        accounts.append_value(&context.account);
                        hashes.append_value(String::from_utf8_lossy(&hash));
                        seqs.append_value(i64::try_from(seq).unwrap_or(i64::MAX));
                        if self.has_order {
                            orders.append_option(cursor.and_then(|(slot, order)| place(slots[slot].as_ref()?, order)));
                        }
                    }
                },
            }
        }
        let mut arrays: Vec<ArrayRef> = builders.into_iter().map(Builder::finish).collect::<Result<_, _>>()?;
        arrays.push(Arc::new(accounts.finish()));
        arrays.push(Arc::new(hashes.finish()));
        arrays.push(Arc::new(seqs.finish()));
        if self.has_order {
            arrays.push(Arc::new(orders.finish()));
        }
        let rows = RecordBatch::try_new(self.schema.clone(), arrays)?;
        Ok(ShapedBlock { rows, rejects })
    }

    fn key_problem(&self, keys: &[Option<usize>], context: &BatchContext, slots: &Slots<'_>) -> Option<RejectReason> {
        for (name, slot) in context.keys.iter().zip(keys) {
            let value = slot.and_then(|slot| slots[slot].as_ref()).filter(|value| value.kind != Kind::Null);
            let (Some(slot), Some(value)) = (slot, value) else {
                // A key that the plan does not know yet is null in every record, or the plan will be made anew.
                return Some(RejectReason::KeyMissing(name.clone()));
            };
            if value.kind == Kind::TextBroken || value.has_half_characters() {
                return Some(RejectReason::KeyBroken(name.clone()));
            }
            let own = self.plan.fields.get(*slot).and_then(|field| self.plan.columns.get(*field.columns.first()?));
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
