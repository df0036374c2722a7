//! The records of an answer: slices of its body, or records that one of our own extractors makes of it.

use super::making::Making;
use super::verdict::{self, Verdict};
use crate::components::expression::Scope;
use crate::components::record_extractor::RecordExtractor;
use crate::http::buffers::Buffer;
use crate::record_slicer::{self, Keep, SliceError, Sliced};
use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

/// An answer without records that is longer is not read any further to find out what it is.
const LARGEST_WITHOUT_RECORDS: usize = 16 << 20;
/// Fewer bytes of records are not worth a piece of their own.
const SMALLEST_PIECE: usize = 4 << 20;
/// So much of a record is shown that is none.
const LONGEST_SHOWN: usize = 4000;

/// The records of one answer.
#[derive(Debug)]
pub(crate) struct Extracted {
    pub(crate) body: Buffer,
    /// Where each record stands in the body.
    pub(crate) records: Vec<Range<usize>>,
    /// The answer without its records, as far as it was asked for.
    pub(crate) rest: Value,
    /// How many the answer held: what page numbers and offsets count.
    pub(crate) received: u64,
    /// Tells apart answers that hold different ones.
    pub(crate) fingerprint: u64,
    /// What an answer that has given no records is.
    pub(crate) verdict: Verdict,
    /// What the records after these are made of.
    pub(crate) more: Option<Making>,
}

/// Why a body gives no records.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is not what was declared.
    #[error("{0}")]
    Malformed(String),
    /// It is beyond what can be read, whoever asks for it again.
    #[error("{0}")]
    Unreadable(String),
}

impl From<String> for BodyError {
    fn from(why: String) -> Self {
        Self::Malformed(why)
    }
}

/// Finds the records in a body; the whole of it must be well-formed.
///
/// # Errors
/// Why it is not what was declared.
pub(crate) fn extract(
    extractor: &RecordExtractor,
    path: &[String],
    keep: Keep,
    body: Buffer,
    scope: &Scope,
) -> Result<Extracted, BodyError> {
    let keep = match extractor {
        RecordExtractor::FieldsAndRows(_) if keep == Keep::Nothing => Keep::Rest,
        _ => keep,
    };
    let path = extractor.path().path_in(&body, path);
    let Sliced { records, rest } = match record_slicer::slice(&body, path, keep) {
        Ok(sliced) => sliced,
        Err(error @ SliceError::NotRecords { .. }) => return Err(of_another_kind(&body, path, &error).into()),
        Err(error @ SliceError::TooDeep { .. }) => return Err(BodyError::Unreadable(not_json(&body, &error))),
        Err(error) => return Err(not_json(&body, &error).into()),
    };
    let received = records.len() as u64;
    let fingerprint = fingerprint(&body, &records);
    let verdict = match records.first() {
        None => judge(&body, path)?,
        Some(first) => {
            if let (RecordExtractor::Dpath(_), Some(kind)) = (extractor, verdict::kind_of_records(&body, &records)) {
                let first = String::from_utf8_lossy(&body[first.clone()]);
                let first: String = first.chars().take(LONGEST_SHOWN).collect();
                return Err(format!("the answer holds {kind} where records are expected: {first}").into());
            }
            Verdict::Records
        }
    };
    if matches!(extractor, RecordExtractor::Dpath(path) if path.expander().is_none()) {
        return Ok(Extracted { body, records, rest, received, fingerprint, verdict, more: None });
    }
    let mut making = Making::new(extractor, body, records, &rest)?;
    let made = making.next(extractor, scope, piece_of(&making))?;
    // Outer records without inner ones: the answer may tell why.
    let verdict = match verdict {
        Verdict::Records if made.records.is_empty() && making.body().len() <= LARGEST_WITHOUT_RECORDS => {
            judge(making.body(), path)?
        }
        verdict => verdict,
    };
    let more = if making.is_done() { None } else { Some(making) };
    Ok(Extracted { body: Buffer::from(made.bytes), records: made.records, rest, received, fingerprint, verdict, more })
}

/// The bytes of records that are made at once: as many as the answer has, so that to read it once more for each piece costs no more than to
/// write the records.
pub(crate) fn piece_of(making: &Making) -> usize {
    making.body().len().max(SMALLEST_PIECE)
}

/// What an answer without records is.
fn judge(body: &[u8], path: &[String]) -> Result<Verdict, String> {
    if body.len() > LARGEST_WITHOUT_RECORDS {
        let place = path.join(".");
        return Err(format!("the answer has {} MB, but no records at `{place}`", body.len() / 1_000_000));
    }
    // Well-formed JSON by the slicer's word; a value that no number type holds is read as far as can be.
    Ok(verdict::judge(&record_slicer::value(body), path))
}

/// A single value where records are expected: it may tell an error.
fn of_another_kind(body: &[u8], path: &[String], error: &SliceError) -> String {
    match serde_json::from_slice(body).map(|body| verdict::judge(&body, path)) {
        Ok(Verdict::Error(why)) => why,
        _ => not_json(body, error),
    }
}

/// Tells pages of different records apart: the checksum of all of them, mixed with a hash of the first and the last.
pub(crate) fn fingerprint(body: &[u8], records: &[Range<usize>]) -> u64 {
    let (Some(first), Some(last)) = (records.first(), records.last()) else { return 0 };
    let mut hasher = DefaultHasher::new();
    records.len().hash(&mut hasher);
    body.get(first.clone()).hash(&mut hasher);
    body.get(last.clone()).hash(&mut hasher);
    crc32c::crc32c(body.get(first.start..last.end).unwrap_or_default()).hash(&mut hasher);
    hasher.finish()
}

/// Tells pages apart by the keys of a few of their records and by their number: an API that pays no heed to the page gives the same again,
/// but may sign links in it anew. Nothing where the records have no key, or the same one.
pub(crate) fn key_print(body: &[u8], records: &[Range<usize>], key: &[Vec<String>]) -> Option<u64> {
    if records.len() < 2 || key.is_empty() {
        return None;
    }
    let key = |range: &Range<usize>| {
        let record = body.get(range.clone())?;
        key.iter().map(|path| record_slicer::text_at(record, path)).collect::<Option<Vec<_>>>()
    };
    let last = records.len() - 1;
    let mut places = vec![0, last / 3, last / 2, last * 2 / 3, last];
    places.dedup();
    let keys = places.into_iter().map(|place| key(records.get(place)?)).collect::<Option<Vec<_>>>()?;
    if keys.iter().all(|key| *key == keys[0]) {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    (records.len(), keys).hash(&mut hasher);
    Some(hasher.finish())
}

fn not_json(body: &[u8], error: &SliceError) -> String {
    let start = body.iter().copied().find(|byte| !byte.is_ascii_whitespace());
    match start {
        None => "the answer is empty, not JSON".to_owned(),
        Some(b'<') => "the answer is HTML or XML, not JSON".to_owned(),
        Some(_) => format!("the answer cannot be read: {error}"),
    }
}
