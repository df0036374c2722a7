//! What the pages of one slice tell of it: whether they have shifted under the reader, and which answers proved nothing.
//! A record can fall between two pages while the API's data changes. The total, told page by page, is all that there is to see it by.

use crate::components::default_paginator::Total;
use contract::evidence::{Doubt, Evidence};

/// What one slice's pages have told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    last: Option<u64>,
    lowest: u64,
    highest: u64,
    changed: bool,
    shrank: bool,
    /// What follows is not wanted, or read in another way: fewer records than the total tell nothing.
    stopped: bool,
    evidence: Evidence,
}

/// What a page says of its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageProof {
    /// They are all that the page has.
    Whole,
    /// The answer had no place for them, and was taken for an empty list.
    NoPlace,
    /// The answer tells an error that the manifest passes over.
    PassedOver,
}

impl Tally {
    /// Counts a page and the total that came with it. `filtered` is how many of the records a filter left out.
    pub(crate) fn page(&mut self, total: &Total, received: u64, filtered: u64) {
        self.evidence.received += received;
        if filtered > 0 {
            self.evidence.doubt(Doubt::Filtered, || "a filter has left records out, which are not gone".into());
        }
        if let Total::Unusable(kind) = total {
            self.evidence.doubt(Doubt::UnusableTotal, || format!("`x-total` gives {kind}, which is no whole number"));
        }
        let Some(total) = total.told() else { return };
        self.changed |= self.last.is_some_and(|last| last != total);
        self.shrank |= self.last.is_some_and(|last| total < last);
        self.lowest = if self.last.is_some() { self.lowest.min(total) } else { total };
        self.highest = self.highest.max(total);
        self.last = Some(total);
    }

    /// What a page says of its records; `is_first` of the slice.
    pub(crate) fn proof(&mut self, proof: PageProof, is_first: bool) {
        match proof {
            PageProof::Whole => {}
            PageProof::NoPlace => {
                let text = "an answer had no place for records and was taken for an empty list";
                self.evidence.doubt(Doubt::NoPlace, || text.into());
            }
            PageProof::PassedOver => {
                let doubt = if is_first { Doubt::Refused } else { Doubt::Hidden };
                let text = "an answer that tells an error was passed over, as the error handler says";
                self.evidence.doubt(doubt, || text.into());
            }
        }
    }

    /// An error that the manifest ignores has ended the slice. Only "not found" says that there is nothing (more); after any other, rows
    /// that were not read are not gone. What a later run asks for again need not be held up by a refusal that stays (400, 403).
    pub(crate) fn ignored(&mut self, status: u16, is_first: bool) {
        if matches!(status, 404 | 410) {
            return;
        }
        let hides = !is_first || matches!(status, 401 | 408 | 429 | 500..);
        let doubt = if hides { Doubt::Hidden } else { Doubt::Refused };
        self.evidence
            .doubt(doubt, || format!("an answer with status {status} was passed over, as the error handler says"));
    }

    /// A page has the keys of an earlier one. `index` counts the pages of the slice from 0.
    pub(crate) fn repeated(&mut self, index: u64) {
        let page = index + 1;
        self.evidence.doubt(Doubt::Shifted, || format!("page {page} holds the same keys as an earlier one"));
    }

    /// The rest of the pages is not wanted.
    pub(crate) fn stopped(&mut self) {
        self.stopped = true;
    }

    /// The total as it was told last.
    pub(crate) fn total(&self) -> Option<u64> {
        self.last
    }

    /// What the whole slice has proven. Rows that were only added cannot push another one out of reach.
    pub(crate) fn evidence(&self) -> Evidence {
        let mut evidence = Evidence { slices: 1, total: self.last, ..self.evidence.clone() };
        let received = evidence.received;
        let ends_at = |total: u64| !self.stopped && total != received;
        let lacks = |total: u64| !self.stopped && received < total;
        if let Some(last) = self.last {
            let doubt = if self.shrank || lacks(last) {
                Some(Doubt::Shifted)
            } else if self.changed || ends_at(last) {
                Some(Doubt::TotalChanged)
            } else {
                None
            };
            if let Some(doubt) = doubt {
                let (lowest, highest) = (self.lowest, self.highest);
                let told = if self.changed {
                    format!("totals between {lowest} and {highest}")
                } else {
                    format!("a total of {last}")
                };
                evidence.doubt(doubt, || format!("the API told {told} and gave {received} records"));
            }
        }
        evidence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifting_pages_are_seen() {
        /// The total that each page tells and the records in it; the doubt that follows.
        type Case = (&'static [(Option<u64>, u64)], Option<Doubt>);
        let cases: [Case; 8] = [
            (&[(Some(25), 10), (Some(25), 10), (Some(25), 5)], None),
            (&[(Some(25), 10), (Some(24), 10), (Some(24), 4)], Some(Doubt::Shifted)),
            (&[(Some(25), 10), (Some(26), 10), (Some(26), 6)], Some(Doubt::TotalChanged)),
            (&[(Some(25), 10), (Some(24), 10), (Some(25), 5)], Some(Doubt::Shifted)),
            (&[(Some(25), 10), (Some(25), 10)], Some(Doubt::Shifted)),
            (&[(Some(5), 6)], Some(Doubt::TotalChanged)),
            (&[(None, 10), (None, 3)], None),
            (&[(Some(0), 0)], None),
        ];
        for (pages, expected) in cases {
            let mut tally = Tally::default();
            let total = |told: &Option<u64>| told.map_or(Total::NotDeclared, Total::Told);
            pages.iter().for_each(|(told, received)| tally.page(&total(told), *received, 0));
            let evidence = tally.evidence();
            assert_eq!(evidence.doubts.keys().next().copied(), expected, "{pages:?}");
        }
    }

    #[test]
    fn a_doubt_about_pages_tells_numbers() {
        let mut tally = Tally::default();
        tally.page(&Total::Told(25), 10, 0);
        tally.page(&Total::Told(24), 10, 0);
        let words = tally.evidence().reasons(|_| true);
        assert_eq!(words.as_deref(), Some("the API told totals between 24 and 25 and gave 20 records"));
        tally.stopped();
        assert!(!tally.evidence().is_whole(), "the total shrank all the same");
    }

    #[test]
    fn an_ignored_answer_is_no_proof_of_absence() {
        // Status, whether of the first page; whether the slice is whole; whether the state may move on.
        let cases = [
            (404, true, true, true),
            (410, false, true, true),
            (403, true, false, true),
            (403, false, false, false),
            (400, true, false, true),
            (500, true, false, false),
            (429, false, false, false),
        ];
        for (status, is_first, whole, moves) in cases {
            let mut tally = Tally::default();
            tally.ignored(status, is_first);
            let evidence = tally.evidence();
            assert_eq!((evidence.is_whole(), evidence.moves_state()), (whole, moves), "{status} {is_first}");
        }
    }

    #[test]
    fn what_a_page_does_not_prove_holds_deletes_back_and_what_it_hides_the_state() {
        let cases = [
            (PageProof::Whole, true, true, true),
            (PageProof::NoPlace, false, false, true),
            (PageProof::PassedOver, true, false, true),
            (PageProof::PassedOver, false, false, false),
        ];
        for (proof, is_first, whole, moves) in cases {
            let mut tally = Tally::default();
            tally.proof(proof, is_first);
            let evidence = tally.evidence();
            assert_eq!((evidence.is_whole(), evidence.moves_state()), (whole, moves), "{proof:?} {is_first}");
        }
        let mut tally = Tally::default();
        tally.page(&Total::Unusable("null"), 0, 0);
        tally.page(&Total::NotDeclared, 5, 2);
        let evidence = tally.evidence();
        let doubts: Vec<Doubt> = evidence.doubts.keys().copied().collect();
        assert_eq!(doubts, [Doubt::UnusableTotal, Doubt::Filtered]);
        assert!(!doubts.iter().any(|doubt| doubt.may_pass()), "reading once more would not help");
    }
}
