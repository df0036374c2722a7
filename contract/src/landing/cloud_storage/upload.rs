//! An object written in chunks of any size. Little more than one piece is held at a time; a broken connection costs that piece at
//! most; dropped before it is finished, nothing appears and the session is given up.

use super::client::Client;
use super::failure::Failure;
use super::location::ObjectName;
use super::session::{End, Progress, Session, Stored};
use super::small;
use crate::google::retry::Patience;
use crate::landing::{LandingError, ObjectWriter, PutMode, Version, Written};
use async_trait::async_trait;
use bytes::{Buf, Bytes, BytesMut};
use std::sync::Arc;
use std::time::Duration;

/// All pieces but the last are a multiple of this.
const QUANTUM: usize = 256 * 1024;
/// Size of a piece. The pieces of all units of a task lie in memory side by side; and what a source sends, compressed, is far
/// slower than pieces of this size are.
const PIECE: usize = 8 * QUANTUM;
/// How long an upload is tried without moving on.
const REPEAT_FOR: Duration = Duration::from_secs(600);

/// An upload.
pub(super) struct Upload {
    client: Arc<Client>,
    object: ObjectName,
    /// Opened when there is more than one piece; a smaller object is put whole.
    session: Option<Session>,
    /// Bytes that Cloud Storage has kept.
    kept: u64,
    /// The piece after them, under way; empty between two pieces.
    piece: Bytes,
    /// What follows the piece.
    waiting: BytesMut,
    written: Written,
    has_failed: bool,
}

impl Upload {
    pub(super) fn new(client: Arc<Client>, object: ObjectName) -> Self {
        let written = Written { bytes: 0, crc32c: 0 };
        let (piece, waiting) = (Bytes::new(), BytesMut::new());
        Self { client, object, session: None, kept: 0, piece, waiting, written, has_failed: false }
    }

    fn failed(&mut self, failure: Failure) -> LandingError {
        self.has_failed = true;
        // Neither says that an object is missing or in the way: the session has ended.
        let failure = match failure.status {
            Some(404 | 410) if self.session.is_some() => {
                Failure::lasting(format!("the upload's session has ended before the upload ({failure})"))
            }
            Some(412) => Failure::lasting(format!("the upload was refused ({failure})")),
            _ => failure,
        };
        failure.into_error("write", &self.object)
    }

    async fn open(&mut self) -> Result<Session, Failure> {
        if let Some(session) = &self.session {
            return Ok(session.clone());
        }
        let token = small::new_token();
        let mut patience = Patience::new(REPEAT_FOR);
        let session = loop {
            match Session::open(&self.client.rest, &self.object, &token).await {
                Ok(session) => break session,
                Err(failure) if failure.is_transient && patience.wait(failure.retry_after, &failure).await => {}
                Err(failure) => return Err(failure),
            }
        };
        Ok(self.session.insert(session).clone())
    }

    /// Sends pieces until no more than one is waiting; with `end`, until the object is there.
    async fn send(&mut self, end: Option<End>) -> Result<Option<Stored>, Failure> {
        let mut patience = Patience::new(REPEAT_FOR);
        let mut is_sure = true;
        while !is_sure || self.next_piece(end.is_some()) {
            let session = self.open().await?;
            let result = if is_sure {
                let last = end.filter(|_| self.waiting.is_empty());
                session.send(&self.client.rest, self.piece.clone(), self.kept, last).await
            } else {
                session.ask(&self.client.rest).await
            };
            let failure = match result {
                Ok(Progress::Done(stored)) if end.is_some() => return Ok(Some(stored)),
                Ok(Progress::Done(_)) => return Err(Failure::lasting("the upload ended before its last piece")),
                Ok(Progress::Kept(kept)) => {
                    let was_sent = std::mem::replace(&mut is_sure, true);
                    let moved_on = self.accept(kept)?;
                    if moved_on {
                        patience.renew();
                    }
                    if moved_on || !was_sent {
                        continue;
                    }
                    Failure { is_transient: true, ..Failure::lasting("the upload does not move on") }
                }
                Err(failure) => {
                    is_sure = false;
                    failure
                }
            };
            if !failure.is_transient || !patience.wait(failure.retry_after, &failure).await {
                return Err(failure);
            }
        }
        Ok(None)
    }

    /// Cuts the next piece, if there is none that must be sent again; false if there is nothing to be sent yet.
    fn next_piece(&mut self, is_end: bool) -> bool {
        let fits = self.piece.len().is_multiple_of(QUANTUM) || (is_end && self.waiting.is_empty());
        if !self.piece.is_empty() && !fits {
            // Cloud Storage has kept an odd part of it.
            let mut whole = BytesMut::with_capacity(self.piece.len() + self.waiting.len());
            whole.extend_from_slice(&std::mem::take(&mut self.piece));
            whole.extend_from_slice(&self.waiting);
            self.waiting = whole;
        }
        if !self.piece.is_empty() {
            return true;
        }
        // One byte more than a piece: the last one is never empty, and carries the end.
        if !is_end && self.waiting.len() <= PIECE {
            return false;
        }
        let length = self.waiting.len().min(PIECE);
        self.piece = self.waiting.split_to(length).freeze();
        // Nearly always one byte; as long as it shares the piece's memory, that cannot be given back.
        self.waiting = BytesMut::from(&self.waiting[..]);
        true
    }

    /// Takes in bytes to be sent.
    fn append(&mut self, part: &[u8]) {
        let length = self.waiting.len() + part.len();
        if length > self.waiting.capacity() && length > QUANTUM {
            // At once what a piece needs: growth by doubling would end at twice of that.
            let mut whole = BytesMut::with_capacity(PIECE + 1);
            whole.extend_from_slice(&self.waiting);
            self.waiting = whole;
        }
        self.waiting.extend_from_slice(part);
    }

    /// Lets go of what is kept now; true if that is more than before.
    fn accept(&mut self, kept: u64) -> Result<bool, Failure> {
        let more = kept.checked_sub(self.kept).and_then(|more| usize::try_from(more).ok());
        match more.filter(|more| *more <= self.piece.len()) {
            Some(more) => {
                self.piece.advance(more);
                self.kept = kept;
                if self.piece.is_empty() {
                    self.piece = Bytes::new();
                }
                Ok(more > 0)
            }
            None => Err(Failure::lasting(format!("the upload says that {kept} bytes are kept, which cannot be"))),
        }
    }

    /// Compares what is stored with what was written. What differs is taken away again.
    async fn check(&self, stored: Stored) -> Result<(), Failure> {
        let Written { bytes, crc32c } = self.written;
        if stored.bytes.is_none_or(|stored| stored == bytes) && stored.crc32c.is_none_or(|stored| stored == crc32c) {
            return Ok(());
        }
        if let Err(error) = small::delete(&self.client, &self.object, Some(&Version(stored.generation.clone()))).await {
            tracing::warn!(%error, "failed to remove a damaged object");
        }
        Err(Failure::lasting(format!(
            "what was stored is not what was written: {:?} bytes with crc32c {:08x?} instead of {bytes} with {crc32c:08x}",
            stored.bytes, stored.crc32c
        )))
    }
}

#[async_trait]
impl ObjectWriter for Upload {
    async fn write(&mut self, chunk: Bytes) -> Result<(), LandingError> {
        if self.has_failed {
            return Err(self.failed(Failure::lasting("an earlier write has failed")));
        }
        self.written.bytes += chunk.len() as u64;
        self.written.crc32c = crc32c::crc32c_append(self.written.crc32c, &chunk);
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.len().min((PIECE + 1).saturating_sub(self.waiting.len()).max(1)));
            self.append(part);
            rest = after;
            // Whoever drops this call in the middle cannot go on with the upload.
            self.has_failed = true;
            if let Err(failure) = self.send(None).await {
                return Err(self.failed(failure));
            }
            self.has_failed = false;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Written, LandingError> {
        if self.has_failed {
            return Err(self.failed(Failure::lasting("an earlier write has failed")));
        }
        if self.session.is_none() && self.waiting.len() <= PIECE {
            let bytes = std::mem::take(&mut self.waiting).freeze();
            small::put(&self.client, &self.object, bytes, &PutMode::Overwrite).await?;
            return Ok(self.written);
        }
        let Written { bytes, crc32c } = self.written;
        let result = match self.send(Some(End { bytes, crc32c })).await {
            Ok(Some(stored)) => {
                self.session = None;
                self.check(stored).await
            }
            Ok(None) => Err(Failure::lasting("the upload ended without an object")),
            Err(failure) => Err(failure),
        };
        result.map_err(|failure| self.failed(failure))?;
        Ok(self.written)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (Some(session), Ok(runtime)) = (self.session.take(), tokio::runtime::Handle::try_current()) else { return };
        let client = self.client.clone();
        runtime.spawn(async move { session.cancel(&client.rest).await });
    }
}
