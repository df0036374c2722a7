//! One page more, where the size of a page alone says that it is the last.

use super::PageReader;
use crate::read::page::{Ask, Fetched, Page, ReadError};
use std::sync::atomic::Ordering;

impl PageReader<'_> {
    /// Asks for one page more where the size of this one alone says that it is the last, and the stream has not shown yet that its pages
    /// have the size that is asked for. Whatever is no page with other records ends the slice.
    pub(super) async fn doubt_the_end(&mut self, ask: &Ask, page: &Page) -> Result<(), ReadError> {
        let is_enough = self.left.is_some_and(|left| left.load(Ordering::Relaxed) <= page.count());
        if !std::mem::take(&mut self.ends_by_size) || is_enough {
            return Ok(());
        }
        let (size, Some(asked)) = (self.size.clone(), self.page_size) else { return Ok(()) };
        let _turn = size.turn().await;
        let is_short = page.received < size.full(asked);
        if is_short && size.believes(page.received) {
            return Ok(());
        }
        let token = self.paginator.and_then(|paginator| self.token_after(paginator, ask.index));
        let Some(token) = token else { return Ok(()) };
        let next = Ask { index: ask.index + 1, token: Some(token), is_probe: is_short };
        if !is_short {
            // Another slice has shown meanwhile that pages of this size are full ones.
            self.head = Some(next);
            return Ok(());
        }
        let reservation = self.memory.try_reserve(self.estimate.bytes());
        match self.source.fetch(&next, self.estimate.expected()).await {
            Ok(Fetched::Page(more, origin)) if more.received > 0 && !self.endless.knows(&more) => {
                if !self.seam.holds(origin) {
                    self.tear();
                    return Ok(());
                }
                let mut more = *more;
                size.more_came_after(page.received);
                self.settle(&mut more, reservation);
                self.probed = Some((next, more));
            }
            other => {
                tracing::debug!(error = other.err().map(|error| error.to_string()), "nothing follows the short page");
                size.ended_after(page.received);
            }
        }
        Ok(())
    }
}
