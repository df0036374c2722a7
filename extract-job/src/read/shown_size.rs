//! What a stream has shown of the size of its pages. An API may give smaller pages than it was asked for; then a short page is not the last
//! one. Where neither a total nor `x-has-more` tells, the first short page of a stream is not believed: one page more is asked for. A full
//! page shows that the API keeps to the size, and ends the doubt for the whole run.

use std::sync::{Mutex, PoisonError};

/// Sizes that APIs cap their pages at are multiples of this.
const ROUND: u64 = 10;

/// Shared by all slices of one stream in a run.
#[derive(Debug, Default)]
pub(crate) struct ShownSize {
    shown: Mutex<Shown>,
    /// Held by the slice that asks for one page more; the others wait for what it finds.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Shown {
    /// A page was as large as it was asked for.
    is_kept: bool,
    /// The largest short page after which nothing came.
    ended_at: u64,
    /// The size that pages really have.
    cap: Option<u64>,
    /// A second page had just that size.
    is_confirmed: bool,
    /// Pages in the middle of a list have several sizes.
    varies: bool,
}

impl ShownSize {
    fn shown(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a page of `received` records where `asked` were asked for.
    pub(crate) fn saw(&self, received: u64, asked: u64) {
        let mut shown = self.shown();
        shown.is_kept |= received >= asked;
        match shown.cap {
            Some(cap) if received > cap => (shown.varies, shown.cap) = (true, None),
            Some(cap) => shown.is_confirmed |= received == cap,
            None => {}
        }
    }

    /// Records came after a page of this size, though more were asked for.
    pub(crate) fn more_came_after(&self, received: u64) {
        let mut shown = self.shown();
        if !shown.is_kept && !shown.varies && shown.cap.is_none() {
            shown.cap = Some(received.max(1));
        }
    }

    /// Nothing came after a page of this size.
    pub(crate) fn ended_after(&self, received: u64) {
        let mut shown = self.shown();
        shown.ended_at = shown.ended_at.max(received);
    }

    /// How many records a full page has.
    pub(crate) fn full(&self, asked: u64) -> u64 {
        self.shown().cap.map_or(asked, |cap| cap.min(asked))
    }

    /// Whether a page that is shorter than a full one may be taken for the last.
    pub(crate) fn believes(&self, received: u64) -> bool {
        let shown = self.shown();
        if shown.varies || (shown.cap.is_some() && !shown.is_confirmed) {
            return false;
        }
        // Of a stream that never had a full page, a longer page of a round size may be one that was cut.
        let is_like_others = shown.ended_at > 0 && (received <= shown.ended_at || !received.is_multiple_of(ROUND));
        shown.is_kept || shown.is_confirmed || is_like_others
    }

    /// Waits for the turn to ask for one page more.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_page_shows_that_the_size_is_kept() {
        let size = ShownSize::default();
        assert!(!size.believes(7));
        size.saw(50, 50);
        assert!(size.believes(7) && size.believes(40));
        assert_eq!(size.full(50), 50);
        size.more_came_after(7);
        assert_eq!(size.full(50), 50, "a page from which rows were deleted is no cap");
    }

    #[test]
    fn a_cap_is_believed_when_a_second_page_has_that_size() {
        let size = ShownSize::default();
        size.saw(100, 500);
        size.more_came_after(100);
        assert_eq!((size.full(500), size.full(20), size.believes(30)), (100, 20, false));
        size.saw(100, 500);
        assert!(size.believes(30));
        size.saw(130, 500);
        assert!(!size.believes(30), "pages have several sizes: none tells that it is the last");
        assert_eq!(size.full(500), 500);
    }

    #[test]
    fn a_stream_of_short_lists_is_doubted_once() {
        let size = ShownSize::default();
        size.saw(30, 500);
        size.ended_after(30);
        assert!([3, 30, 41].iter().all(|received| size.believes(*received)));
        assert!(!size.believes(100), "a longer page of a round size may have been cut");
    }
}
