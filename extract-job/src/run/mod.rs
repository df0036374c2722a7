//! A run's extract: the units of this task side by side, each by itself; the report as they end.

pub(crate) mod check;
mod confirm;
pub(crate) mod dry_run;
mod plain;
pub(crate) mod plan;
pub(crate) mod read;
pub(crate) mod report;
pub(crate) mod rhythm;
pub(crate) mod settings;
mod sources;
pub(crate) mod streams;
pub(crate) mod unit;
mod wrong;

use crate::components::datetime_based_cursor::Backfill;
use crate::http::account::Account;
use crate::http::client::Client;
use crate::http::retry::Waits;
use crate::read::cpu::Cpu;
use crate::read::memory::{PAGE_MEMORY, PageMemory};
use chrono::{DateTime, Utc};
use contract::exit::Exit;
use contract::landing::{self, Landing, LandingError};
use contract::lease::{Lease, LeaseError};
use contract::pipeline::{Compression, Pipeline, Problems};
use contract::report::{Plan as RunPlan, RunReport, TaskStatus, UnitReport};
use contract::round::{Round, RunRound};
use contract::run_id::RunId;
use contract::secret::SecretSource;
use contract::shutdown::Shutdown;
use contract::stored::{self, Latest, StoredError};
use contract::suspects::Suspects;
use contract::unit::{Task, Unit, shares};
use futures::StreamExt;
use plan::{AccountPlan, Accounts, PlanError, Selection, WorkUnit};
use report::Reporter;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an extract is to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// The pipeline file.
    pub pipeline: String,
    /// The run; a new one by default.
    pub run_id: Option<RunId>,
    /// Which part of the pipeline.
    pub selection: Selection,
    /// Ignore checkpoints.
    pub full_refresh: bool,
    /// Read this range (start, end) instead of what is new; moves no checkpoint.
    pub range: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Stop each unit after so many records; the batch then never deletes and moves no checkpoint.
    pub limit: Option<u64>,
    /// The run's confirming round: only units whose reading in the first round lacked rows.
    pub confirm: bool,
    /// Which task of how many this is.
    pub task: Task,
    /// Wait for another run to end instead of giving up.
    pub wait: bool,
    /// Multiplies every wait between two tries; 1 outside of tests.
    pub wait_factor: f64,
}

/// Why nothing was extracted.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// Wrong usage, pipeline file, manifest or settings.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The landing zone is out of reach.
    #[error("the landing zone is out of reach: {0}")]
    Landing(#[from] LandingError),
    /// A file in the landing zone cannot be used.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// Another run is going on.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// This machine.
    #[error("{0}")]
    Machine(String),
}

impl From<Problems> for ExtractError {
    fn from(problems: Problems) -> Self {
        Self::Plan(PlanError(vec![problems]))
    }
}

impl ExtractError {
    /// The exit code that says it.
    pub fn exit(&self) -> Exit {
        if matches!(self, Self::Plan(_)) { Exit::Usage } else { Exit::Unreachable }
    }
}

/// How units are read, other than by default.
#[derive(Debug, Clone, Default)]
pub(crate) struct Modes {
    pub(crate) full_refresh: bool,
    pub(crate) backfill: Option<Backfill>,
    pub(crate) limit: Option<u64>,
}

/// What all units of a task share.
pub(crate) struct Shared {
    pub(crate) landing: Arc<dyn Landing>,
    pub(crate) run: RunRound,
    pub(crate) modes: Modes,
    pub(crate) compression: Compression,
    pub(crate) memory: PageMemory,
    pub(crate) cpu: Cpu,
    pub(crate) now: DateTime<Utc>,
}

/// Extracts this task's share of the pipeline into the landing zone.
///
/// # Errors
/// Nothing was started, for the reason given. A unit that fails is no error here: the report tells.
pub async fn extract(
    options: &Options,
    from: &(dyn SecretSource + Sync),
    shutdown: &Shutdown,
) -> Result<RunReport, ExtractError> {
    let now = Utc::now();
    let pipeline = Pipeline::open(&options.pipeline, from).await?;
    let round = if options.confirm { Round::Confirm } else { Round::First };
    let run = RunRound { run: options.run_id.clone().unwrap_or_else(|| RunId::new(now)), round };
    // What is wrong is told before anything is started, also while another run holds the lease.
    let early = Job::plan(&pipeline, options, &run, from).await?;
    let shared = shared(&pipeline, options, run, now)?;
    let lease = Lease::take(shared.landing.clone(), &shared.run.run, "extract-job", options.wait, shutdown).await?;
    let report = match early.after_the_wait(&pipeline, options, &shared, from).await {
        Ok(job) => run_task(&pipeline, options, job, shared, shutdown).await,
        Err(error) => Err(error),
    };
    if let Err(error) = lease.release().await {
        tracing::warn!(%error, "failed to give back the lease; it expires by itself");
    }
    report
}

/// What this task is to do: its share, of which accounts.
struct Job {
    accounts: Vec<AccountPlan>,
    share: Accounts,
    latest: Latest,
}

impl Job {
    async fn plan(
        pipeline: &Pipeline,
        options: &Options,
        run: &RunRound,
        from: &(dyn SecretSource + Sync),
    ) -> Result<Self, ExtractError> {
        // Alone, it needs no durations to know its share, and so no landing zone to find out what is wrong with the files.
        let latest = match options.task.count {
            1 => report::no_latest(),
            _ => report::read_balance(landing::open(&pipeline.landing)?.as_ref(), run).await?,
        };
        Self::of(pipeline, options, latest, from).await
    }

    /// The durations can be newer once the lease is held, and with them the shares that all tasks of the run agree on.
    async fn after_the_wait(
        self,
        pipeline: &Pipeline,
        options: &Options,
        shared: &Shared,
        from: &(dyn SecretSource + Sync),
    ) -> Result<Self, ExtractError> {
        let latest = report::read_balance(shared.landing.as_ref(), &shared.run).await?;
        if my_accounts(pipeline, options, &latest)? == self.share {
            return Ok(Self { latest, ..self });
        }
        Self::of(pipeline, options, latest, from).await
    }

    async fn of(
        pipeline: &Pipeline,
        options: &Options,
        latest: Latest,
        from: &(dyn SecretSource + Sync),
    ) -> Result<Self, ExtractError> {
        let share = my_accounts(pipeline, options, &latest)?;
        let accounts = plan::plan(pipeline, &options.selection, plan::Share::Of(&share), from).await?;
        Ok(Self { accounts, share, latest })
    }
}

pub(crate) fn shared(
    pipeline: &Pipeline,
    options: &Options,
    run: RunRound,
    now: DateTime<Utc>,
) -> Result<Shared, ExtractError> {
    let backfill = options.range.map(|(from, to)| Backfill { from, to });
    Ok(Shared {
        landing: landing::open(&pipeline.landing)?,
        run,
        modes: Modes { full_refresh: options.full_refresh, backfill, limit: options.limit },
        compression: pipeline.compression,
        memory: PageMemory::new(PAGE_MEMORY),
        cpu: Cpu::new(),
        now,
    })
}

/// The one client of this process.
pub(crate) fn client(pipeline: &Pipeline, shared: &Shared) -> Result<Client, ExtractError> {
    let client = Client::new(shared.cpu.clone(), pipeline.max_page_mib);
    client.map_err(|error| ExtractError::Machine(error.to_string()))
}

async fn run_task(
    pipeline: &Pipeline,
    options: &Options,
    job: Job,
    shared: Shared,
    shutdown: &Shutdown,
) -> Result<RunReport, ExtractError> {
    let Job { accounts, share, latest } = job;
    let awaited = match shared.run.round {
        Round::First => None,
        Round::Confirm => Some(confirm::awaited(pipeline, &accounts, &share, &shared).await?),
    };
    let not_due = match shared.run.round {
        Round::First => rhythm::not_due(&accounts, options, &shared).await?,
        Round::Confirm => BTreeMap::new(),
    };
    let has_part = |work: &WorkUnit| match &awaited {
        None if not_due.contains_key(&work.unit) => false,
        // What has no part in a backfill leaves nothing for the load to look for.
        None => unit::Way::new(work, &shared.modes).is_some(),
        Some(awaited) => awaited.contains_key(&work.unit),
    };
    let works = accounts.iter().flat_map(|account| &account.units);
    let units: Vec<Unit> = works.filter(|work| has_part(work)).map(|work| work.unit.clone()).collect();
    let task = options.task;
    let durations_ms = latest.durations_ms.clone();
    let plan = RunPlan { run_id: shared.run.run.clone(), tasks: task.count, units, durations_ms };
    stored::extend_plan(shared.landing.as_ref(), &shared.run, &plan).await?;
    let client = client(pipeline, &shared)?;
    let waits = Waits { factor: options.wait_factor };
    let mut mine: Vec<(Arc<Account>, &WorkUnit)> = Vec::new();
    let mut left_alone = Vec::new();
    for account in accounts.iter().filter(|account| share.contains(&(account.source.clone(), account.id.clone()))) {
        let open = account.open(&client, waits);
        let left = account.units.iter().filter_map(|work| Some(rhythm::report(work, not_due.get(&work.unit)?)));
        left_alone.extend(left);
        let is_asked = |work: &&WorkUnit| match &awaited {
            None => !not_due.contains_key(&work.unit),
            Some(_) => has_part(work),
        };
        let works = account.units.iter().filter(is_asked);
        mine.extend(works.map(|work| (open.clone(), work)));
    }
    // Accounts in turns, since each has a budget of its own; then the longest first, so that none of them is left alone at the end.
    let mut turns: BTreeMap<String, usize> = BTreeMap::new();
    let turn = |(account, _): &(Arc<Account>, &WorkUnit)| {
        let turn = turns.entry(account.label.clone()).or_default();
        *turn += 1;
        *turn
    };
    mine.sort_by_cached_key(turn);
    mine.sort_by_key(|(_, work)| std::cmp::Reverse(latest.durations_ms.get(&work.unit.to_string()).copied()));
    let shared = Arc::new(shared);
    let reporter = Reporter::start(shared.clone(), task).await?;
    left_alone.into_iter().for_each(|report| reporter.add(report));
    futures::stream::iter(mine)
        .for_each_concurrent(pipeline.concurrency, |(account, work)| {
            let (shared, reporter, awaited) = (&shared, &reporter, &awaited);
            async move {
                let suspects = awaited.as_ref().and_then(|awaited| awaited.get(&work.unit));
                if let Some(report) = run_unit(shared, &account, work, suspects, shutdown).await {
                    reporter.add(report);
                }
            }
        })
        .await;
    let status = if shutdown.is_requested() { TaskStatus::Interrupted } else { TaskStatus::Finished };
    let report = reporter.finish(status).await?;
    if shared.run.round == Round::First {
        report::update_latest(shared.landing.as_ref(), &shared.run.run, task).await?;
    }
    Ok(report)
}

/// One unit, unless work is to stop: then it is abandoned where it stands, with nothing published.
async fn run_unit(
    shared: &Shared,
    account: &Arc<Account>,
    work: &WorkUnit,
    suspects: Option<&Suspects>,
    shutdown: &Shutdown,
) -> Option<UnitReport> {
    if shutdown.is_requested() {
        return None;
    }
    let started = Utc::now();
    tokio::select! {
        report = unit::extract(shared, account, work, suspects) => Some(report),
        reason = shutdown.requested() => {
            let report = UnitReport::start(&work.unit, &work.table, started);
            Some(report.fail(format!("stopped by {reason}"), Utc::now()))
        }
    }
}

/// The accounts of this task: rate limits are per account, so that an account is never divided.
fn my_accounts(pipeline: &Pipeline, options: &Options, latest: &Latest) -> Result<Accounts, PlanError> {
    let Options { selection, task, .. } = options;
    let groups = plan::select(pipeline, selection)?;
    let groups: Vec<_> = groups.into_iter().map(|(source, entry)| (source.name.clone(), entry.id.clone())).collect();
    let mut weights: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (unit, duration) in &latest.durations_ms {
        let mut parts = unit.splitn(3, '/');
        let (Some(source), Some(account), Some(stream)) = (parts.next(), parts.next(), parts.next()) else { continue };
        if *duration > 0 && (selection.streams.is_empty() || selection.streams.iter().any(|name| name == stream)) {
            let weight = weights.entry((source.to_owned(), account.to_owned())).or_default();
            *weight = weight.saturating_add(*duration);
        }
    }
    weights.retain(|group, _| groups.contains(group));
    Ok(shares(&groups, &weights, task.count).into_iter().nth(task.index).unwrap_or_default().into_iter().collect())
}
