//! An answer's body as it arrives: unpacked as its `content-encoding` says, and without a byte order mark. The bound for a body counts
//! unpacked bytes, so that a small answer cannot fill the memory.
//!
//! We ask for gzip alone, but some servers choose for themselves. `deflate` means zlib, but quite a few servers send the bare stream.

use super::buffers::{Buffer, Buffers};
use super::client::{ExchangeError, memory, too_large};
use brotli_decompressor::DecompressorWriter;
use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use std::io::{self, Write};
use zstd::stream::raw::{DParameter, Decoder as ZstdStream, InBuffer, Operation, OutBuffer};

/// What requests accept.
pub(super) const ACCEPTED: &str = "gzip";
/// What some servers begin a text in UTF-8 with. RFC 8259, section 8.1, lets a reader of JSON pass over it.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// So much is unpacked at once.
const STEP: usize = 32 * 1024;
/// The largest window of zstd in HTTP is 8 MiB (RFC 9659).
const ZSTD_WINDOW_LOG: u32 = 23;

/// Puts a body together.
pub(super) struct Unpacker {
    packing: Packing,
    encoding: String,
    is_empty: bool,
}

/// How much a body may have, in bytes that are unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Most {
    /// More of it is an error.
    Allowed(usize),
    /// What follows is not read.
    Shown(usize),
}

impl Most {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Allowed(bytes) | Self::Shown(bytes) => bytes,
        }
    }
}

enum Packing {
    Plain(Sink),
    Gzip(Box<MultiGzDecoder<Sink>>),
    Deflate(Box<Inflate>),
    Brotli(Box<DecompressorWriter<Sink>>),
    Zstd(Box<Zstd>),
    /// The body of an error, in an encoding that nobody can read: its status has to do.
    Unread,
}

impl Unpacker {
    /// For the body that these headers announce. What says how it is packed is taken out of them where it is unpacked. `room` are
    /// the bytes that it will probably have.
    ///
    /// # Errors
    /// The answer is a success, in an encoding that cannot be read.
    pub(super) fn new(
        headers: &mut HeaderMap,
        is_success: bool,
        buffers: &Buffers,
        room: usize,
        most: Most,
    ) -> Result<Self, ExchangeError> {
        let encoding = encoding(headers);
        let sink = || {
            let body = buffers.take(room).map_err(|error| memory(&error))?;
            Ok(Sink { buffers: buffers.clone(), body, most, is_cut: false })
        };
        let packing = match encoding.as_str() {
            "" => Packing::Plain(sink()?),
            "gzip" | "x-gzip" => Packing::Gzip(Box::new(MultiGzDecoder::new(sink()?))),
            "deflate" => Packing::Deflate(Box::new(Inflate::new(sink()?))),
            "br" => Packing::Brotli(Box::new(DecompressorWriter::new(sink()?, STEP))),
            "zstd" => Packing::Zstd(Box::new(Zstd::new(sink()?).map_err(|error| memory(&error))?)),
            _ if !is_success => Packing::Unread,
            other => {
                let why = format!(
                    "the answer is in encoding `{other}`, which cannot be read (gzip, deflate, br and zstd can, one of them at a time)"
                );
                return Err(ExchangeError::Refused(why));
            }
        };
        if !encoding.is_empty() {
            headers.remove(CONTENT_ENCODING);
            headers.remove(CONTENT_LENGTH);
        }
        Ok(Self { packing, encoding, is_empty: true })
    }

    /// Takes in the next bytes as they came.
    ///
    /// # Errors
    /// They are damaged, or unpack to more than a body may have.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), ExchangeError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.is_empty = false;
        let pushed = match &mut self.packing {
            Packing::Plain(sink) => sink.write_all(bytes),
            Packing::Gzip(gzip) => gzip.write_all(bytes),
            Packing::Deflate(inflate) => inflate.push(bytes),
            Packing::Brotli(brotli) => brotli.write_all(bytes),
            Packing::Zstd(zstd) => zstd.push(bytes),
            Packing::Unread => Ok(()),
        };
        pushed.map_err(|error| failed(&self.encoding, error))
    }

    /// Whether there is more than may be shown.
    pub(super) fn is_cut(&self) -> bool {
        match &self.packing {
            Packing::Plain(sink) => sink.is_cut,
            Packing::Gzip(gzip) => gzip.get_ref().is_cut,
            Packing::Deflate(inflate) => inflate.sink.is_cut,
            Packing::Brotli(brotli) => brotli.get_ref().is_cut,
            Packing::Zstd(zstd) => zstd.sink.is_cut,
            Packing::Unread => false,
        }
    }

    /// What there is of a body that is cut.
    fn beginning(self) -> Buffer {
        match self.packing {
            Packing::Plain(sink) => sink.body,
            Packing::Gzip(mut gzip) => std::mem::take(&mut gzip.get_mut().body),
            Packing::Deflate(inflate) => inflate.sink.body,
            Packing::Brotli(mut brotli) => std::mem::take(&mut brotli.get_mut().body),
            Packing::Zstd(zstd) => zstd.sink.body,
            Packing::Unread => Buffer::default(),
        }
    }

    /// The whole body, or what may be shown of it.
    ///
    /// # Errors
    /// What is packed does not end where the answer ends.
    pub(super) fn finish(self) -> Result<Buffer, ExchangeError> {
        if self.is_cut() {
            return Ok(self.beginning());
        }
        let Self { packing, encoding, is_empty } = self;
        if is_empty {
            // Such as that of 204, whatever its headers say.
            return Ok(Buffer::default());
        }
        let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let body = match packing {
            Packing::Plain(sink) => Ok(sink.body),
            Packing::Gzip(gzip) => gzip.finish().map(|sink| sink.body),
            Packing::Deflate(inflate) => {
                if inflate.has_ended {
                    Ok(inflate.sink.body)
                } else {
                    Err(cut())
                }
            }
            Packing::Brotli(brotli) => brotli.into_inner().map(|sink| sink.body).map_err(|_| cut()),
            Packing::Zstd(zstd) => {
                if zstd.has_ended {
                    Ok(zstd.sink.body)
                } else {
                    Err(cut())
                }
            }
            Packing::Unread => Ok(Buffer::default()),
        };
        let mut body = body.map_err(|error| failed(&encoding, error))?;
        if body.starts_with(BYTE_ORDER_MARK) {
            body.remove_start(BYTE_ORDER_MARK.len());
        }
        Ok(body)
    }
}

/// How a body is packed: several encodings with a comma between them; empty where it is not.
fn encoding(headers: &HeaderMap) -> String {
    let all = headers.get_all(CONTENT_ENCODING).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let all: Vec<String> = all
        .flat_map(|value| value.split(',').map(|one| one.trim().to_ascii_lowercase()).collect::<Vec<_>>())
        .filter(|one| !one.is_empty() && one != "identity")
        .collect();
    all.join(", ")
}

/// Our own errors come through the decoders as they are; whatever else they say means that the bytes are not what was declared.
fn failed(encoding: &str, error: io::Error) -> ExchangeError {
    match error.downcast::<ExchangeError>() {
        Ok(own) => own,
        Err(_) => ExchangeError::Transport(format!("the answer broke off or is damaged: it is no whole `{encoding}`")),
    }
}

/// Where unpacked bytes go.
struct Sink {
    buffers: Buffers,
    body: Buffer,
    most: Most,
    is_cut: bool,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.most.bytes().saturating_sub(self.body.len());
        let fits = bytes.get(..room).filter(|fits| fits.len() < bytes.len());
        if let (Some(_), Most::Allowed(most)) = (fits, self.most) {
            return Err(io::Error::other(ExchangeError::Refused(too_large(most))));
        }
        self.is_cut |= fits.is_some();
        let extended = self.buffers.extend(&mut self.body, fits.unwrap_or(bytes));
        extended.map_err(|error| io::Error::other(memory(&error)))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// zlib, or deflate without it, as the first two bytes tell.
struct Inflate {
    head: Vec<u8>,
    stream: Option<Decompress>,
    out: Vec<u8>,
    has_ended: bool,
    sink: Sink,
}

impl Inflate {
    fn new(sink: Sink) -> Self {
        Self { head: Vec::new(), stream: None, out: vec![0; STEP], has_ended: false, sink }
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.stream.is_some() {
            return self.inflate(bytes);
        }
        self.head.extend_from_slice(bytes);
        let [method, check, ..] = self.head[..] else { return Ok(()) };
        let is_zlib = method & 0x0f == 8 && u16::from_be_bytes([method, check]) % 31 == 0;
        self.stream = Some(Decompress::new(is_zlib));
        let head = std::mem::take(&mut self.head);
        self.inflate(&head)
    }

    fn inflate(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while !self.has_ended {
            let (read, written) = (stream.total_in(), stream.total_out());
            let status = stream.decompress(bytes, &mut self.out, FlushDecompress::None)?;
            let step = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
            let (read, written) = (step(stream.total_in(), read), step(stream.total_out(), written));
            self.sink.write_all(self.out.get(..written).unwrap_or_default())?;
            bytes = bytes.get(read..).unwrap_or_default();
            self.has_ended = status == Status::StreamEnd;
            if bytes.is_empty() && written < self.out.len() {
                return Ok(());
            }
            if !self.has_ended && read == 0 && written == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(())
    }
}

/// Frames of zstd, one after the other.
struct Zstd {
    stream: ZstdStream<'static>,
    out: Vec<u8>,
    has_ended: bool,
    sink: Sink,
}

impl Zstd {
    fn new(sink: Sink) -> io::Result<Self> {
        let mut stream = ZstdStream::new()?;
        stream.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))?;
        Ok(Self { stream, out: vec![0; STEP], has_ended: false, sink })
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut input = InBuffer::around(bytes);
        loop {
            let (mut output, before) = (OutBuffer::around(&mut self.out[..]), input.pos());
            let left = self.stream.run(&mut input, &mut output)?;
            let written = output.pos();
            if input.pos() > before || written > 0 {
                // Without either, it waits for another frame, which need not come.
                self.has_ended = left == 0;
            }
            self.sink.write_all(self.out.get(..written).unwrap_or_default())?;
            if input.pos() == bytes.len() && written < self.out.len() {
                return Ok(());
            }
            if input.pos() == before && written == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    const TEXT: &str = r#"{"items": [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Ada"}]}"#;
    /// The text behind a byte order mark.
    const BROTLI: [u8; 64] = [
        27, 65, 0, 248, 157, 5, 118, 44, 155, 148, 134, 198, 97, 96, 190, 18, 108, 22, 183, 6, 33, 219, 123, 223, 65,
        97, 187, 191, 90, 36, 70, 102, 107, 179, 232, 116, 245, 1, 135, 220, 238, 154, 99, 96, 113, 96, 109, 117, 0,
        41, 152, 241, 135, 190, 231, 208, 153, 40, 136, 67, 26, 202, 185, 1,
    ];
    /// 8 MiB of spaces.
    const BROTLI_BOMB: [u8; 14] = [203, 255, 255, 63, 248, 37, 64, 226, 177, 64, 32, 247, 254, 111];

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(bytes, 3).unwrap()
    }

    fn unpacked(encoding: &str, pieces: std::slice::Chunks<'_, u8>, most: usize) -> Result<Vec<u8>, ExchangeError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, encoding.parse().unwrap());
        let mut unpacker = Unpacker::new(&mut headers, true, &Buffers::default(), 0, Most::Allowed(most))?;
        for piece in pieces {
            unpacker.push(piece)?;
        }
        unpacker.finish().map(|body| body.to_vec())
    }

    /// How texts are packed, by each name that a server may use.
    fn packed(text: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let (first, second) = text.split_at(text.len() / 3);
        vec![
            ("identity", text.to_vec()),
            ("gzip", gzip(text)),
            ("X-GZIP", gzip(text)),
            ("gzip", [gzip(first), gzip(second)].concat()),
            ("deflate", zlib(text)),
            ("deflate", deflate(text)),
            ("zstd", zstd(text)),
            ("identity, zstd", [zstd(first), zstd(second)].concat()),
        ]
    }

    #[test]
    fn every_packing_is_read_whatever_pieces_it_comes_in() {
        let marked = format!("\u{feff}{TEXT}");
        let long = TEXT.repeat(20_000);
        let cases = [(marked.as_str(), TEXT), (TEXT, TEXT), (long.as_str(), long.as_str())].into_iter();
        let mut cases: Vec<_> = cases
            .flat_map(|(text, expected)| {
                packed(text.as_bytes()).into_iter().map(move |(encoding, bytes)| (encoding, bytes, expected))
            })
            .collect();
        cases.push(("br", BROTLI.to_vec(), TEXT));
        for (encoding, bytes, expected) in cases {
            for size in [1, 7, bytes.len()] {
                let body = unpacked(encoding, bytes.chunks(size), 1 << 30).unwrap();
                assert!(body == expected.as_bytes(), "{encoding} in pieces of {size}");
            }
        }
    }

    #[test]
    fn what_is_cut_or_damaged_is_no_body() {
        let mut cases = packed(TEXT.as_bytes());
        cases.push(("br", BROTLI.to_vec()));
        for (encoding, bytes) in cases.into_iter().filter(|(encoding, _)| *encoding != "identity") {
            for length in [1, 2, bytes.len() / 2, bytes.len() - 1] {
                // Of two members or frames a cut may leave the first one whole, and that is where an answer may end.
                match unpacked(encoding, bytes[..length].chunks(5), 1 << 30) {
                    Err(ExchangeError::Transport(why)) => assert!(why.contains("broke off"), "{why}"),
                    other => panic!("{encoding}, {length} of {}: {other:?}", bytes.len()),
                }
            }
            let noise = unpacked(encoding, b"<html>not packed at all</html>".chunks(4), 1 << 30);
            assert!(matches!(noise, Err(ExchangeError::Transport(_))), "{encoding}: {noise:?}");
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_bound() {
        let spaces = vec![b' '; 8 << 20];
        let mut cases = packed(&spaces);
        cases.push(("br", BROTLI_BOMB.to_vec()));
        for (encoding, bytes) in cases {
            assert_eq!(unpacked(encoding, bytes.chunks(1 << 20), 8 << 20).unwrap().len(), 8 << 20, "{encoding}");
            let refused = unpacked(encoding, bytes.chunks(1 << 20), 3 << 20).unwrap_err().to_string();
            assert!(refused.starts_with("the answer is larger than 3 MiB, uncompressed"), "{encoding}: {refused}");
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, encoding.parse().unwrap());
            let shown = Most::Shown(3 << 20);
            let mut unpacker = Unpacker::new(&mut headers, false, &Buffers::default(), 0, shown).unwrap();
            unpacker.push(&bytes).unwrap();
            assert!(unpacker.is_cut(), "{encoding}");
            assert_eq!(unpacker.finish().unwrap().len(), 3 << 20, "{encoding}: of an error's body the beginning");
        }
    }

    #[test]
    fn other_encodings_are_named_where_they_matter() {
        for (value, named) in [("compress", "`compress`"), ("gzip, br", "`gzip, br`"), ("DCB", "`dcb`")] {
            let refused = unpacked(value, b"x".chunks(1), 100).unwrap_err().to_string();
            assert!(refused.contains(&format!("in encoding {named}, which cannot be read")), "{refused}");
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, value.parse().unwrap());
            let mut unpacker = Unpacker::new(&mut headers, false, &Buffers::default(), 0, Most::Allowed(100)).unwrap();
            unpacker.push(b"x").unwrap();
            assert!(unpacker.finish().unwrap().is_empty(), "the body of an error");
        }
        for value in ["gzip", "br", "deflate", "zstd", "identity"] {
            assert!(
                unpacked(value, b"".chunks(1), 100).unwrap().is_empty(),
                "{value}: an empty body is packed in nothing"
            );
        }
    }
}
