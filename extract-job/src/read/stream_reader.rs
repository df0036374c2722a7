//! One stream of one account: its partitions, their windows, and the state that remains. Slices are read side by side, as many as the
//! account allows over all its streams.

use super::cpu::Cpu;
use super::hint_sight::HintSight;
use super::http_pages::StreamPages;
use super::memory::PageMemory;
use super::page::{Ask, Page, ReadError};
use super::partition_states::PartitionStates;
use super::partitions::{Parents, Source};
use super::progress::{Progress, Totals};
use super::slice::{Slice, SliceNumber, SliceOutcome};
use super::slice_reader::SliceReader;
use crate::components::datetime_based_cursor::{Backfill, Range};
use crate::components::declarative_stream::DeclarativeStream;
use crate::components::default_paginator::DefaultPaginator;
use crate::components::expression::Scope;
use crate::components::partition_router::Partition;
use crate::http::account::Account;
use crate::http::client::Outgoing;
use crate::record::redaction::Redaction;
use crate::template::Names;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use contract::evidence::{Doubt, Evidence};
use contract::unit::Unit;
use futures::StreamExt;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;

mod state;

/// The key under which a kept page token lies in a state.
const TOKEN: &str = "next_page_token";
/// Slices that wait to be read.
const WAITING: usize = 64;

/// Where the slices of a stream go.
#[async_trait]
pub(crate) trait RecordSink: Send + Sync {
    /// A slice is going to be read, or need not be.
    async fn open(&self, slice: &Slice) -> Result<Opened, ReadError>;
}

/// What a sink says of a slice.
pub(crate) enum Opened {
    /// Its pages go there.
    Sink(Box<dyn SliceSink>),
    /// An earlier try of the same run has stored it.
    Stored(SliceOutcome),
}

/// Where the pages of one slice go, in their order.
#[async_trait]
pub(crate) trait SliceSink: Send {
    /// Takes a page; `total` is what the API tells of the slice.
    async fn page(&mut self, page: Page, total: Option<u64>) -> Result<(), ReadError>;

    /// What has come so far is whole and stays.
    async fn keep(&mut self) -> Result<(), ReadError>;

    /// Forgets what has come since it was last told to keep.
    async fn discard(&mut self) -> Result<(), ReadError>;

    /// Forgets everything: the slice is read anew.
    async fn restart(&mut self) -> Result<(), ReadError>;

    /// The slice is whole.
    async fn finish(self: Box<Self>, outcome: &SliceOutcome) -> Result<(), ReadError>;
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
    /// What the reading has proven.
    pub(crate) evidence: Evidence,
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
    redaction: Option<Arc<Redaction>>,
    hints: Option<Arc<HintSight>>,
    /// Read for the sake of its partitions: one slice after the other, and none of the account's slots taken.
    as_parent: bool,
}

/// One reading of a stream, as all its slices see it.
struct Reading<'a> {
    plan: &'a Plan,
    states: PartitionStates,
    progress: &'a Progress,
    pages: Arc<StreamPages>,
    /// Records that may still come before the limit.
    left: Option<AtomicU64>,
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
        Self { account, stream, unit, scope, now, memory, cpu, redaction: None, hints: None, as_parent: false }
    }

    /// Redacts the records before anybody sees them.
    #[must_use]
    pub(crate) fn redacting(mut self, redaction: Option<Arc<Redaction>>) -> Self {
        self.redaction = redaction;
        self
    }

    /// Looks for the fields that the pipeline file gives types.
    #[must_use]
    pub(crate) fn hinting(mut self, hints: Option<Arc<HintSight>>) -> Self {
        self.hints = hints;
        self
    }

    /// A reader of a parent of this stream.
    pub(super) fn parent(&self, stream: Arc<DeclarativeStream>, memory: PageMemory) -> Self {
        Self {
            account: self.account.clone(),
            stream,
            unit: self.unit.clone(),
            scope: self.scope.clone(),
            now: self.now,
            memory,
            cpu: self.cpu.clone(),
            redaction: None,
            hints: None,
            as_parent: true,
        }
    }

    /// A backfill ends where it is told to, also where the API cannot be: what it gives beyond that is left out. A parent's record that has
    /// changed since may have children of the span.
    pub(super) fn pages(&self, plan: &Plan) -> Result<Arc<StreamPages>, ReadError> {
        let until = plan.backfill.map(|backfill| backfill.to);
        let until =
            until.filter(|_| !self.as_parent && self.stream.cursor.as_ref().is_some_and(|cursor| !cursor.sends_end()));
        let (account, stream, unit) = (self.account.clone(), self.stream.clone(), self.unit.clone());
        let (scope, redaction, cpu) = (self.scope.clone(), self.redaction.clone(), self.cpu.clone());
        let pages = StreamPages::new(account, stream, unit, scope, redaction, cpu)?;
        Ok(Arc::new(pages.ending_at(until).hinting(self.hints.clone())))
    }

    /// The first request as it would be sent, without secrets; nothing if there is no window to read. A stream whose partitions come from
    /// a parent shows the parent's first request.
    pub(crate) fn preview(&self, plan: &Plan) -> Result<Option<Outgoing>, ReadError> {
        let router = self.stream.retriever.router.as_ref();
        if let Some(parent) = router.and_then(|router| router.parents().into_iter().next()) {
            return self.parent(parent.stream.clone(), self.memory.clone()).preview(&Plan::default());
        }
        let lists = router.map(|router| router.lists()).unwrap_or_default();
        let mut partition = Partition::default();
        for list in lists {
            let first = list.partitions(&self.scope).map_err(ReadError)?.into_iter().next();
            partition.keys.extend(first.map(|first| first.keys).unwrap_or_default());
        }
        let progress = Progress::default();
        let reading = self.reading(plan, &progress)?;
        let Some(slice) = self.windows(&reading, 0, Arc::new(partition))?.into_iter().next() else { return Ok(None) };
        let pages = reading.pages.slice(&slice)?;
        let paginator = self.stream.retriever.paginator.as_ref();
        let token = slice.token.clone().or_else(|| paginator?.strategy().first_token());
        pages.preview(&Ask { index: 0, token, is_probe: false }).map(Some)
    }

    /// Reads the stream into the sink.
    ///
    /// # Errors
    /// A request that fails for good, an answer that makes no sense, a sink that refuses.
    pub(crate) async fn read(&self, plan: &Plan, sink: &dyn RecordSink) -> Result<Outcome, ReadError> {
        let progress = Progress::default();
        self.read_noting(plan, sink, &progress).await
    }

    /// As [`Self::read`]; `progress` tells how far it has come, also after an error.
    pub(crate) async fn read_noting(
        &self,
        plan: &Plan,
        sink: &dyn RecordSink,
        progress: &Progress,
    ) -> Result<Outcome, ReadError> {
        let started = Instant::now();
        let reading = self.reading(plan, progress)?;
        let (sender, receiver) = channel(WAITING);
        let (parents, ()) =
            futures::try_join!(self.send_slices(&reading, sender), self.read_slices(&reading, receiver, sink))?;
        let Totals { records, last_token, mut evidence } = progress.totals();
        evidence.add(&parents.evidence);
        evidence.is_partitioned = self.is_partitioned();
        let mut warnings = reading.pages.warnings();
        warnings.extend(parents.warnings.iter().cloned());
        // A slice that an earlier try has stored is not looked at again, and may have had a value.
        let has_moved = progress.has_seen_cursor();
        warnings.extend(reading.pages.cursor_warning().filter(|_| !plan.snapshot && !has_moved));
        if !evidence.is_limited() {
            let (held, matters): (_, fn(Doubt) -> bool) = if plan.snapshot {
                ("deletes are held back", |_| true)
            } else {
                ("the next run starts where this one did", Doubt::holds_state)
            };
            warnings.extend(evidence.reasons(matters).map(|reasons| format!("{held}: {reasons}")));
        }
        let state_after = if plan.snapshot || plan.backfill.is_some() || evidence.is_limited() {
            None
        } else if evidence.moves_state() {
            self.state_after(plan, &reading, last_token.as_ref(), parents, started, &mut warnings)?
        } else {
            plan.state.clone()
        };
        Ok(Outcome { records, state_after, evidence, warnings })
    }

    fn reading<'a>(&self, plan: &'a Plan, progress: &'a Progress) -> Result<Reading<'a>, ReadError> {
        let state =
            plan.state.as_ref().filter(|_| !plan.snapshot && self.is_partitioned() && self.stream.cursor.is_some());
        let mut states = PartitionStates::parse(state).map_err(ReadError)?;
        if self.stream.cursor.as_ref().is_some_and(|cursor| cursor.is_global()) {
            states.make_global();
        }
        let left = plan.limit.map(AtomicU64::new);
        Ok(Reading { plan, states, progress, pages: self.pages(plan)?, left })
    }

    pub(super) fn primary_key(&self) -> &[String] {
        &self.stream.primary_key
    }

    pub(super) fn paginator(&self) -> Option<&DefaultPaginator> {
        self.stream.retriever.paginator.as_ref()
    }

    pub(super) fn cpu(&self) -> Cpu {
        self.cpu.clone()
    }

    pub(super) fn memory(&self) -> PageMemory {
        self.memory.clone()
    }

    /// How many slices may be read side by side.
    pub(super) fn at_once(&self) -> usize {
        self.account.most_slices()
    }

    /// The stream's name in the manifest.
    pub(super) fn stream_name(&self) -> &str {
        &self.stream.name
    }

    fn is_partitioned(&self) -> bool {
        self.stream.retriever.router.is_some()
    }

    /// Makes the slices, one partition after the other, as far as there is room for them.
    async fn send_slices(&self, reading: &Reading<'_>, into: Sender<Slice>) -> Result<Parents, ReadError> {
        let Some(router) = &self.stream.retriever.router else {
            for slice in self.windows(reading, 0, Arc::new(Partition::default()))? {
                if into.send(slice).await.is_err() {
                    break;
                }
            }
            return Ok(Parents::default());
        };
        let parent_states = self.parent_states(reading);
        let source = Source {
            reader: self,
            scope: &self.scope,
            plan: reading.plan,
            parent_states: &parent_states,
            child_has_cursor: self.stream.cursor.is_some(),
        };
        let (sender, mut receiver) = channel(WAITING);
        let cut = async move {
            let mut number = 0;
            while let Some(partition) = receiver.recv().await {
                for slice in self.windows(reading, number, Arc::new(partition))? {
                    if into.send(slice).await.is_err() {
                        return Ok(());
                    }
                }
                number += 1;
            }
            Ok(())
        };
        let (parents, ()) = futures::try_join!(source.send(router, sender), cut)?;
        Ok(parents)
    }

    fn parent_states(&self, reading: &Reading<'_>) -> Map<String, Value> {
        let parents = self.stream.retriever.router.as_ref().map(|router| router.parents()).unwrap_or_default();
        let name = |name: &String| reading.states.parent(name).map(|state| (name.clone(), state.clone()));
        parents.iter().filter_map(|parent| name(&parent.stream.name)).collect()
    }

    /// The windows of a partition.
    fn windows(
        &self,
        reading: &Reading<'_>,
        number: usize,
        partition: Arc<Partition>,
    ) -> Result<Vec<Slice>, ReadError> {
        let plan = reading.plan;
        let state = plan.state.as_ref().filter(|_| !plan.snapshot);
        let slice = |window: usize| SliceNumber { partition: number, window };
        let Some(cursor) = &self.stream.cursor else {
            let token = state.filter(|_| self.stream.keeps_token()).and_then(|state| state.get(TOKEN)).cloned();
            return Ok(vec![Slice { number: slice(0), partition, window: None, token }]);
        };
        let (state, lookback) = if self.is_partitioned() { reading.states.of(&partition.keys) } else { (state, 0) };
        let scope = self.scope.clone().with(Names::STREAM_SLICE, partition.slice(Map::new()));
        let state = cursor.parse_state(&scope, state).map_err(ReadError)?;
        let lookback = TimeDelta::seconds(i64::try_from(lookback).unwrap_or(0));
        let range = match (plan.backfill, plan.snapshot) {
            (Some(backfill), _) => Range::Backfill(backfill),
            (None, true) => Range::Everything,
            (None, false) => Range::Since { state, least_lookback: lookback },
        };
        let slices = cursor.slices(&scope, range, self.now).map_err(ReadError)?;
        let start = slices.windows.first().map_or(slices.floor, |window| window.start);
        // A parent's row that changes at this very moment is too rare to hold back all of its children's deletes for ever.
        let ends_early = plan.snapshot && (slices.ends_early || (slices.ends_now && !self.as_parent));
        reading.progress.note(|evidence| {
            evidence.scope.starts_at(&self.stream.name, start.to_utc());
            if ends_early {
                let text = "the stream is read up to a moment, and rows may have changed since";
                evidence.doubt(Doubt::EndsEarly, || text.into());
            }
        });
        let ceiling = slices.windows.last().map(|window| window.end);
        reading.progress.begin(number, partition.keys.clone(), slices.floor, ceiling);
        let windows = slices.windows.into_iter().enumerate();
        let slices = windows.map(|(at, window)| Slice {
            number: slice(at),
            partition: partition.clone(),
            window: Some(window),
            token: None,
        });
        Ok(slices.collect())
    }

    async fn read_slices(
        &self,
        reading: &Reading<'_>,
        receiver: Receiver<Slice>,
        sink: &dyn RecordSink,
    ) -> Result<(), ReadError> {
        // With a limit the records are the first ones, whatever the speed of the slices.
        let at_once = if self.as_parent || reading.plan.limit.is_some() { 1 } else { self.account.most_slices() };
        let slices = futures::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|slice| (slice, receiver))
        });
        let results = slices.map(|slice| self.read_slice(reading, slice, sink)).buffer_unordered(at_once);
        futures::pin_mut!(results);
        while let Some(result) = results.next().await {
            result?;
            if reading.left.as_ref().is_some_and(|left| left.load(Ordering::Relaxed) == 0) {
                break;
            }
        }
        Ok(())
    }

    async fn read_slice(&self, reading: &Reading<'_>, slice: Slice, sink: &dyn RecordSink) -> Result<(), ReadError> {
        let _slot = if self.as_parent { None } else { self.account.take_slice().await };
        let outcome = match sink.open(&slice).await? {
            Opened::Stored(outcome) => outcome,
            Opened::Sink(mut into) => {
                let pages = Arc::new(reading.pages.slice(&slice)?);
                let reader = SliceReader {
                    pages,
                    shared: &reading.pages,
                    stream: &self.stream,
                    slice: &slice,
                    memory: &self.memory,
                    unit: &self.unit,
                    snapshot: reading.plan.snapshot,
                    left: reading.left.as_ref(),
                };
                let outcome = reader.read(into.as_mut()).await?;
                into.finish(&outcome).await?;
                outcome
            }
        };
        reading.progress.done(slice.number, &outcome);
        Ok(())
    }
}
