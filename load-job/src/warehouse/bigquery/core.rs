//! One place's BigQuery as a warehouse: opening its tables, and what is done outside of a table's load.

use super::client::Client;
use super::load::Load;
use super::open::Open;
use super::places::{Place, Prepared};
use super::{adopt, logs};
use crate::warehouse::{Adopted, Adoption, TableLoad, TableOrder, Warehouse, WarehouseError};
use contract::landing::Landing;
use contract::report::UnitReport;
use contract::run_id::RunId;
use std::sync::Arc;

/// The longest value of a label ("Requirements for labels").
const LONGEST_LABEL: usize = 63;

/// One place's BigQuery.
#[derive(Debug)]
pub struct BigQuery {
    pub(super) place: Place,
    pub(super) prepared: Arc<Prepared>,
    pub(super) landing: Arc<dyn Landing>,
}

impl BigQuery {
    pub(super) fn new(place: Place, prepared: Arc<Prepared>, landing: Arc<dyn Landing>) -> Self {
        Self { place, prepared, landing }
    }

    /// A client whose jobs say what they are for, and which counts what they cost.
    pub(super) fn client_for(&self, order: &TableOrder) -> Client {
        let label = |text: &str| -> String {
            let lower = text.to_lowercase();
            let plain = lower.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' });
            plain.take(LONGEST_LABEL).collect()
        };
        let mut labels = vec![("run".to_owned(), label(order.run_id.as_str()))];
        if let Some(unit) = order.units.first() {
            labels.push(("source".into(), label(&unit.source)));
            labels.push(("stream".into(), label(&unit.stream)));
        }
        self.prepared.client.labelled(labels)
    }
}

impl Warehouse for BigQuery {
    fn open<'w>(&'w mut self, order: &TableOrder) -> Result<Box<dyn TableLoad<'w> + 'w>, WarehouseError> {
        Ok(Box::new(Load { open: Open::describe(self, order)? }))
    }

    fn take_more_memory(&mut self) -> Result<bool, WarehouseError> {
        Ok(false)
    }

    fn adopt(&mut self, order: &TableOrder, adoption: &Adoption<'_>) -> Result<Adopted, WarehouseError> {
        adopt::adopt(&mut self.client_for(order), &self.place.log_dataset, adoption)
    }

    fn log(&mut self, run_id: &RunId, stage: &str, units: &[UnitReport]) -> Result<(), WarehouseError> {
        logs::units(&mut self.prepared.client.clone(), &self.place.log_dataset, run_id, stage, units)
    }
}
