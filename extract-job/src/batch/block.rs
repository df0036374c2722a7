//! A block of records, compressed by itself: one gzip member, or one zstd frame. Blocks simply follow each other in a part,
//! which both formats allow; so several threads can compress one part.

use crate::http::buffers::{Buffer, BufferWriter, Buffers};
use crate::read::page::PageBody;
use crate::record_slicer::one_line;
use contract::pipeline::Compression;
use flate2::write::GzEncoder;
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::ops::Range;
use std::sync::Arc;

/// Fast rather than small: level 1 halves the time of level 6 and costs a few per cent of size.
const LEVEL: u32 = 1;

/// Pages whose records go into one block.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pages: Vec<(Arc<PageBody>, Vec<Range<usize>>)>,
    /// Records of pages of which little is kept, one behind the other: their bodies need not wait for the block.
    gathered: (Vec<u8>, Vec<Range<usize>>),
    bytes: usize,
    records: u64,
}

/// A compressed block.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) compressed: Buffer,
    pub(crate) records: u64,
    /// Before compression, line ends included.
    pub(crate) bytes: u64,
}

impl Lines {
    pub(crate) fn push(&mut self, body: Arc<PageBody>, records: Vec<Range<usize>>) {
        self.records += records.len() as u64;
        self.bytes += records.iter().map(|range| range.len() + 1).sum::<usize>();
        if !records.is_empty() {
            self.close_gathered();
            self.pages.push((body, records));
        }
    }

    /// Copies the records of a page, whose body is free at once.
    pub(crate) fn gather(&mut self, body: &[u8], records: &[Range<usize>]) {
        let (bytes, ranges) = &mut self.gathered;
        for range in records {
            let start = bytes.len();
            bytes.extend_from_slice(body.get(range.clone()).unwrap_or_default());
            ranges.push(start..bytes.len());
            self.bytes += range.len() + 1;
        }
        self.records += records.len() as u64;
    }

    fn close_gathered(&mut self) {
        let (bytes, ranges) = std::mem::take(&mut self.gathered);
        if !ranges.is_empty() {
            self.pages.push((Arc::new(PageBody { bytes: Buffer::from(bytes), reservation: None }), ranges));
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Compresses the block; takes time.
    pub(crate) fn compress(mut self, compression: Compression, buffers: &Buffers) -> io::Result<Block> {
        self.close_gathered();
        let (records, bytes) = (self.records, self.bytes as u64);
        let room = BufferWriter::new(buffers, self.bytes / 6)?;
        let compressed = match compression {
            Compression::Gzip => {
                let mut encoder = gathered(GzEncoder::new(room, flate2::Compression::new(LEVEL)));
                self.write(&mut encoder)?;
                encoder.into_inner().map_err(IntoInnerError::into_error)?.finish()?.into_buffer()
            }
            Compression::Zstd => {
                let mut encoder = gathered(zstd::Encoder::new(room, LEVEL as i32)?);
                self.write(&mut encoder)?;
                encoder.into_inner().map_err(IntoInnerError::into_error)?.finish()?.into_buffer()
            }
        };
        Ok(Block { compressed, records, bytes })
    }

    fn write(self, out: &mut dyn Write) -> io::Result<()> {
        for (body, records) in self.pages {
            for range in records {
                let record = body.bytes.get(range).unwrap_or_default();
                out.write_all(&one_line(record))?;
                out.write_all(b"\n")?;
            }
        }
        Ok(())
    }
}

/// Hands records to an encoder in larger pieces: at each call it clears its own buffer first, which costs more than a small record.
fn gathered<W: Write>(encoder: W) -> BufWriter<W> {
    BufWriter::with_capacity(128 * 1024, encoder)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use std::io::Read;

    /// Records of one page, given one after the other.
    fn block(records: &[&str], compression: Compression) -> Block {
        let mut ranges = Vec::new();
        let mut bytes = Vec::new();
        for record in records {
            ranges.push(bytes.len()..bytes.len() + record.len());
            bytes.extend_from_slice(record.as_bytes());
        }
        let mut lines = Lines::default();
        let body = Arc::new(PageBody { bytes: bytes.into(), reservation: None });
        lines.push(body.clone(), ranges);
        lines.push(body, Vec::new());
        lines.compress(compression, &Buffers::default()).unwrap()
    }

    #[test]
    fn blocks_one_after_the_other_read_as_one_stream() {
        let expected = "{\"a\":1 }\n{\"b\":\"é\"}\n{\"c\":22}\n";
        for compression in [Compression::Gzip, Compression::Zstd] {
            let first = block(&["{\"a\":1\n}", "{\"b\":\"é\"}"], compression);
            let second = block(&["{\"c\":22}"], compression);
            assert_eq!((first.records, second.records), (2, 1));
            assert_eq!(first.bytes + second.bytes, expected.len() as u64);
            let bytes = [&*first.compressed, &*second.compressed].concat();
            let mut text = String::new();
            match compression {
                Compression::Gzip => flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap(),
                Compression::Zstd => zstd::Decoder::new(&bytes[..]).unwrap().read_to_string(&mut text).unwrap(),
            };
            assert_eq!(text, expected);
        }
    }
}
