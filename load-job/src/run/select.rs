//! Which units a load takes: those of the run's plan that the pipeline file and the filters name, grouped by target table,
//! dealt to tasks by the size of what was extracted.

use super::{Options, RunError, TableGroup, UnitWork};
use crate::warehouse::TableName;
use crate::warehouse::bigquery::Place;
use contract::batch::BatchMode;
use contract::landing::{Landing, paths};
use contract::pipeline::{AccountWarehouse, Pipeline, TablePlace, WarehouseEntry, did_you_mean};
use contract::program;
use contract::report::{Plan, RunReport};
use contract::round::{Round, RunRound};
use contract::run_id::RunId;
use contract::stored::{self, Latest, StoredError};
use contract::table_name::table_name;
use contract::unit::{Task, Unit, shares};
use std::collections::{BTreeMap, HashMap};
use tokio::runtime::Handle;

/// The run that is meant: the one asked for, else the newest whose extract has finished.
///
/// # Errors
/// No extract has finished yet, or the landing zone refuses.
pub async fn select_run(landing: &dyn Landing, options: &Options) -> Result<RunId, RunError> {
    if let Some(run_id) = &options.run_id {
        return Ok(run_id.clone());
    }
    let latest: Option<Latest> = stored::read(landing, paths::LATEST).await?;
    let Some(run_id) = latest.map(|latest| latest.run_id) else {
        return Err(RunError::Usage(format!(
            "no extract has finished in {} yet; run `{}` first",
            landing.location(),
            program::extract_job()
        )));
    };
    if run_id.is_ahead() {
        return Err(RunError::Usage(format!(
            "{} in {} names run {run_id}, which lies in the future: a clock was wrong when it was made. Name the run to load with --run-id, \
             or run `{}` again, which makes a newer one the latest",
            paths::LATEST,
            landing.location(),
            program::extract_job()
        )));
    }
    Ok(run_id)
}

/// The reports of all tasks of a run's extract.
pub(super) async fn extract_reports(landing: &dyn Landing, reading: &RunRound) -> Result<Vec<RunReport>, StoredError> {
    let plan: Option<Plan> = stored::read(landing, &paths::plan(reading)).await?;
    let count = plan.map_or(0, |plan| plan.tasks);
    let mut reports = Vec::new();
    for index in 0..count {
        reports.extend(stored::read_report(landing, reading, "extract", Task { index, count }).await?);
    }
    Ok(reports)
}

/// This task's tables.
pub(super) fn groups(
    pipeline: &Pipeline,
    landing: &dyn Landing,
    options: &Options,
    reading: &RunRound,
    task: Task,
    runtime: &Handle,
) -> Result<Vec<TableGroup>, RunError> {
    let run_id = &reading.run;
    let plan: Option<Plan> = runtime.block_on(stored::read(landing, &paths::plan(reading)))?;
    let confirmed = confirmed(landing, reading, runtime)?;
    let plan = plan.ok_or_else(|| {
        RunError::Usage(format!(
            "there is no run {run_id} in {}: nothing was extracted under that id{}",
            landing.location(),
            if reading.round == Round::Confirm { " to confirm deletes" } else { "" }
        ))
    })?;
    let accounts = pipeline.select(&options.sources, &options.accounts).map_err(RunError::Usage)?;
    // Of the streams asked for, a confirming round has those alone that lack rows: the names are held against all that the run has read.
    let first: Option<Plan> = match reading.round {
        Round::First => None,
        Round::Confirm => runtime.block_on(stored::read(landing, &paths::plan(run_id)))?,
    };
    let known = &first.as_ref().unwrap_or(&plan).units;
    for stream in &options.streams {
        if !known.iter().any(|unit| unit.stream == *stream) {
            let near = did_you_mean(stream, known.iter().map(|unit| unit.stream.as_str()));
            return Err(RunError::Usage(format!("--stream {stream}: run {run_id} has no such stream{near}")));
        }
    }
    let reports = runtime.block_on(extract_reports(landing, reading))?;
    let extracted: HashMap<_, _> =
        reports.iter().flat_map(|report| &report.units).map(|unit| (unit.unit(), unit)).collect();
    let everyone = pipeline.select(&[], &[]).map_err(RunError::Usage)?;
    let mut tables: BTreeMap<(TableName, Option<Place>), Vec<UnitWork>> = BTreeMap::new();
    let mut weights: BTreeMap<(TableName, Option<Place>), u64> = BTreeMap::new();
    // Of all units, whatever the filters: whose rows a table's account has must not depend on what is loaded today.
    let mut owners: HashMap<(String, &str), Vec<&Unit>> = HashMap::new();
    let mut chosen = Vec::new();
    for unit in &plan.units {
        let known = everyone.iter().find(|(source, account)| source.name == unit.source && account.id == unit.account);
        let Some((source, account)) = known else {
            tracing::warn!(%unit, "the pipeline file does not name this unit any more; it is not loaded");
            continue;
        };
        let settings = source.stream(&unit.stream);
        let batch_table = extracted.get(unit).map(|report| report.table.clone()).filter(|table| !table.is_empty());
        // A report of an earlier version may name a table that cannot be.
        let name = settings.table.clone().or(batch_table).unwrap_or_else(|| unit.stream.clone());
        let place = place_of(&pipeline.warehouse, &account.warehouse);
        let TablePlace { project, schema } = pipeline.table_place(account);
        let table = TableName { project, schema, table: table_name(&name) };
        owners.entry((table.to_string().to_lowercase(), &unit.account)).or_default().push(unit);
        let is_asked =
            accounts.iter().any(|(source, account)| source.name == unit.source && account.id == unit.account);
        if is_asked && (options.streams.is_empty() || options.streams.contains(&unit.stream)) {
            chosen.push((unit, (table, place), settings));
        }
    }
    for (at, (_, table, _)) in chosen.iter().enumerate() {
        let other = chosen[..at].iter().find(|(_, other, _)| other.0 == table.0 && other.1 != table.1);
        if let Some((other, ..)) = other {
            let unit = chosen[at].0;
            return Err(RunError::Usage(format!(
                "{other} and {unit} go into one table, {}, but with different staging, log or location settings; give them the same, or a table each",
                table.0
            )));
        }
    }
    for (unit, table, settings) in chosen {
        let owners = owners.get(&(table.0.to_string().to_lowercase(), unit.account.as_str()));
        let rival = owners.into_iter().flatten().find(|owner| **owner != unit).map(|owner| (*owner).clone());
        let weight = weights.entry(table.clone()).or_default();
        *weight = u64::saturating_add(*weight, extracted.get(unit).map_or(1, |report| report.bytes.max(1)));
        tables.entry(table).or_default().push(UnitWork {
            unit: unit.clone(),
            settings,
            rival,
            round: if confirmed.contains(unit) { Round::Confirm } else { reading.round },
        });
    }
    if tables.is_empty() && !plan.units.is_empty() {
        return Err(RunError::Usage(format!("run {run_id} has no unit of the sources and accounts asked for")));
    }
    let names: Vec<(TableName, Option<Place>)> = tables.keys().cloned().collect();
    let mine = shares(&names, &weights, task.count).into_iter().nth(task.index).unwrap_or_default();
    let group = |key: (TableName, Option<Place>)| {
        tables.remove(&key).map(|units| TableGroup { table: key.0, place: key.1, units })
    };
    Ok(mine.into_iter().filter_map(group).collect())
}

/// The units whose confirming reading is whole: it is newer than that of the first round, and takes its place when the run is loaded again.
fn confirmed(landing: &dyn Landing, reading: &RunRound, runtime: &Handle) -> Result<Vec<Unit>, StoredError> {
    let second = RunRound { round: Round::Confirm, ..reading.clone() };
    let plan: Option<Plan> = match reading.round {
        Round::First => runtime.block_on(stored::read(landing, &paths::plan(&second)))?,
        Round::Confirm => None,
    };
    let mut confirmed = Vec::new();
    for unit in plan.into_iter().flat_map(|plan| plan.units) {
        let batch = runtime.block_on(stored::read_batch(landing, &unit, &second))?;
        if batch.is_some_and(|batch| batch.mode == BatchMode::Snapshot) {
            confirmed.push(unit);
        }
    }
    Ok(confirmed)
}

/// BigQuery: the project and datasets of an account; what it does not say comes from the pipeline's warehouse.
pub(super) fn place_of(warehouse: &WarehouseEntry, account: &AccountWarehouse) -> Option<Place> {
    let WarehouseEntry::Bigquery { project, dataset, staging_dataset, log_dataset, location, .. } = warehouse else {
        return None;
    };
    let or = |own: &Option<String>, all: &String| own.clone().unwrap_or_else(|| all.clone());
    Some(Place {
        project: or(&account.project, project),
        dataset: or(&account.dataset, dataset),
        staging_dataset: or(&account.staging_dataset, staging_dataset),
        log_dataset: or(&account.log_dataset, log_dataset),
        location: account.location.clone().or_else(|| location.clone()),
    })
}
