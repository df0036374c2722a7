//! One slice from its first page to its last. Where an answer asks for it, the slice is paged anew or its window halved; where pages have
//! shifted it is read once more, and what is still not whole then says so.

use super::http_pages::{HttpPages, StreamPages};
use super::memory::PageMemory;
use super::page::{Page, ReadError};
use super::read_ahead::PageReader;
use super::slice::{Slice, SliceOutcome};
use super::stream_reader::SliceSink;
use crate::components::datetime_based_cursor::DatetimeBasedCursor;
use crate::components::declarative_stream::DeclarativeStream;
use crate::components::http_response_filter::PagingAction;
use crate::components::pagination_reset::ResetWay;
use crate::components::windows::Window;
use chrono::{DateTime, FixedOffset};
use contract::evidence::{Doubt, Evidence};
use contract::unit::Unit;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Reads one slice.
pub(super) struct SliceReader<'a> {
    /// Of the whole slice.
    pub(super) pages: Arc<HttpPages>,
    pub(super) shared: &'a Arc<StreamPages>,
    pub(super) stream: &'a DeclarativeStream,
    pub(super) slice: &'a Slice,
    pub(super) memory: &'a PageMemory,
    pub(super) unit: &'a Unit,
    pub(super) snapshot: bool,
    /// Records that may still come before the limit of the stream, where it has one; its slices then come one after the other.
    pub(super) left: Option<&'a AtomicU64>,
}

/// A part of a slice that is paged by itself.
struct Piece {
    window: Option<Window>,
    /// How often it has begun again without getting any further.
    resets: u32,
}

/// What one piece has given.
#[derive(Default)]
struct Pass {
    records: u64,
    highest: Option<DateTime<FixedOffset>>,
    last_token: Option<Value>,
    evidence: Evidence,
    /// Why it has to be paged in another way.
    paging: Option<(PagingAction, String)>,
    /// Its pages are not of one reading.
    is_torn: bool,
}

/// What all pieces have given.
#[derive(Default)]
struct Sum {
    last_token: Option<Value>,
    records: u64,
    highest: Option<DateTime<FixedOffset>>,
    evidence: Evidence,
}

impl SliceReader<'_> {
    /// Reads the slice into its sink.
    pub(super) async fn read(mut self, sink: &mut dyn SliceSink) -> Result<SliceOutcome, ReadError> {
        let left = self.left.map(|left| left.load(Ordering::Relaxed));
        let mut outcome = match self.attempt(sink).await? {
            Some(outcome) => outcome,
            None => {
                tracing::info!(unit = %self.unit, "the pages that were kept end where others may follow by now; reading anew");
                self.shared.leave_kept();
                self.again(sink, left).await?
            }
        };
        let may_heal = |doubt: Doubt| doubt.may_pass() && (self.snapshot || doubt.holds_state());
        if !outcome.evidence.is_limited()
            && let Some(reason) = outcome.evidence.reasons(may_heal)
        {
            tracing::warn!(unit = %self.unit, %reason, "pages have shifted while they were read; reading once more");
            outcome = self.again(sink, left).await?;
        }
        Ok(outcome)
    }

    /// Reads the slice once more, from its beginning and from the API itself. `left` are the records that were left before it.
    async fn again(&mut self, sink: &mut dyn SliceSink, left: Option<u64>) -> Result<SliceOutcome, ReadError> {
        sink.restart().await?;
        self.shared.ask_anew();
        self.pages = Arc::new(self.shared.slice(self.slice)?);
        if let (Some(counter), Some(left)) = (self.left, left) {
            counter.store(left, Ordering::Relaxed);
        }
        let outcome = self.attempt(sink).await?;
        outcome.ok_or_else(|| ReadError("pages that were kept came up where none was asked for".into()))
    }

    /// Nothing if pages of two readings have come together.
    async fn attempt(&self, sink: &mut dyn SliceSink) -> Result<Option<SliceOutcome>, ReadError> {
        let mut pieces = VecDeque::from([Piece { window: self.slice.window, resets: 0 }]);
        let mut sum = Sum::default();
        while let Some(piece) = pieces.pop_front() {
            let mut pass = self.piece(&piece, sink).await?;
            if pass.is_torn {
                return Ok(None);
            }
            if let Some((action, why)) = pass.paging.take() {
                for next in self.instead(&piece, &pass, action, &why, sink, &mut sum).await?.into_iter().rev() {
                    pieces.push_front(next);
                }
                continue;
            }
            sink.keep().await?;
            sum.add(&pass);
            let is_limited = pass.evidence.is_limited();
            sum.last_token.clone_from(&pass.last_token);
            if is_limited {
                break;
            }
        }
        // The pieces are one slice.
        let evidence = Evidence { slices: 1, ..sum.evidence };
        Ok(Some(SliceOutcome { records: sum.records, highest: sum.highest, last_token: sum.last_token, evidence }))
    }

    /// The pieces that take the place of one that cannot be paged to its end.
    async fn instead(
        &self,
        piece: &Piece,
        pass: &Pass,
        action: PagingAction,
        why: &str,
        sink: &mut dyn SliceSink,
        sum: &mut Sum,
    ) -> Result<Vec<Piece>, ReadError> {
        let retriever = &self.stream.retriever;
        let cursor = self.stream.cursor.as_ref();
        match action {
            PagingAction::SplitWindow => {
                let parts = (
                    retriever.splitting.as_ref(),
                    cursor,
                    cursor.and_then(DatetimeBasedCursor::granularity),
                    piece.window,
                );
                let (Some(splitting), Some(cursor), Some(granularity), Some(window)) = parts else {
                    return Err(ReadError(format!("{why} (the stream has no window that could be split)")));
                };
                sink.discard().await?;
                self.give_back(pass.records);
                let printed = |instant| cursor.as_printed(instant);
                let halves =
                    splitting.halves(window, granularity, &self.pages.scope(), printed, why).map_err(ReadError)?;
                tracing::info!(unit = %self.unit, from = %window.start, to = %window.end, reason = %why, "the window is split");
                Ok(halves.into_iter().map(|window| Piece { window: Some(window), resets: 0 }).collect())
            }
            PagingAction::Reset => match retriever.reset.map(|reset| reset.way) {
                Some(ResetWay::Split) => {
                    let (Some(window), Some(highest)) = (piece.window, pass.highest.or(piece.window.map(|w| w.start)))
                    else {
                        return Err(ReadError(format!("{why} (the stream has no window to go on in)")));
                    };
                    let resets = if highest > window.start { 0 } else { piece.resets + 1 };
                    if resets > 0 {
                        return Err(ReadError(format!(
                            "{why}; paging began again at the same place and got no further"
                        )));
                    }
                    // Records up to the highest value stay; those of the very moment come once more.
                    sink.keep().await?;
                    sum.add(pass);
                    Ok(vec![Piece { window: Some(Window { start: highest, end: window.end }), resets }])
                }
                Some(ResetWay::Again) if piece.resets == 0 => {
                    sink.discard().await?;
                    self.give_back(pass.records);
                    Ok(vec![Piece { window: piece.window, resets: 1 }])
                }
                Some(ResetWay::Again) => Err(ReadError(format!("{why}; paging has begun again once already"))),
                None => Err(ReadError(format!("{why} (the stream has no `pagination_reset`)"))),
            },
        }
    }

    /// Records that are thrown away do not count against the limit.
    fn give_back(&self, records: u64) {
        if let Some(left) = self.left {
            left.fetch_add(records, Ordering::Relaxed);
        }
    }

    async fn piece(&self, piece: &Piece, sink: &mut dyn SliceSink) -> Result<Pass, ReadError> {
        let pages = if piece.window == self.slice.window {
            self.pages.clone()
        } else {
            Arc::new(self.shared.slice(&Slice { window: piece.window, ..self.slice.clone() })?)
        };
        let scope = pages.scope();
        let retriever = &self.stream.retriever;
        let is_feed = self.stream.cursor.as_ref().is_some_and(DatetimeBasedCursor::is_data_feed);
        let (memory, token) = (self.memory.clone(), self.slice.token.clone());
        let reader = PageReader::new(pages, retriever.paginator.as_ref(), scope, memory, token)?;
        let reader = reader.with_estimate(self.shared.estimate()).with_size(self.shared.size());
        let mut reader = reader.stopping_when_past(is_feed).within(self.left);
        let most = retriever.reset.and_then(|reset| reset.limit);
        let mut pass = Pass::default();
        while let Some(page) = reader.next().await? {
            pass.highest = pass.highest.max(page.highest);
            let total = reader.total();
            let mut next = Some(page);
            while let Some(mut page) = next {
                let rest = page.rest.take();
                if let Some(counter) = self.left {
                    let left = counter.load(Ordering::Relaxed);
                    page.truncate(left);
                    counter.store(left.saturating_sub(page.count()), Ordering::Relaxed);
                }
                pass.records += page.count();
                sink.page(page, total).await?;
                if self.left.is_some_and(|left| left.load(Ordering::Relaxed) == 0) {
                    // What the pages that came have shown is of no weight: the rest of them did not come.
                    pass.evidence.doubt(Doubt::Limited, || "a limit cut the reading off".into());
                    return Ok(pass);
                }
                next = Page::after(rest).await?;
            }
            if most.is_some_and(|most| pass.records >= most) && reader.has_more() {
                pass.paging = Some((PagingAction::Reset, "the limit of records was reached".into()));
                reader.stop();
                pass.evidence = reader.evidence();
                return Ok(pass);
            }
        }
        pass.is_torn = reader.is_torn();
        pass.paging = reader.take_paging();
        self.shared.learn(reader.estimate());
        pass.evidence = reader.evidence();
        pass.last_token = reader.last_token().cloned();
        Ok(pass)
    }
}

impl Sum {
    fn add(&mut self, pass: &Pass) {
        self.records += pass.records;
        self.highest = self.highest.max(pass.highest);
        self.evidence.add(&pass.evidence);
    }
}
