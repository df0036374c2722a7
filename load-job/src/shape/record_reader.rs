//! Reads records one after the other: the values of the planned fields into slots, every field's kinds into what was observed, and the
//! content into a hash.

use super::hash;
use super::hint::Reading;
use super::kind::{Kind, Kinds};
use super::observe::Observed;
use super::record::{self, Fields};
use super::shaper::RejectReason;
use super::table_plan::TablePlan;
use super::value::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// The values of a record, one slot for each field whose values are kept.
pub(super) type Slots<'a> = Vec<Option<Value<'a>>>;

/// Reads records under a plan.
pub(super) struct RecordReader {
    plan: Arc<TablePlan>,
    /// The fields of the plan and those that are kept beside them, then those that were seen besides.
    names: Vec<String>,
    /// So many of them have a slot.
    kept: usize,
    index: HashMap<String, usize>,
    /// What was seen of each of them, and where first.
    seen: Vec<(Kinds, (u64, u32))>,
    /// The field plan of whole records.
    record: Option<usize>,
    /// The n-th field of the last record, as an index of `names`: records of a stream mostly look alike.
    expected: Vec<usize>,
    /// The last record's fields sorted by name, to be used again while records look alike. Of a field given twice the last one counts, as in
    /// the row.
    order: Vec<u32>,
    /// So many fields the last record had.
    fields: usize,
    canonical: hash::Canonical,
}

const NOT_SEEN: (Kinds, (u64, u32)) = (Kinds::NONE, (u64::MAX, 0));

impl RecordReader {
    /// `also` are fields whose values are kept even if the plan does not have them.
    pub(super) fn new(plan: Arc<TablePlan>, also: &[String]) -> Self {
        let mut names: Vec<String> = plan.fields.iter().map(|field| field.field.clone()).collect();
        for field in also {
            if !names.contains(field) {
                names.push(field.clone());
            }
        }
        Self {
            kept: names.len(),
            index: names.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect(),
            seen: vec![NOT_SEEN; names.len()],
            names,
            record: plan.fields.iter().position(|field| field.reading == Reading::Record),
            expected: Vec::new(),
            order: Vec::new(),
            fields: 0,
            canonical: hash::Canonical::default(),
            plan,
        }
    }

    /// The slot of a field; none for a field whose values are not kept.
    pub(super) fn slot(&self, field: &str) -> Option<usize> {
        self.index.get(field).copied().filter(|index| *index < self.kept)
    }

    /// Empty slots.
    pub(super) fn slots<'a>(&self) -> Slots<'a> {
        vec![None; self.kept]
    }

    /// What all records so far have shown.
    pub(super) fn observed(&self) -> Observed {
        let mut observed = Observed::default();
        for (name, (kinds, first)) in self.names.iter().zip(&self.seen) {
            if !kinds.is_empty() {
                observed.add(name, *kinds, *first);
            }
        }
        observed
    }

    /// Reads one record into the slots of its fields, and hashes it.
    pub(super) fn read<'a>(
        &mut self,
        line: &'a [u8],
        seq: u64,
        fields: &mut Fields<'a>,
        slots: &mut Slots<'a>,
    ) -> Result<[u8; 32], RejectReason> {
        slots.fill(None);
        record::read(line, fields)
            .map_err(|error| RejectReason::NoObject(format!("column {}: {}", error.column(), classify(&error))))?;
        let mut alike = self.fields == fields.len();
        for (place, (name, raw)) in fields.iter().enumerate() {
            let index = match self.expected.get(place).copied() {
                Some(index) if self.names[index] == **name => index,
                _ => {
                    alike = false;
                    let index = self.index_of(name);
                    if place < self.expected.len() {
                        self.expected[place] = index;
                    } else {
                        self.expected.push(index);
                    }
                    index
                }
            };
            let mut value = Value::read(raw);
            if let Some(field) = self.plan.fields.get(index) {
                value.read_as(field.reading);
            }
            let seen = &mut self.seen[index];
            seen.0.add(value.kind);
            seen.1 = seen.1.min((seq, u32::try_from(place).unwrap_or(u32::MAX)));
            if index < self.kept {
                slots[index] = Some(value);
            }
        }
        if let Some(index) = self.record {
            let text = std::str::from_utf8(line).map_err(|error| RejectReason::NoObject(error.to_string()))?;
            self.seen[index].0.add(Kind::Nested);
            slots[index] = Some(Value::record(text.trim()));
        }
        if !alike {
            self.fields = fields.len();
            self.order = (0..u32::try_from(fields.len()).unwrap_or(0)).collect();
            // The sort is stable.
            let name = |place: &u32| &fields[*place as usize].0;
            self.order.sort_by(|a, b| name(a).cmp(name(b)));
            self.order.reverse();
            self.order.dedup_by(|before, last| name(before) == name(last));
            self.order.reverse();
        }
        Ok(self.hash(fields))
    }

    /// The index of a field, which is new if it was not seen before.
    fn index_of(&mut self, name: &str) -> usize {
        if let Some(index) = self.index.get(name) {
            return *index;
        }
        let index = self.names.len();
        self.names.push(name.to_owned());
        self.seen.push(NOT_SEEN);
        self.index.insert(name.to_owned(), index);
        index
    }

    fn hash(&mut self, fields: &Fields<'_>) -> [u8; 32] {
        let hasher = &mut self.canonical;
        hasher.clear();
        hasher.update(b"o");
        for place in &self.order {
            let (name, raw) = &fields[*place as usize];
            hash::key(hasher, name);
            hash::value(hasher, raw);
        }
        hasher.update(b"e");
        hash::finish(hasher)
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
