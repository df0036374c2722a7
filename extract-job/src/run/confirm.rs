//! The confirming round of a run: which units have rows that the first round's reading lacked, and that are to be looked for once more.

use super::plan::{AccountPlan, Accounts};
use super::{ExtractError, Shared};
use contract::pipeline::{ConfirmDeletes, Pipeline, StreamMode};
use contract::suspects::{self, Suspects};
use contract::unit::Unit;
use std::collections::BTreeMap;

/// The units of this task's accounts that have suspects of this run.
pub(super) async fn awaited(
    pipeline: &Pipeline,
    accounts: &[AccountPlan],
    share: &Accounts,
    shared: &Shared,
) -> Result<BTreeMap<Unit, Suspects>, ExtractError> {
    let mut awaited = BTreeMap::new();
    let mine = accounts.iter().filter(|account| share.contains(&(account.source.clone(), account.id.clone())));
    for work in mine.flat_map(|account| &account.units).filter(|work| work.mode == StreamMode::Snapshot) {
        if pipeline.confirm_deletes(&work.unit.source, &work.unit.stream) != ConfirmDeletes::SameRun {
            continue;
        }
        let found = suspects::read(shared.landing.as_ref(), &work.unit).await?;
        if let Some(found) = found.filter(|found| found.await_confirmation_in(&shared.run.run)) {
            awaited.insert(work.unit.clone(), found);
        }
    }
    Ok(awaited)
}
