//! Records that our extractors make of what an answer holds. What is carried along can make them many times as large as the answer, so that
//! they are made piece by piece: the next piece when the one before has been taken.
//! Guarantees: the pieces, one after the other, are all records in their order; a piece is hardly larger than what was asked for.

use super::tree::{Tree, write_text};
use crate::components::expression::Scope;
use crate::components::fields_and_rows_extractor::FieldsAndRows;
use crate::components::record_extractor::RecordExtractor;
use crate::http::buffers::Buffer;
use crate::record_slicer::SliceError;
use crate::record_slicer::scanner::Scanner;
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;

/// Takes what writes a record; says whether it wants another one.
pub(crate) type Emit<'a> = &'a mut dyn FnMut(&dyn Fn(&mut Vec<u8>)) -> bool;

/// What records are made of, and how far they have been made.
#[derive(Debug, Clone)]
pub(crate) struct Making {
    body: Arc<Buffer>,
    outer: Arc<[Range<usize>]>,
    columns: Arc<[String]>,
    /// The outer record at hand, and how many records have been made of it.
    at: usize,
    made: usize,
}

/// Records that are written anew, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: Vec<Range<usize>>,
}

impl Made {
    fn push(&mut self, write: &dyn Fn(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.records.push(start..self.bytes.len());
        self.bytes.push(b'\n');
    }
}

impl Making {
    /// Of the outer records of an answer; `rest` is the answer without them.
    ///
    /// # Errors
    /// The answer does not tell its columns.
    pub(crate) fn new(
        extractor: &RecordExtractor,
        body: Buffer,
        outer: Vec<Range<usize>>,
        rest: &Value,
    ) -> Result<Self, String> {
        let columns = match extractor {
            RecordExtractor::FieldsAndRows(table) if !outer.is_empty() => table.columns(rest)?,
            _ => Vec::new(),
        };
        Ok(Self { body: Arc::new(body), outer: outer.into(), columns: columns.into(), at: 0, made: 0 })
    }

    /// The bytes of the answer, which stay until all records are made.
    pub(crate) fn body(&self) -> &Buffer {
        &self.body
    }

    /// Whether all records have been made.
    pub(crate) fn is_done(&self) -> bool {
        self.at == self.outer.len()
    }

    /// The next records, until they have so many bytes.
    ///
    /// # Errors
    /// An outer record that they cannot be made of.
    pub(crate) fn next(&mut self, extractor: &RecordExtractor, scope: &Scope, bytes: usize) -> Result<Made, String> {
        let mut made = Made::default();
        while let Some(range) = self.outer.get(self.at) {
            let raw = self.body.get(range.clone()).unwrap_or_default();
            let (mut number, before) = (0, self.made);
            let mut emit = |write: &dyn Fn(&mut Vec<u8>)| {
                number += 1;
                if number > before {
                    if made.bytes.len() >= bytes {
                        return false;
                    }
                    made.push(write);
                    self.made = number;
                }
                true
            };
            let outer = || Tree::parse(raw).map_err(|error| unreadable(&error));
            let ended = match extractor {
                RecordExtractor::Dpath(path) => match path.expander() {
                    Some(expander) => expander.expand(&outer()?, scope, &mut emit)?,
                    None => emit(&|out| out.extend_from_slice(raw)),
                },
                RecordExtractor::Unnest(unnest) => unnest.unnest(&outer()?, &mut emit),
                RecordExtractor::FieldsAndRows(_) => {
                    let values = items(raw).map_err(|error| unreadable(&error))?;
                    let values = values.filter(|values| values.len() == self.columns.len());
                    let values = values.ok_or("a row of the answer does not fit its list of columns")?;
                    emit(&|out| FieldsAndRows::write(&self.columns, &values, out))
                }
            };
            if !ended {
                return Ok(made);
            }
            (self.at, self.made) = (self.at + 1, 0);
        }
        Ok(made)
    }
}

fn unreadable(error: &SliceError) -> String {
    format!("the answer cannot be read: {error}")
}

/// The raw items of a list; nothing if it is none.
fn items(bytes: &[u8]) -> Result<Option<Vec<&[u8]>>, SliceError> {
    let mut scanner = Scanner::new(bytes);
    if scanner.peek() != Some(b'[') {
        return Ok(None);
    }
    let mut items = Vec::new();
    scanner.open()?;
    if scanner.closes(b']') {
        return Ok(Some(items));
    }
    loop {
        let start = scanner.position();
        scanner.value()?;
        items.push(&bytes[start..scanner.position()]);
        if !scanner.more(b']')? {
            return Ok(Some(items));
        }
    }
}

impl FieldsAndRows {
    /// Appends a row as an object by the names of its columns.
    fn write(columns: &[String], values: &[&[u8]], out: &mut Vec<u8>) {
        out.push(b'{');
        for (index, (name, value)) in columns.iter().zip(values).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_text(out, name);
            out.push(b':');
            out.extend_from_slice(value);
        }
        out.push(b'}');
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::manifest::problem::Problems;
    use crate::manifest::reader::Reader;
    use crate::record_slicer::{Keep, slice};

    fn extractor(text: &str) -> RecordExtractor {
        let (node, problems) = (contract::yaml::parse(text).unwrap(), Problems::default());
        let extractor = RecordExtractor::read(&Reader::new(&node, "extractor".into(), &problems).unwrap());
        assert!(problems.into_sorted().0.is_empty());
        extractor.unwrap()
    }

    /// The records of each piece.
    fn pieces(extractor: &RecordExtractor, body: &str, path: &str, bytes: usize) -> Vec<Vec<String>> {
        let sliced = slice(body.as_bytes(), &[path], Keep::Rest).unwrap();
        let body = Buffer::from(body.as_bytes().to_vec());
        let mut making = Making::new(extractor, body, sliced.records, &sliced.rest).unwrap();
        let scope = Scope::new(chrono::Utc::now());
        let mut pieces = Vec::new();
        loop {
            let Made { bytes, records } = making.next(extractor, &scope, bytes).unwrap();
            let text = |range: &Range<usize>| String::from_utf8(bytes[range.clone()].to_vec()).unwrap();
            pieces.push(records.iter().map(text).collect());
            if making.is_done() {
                return pieces;
            }
        }
    }

    #[test]
    fn the_pieces_are_all_records_in_their_order() {
        let unnest = r"{type: CustomRecordExtractor, class_name: extract_job.Unnest, field_path: [items],
            levels: [{field: a, carry: {id: id, none: x.y}, index: i}, {field: b, carry: {c: c}, index: j}]}";
        let expand = r"{type: DpathExtractor, field_path: [items], record_expander:
            {type: RecordExpander, expand_records_from_field: [a], remain_original_record: true, on_no_records: emit_parent}}";
        let rows = "{type: CustomRecordExtractor, class_name: extract_job.FieldsAndRows, rows_path: [items], fields_path: [fields]}";
        let nested = r#"{"items": [
            {"id": 1, "a": [{"c": "x", "b": [{"id": 9, "k": 1}, 7]}, {"b": []}, {"b": [{"i": "own"}]}]},
            {"id": 2}, {"id": 3, "a": []}, {"id": 4, "a": [{"c": null, "b": [[1]]}]}]}"#;
        let made = [
            r#"{"id":1,"k":1,"none":null,"i":0,"c":"x","j":0}"#,
            r#"{"value":7,"id":1,"none":null,"i":0,"c":"x","j":1}"#,
            r#"{"i":2,"id":1,"none":null,"c":null,"j":0}"#,
            r#"{"value":[1],"id":4,"none":null,"i":0,"c":null,"j":0}"#,
        ];
        let lists = r#"{"items": [{"id": 1, "a": [{"n": 1, "original_record": 0}, 5]}, {"id": 2, "a": []}]}"#;
        let expanded =
            [r#"{"n":1,"original_record":{"id":1,"a":[{"n":1,"original_record":0},5]}}"#, "5", r#"{"id":2,"a":[]}"#];
        let table = r#"{"fields": ["x", {"name": "y"}], "items": [[1, "a"], [2.50, {"z": 1}]]}"#;
        let objects = [r#"{"x":1,"y":"a"}"#, r#"{"x":2.50,"y":{"z": 1}}"#];
        let cases: [(&str, &str, &[&str]); 3] =
            [(unnest, nested, &made), (expand, lists, &expanded), (rows, table, &objects)];
        for (text, body, expected) in cases {
            let extractor = extractor(text);
            for bytes in [1, 60, 1 << 20] {
                let pieces = pieces(&extractor, body, "items", bytes);
                assert_eq!(pieces.concat(), expected, "{text}, {bytes} bytes");
                let most = if bytes == 1 { 1 } else { expected.len() };
                assert!(pieces.iter().all(|piece| piece.len() <= most), "{text}, {bytes} bytes: {pieces:?}");
            }
        }
    }

    #[test]
    fn what_is_carried_along_is_in_memory_for_one_piece_alone() {
        let unnest = r"{type: CustomRecordExtractor, class_name: extract_job.Unnest, field_path: [items],
            levels: [{field: a, carry: {big: big}}]}";
        let numbers: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        let body = format!(r#"{{"items": [{{"big": "{}", "a": [{}]}}]}}"#, "x".repeat(20_000), numbers.join(","));
        let extractor = extractor(unnest);
        let pieces = pieces(&extractor, &body, "items", 100_000);
        assert_eq!(pieces.concat().len(), 1000);
        assert!(pieces.iter().all(|piece| piece.concat().len() < 130_000), "of 20 MB");
    }
}
