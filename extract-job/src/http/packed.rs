//! An answer that is kept: its head and its body compressed together. A head as it comes is often larger than a small body, and holds on to
//! the buffer that it was read from.

use super::buffers::Buffer;
use super::client::Answer;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::io::{Error, ErrorKind, Result, Write};

/// Fast, and small enough for JSON.
const LEVEL: i32 = 1;

/// An answer, compressed.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(super) shape: Shape,
    pub(super) bytes: Vec<u8>,
}

/// What unpacking has to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    status: u16,
    foreign: bool,
    /// Bytes of the head, and of head and body.
    head: usize,
    length: usize,
}

impl Packed {
    /// Compresses an answer.
    ///
    /// # Errors
    /// The compressor's.
    pub(crate) fn of(answer: &Answer) -> Result<Self> {
        let mut head = Vec::new();
        for (name, value) in &answer.headers {
            for text in [name.as_str().as_bytes(), value.as_bytes()] {
                let length = u32::try_from(text.len()).map_err(Error::other)?;
                head.extend_from_slice(&length.to_le_bytes());
                head.extend_from_slice(text);
            }
        }
        let length = head.len() + answer.body.len();
        let mut packer = zstd::Encoder::new(Vec::new(), LEVEL)?;
        packer.set_pledged_src_size(Some(length as u64))?;
        packer.write_all(&head)?;
        packer.write_all(&answer.body)?;
        let shape = Shape { status: answer.status, foreign: answer.foreign, head: head.len(), length };
        Ok(Self { shape, bytes: packer.finish()? })
    }
}

impl Shape {
    /// The answer as it was.
    ///
    /// # Errors
    /// The bytes are not those that were packed.
    pub(super) fn unpack(self, bytes: &[u8]) -> Result<Answer> {
        let mut body = Buffer::from(zstd::bulk::decompress(bytes, self.length)?);
        let headers = body.get(..self.head).and_then(headers).ok_or(ErrorKind::InvalidData)?;
        body.remove_start(self.head);
        let (status, foreign) = (self.status, self.foreign);
        Ok(Answer { status, headers, body, foreign, named: false, kept: None, cut: false })
    }
}

fn headers(mut head: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    while !head.is_empty() {
        let name = HeaderName::from_bytes(text(&mut head)?).ok()?;
        headers.append(name, HeaderValue::from_bytes(text(&mut head)?).ok()?);
    }
    Some(headers)
}

/// Takes the next text off.
fn text<'a>(head: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = head.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *head = rest;
    Some(text)
}
