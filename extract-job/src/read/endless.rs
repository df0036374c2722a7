//! What keeps a reading from going on for ever: pages that come again, and bounds that no list of records comes near.

use super::page::{Page, ReadError};
use std::collections::HashSet;

/// The most pages of one slice.
const MOST_PAGES: u64 = 1_000_000;
/// The most empty pages in a row.
const MOST_EMPTY: u64 = 1_000;
/// So many records more than twice the total that the API tells are too many: lists grow while they are read, but not so.
const MOST_BEYOND: u64 = 10_000;

/// The pages of a slice so far.
#[derive(Debug, Default)]
pub(super) struct Endless {
    /// Fingerprints of the pages.
    previous: Option<u64>,
    pages: HashSet<u64>,
    /// The same by the keys of their records.
    keys: HashSet<u64>,
    /// The page before had the keys of an earlier one, and was let pass.
    repeated: bool,
    /// Empty pages in a row.
    empty: u64,
}

impl Endless {
    /// Whether a page has come already, perhaps with other contents under the same keys.
    pub(super) fn knows(&self, page: &Page) -> bool {
        self.previous == Some(page.fingerprint)
            || self.pages.contains(&page.fingerprint)
            || page.keys.is_some_and(|keys| self.keys.contains(&keys))
    }

    /// The same records once more, and still more to come: the API pays no heed to the page that was asked for. `by_token`: each page has a
    /// token of its own. Returns whether the page has the keys of an earlier one and may pass with a doubt: once, rows that came in before it
    /// may have pushed the whole page on; twice in a row is no accident.
    ///
    /// # Errors
    /// The page has come before.
    pub(super) fn refuse_repetition(
        &mut self,
        page: &Page,
        continues: bool,
        by_token: bool,
    ) -> Result<bool, ReadError> {
        let in_a_row = self.previous.replace(page.fingerprint) == Some(page.fingerprint);
        // Records without keys can be alike by chance, one by one; whole pages of them are not.
        let again = page.received > 1 && !self.pages.insert(page.fingerprint);
        let keys_again = page.keys.is_some_and(|keys| !self.keys.insert(keys));
        // Export feeds may give several empty pages in a row, each with a token of its own.
        let same_in_a_row = continues && in_a_row && !(by_token && page.received == 0);
        if !(again || keys_again || same_in_a_row) {
            self.repeated = false;
            return Ok(false);
        }
        // The very same page may be an old answer of a cache, in the place of one that was never seen. Where something in it differs, the API
        // has made it anew, and the load sees by the keys that rows came twice.
        let may_pass = continues && !again && !same_in_a_row;
        if may_pass && !std::mem::replace(&mut self.repeated, true) {
            return Ok(true);
        }
        Err(ReadError(if again || same_in_a_row {
            "a page repeats an earlier one: reading would never end, or miss records".into()
        } else {
            "a page holds the same keys as an earlier one, though the records differ: the API seems to ignore which page is asked for, \
             and reading would never end"
                .into()
        }))
    }

    /// What neither repeats nor ends. `pages` and `records` have come so far.
    ///
    /// # Errors
    /// A bound is reached; the message names it.
    pub(super) fn refuse_to_go_on(
        &mut self,
        page: &Page,
        pages: u64,
        records: u64,
        total: Option<u64>,
    ) -> Result<(), ReadError> {
        self.empty = if page.received == 0 { self.empty + 1 } else { 0 };
        if self.empty >= MOST_EMPTY {
            return Err(ReadError(format!("{MOST_EMPTY} pages in a row hold no records, and each names a next one")));
        }
        if pages >= MOST_PAGES {
            return Err(ReadError(format!("the slice has more than {MOST_PAGES} pages")));
        }
        match total {
            // Some APIs cap the total that they tell: where keys tell repetition, it is no bound.
            Some(total) if page.keys.is_none() && records > total.saturating_mul(2).saturating_add(MOST_BEYOND) => {
                Err(ReadError(format!("the API tells a total of {total} records, but has given {records} and goes on")))
            }
            _ => Ok(()),
        }
    }
}
