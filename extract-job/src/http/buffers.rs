//! Buffers for bodies and blocks, outside of the allocator: it keeps freed blocks of several megabytes in pieces, and a process that
//! goes through hundreds of pages would grow by them. Used again while there is room; given back to the system at once otherwise.

use memmap2::MmapMut;
use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes in use and kept: a buffer is kept for later only as far as this leaves room.
const MOST: usize = 28 * 1024 * 1024;
/// Smaller buffers are left to the allocator.
const SMALLEST: usize = 64 * 1024;
/// Sizes are rounded up, so that the next page fits into the buffer of the last one.
const STEP: usize = 256 * 1024;

/// Free buffers; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffers {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    free: Vec<MmapMut>,
    in_use: usize,
}

/// Bytes that go back to where they came from.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    room: Room,
    length: usize,
}

#[derive(Debug)]
enum Room {
    Small(Vec<u8>),
    Large { map: MmapMut, home: Buffers },
}

impl Default for Room {
    fn default() -> Self {
        Self::Small(Vec::new())
    }
}

impl Buffers {
    /// An empty buffer with room for so many bytes: the smallest free one that is large enough (and not far too large), or a new one.
    ///
    /// # Errors
    /// The system has no memory.
    pub(crate) fn take(&self, bytes: usize) -> io::Result<Buffer> {
        if bytes < SMALLEST {
            return Ok(Buffer { room: Room::Small(Vec::with_capacity(bytes)), length: 0 });
        }
        let size = (bytes + bytes / 16).next_multiple_of(STEP);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = (0..state.free.len()).filter(|&i| (bytes..=2 * size).contains(&state.free[i].len()));
        let map = match fitting.min_by_key(|&index| state.free[index].len()) {
            Some(index) => state.free.swap_remove(index),
            None => MmapMut::map_anon(size)?,
        };
        state.in_use += map.len();
        state.shrink();
        Ok(Buffer { room: Room::Large { map, home: self.clone() }, length: 0 })
    }

    /// Adds bytes to a buffer, which grows as needed.
    ///
    /// # Errors
    /// The system has no memory.
    pub(crate) fn extend(&self, buffer: &mut Buffer, bytes: &[u8]) -> io::Result<()> {
        let length = buffer.length + bytes.len();
        if length > buffer.capacity() && length >= SMALLEST {
            let mut larger = self.take(length.max(2 * buffer.length))?;
            larger.fill(buffer);
            *buffer = larger;
        }
        buffer.fill(bytes);
        Ok(())
    }
}

impl State {
    /// Gives up the smallest free buffers until the bound holds.
    fn shrink(&mut self) {
        let mut total = self.in_use + self.free.iter().map(|map| map.len()).sum::<usize>();
        self.free.sort_by_key(|map| std::cmp::Reverse(map.len()));
        while total > MOST {
            let Some(smallest) = self.free.pop() else { return };
            total -= smallest.len();
        }
    }
}

impl Buffer {
    /// Adds bytes for which there is room.
    fn fill(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        match &mut self.room {
            Room::Small(have) => have.extend_from_slice(bytes),
            Room::Large { map, .. } => {
                if let Some(room) = map.get_mut(self.length..end) {
                    room.copy_from_slice(bytes);
                }
            }
        }
        self.length = end;
    }

    /// Drops so many bytes at its start.
    pub(crate) fn remove_start(&mut self, bytes: usize) {
        let bytes = bytes.min(self.length);
        match &mut self.room {
            Room::Small(have) => drop(have.drain(..bytes)),
            Room::Large { map, .. } => map.copy_within(bytes..self.length, 0),
        }
        self.length -= bytes;
    }

    /// What it takes in memory.
    pub(crate) fn capacity(&self) -> usize {
        match &self.room {
            Room::Small(bytes) => bytes.capacity(),
            Room::Large { map, .. } => map.len(),
        }
    }

    /// Moves the bytes into a block of their own size, if much of this one is unused.
    pub(crate) fn fit(&mut self) {
        if self.capacity() > 2 * self.length {
            *self = Self::from(self.to_vec());
        }
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        let length = bytes.len();
        Self { room: Room::Small(bytes), length }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.room {
            Room::Small(bytes) => bytes,
            Room::Large { map, .. } => map.get(..self.length).unwrap_or_default(),
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Room::Large { map, home } = std::mem::take(&mut self.room) {
            let mut state = home.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.in_use = state.in_use.saturating_sub(map.len());
            state.free.push(map);
            state.shrink();
        }
    }
}

/// Writes into a buffer.
#[derive(Debug)]
pub(crate) struct BufferWriter {
    buffers: Buffers,
    buffer: Buffer,
}

impl BufferWriter {
    /// A writer with room for so many bytes to begin with.
    ///
    /// # Errors
    /// The system has no memory.
    pub(crate) fn new(buffers: &Buffers, bytes: usize) -> io::Result<Self> {
        Ok(Self { buffers: buffers.clone(), buffer: buffers.take(bytes)? })
    }

    pub(crate) fn into_buffer(self) -> Buffer {
        self.buffer
    }
}

impl io::Write for BufferWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffers.extend(&mut self.buffer, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn buffers_come_back_and_are_bounded() {
        let buffers = Buffers::default();
        let (small, large) = (buffers.take(100_000).unwrap(), buffers.take(1_000_000).unwrap());
        let capacities = (small.capacity(), large.capacity());
        assert_eq!(capacities, (STEP, 5 * STEP));
        drop((small, large));
        let again = (buffers.take(200_000).unwrap(), buffers.take(1_100_000).unwrap());
        assert_eq!((again.0.capacity(), again.1.capacity()), capacities, "the smallest that fits");
        drop(again);
        let huge = buffers.take(MOST).unwrap();
        assert!(buffers.state.lock().unwrap().free.is_empty(), "no room to keep anything beside it");
        drop(huge);
        let state = buffers.state.lock().unwrap();
        assert!(state.free.is_empty() && state.in_use == 0);
    }

    #[test]
    fn bytes_survive_every_growth() {
        let mut writer = BufferWriter::new(&Buffers::default(), 10).unwrap();
        let expected: Vec<u8> = (0..1_500_000u32).map(|i| (i % 251) as u8).collect();
        for piece in expected.chunks(7_777) {
            writer.write_all(piece).unwrap();
        }
        let mut buffer = writer.into_buffer();
        assert!(&*buffer == expected.as_slice());
        buffer.remove_start(3);
        assert!(*buffer == expected[3..]);
        buffer.fit();
        buffer.remove_start(4);
        assert!(*buffer == expected[7..]);
    }
}
