//! Reading a batch's parts back: bytes from the landing zone, checked and decompressed, in blocks of whole lines.
//! Memory is bounded by the blocks in flight, never by the size of a part.

use bytes::Bytes;
use contract::batch::{Batch, LONGEST_RECORD, Part};
use contract::landing::{Landing, LandingError};
use futures::StreamExt;
use futures::stream::BoxStream;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// JSON is packed to a twelfth at best, but for what repeats itself; then room is made as bytes come.
const MOST_PACKED: u64 = 12;
/// Size that a block grows to before it is handed on.
const BLOCK: usize = 1 << 20;

/// Why a batch cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The landing zone refuses.
    #[error(transparent)]
    Landing(#[from] LandingError),
    /// The part is not what `batch.json` says.
    #[error("{path} is damaged: {message}; extract the stream again")]
    Damaged {
        /// The part.
        path: String,
        /// What is wrong.
        message: String,
    },
}

/// Whole lines of a part.
#[derive(Clone)]
pub(crate) struct Block {
    /// The lines, with their line ends.
    pub(crate) data: Bytes,
    /// Number of the first line, over all parts of the batch, from 0.
    pub(crate) first: u64,
}

/// Reads the parts of a batch in order and hands their lines to `each`, which says whether to go on. A part is left out if none of its records
/// is wanted. Size, crc32c and number of records of every part that is read are checked.
///
/// # Errors
/// The landing zone refuses, or a part is damaged.
pub(crate) fn blocks(
    landing: &dyn Landing,
    runtime: &Handle,
    batch: &Batch,
    is_wanted: impl Fn(Range<u64>) -> bool,
    mut each: impl FnMut(Block) -> bool,
) -> Result<(), ReadError> {
    let mut first: u64 = 0;
    for part in &batch.parts {
        let before = first;
        let after = before.saturating_add(part.records);
        if !is_wanted(before..after) {
            first = after;
            continue;
        }
        if !part_blocks(landing, runtime, part, &mut first, &mut each)? {
            return Ok(());
        }
        if first - before != part.records {
            let message = format!("it holds {} records, but batch.json says {}", first - before, part.records);
            return Err(ReadError::Damaged { path: part.path.clone(), message });
        }
    }
    Ok(())
}

fn part_blocks(
    landing: &dyn Landing,
    runtime: &Handle,
    part: &Part,
    first: &mut u64,
    each: &mut impl FnMut(Block) -> bool,
) -> Result<bool, ReadError> {
    let damaged = |message: String| ReadError::Damaged { path: part.path.clone(), message };
    let stream = match runtime.block_on(landing.read(&part.path)) {
        Err(LandingError::NotFound { .. }) => return Err(damaged("it is missing".into())),
        other => other?,
    };
    let seen = Arc::new(Mutex::new(Seen { bytes: 0, crc32c: 0, failed: None }));
    let raw = PartBytes { stream, runtime: runtime.clone(), chunk: Bytes::new(), seen: seen.clone() };
    let mut decoder: Box<dyn Read> = if part.path.ends_with(".zst") {
        Box::new(zstd::Decoder::new(raw).map_err(|error| damaged(error.to_string()))?)
    } else {
        Box::new(flate2::read::MultiGzDecoder::new(raw))
    };
    let mut rest: Vec<u8> = Vec::new();
    loop {
        let mut data = std::mem::take(&mut rest);
        let read = fill(&mut decoder, &mut data, part.bytes.saturating_mul(MOST_PACKED));
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = seen.failed.take() {
            return Err(error.into());
        }
        drop(seen);
        let ended = read.map_err(|error| damaged(error.to_string()))?;
        if !ended {
            match memchr::memrchr(b'\n', &data) {
                Some(at) => rest = data.split_off(at + 1),
                None if data.len() > LONGEST_RECORD => {
                    let longest = LONGEST_RECORD >> 20;
                    return Err(damaged(format!("a line is longer than {longest} MiB, which no extract writes")));
                }
                None => {
                    rest = data;
                    continue;
                }
            }
        }
        let lines = lines(&data);
        if data.capacity() > 2 * data.len() {
            data.shrink_to_fit();
        }
        let block = Block { data: data.into(), first: *first };
        *first += lines;
        if lines > 0 && !each(block) {
            return Ok(false);
        }
        if ended {
            break;
        }
    }
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.bytes != part.bytes || seen.crc32c != part.crc32c {
        return Err(damaged(format!(
            "it has {} bytes and checksum {:08x}, but batch.json says {} and {:08x}",
            seen.bytes, seen.crc32c, part.bytes, part.crc32c
        )));
    }
    Ok(true)
}

/// How many lines hold more than white space.
fn lines(data: &[u8]) -> u64 {
    let is_blank = |line: &[u8]| line.iter().all(u8::is_ascii_whitespace);
    let (mut count, mut start) = (0, 0);
    for end in memchr::memchr_iter(b'\n', data).chain([data.len()]) {
        count += u64::from(!is_blank(&data[start..end]));
        start = end + 1;
    }
    count
}

/// Adds up to a block; true at the end of the part. `room` is how much there may be left: most parts are far smaller than a block.
fn fill(decoder: &mut dyn Read, data: &mut Vec<u8>, room: u64) -> io::Result<bool> {
    data.reserve_exact(usize::try_from(room).map_or(BLOCK, |room| room.min(BLOCK)));
    let read = decoder.take(BLOCK as u64).read_to_end(data)?;
    Ok(read < BLOCK)
}

struct Seen {
    bytes: u64,
    crc32c: u32,
    failed: Option<LandingError>,
}

/// The stored bytes as a reader, counted and checked on the way.
struct PartBytes {
    stream: BoxStream<'static, Result<Bytes, LandingError>>,
    runtime: Handle,
    chunk: Bytes,
    seen: Arc<Mutex<Seen>>,
}

impl Read for PartBytes {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                None => return Ok(0),
                Some(Ok(chunk)) => {
                    let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.bytes += chunk.len() as u64;
                    seen.crc32c = crc32c::crc32c_append(seen.crc32c, &chunk);
                    drop(seen);
                    self.chunk = chunk;
                }
                Some(Err(error)) => {
                    let message = error.to_string();
                    self.seen.lock().unwrap_or_else(PoisonError::into_inner).failed = Some(error);
                    return Err(io::Error::other(message));
                }
            }
        }
        let length = into.len().min(self.chunk.len());
        into[..length].copy_from_slice(&self.chunk.split_to(length));
        Ok(length)
    }
}
