//! Whether pages have shifted under the reader (design, section 7): a record can fall between two pages while the API's data changes.
//! What the API tells of its total, page by page, is all that there is to see it by.

/// What one slice's pages have told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    first: Option<u64>,
    last: Option<u64>,
    changed: bool,
    shrank: bool,
    untold: bool,
    cut: bool,
    received: u64,
}

impl Tally {
    /// Counts a page and the total that came with it; `told` says that the manifest knows where the API tells it.
    pub(crate) fn page(&mut self, total: Option<u64>, told: bool, received: u64) {
        self.received += received;
        self.untold |= told && total.is_none();
        let Some(total) = total else { return };
        self.changed |= self.last.is_some_and(|last| last != total);
        self.shrank |= self.last.is_some_and(|last| total < last);
        self.first = self.first.or(Some(total));
        self.last = Some(total);
    }

    /// An error that the manifest ignores has ended the slice: what would have followed is not known.
    pub(crate) fn cut(&mut self) {
        self.cut = true;
    }

    /// Nothing speaks against the slice being whole: the total never changed and equals what was received.
    pub(crate) fn is_whole(&self) -> bool {
        !self.changed && !self.untold && !self.cut && self.last.is_none_or(|total| total == self.received)
    }

    /// A record may have been missed. Rows that were only added cannot push another one out of reach.
    pub(crate) fn may_have_missed(&self) -> bool {
        self.shrank || self.cut || self.last.is_some_and(|total| self.received < total)
    }

    /// The total as it was told last.
    pub(crate) fn total(&self) -> Option<u64> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifting_pages_are_seen() {
        /// The total that each page tells and the records in it; whether the slice is whole; whether records may have been missed.
        type Case = (&'static [(Option<u64>, u64)], bool, bool);
        let cases: [Case; 8] = [
            (&[(Some(25), 10), (Some(25), 10), (Some(25), 5)], true, false),
            (&[(Some(25), 10), (Some(24), 10), (Some(24), 4)], false, true),
            (&[(Some(25), 10), (Some(26), 10), (Some(26), 6)], false, false),
            (&[(Some(25), 10), (Some(24), 10), (Some(25), 5)], false, true),
            (&[(Some(25), 10), (Some(25), 10)], false, true),
            (&[(Some(5), 6)], false, false),
            (&[(None, 10), (None, 3)], true, false),
            (&[(Some(0), 0)], true, false),
        ];
        for (pages, whole, missed) in cases {
            let mut tally = Tally::default();
            pages.iter().for_each(|(total, received)| tally.page(*total, total.is_some(), *received));
            assert_eq!((tally.is_whole(), tally.may_have_missed()), (whole, missed), "{pages:?}");
        }
    }

    #[test]
    fn a_page_without_its_total_proves_nothing() {
        let mut tally = Tally::default();
        tally.page(None, true, 0);
        assert!(!tally.is_whole());
    }
}
