//! Where kept pages of a slice and pages of its own meet. Between a page that was kept an hour ago and the one that is asked for now, rows may
//! have moved from one page to the other: such pages are not of one reading, unless the reading that left the first is still under way, and
//! would itself go on from there.

use crate::http::response_cache::Life;
use std::sync::Arc;
use std::time::Instant;

/// Where a page has come from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// Asked for then.
    Asked(Instant),
    /// The slice that asked for it.
    Kept(Arc<Life>),
}

/// The pages of a slice so far, in page order.
#[derive(Debug, Default)]
pub(super) struct Seam {
    /// When the last page that did not come from the kept ones was asked for.
    asked: Option<Instant>,
    /// Who asked for the page before, if it was a kept one.
    kept: Option<Arc<Life>>,
}

impl Seam {
    /// Whether the next page is of one reading with those before it.
    pub(super) fn holds(&mut self, origin: Origin) -> bool {
        match origin {
            Origin::Asked(at) => {
                let before = self.kept.take();
                self.asked = Some(at);
                before.is_none_or(|life| !life.had_ended(at))
            }
            Origin::Kept(life) => {
                let holds = self.asked.is_none_or(|at| !life.had_ended(at));
                self.kept = Some(life);
                holds
            }
        }
    }
}
