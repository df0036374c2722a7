//! The room for kept answers: bounded for the process, and given back with what took it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most bytes of kept answers, compressed, in a process, and of what finds them: about ten times as much JSON.
pub(super) const MOST_KEPT: u64 = 64 << 20;

/// The room for kept answers of all accounts; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    left: Arc<AtomicU64>,
}

/// What one stream has taken of it.
#[derive(Debug)]
pub(super) struct Share {
    room: Room,
    taken: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self::of(MOST_KEPT)
    }
}

impl Room {
    /// Room for so many bytes.
    pub(super) fn of(bytes: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(bytes)) }
    }

    /// A share that has nothing yet.
    pub(super) fn share(&self) -> Share {
        Share { room: self.clone(), taken: 0 }
    }
}

impl Share {
    /// Whether so many more bytes fit; then they are taken.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let less = |left: u64| left.checked_sub(bytes);
        let fits = self.room.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
        self.taken += if fits { bytes } else { 0 };
        fits
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.left.fetch_add(self.taken, Ordering::Relaxed);
    }
}
