//! The places of a load: each company may have its own project and datasets. A place is prepared once, at its first table:
//! its datasets and log tables are made, and what was applied before is read. One place's failure is not another's.

use super::client::Client;
use super::core::BigQuery;
use super::logs;
use super::memory;
use crate::warehouse::{History, WarehouseError};
use contract::google::Rest;
use contract::landing::Landing;
use contract::shutdown::Shutdown;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Where tables lie.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The project, which pays for the queries too.
    pub project: String,
    /// The dataset of the tables.
    pub dataset: String,
    /// The dataset of the staging tables.
    pub staging_dataset: String,
    /// The dataset of the log tables.
    pub log_dataset: String,
    /// The location of all three, if the user says it.
    pub location: Option<String>,
}

/// A place that is ready: a client for it, and what it knows of the loads before.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) client: Client,
    pub(super) history: History,
}

/// One slot a place, so that two places are prepared side by side, and one place once.
type Slot = Arc<Mutex<Option<Result<Arc<Prepared>, WarehouseError>>>>;

/// All places of a load.
#[derive(Debug)]
pub struct Places {
    rest: Rest,
    runtime: Handle,
    landing: Arc<dyn Landing>,
    shutdown: Shutdown,
    maximum_bytes_billed: Option<u64>,
    dry_run: bool,
    slots: Mutex<HashMap<Place, Slot>>,
}

impl Places {
    /// Nothing is called yet. Staged files go through `landing`, which must be a bucket.
    pub fn new(
        rest: Rest,
        landing: &Arc<dyn Landing>,
        runtime: &Handle,
        shutdown: &Shutdown,
        maximum_bytes_billed: Option<u64>,
        dry_run: bool,
    ) -> Self {
        Self {
            rest,
            runtime: runtime.clone(),
            landing: landing.clone(),
            shutdown: shutdown.clone(),
            maximum_bytes_billed,
            dry_run,
            slots: Mutex::default(),
        }
    }

    /// The warehouse of a place, for one table.
    ///
    /// # Errors
    /// The place is out of reach, or its datasets cannot be made; the same for every table of it.
    pub fn connect(&self, place: &Place) -> Result<BigQuery, WarehouseError> {
        let slot = self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(place.clone()).or_default().clone();
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let prepared = slot.get_or_insert_with(|| self.prepare(place).map(Arc::new)).clone()?;
        Ok(BigQuery::new(place.clone(), prepared, self.landing.clone()))
    }

    fn prepare(&self, place: &Place) -> Result<Prepared, WarehouseError> {
        let mut client = Client {
            rest: self.rest.clone(),
            runtime: self.runtime.clone(),
            shutdown: self.shutdown.clone(),
            project: place.project.clone(),
            location: String::new(),
            maximum_bytes_billed: self.maximum_bytes_billed,
            nonce: format!("{:016x}", rand::random::<u64>()),
            labels: Vec::new(),
            spent: Default::default(),
        };
        // Without a word of the user's, missing datasets are made where the others are.
        let mut location = place.location.clone();
        for dataset in [&place.dataset, &place.log_dataset, &place.staging_dataset] {
            if location.is_none() {
                location = client.location_of(dataset)?;
            }
        }
        let location = location.as_deref();
        // The staged rows of a dry run need a place too; of the others it only reads.
        let there = client.dataset(&place.staging_dataset, location)?;
        client.location = there.clone();
        if !self.dry_run {
            for dataset in [&place.dataset, &place.log_dataset] {
                client.dataset(dataset, Some(&there))?;
            }
            logs::create(&mut client, &place.log_dataset)?;
        }
        let applied = logs::last_applied(&mut client, &place.log_dataset)?;
        let memory = memory::read(&mut client, &place.log_dataset)?;
        Ok(Prepared { client, history: History::new(applied, memory) })
    }
}
