//! Whether pages have shifted under the reader (design, section 7): a record can fall between two pages while the API's data changes.
//! What the API tells of its total, page by page, is all that there is to see it by.

use crate::components::default_paginator::Total;

/// What one slice's pages have told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    first: Option<u64>,
    last: Option<u64>,
    changed: bool,
    shrank: bool,
    /// A page tells no total, or one that is no number, though the manifest says where it is.
    untold: bool,
    /// An ignored error has ended the slice: of a snapshot, and of what can be asked for again.
    cut: bool,
    missed: bool,
    /// What follows is not wanted, or read in another way: fewer records than the total tell nothing.
    stopped: bool,
    received: u64,
}

impl Tally {
    /// Counts a page and the total that came with it.
    pub(crate) fn page(&mut self, total: &Total, received: u64) {
        self.received += received;
        self.untold |= matches!(total, Total::Unusable(_));
        let Some(total) = total.told() else { return };
        self.changed |= self.last.is_some_and(|last| last != total);
        self.shrank |= self.last.is_some_and(|last| total < last);
        self.first = self.first.or(Some(total));
        self.last = Some(total);
    }

    /// An error that the manifest ignores has ended the slice. Only "not found" says that there is nothing (more); after any other, rows
    /// that were not read are not gone. What a later run asks for again need not be held up by a refusal that stays (400, 403).
    pub(crate) fn ignored(&mut self, status: u16, is_first: bool) {
        let is_nothing = matches!(status, 404 | 410);
        self.cut |= !is_nothing;
        self.missed |= !is_nothing && (!is_first || matches!(status, 401 | 408 | 429 | 500..));
    }

    /// The rest of the pages is not wanted.
    pub(crate) fn stopped(&mut self) {
        self.stopped = true;
    }

    /// An answer without a place for records was taken for an empty list: no proof that there are none.
    pub(crate) fn proves_nothing(&mut self) {
        self.cut = true;
    }

    /// Pages have shifted, as far as that matters: of a snapshot, unless the total never changed and equals what was received; else if a
    /// record may have been missed. Rows that were only added cannot push another one out of reach. Reading once more may help.
    pub(crate) fn has_shifted(&self, snapshot: bool) -> bool {
        if snapshot {
            self.changed || self.last.is_some_and(|total| !self.stopped && total != self.received)
        } else {
            self.shrank || self.last.is_some_and(|total| !self.stopped && self.received < total)
        }
    }

    /// What an error has hidden, if the records are to be all there are, or all that is new. Reading once more would not help.
    pub(crate) fn is_unproven(&self, snapshot: bool) -> bool {
        if snapshot { self.cut || self.untold } else { self.missed }
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
            let total = |told: &Option<u64>| told.map_or(Total::NotDeclared, Total::Told);
            pages.iter().for_each(|(told, received)| tally.page(&total(told), *received));
            assert_eq!((!tally.has_shifted(true), tally.has_shifted(false)), (whole, missed), "{pages:?}");
        }
    }

    #[test]
    fn an_ignored_answer_is_no_proof_of_absence() {
        // Status, whether of the first page; whether the slice is whole; whether records may have been missed.
        let cases = [
            (404, true, true, false),
            (410, false, true, false),
            (403, true, false, false),
            (403, false, false, true),
            (400, true, false, false),
            (500, true, false, true),
            (429, false, false, true),
        ];
        for (status, is_first, whole, missed) in cases {
            let mut tally = Tally::default();
            tally.ignored(status, is_first);
            assert_eq!((!tally.is_unproven(true), tally.is_unproven(false)), (whole, missed), "{status} {is_first}");
        }
    }

    #[test]
    fn a_page_without_its_total_proves_nothing() {
        let mut tally = Tally::default();
        tally.page(&Total::Unusable("null"), 0);
        assert!(tally.is_unproven(true) && !tally.has_shifted(true), "reading once more would not help");
    }
}
