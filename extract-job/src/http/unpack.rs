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
    /// Of an error, which is shown as far as it could be unpacked.
    may_be_damaged: bool,
    is_damaged: bool,
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
        let may_be_damaged = matches!(most, Most::Shown(_));
        Ok(Self { packing, encoding, is_empty: true, may_be_damaged, is_damaged: false })
    }

    /// Takes in the next bytes as they came.
    ///
    /// # Errors
    /// They are damaged, or unpack to more than a body may have. An error's body is cut there instead: what its status says must not be lost
    /// by a proxy that answers in plain text, and leaves the encoding of what it stands for.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), ExchangeError> {
        if bytes.is_empty() || self.is_damaged {
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
        match pushed.map_err(|error| failed(&self.encoding, error)) {
            Err(ExchangeError::Transport(_)) if self.may_be_damaged => {
                self.is_damaged = true;
                Ok(())
            }
            pushed => pushed,
        }
    }

    /// Whether there is more than may, or can, be shown.
    pub(super) fn is_cut(&self) -> bool {
        self.is_damaged
            || match &self.packing {
                Packing::Plain(sink) => sink.is_cut,
                Packing::Gzip(gzip) => gzip.get_ref().is_cut,
                Packing::Deflate(inflate) => inflate.sink.is_cut,
                Packing::Brotli(brotli) => brotli.get_ref().is_cut,
                Packing::Zstd(zstd) => zstd.sink.is_cut,
                Packing::Unread => false,
            }
    }

    /// The whole body; or what may, or can, be shown of it, and that it is cut.
    ///
    /// # Errors
    /// What is packed does not end where the answer ends, and the answer is no error.
    pub(super) fn finish(self) -> Result<(Buffer, bool), ExchangeError> {
        if self.is_empty {
            // Such as that of 204, whatever its headers say.
            return Ok((Buffer::default(), false));
        }
        let Self { packing, encoding, may_be_damaged, is_damaged, .. } = self;
        let ended = |has_ended: bool| if has_ended { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        let (sink, end): (Option<Sink>, io::Result<()>) = match packing {
            Packing::Plain(sink) => (Some(sink), Ok(())),
            Packing::Gzip(mut gzip) => {
                let end = gzip.try_finish();
                (Some(gzip.get_mut().take()), end)
            }
            Packing::Deflate(inflate) => (Some(inflate.sink), ended(inflate.has_ended)),
            Packing::Brotli(brotli) => match brotli.into_inner() {
                Ok(sink) => (Some(sink), Ok(())),
                Err(sink) => (Some(sink), ended(false)),
            },
            Packing::Zstd(zstd) => (Some(zstd.sink), ended(zstd.has_ended)),
            Packing::Unread => (None, Ok(())),
        };
        let (mut body, is_cut) = sink.map(|sink| (sink.body, sink.is_cut || is_damaged)).unwrap_or_default();
        let is_whole = match end.map_err(|error| failed(&encoding, error)) {
            Ok(()) => true,
            Err(ExchangeError::Transport(_)) if may_be_damaged => false,
            Err(error) => return Err(error),
        };
        if body.starts_with(BYTE_ORDER_MARK) {
            body.remove_start(BYTE_ORDER_MARK.len());
        }
        Ok((body, is_cut || !is_whole))
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

impl Sink {
    /// What has come so far, out of a decoder that keeps its sink.
    fn take(&mut self) -> Self {
        let body = std::mem::take(&mut self.body);
        Self { buffers: self.buffers.clone(), body, most: self.most, is_cut: self.is_cut }
    }
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
mod tests;
