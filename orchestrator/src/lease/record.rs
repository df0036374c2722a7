//! What an orchestrator notes of a run that outlives it: the order that the run was begun with (`runs/<run_id>/order.json`), and which
//! run its own Cloud Run execution has begun (`runs/executions/<execution>.json`), so that its next attempt goes on with it.

use super::PROGRAM;
use crate::launcher::OwnExecution;
use crate::run::RunOptions;
use crate::stage::Stage;
use chrono::{DateTime, Utc};
use contract::landing::Landing;
use contract::lease::Holder;
use contract::run_id::RunId;
use contract::stored::{self, StoredError};
use serde::{Deserialize, Serialize};

/// Everything in the options that says what a run does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    only: Option<String>,
    sources: Vec<String>,
    accounts: Vec<String>,
    streams: Vec<String>,
    full_refresh: bool,
    window: Option<(DateTime<Utc>, DateTime<Utc>)>,
    allow_mass_delete: bool,
    force: bool,
    rewrite: bool,
    #[serde(default)]
    take_over: bool,
}

/// An order that a run was begun with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ordered {
    /// Since when it stands: older starts of the run's stages were for another one.
    pub(super) since: DateTime<Utc>,
    #[serde(flatten)]
    pub(super) order: Order,
}

impl Order {
    pub(super) fn of(options: &RunOptions) -> Self {
        let sorted = |names: &[String]| {
            let mut names = names.to_vec();
            names.sort();
            names.dedup();
            names
        };
        Self {
            only: options.only.map(|stage: Stage| stage.to_string()),
            sources: sorted(&options.sources),
            accounts: sorted(&options.accounts),
            streams: sorted(&options.streams),
            full_refresh: options.full_refresh,
            window: options.window,
            allow_mass_delete: options.allow_mass_delete,
            force: options.force,
            rewrite: options.rewrite,
            take_over: options.take_over,
        }
    }
}

impl Ordered {
    fn path(run_id: &RunId) -> String {
        format!("runs/{run_id}/order.json")
    }

    pub(super) async fn read(landing: &dyn Landing, run_id: &RunId) -> Result<Option<Self>, StoredError> {
        stored::read(landing, &Self::path(run_id)).await
    }

    pub(super) async fn note(&self, landing: &dyn Landing, run_id: &RunId) -> Result<(), StoredError> {
        stored::write(landing, &Self::path(run_id), self).await
    }
}

/// This orchestrator's own execution, and who its attempts were so far.
#[derive(Debug, Clone)]
pub(super) struct Own {
    name: String,
    earlier: Option<Attempts>,
}

/// What earlier attempts have noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attempts {
    /// The run that they have begun, or were about to.
    pub(super) run_id: RunId,
    /// Since when the order stands that they carry out.
    pub(super) since: DateTime<Utc>,
    /// All of them are dead but the last: Cloud Run never runs two at once.
    holders: Vec<Holder>,
}

impl Own {
    pub(super) async fn read(landing: &dyn Landing, own: &OwnExecution) -> Result<Self, StoredError> {
        // What is noted under a first attempt's name is not its own.
        let is_retry = own.attempt > 0;
        let earlier = if is_retry { stored::read(landing, &path(&own.name)).await? } else { None };
        Ok(Self { name: own.name.clone(), earlier })
    }

    pub(super) fn earlier(&self) -> Option<&Attempts> {
        self.earlier.as_ref()
    }

    /// Notes the run before its lease is taken: an attempt that dies in between leaves a lease that the next one knows.
    pub(super) async fn note(
        &self,
        landing: &dyn Landing,
        run_id: &RunId,
        since: DateTime<Utc>,
    ) -> Result<(), StoredError> {
        let mut holders = self.earlier.as_ref().map(|earlier| earlier.holders.clone()).unwrap_or_default();
        let this = Holder::this_process(PROGRAM);
        if !holders.contains(&this) {
            holders.push(this);
        }
        stored::write(landing, &path(&self.name), &Attempts { run_id: run_id.clone(), since, holders }).await
    }
}

impl Attempts {
    /// Whether this holder is one of the attempts.
    pub(super) fn include(&self, holder: &Holder) -> bool {
        self.holders.contains(holder)
    }
}

fn path(execution: &str) -> String {
    format!("runs/executions/{execution}.json")
}
