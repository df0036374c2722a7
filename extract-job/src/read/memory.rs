//! The memory that page bodies may take at once in the whole process, whatever the number of streams and the size of pages.
//! A page reserves what pages of its stream have taken so far, before it is asked for, and settles when its size is known.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of page bodies at once.
pub(crate) const PAGE_MEMORY: usize = 20 * 1024 * 1024;
/// What a stream's first page is taken to need.
const FIRST_GUESS: usize = 6 * 1024 * 1024;

/// The budget; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct PageMemory {
    permits: Arc<Semaphore>,
    kib: u32,
}

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    permit: OwnedSemaphorePermit,
    memory: PageMemory,
}

impl PageMemory {
    pub(crate) fn new(bytes: usize) -> Self {
        let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX >> 4).max(1);
        Self { permits: Arc::new(Semaphore::new(kib as usize)), kib }
    }

    /// Waits for the memory of one page. A page larger than the budget gets the whole of it.
    ///
    /// Only who holds no page that somebody else waits for may wait here: pages are reserved in their order.
    pub(crate) async fn reserve(&self, bytes: usize) -> Option<Reservation> {
        let permit = self.permits.clone().acquire_many_owned(self.kib_of(bytes)).await.ok()?;
        Some(Reservation { permit, memory: self.clone() })
    }

    /// The memory of one page, if it is free right now.
    pub(crate) fn try_reserve(&self, bytes: usize) -> Option<Reservation> {
        let permit = self.permits.clone().try_acquire_many_owned(self.kib_of(bytes)).ok()?;
        Some(Reservation { permit, memory: self.clone() })
    }

    fn kib_of(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, self.kib)
    }
}

impl Reservation {
    /// Adjusts to the true size. What is missing and not free is not waited for: the page is there already.
    pub(crate) fn settle(&mut self, bytes: usize) {
        let (held, needed) = (self.permit.num_permits(), self.memory.kib_of(bytes) as usize);
        if needed < held {
            drop(self.permit.split(held - needed));
        } else if let Some(more) = self.memory.try_reserve((needed - held) * 1024).filter(|_| needed > held) {
            self.permit.merge(more.permit);
        }
    }
}

/// What the next page of a stream will probably take.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Estimate {
    largest: Option<usize>,
}

impl Estimate {
    pub(crate) fn seen(&mut self, bytes: usize) {
        self.largest = Some(self.largest.unwrap_or(0).max(bytes));
    }

    /// Bytes to reserve and to allocate: a little more than the largest so far.
    pub(crate) fn bytes(self) -> usize {
        self.largest.map_or(FIRST_GUESS, |largest| largest + largest / 16 + 1024)
    }

    /// Bytes to allocate beforehand: nothing while no page has been seen.
    pub(crate) fn expected(self) -> usize {
        self.largest.map_or(0, |_| self.bytes())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reservations_share_the_budget_and_settle() {
        let memory = PageMemory::new(10 * 1024);
        let mut first = memory.reserve(4 * 1024).await.unwrap();
        assert!(memory.try_reserve(7 * 1024).is_none());
        first.settle(2 * 1024);
        let second = memory.try_reserve(7 * 1024).unwrap();
        first.settle(3 * 1024);
        assert!(memory.try_reserve(1024).is_none(), "grown into the last free KiB");
        drop((first, second));
        assert!(memory.try_reserve(1_000_000).is_some(), "a page larger than the budget gets all of it");
    }
}
