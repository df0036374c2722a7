//! The pages of one slice, in page order, read ahead where their numbers are known beforehand.
//! After a full page the window opens (1, 2, 4, 8; at once where the total is known); a page beyond the end is thrown away.

use super::endless::Endless;
use super::memory::{Estimate, PageMemory, Reservation};
use super::page::{Ask, Fetched, Page, PageSource, ReadError};
use super::seam::Seam;
use super::shown_size::ShownSize;
use super::tally::{PageProof, Tally};
use crate::components::default_paginator::{DefaultPaginator, Strategy, Total};
use crate::components::expression::Scope;
use crate::components::http_response_filter::PagingAction;
use contract::evidence::Evidence;
use serde_json::Value;
use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::task::JoinHandle;

mod probe;

/// Reads the pages of one slice.
pub(crate) struct PageReader<'a> {
    source: Arc<dyn PageSource>,
    paginator: Option<&'a DefaultPaginator>,
    scope: Scope,
    stop_when_past: bool,
    memory: PageMemory,
    estimate: Estimate,
    page_size: Option<u64>,
    in_flight: VecDeque<InFlight>,
    /// How many pages may be in flight.
    width: usize,
    /// The next page to hand out; nothing after the last one.
    head: Option<Ask>,
    /// Records received so far: where the next offset starts.
    offset: u64,
    tally: Tally,
    endless: Endless,
    size: Arc<ShownSize>,
    /// Records that may still come before a limit.
    left: Option<&'a AtomicU64>,
    /// The page that was handed out last is shorter than was asked for, and only that says that it is the last.
    ends_by_size: bool,
    /// A page that has come before its turn.
    probed: Option<(Ask, Page)>,
    tokens: HashSet<u64>,
    last_token: Option<Value>,
    paging: Option<(PagingAction, String)>,
    seam: Seam,
    is_torn: bool,
}

struct InFlight {
    ask: Ask,
    task: AbortOnDrop,
}

type FetchedPage = Result<(Fetched, Option<Reservation>), ReadError>;

/// A page that nobody waits for any more is not fetched any further.
struct AbortOnDrop(JoinHandle<FetchedPage>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<'a> PageReader<'a> {
    /// `token` is what a former run has kept; `scope` holds the slice.
    ///
    /// # Errors
    /// A page size that is none.
    pub(crate) fn new(
        source: Arc<dyn PageSource>,
        paginator: Option<&'a DefaultPaginator>,
        scope: Scope,
        memory: PageMemory,
        token: Option<Value>,
    ) -> Result<Self, ReadError> {
        let page_size =
            paginator.map(|paginator| paginator.page_size(&scope)).transpose().map_err(ReadError)?.flatten();
        let token = token.or_else(|| paginator?.strategy().first_token());
        let head = Some(Ask { index: 0, token: token.clone(), is_probe: false });
        let reader = Self {
            source,
            paginator,
            scope,
            stop_when_past: false,
            memory,
            estimate: Estimate::default(),
            page_size,
            in_flight: VecDeque::new(),
            width: 1,
            head,
            offset: 0,
            tally: Tally::default(),
            endless: Endless::default(),
            size: Arc::default(),
            left: None,
            ends_by_size: false,
            probed: None,
            tokens: HashSet::new(),
            last_token: token,
            paging: None,
            seam: Seam::default(),
            is_torn: false,
        };
        Ok(reader)
    }

    /// Uses what an earlier slice of the stream has learned of the size of pages.
    pub(crate) fn with_estimate(mut self, estimate: Estimate) -> Self {
        self.estimate = estimate;
        self
    }

    /// Newest records first: no page is wanted after one that ends before the start.
    pub(crate) fn stopping_when_past(mut self, stops: bool) -> Self {
        self.stop_when_past = stops;
        self
    }

    /// Uses what the stream has shown of the size of its pages.
    pub(crate) fn with_size(mut self, size: Arc<ShownSize>) -> Self {
        self.size = size;
        self
    }

    /// No page is wanted beyond so many records.
    pub(crate) fn within(mut self, left: Option<&'a AtomicU64>) -> Self {
        self.left = left;
        self
    }

    /// Whether another page follows.
    pub(crate) fn has_more(&self) -> bool {
        self.head.is_some() || self.probed.is_some()
    }

    /// Why the pages have ended, if an answer asked for another way of paging.
    pub(crate) fn take_paging(&mut self) -> Option<(PagingAction, String)> {
        self.paging.take()
    }

    /// Whether the pages have ended because the next one is not of one reading with those before it.
    pub(crate) fn is_torn(&self) -> bool {
        self.is_torn
    }

    pub(crate) fn estimate(&self) -> Estimate {
        self.estimate
    }

    /// The total as the API told it last.
    pub(crate) fn total(&self) -> Option<u64> {
        self.tally.total()
    }

    /// What its pages have proven.
    pub(crate) fn evidence(&self) -> Evidence {
        self.tally.evidence()
    }

    /// The rest of the pages is not wanted, though there is more.
    pub(crate) fn stop(&mut self) {
        self.tally.stopped();
    }

    /// The last token that the API gave: the state of a stream that keeps it.
    pub(crate) fn last_token(&self) -> Option<&Value> {
        self.last_token.as_ref()
    }

    /// The next page; nothing after the last.
    ///
    /// # Errors
    /// A page that cannot be had, a template that cannot be evaluated, a page or a token that repeats.
    pub(crate) async fn next(&mut self) -> Result<Option<Page>, ReadError> {
        if let Some((ask, page)) = self.probed.take() {
            self.advance(&ask, &page)?;
            self.doubt_the_end(&ask, &page).await?;
            return Ok(Some(page));
        }
        let Some(head) = self.head.take() else { return Ok(None) };
        if self.in_flight.is_empty() {
            // Nothing of this stream is held up here: its earlier pages are on their way out by themselves.
            let reservation = self.memory.reserve(self.estimate.bytes()).await;
            self.start(head.clone(), reservation);
        }
        let Some(mut flight) = self.in_flight.pop_front() else { return Ok(None) };
        let joined = (&mut flight.task.0).await.map_err(|_| ReadError("the reading of a page was cut off".into()))?;
        let (fetched, reservation) = joined?;
        let mut page = match fetched {
            Fetched::Page(page, origin) => {
                if !self.seam.holds(origin) {
                    self.tear();
                    return Ok(None);
                }
                *page
            }
            Fetched::Ignored(status) => {
                tracing::debug!(status, page = head.index, "answer passed over: the slice ends");
                self.in_flight.clear();
                self.tally.ignored(status, head.index == 0);
                return Ok(None);
            }
            Fetched::Paging(action, message) => {
                self.in_flight.clear();
                self.tally.stopped();
                self.paging = Some((action, message));
                return Ok(None);
            }
        };
        self.settle(&mut page, reservation);
        self.advance(&head, &page)?;
        self.doubt_the_end(&head, &page).await?;
        Ok(Some(page))
    }

    /// What has come so far is to be read anew.
    fn tear(&mut self) {
        self.in_flight.clear();
        self.head = None;
        self.is_torn = true;
    }

    /// The token of the page after that with this index.
    fn token_after(&self, paginator: &DefaultPaginator, index: u64) -> Option<Value> {
        match paginator.strategy() {
            Strategy::Page(strategy) => strategy.token(index + 1),
            Strategy::Offset(strategy) => strategy.token(self.offset),
            Strategy::Cursor(_) => None,
        }
    }

    fn start(&mut self, ask: Ask, reservation: Option<Reservation>) {
        let (source, task_ask, expected) = (self.source.clone(), ask.clone(), self.estimate.expected());
        let task = tokio::spawn(async move { Ok((source.fetch(&task_ask, expected).await?, reservation)) });
        self.in_flight.push_back(InFlight { ask, task: AbortOnDrop(task) });
    }

    /// Ties the reserved memory to the body, so that it is free again when the body is gone.
    fn settle(&mut self, page: &mut Page, reservation: Option<Reservation>) {
        if let Some(rest) = &mut page.rest {
            // What the records are made of stays until the last of them.
            self.estimate.seen(rest.bytes);
            rest.reservation = reservation.map(|mut reservation| {
                reservation.settle(rest.bytes + page.body.bytes.capacity());
                reservation
            });
            return;
        }
        let size = page.body.bytes.capacity();
        self.estimate.seen(page.body.bytes.len());
        if let (Some(mut reservation), Some(body)) = (reservation, Arc::get_mut(&mut page.body)) {
            reservation.settle(size);
            body.reservation = Some(reservation);
        }
    }

    /// Decides what follows a page, and starts it.
    fn advance(&mut self, ask: &Ask, page: &Page) -> Result<(), ReadError> {
        let scope = page.scope(&self.scope);
        let total = match self.paginator {
            Some(paginator) => paginator.total(&scope).map_err(|error| ReadError(format!("`x-total`: {error}")))?,
            None => Total::NotDeclared,
        };
        // A proven empty list needs no total: 204 has no place for one.
        let total = match total {
            Total::Unusable(_) if page.received == 0 && page.proof == PageProof::Whole => Total::NotDeclared,
            total => total,
        };
        self.tally.page(&total, page.received, page.filtered);
        if let Total::Unusable(kind) = &total {
            self.source
                .warn(format!("`x-total` gives {kind}, which is no whole number: no row can be taken for deleted"));
        }
        let total = total.told();
        self.tally.proof(page.proof, ask.index == 0);
        self.offset += page.received;
        if let Some(size) =
            self.paginator.map(|paginator| paginator.page_size(&scope)).transpose().map_err(ReadError)?
        {
            self.page_size = size;
        }
        if let Some(asked) = self.page_size {
            self.size.saw(page.received, asked);
        }
        let next = self.next_token(ask, page, &scope)?;
        let by_token = matches!(self.paginator.map(DefaultPaginator::strategy), Some(Strategy::Cursor(_)));
        if self.endless.refuse_repetition(page, next.is_some(), by_token)? {
            self.tally.repeated(ask.index);
        }
        if next.is_some() {
            self.endless.refuse_to_go_on(page, ask.index + 1, self.offset, total)?;
        }
        let Some(token) = next else {
            self.in_flight.clear();
            return Ok(());
        };
        let next = Ask { index: ask.index + 1, token: Some(token), is_probe: false };
        if self.in_flight.front().is_some_and(|flight| flight.ask != next) {
            // A short page in the middle: what was asked for ahead starts at the wrong place.
            self.in_flight.clear();
        }
        self.open_window(page, total);
        self.top_up(&next, total);
        self.head = Some(next);
        Ok(())
    }

    /// The token of the page after this one; nothing if this one is the last.
    fn next_token(&mut self, ask: &Ask, page: &Page, scope: &Scope) -> Result<Option<Value>, ReadError> {
        let Some(paginator) = self.paginator else { return Ok(None) };
        if self.stop_when_past && page.is_past {
            self.tally.stopped();
            return Ok(None);
        }
        let failed = |what: &str, error: &dyn std::fmt::Display| ReadError(format!("`{what}`: {error}"));
        if let Strategy::Cursor(cursor) = paginator.strategy() {
            let stops = cursor.stops(scope).map_err(|error| failed("stop_condition", &error))?;
            let token = match cursor.token(scope) {
                Ok(token) => token,
                // The last page often has nothing to go on with; only a token that is kept is looked for there.
                Err(_) if stops => None,
                Err(error) => return Err(failed("cursor_value", &error)),
            };
            if token.is_some() {
                self.last_token.clone_from(&token);
            }
            if stops {
                return Ok(None);
            }
            let Some(token) = token else { return Ok(None) };
            let hash = |token: &Value| {
                let mut hasher = DefaultHasher::new();
                token.to_string().hash(&mut hasher);
                hasher.finish()
            };
            self.tokens.extend(ask.token.as_ref().map(hash));
            if !self.tokens.insert(hash(&token)) {
                let number = ask.index + 1;
                return Err(ReadError(format!("the page token repeats after page {number}: reading would never end")));
            }
            return Ok(Some(token));
        }
        let more = match paginator.has_more(scope).map_err(|error| failed("x-has-more", &error))? {
            Some(more) => more,
            // A short page is the last one, unless the API tells that there is more: it may cap the size of pages.
            None => {
                let is_short = self.page_size.is_some_and(|asked| page.received < self.size.full(asked));
                let total = self.tally.total();
                let is_told = total.is_some_and(|total| self.offset < total);
                if is_short && is_told {
                    self.size.more_came_after(page.received);
                }
                self.ends_by_size = page.received > 0 && is_short && total.is_none();
                page.received > 0 && (!is_short || is_told)
            }
        };
        if !more {
            return Ok(None);
        }
        if matches!(paginator.strategy(), Strategy::Offset(_)) && page.received == 0 {
            return Err(ReadError("the API says that more follows, but gives no records".into()));
        }
        Ok(self.token_after(paginator, ask.index))
    }

    fn open_window(&mut self, page: &Page, total: Option<u64>) {
        let most = self.paginator.map_or(1, DefaultPaginator::read_ahead);
        let is_full = self.page_size.is_some_and(|asked| page.received >= self.size.full(asked));
        self.width = match total {
            Some(_) if self.page_size.is_some() => most,
            _ if is_full => (self.width * 2).min(most),
            _ => self.width,
        };
    }

    /// Starts pages until the window is full, as far as memory is free and there are pages.
    fn top_up(&mut self, next: &Ask, total: Option<u64>) {
        while self.in_flight.len() < self.width {
            let ahead = self.in_flight.len() as u64;
            let Some(ask) = self.ask_ahead(next, ahead) else { return };
            if ahead > 0 && !self.may_exist(ahead, total) {
                return;
            }
            let Some(reservation) = self.memory.try_reserve(self.estimate.bytes()) else { return };
            self.start(ask, Some(reservation));
        }
    }

    /// The page that many after the next, if its token is known beforehand.
    fn ask_ahead(&self, next: &Ask, ahead: u64) -> Option<Ask> {
        if ahead == 0 {
            return Some(next.clone());
        }
        let index = next.index + ahead;
        let token = match self.paginator?.strategy() {
            Strategy::Page(strategy) => strategy.token(index),
            Strategy::Offset(strategy) => strategy.token(self.offset + ahead * self.size.full(self.page_size?)),
            Strategy::Cursor(_) => None,
        }?;
        Some(Ask { index, token: Some(token), is_probe: false })
    }

    /// Whether the total leaves room for a page that many after the next.
    fn may_exist(&self, ahead: u64, total: Option<u64>) -> bool {
        match (total, self.page_size) {
            (Some(total), Some(asked)) => self.offset + ahead * self.size.full(asked) < total,
            _ => true,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
