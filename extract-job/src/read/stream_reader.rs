//! One stream of one account from its first window to its last page, and the state that remains.
//! If pages have shifted meanwhile the stream is read once more; what is still not whole then says so.

use super::cpu::Cpu;
use super::http_pages::HttpPages;
use super::memory::{Estimate, PageMemory};
use super::page::{Ask, Page, ReadError};
use super::read_ahead::PageReader;
use super::stability::Tally;
use crate::components::datetime_based_cursor::Backfill;
use crate::components::declarative_stream::DeclarativeStream;
use crate::components::expression::Scope;
use crate::components::windows::Window;
use crate::http::account::Account;
use crate::http::client::Outgoing;
use async_trait::async_trait;
use chrono::{DateTime, FixedOffset, Utc};
use contract::unit::Unit;
use serde_json::{Value, json};
use std::sync::Arc;

/// The key under which a kept page token lies in a state.
const TOKEN: &str = "next_page_token";

/// Where the pages of a stream go, in their order.
#[async_trait]
pub(crate) trait RecordSink: Send {
    /// Takes a page; `total` is what the API tells of the slice.
    async fn page(&mut self, page: Page, total: Option<u64>) -> Result<(), ReadError>;

    /// Forgets all pages: the stream is read anew.
    async fn restart(&mut self) -> Result<(), ReadError>;
}

/// How a stream is to be read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// Of the last run; none reads from the start.
    pub(crate) state: Option<Value>,
    pub(crate) backfill: Option<Backfill>,
    /// Stop after so many records.
    pub(crate) limit: Option<u64>,
    /// Everything there is: pages that shift make the result unstable.
    pub(crate) snapshot: bool,
}

/// What a stream has given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) records: u64,
    /// The state for the next run; none for streams without one.
    pub(crate) state_after: Option<Value>,
    /// Nothing speaks against the records being all there are.
    pub(crate) stable: bool,
    pub(crate) warnings: Vec<String>,
}

/// Reads one stream of one account.
pub(crate) struct StreamReader {
    account: Arc<Account>,
    stream: Arc<DeclarativeStream>,
    unit: Unit,
    scope: Scope,
    now: DateTime<Utc>,
    memory: PageMemory,
    cpu: Cpu,
}

/// One slice: a window of time, or the stream as a whole; and the token to start with.
struct Slice {
    window: Option<Window>,
    token: Option<Value>,
}

/// One reading of all slices.
struct Pass {
    records: u64,
    highest: Option<DateTime<FixedOffset>>,
    last_token: Option<Value>,
    tallies: Vec<Tally>,
    complete: bool,
}

impl StreamReader {
    /// A reader as of `now`.
    pub(crate) fn new(
        account: Arc<Account>,
        stream: Arc<DeclarativeStream>,
        unit: Unit,
        now: DateTime<Utc>,
        memory: PageMemory,
        cpu: Cpu,
    ) -> Self {
        let scope = account.scope(now);
        Self { account, stream, unit, scope, now, memory, cpu }
    }

    fn source(&self) -> Result<HttpPages, ReadError> {
        let (account, stream) = (self.account.clone(), self.stream.clone());
        HttpPages::new(account, stream, self.unit.clone(), self.scope.clone(), self.cpu.clone())
    }

    /// The first request as it would be sent, without secrets; nothing if there is no window to read.
    pub(crate) fn preview(&self, plan: &Plan) -> Result<Option<Outgoing>, ReadError> {
        let (slices, _) = self.slices(plan)?;
        let Some(slice) = slices.into_iter().next() else { return Ok(None) };
        let source = Arc::new(self.source()?);
        let ask = source_ask(&source, &self.stream, &slice, self.memory.clone())?;
        source.preview(&ask).map(Some)
    }

    /// Reads the stream into the sink.
    ///
    /// # Errors
    /// A request that fails for good, an answer that makes no sense, a sink that refuses.
    pub(crate) async fn read(&self, plan: &Plan, sink: &mut dyn RecordSink) -> Result<Outcome, ReadError> {
        let (slices, floor) = self.slices(plan)?;
        let mut pass = self.pass(plan, &slices, sink).await?;
        if pass.complete && self.has_shifted(plan, &pass) {
            tracing::warn!(unit = %self.unit, "pages have shifted while they were read; reading once more");
            sink.restart().await?;
            pass = self.pass(plan, &slices, sink).await?;
        }
        let shifted = self.has_shifted(plan, &pass);
        let mut warnings = Vec::new();
        if shifted && plan.snapshot {
            warnings.push("pages have shifted twice while they were read: deletes are held back".to_owned());
        } else if shifted {
            warnings.push(
                "pages have shifted twice while they were read: the next run starts where this one did".to_owned(),
            );
        }
        let state_after = match (plan.snapshot || plan.backfill.is_some() || !pass.complete, shifted) {
            (true, _) => None,
            (false, true) => plan.state.clone(),
            (false, false) => self.state_after(plan, &pass, floor, ceiling(&slices))?,
        };
        Ok(Outcome { records: pass.records, state_after, stable: pass.complete && !shifted, warnings })
    }

    fn has_shifted(&self, plan: &Plan, pass: &Pass) -> bool {
        pass.complete
            && pass.tallies.iter().any(|tally| if plan.snapshot { !tally.is_whole() } else { tally.may_have_missed() })
    }

    fn slices(&self, plan: &Plan) -> Result<(Vec<Slice>, Option<DateTime<FixedOffset>>), ReadError> {
        let state = plan.state.as_ref().filter(|_| !plan.snapshot);
        let Some(cursor) = &self.stream.cursor else {
            let token = state.filter(|_| self.stream.keeps_token()).and_then(|state| state.get(TOKEN)).cloned();
            return Ok((vec![Slice { window: None, token }], None));
        };
        let slices = cursor.slices(&self.scope, state, plan.backfill, self.now).map_err(ReadError)?;
        let windows = slices.windows.into_iter().map(|window| Slice { window: Some(window), token: None });
        Ok((windows.collect(), Some(slices.floor)))
    }

    async fn pass(&self, plan: &Plan, slices: &[Slice], sink: &mut dyn RecordSink) -> Result<Pass, ReadError> {
        let source = Arc::new(self.source()?);
        let mut pass = Pass { records: 0, highest: None, last_token: None, tallies: Vec::new(), complete: true };
        let mut estimate = Estimate::default();
        for slice in slices {
            let first = Ask { index: 0, token: None, window: slice.window };
            let scope = source.slice_scope(&first);
            let (memory, token) = (self.memory.clone(), slice.token.clone());
            let paginator = self.stream.retriever.paginator.as_ref();
            let reader = PageReader::new(source.clone(), paginator, scope, slice.window, memory, token)?;
            let mut reader = reader.with_estimate(estimate);
            while let Some(mut page) = reader.next().await? {
                if let Some(limit) = plan.limit {
                    page.truncate(limit - pass.records);
                }
                pass.records += page.count();
                pass.highest = pass.highest.max(page.highest);
                let total = reader.tally().total();
                sink.page(page, total).await?;
                if plan.limit.is_some_and(|limit| pass.records >= limit) {
                    pass.complete = false;
                    return Ok(pass);
                }
            }
            estimate = reader.estimate();
            pass.tallies.push(reader.tally());
            pass.last_token = reader.last_token().cloned().or(pass.last_token);
        }
        Ok(pass)
    }

    fn state_after(
        &self,
        plan: &Plan,
        pass: &Pass,
        floor: Option<DateTime<FixedOffset>>,
        ceiling: Option<DateTime<FixedOffset>>,
    ) -> Result<Option<Value>, ReadError> {
        if self.stream.keeps_token() {
            return Ok(pass.last_token.as_ref().map(|token| json!({ TOKEN: token })).or_else(|| plan.state.clone()));
        }
        let (Some(cursor), Some(floor)) = (&self.stream.cursor, floor) else { return Ok(None) };
        // Never beyond the end of what was asked for: a record that changed while the pages were read may have been on a page that
        // had been read before, and the next run must not start after that change.
        let highest = ceiling.map_or(pass.highest, |ceiling| pass.highest.map(|highest| highest.min(ceiling)));
        let highest = highest.map_or(floor, |highest| highest.max(floor));
        let field = cursor.field(&self.scope).map_err(ReadError)?;
        Ok(Some(cursor.state(&field, highest)))
    }
}

/// The end of the last window.
fn ceiling(slices: &[Slice]) -> Option<DateTime<FixedOffset>> {
    slices.iter().filter_map(|slice| slice.window).map(|window| window.end).max()
}

fn source_ask(
    source: &Arc<HttpPages>,
    stream: &DeclarativeStream,
    slice: &Slice,
    memory: PageMemory,
) -> Result<Ask, ReadError> {
    let first = Ask { index: 0, token: None, window: slice.window };
    let (scope, paginator) = (source.slice_scope(&first), stream.retriever.paginator.as_ref());
    let reader = PageReader::new(source.clone(), paginator, scope, slice.window, memory, slice.token.clone())?;
    Ok(Ask { token: reader.last_token().cloned(), ..first })
}
