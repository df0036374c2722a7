//! `load-job adopt`: a table that another ETL has made is taken over for one account, so that the next load goes on with its rows.

use super::{Options, RunError, TableGroup, UnitWork, Warehouses, order, select};
use crate::warehouse::{Adopted, Adoption, TableName};
use chrono::Utc;
use contract::batch::Write;
use contract::google::Endpoint;
use contract::landing::{Landing, paths};
use contract::pipeline::{Pipeline, TablePlace};
use contract::round::Round;
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use contract::stored::{self, Latest};
use contract::table_name::table_name;
use contract::unit::{Task, Unit};
use std::sync::Arc;
use tokio::runtime::Handle;

/// What the user asked for.
#[derive(Debug, Clone, Default)]
pub struct AdoptOrder {
    /// The table's name.
    pub table: String,
    /// The account whose rows it holds.
    pub account: String,
    /// The source; needed where several bring the account into the table.
    pub source: Option<String>,
    /// The stream; by default the one that the pipeline file has for the table.
    pub stream: Option<String>,
    /// Where BigQuery is reached; `None`: as the environment says.
    pub bigquery: Option<Endpoint>,
}

/// A table that was taken over.
#[derive(Debug, Clone)]
pub struct Adoptee {
    /// The table.
    pub table: TableName,
    /// The unit that writes it from now on.
    pub unit: Unit,
    /// What was done.
    pub adopted: Adopted,
    /// Whether its keys were checked: without a batch nobody knows them.
    pub keys_checked: bool,
}

/// Takes over a table. Call from a blocking thread of `runtime`.
///
/// # Errors
/// The pipeline file has no such stream, or the table cannot be taken over; it is then as before.
pub fn adopt(
    pipeline: &Pipeline,
    landing: &Arc<dyn Landing>,
    asked: &AdoptOrder,
    run_id: &RunId,
    shutdown: &Shutdown,
    runtime: &Handle,
) -> Result<Adoptee, RunError> {
    let group = group(pipeline, asked)?;
    let Some(work) = group.units.first() else { return Err(RunError::Usage("there is nothing to adopt".into())) };
    let unit = work.unit.clone();
    let keys = runtime.block_on(keys(landing.as_ref(), &unit))?;
    if let Some((write, _)) = keys.as_ref().filter(|(write, _)| !write.is_by_key()) {
        let write = write.as_str();
        return Err(RunError::Usage(format!(
            "stream {unit} is written by `{write}`: without a primary key its records cannot be matched with the rows of {}; load it into a table of its own",
            group.table
        )));
    }
    let options = Options { bigquery: asked.bigquery.clone(), ..Options::default() };
    let groups = std::slice::from_ref(&group);
    let warehouses = Warehouses::open(pipeline, landing, &options, groups, Task::ONLY, shutdown, runtime)?;
    let keys = keys.map(|(_, keys)| keys);
    let adopted = warehouses.with(group.place.as_ref(), |warehouse| {
        let adoption = Adoption { table: &group.table, unit: &unit, keys: keys.as_deref(), run_id, at: Utc::now() };
        warehouse.adopt(&order(&group, run_id), &adoption)
    })?;
    Ok(Adoptee { table: group.table, unit, adopted, keys_checked: keys.is_some() })
}

/// How the unit's newest batch is written, and by which key; `None` if there is none.
async fn keys(landing: &dyn Landing, unit: &Unit) -> Result<Option<(Write, Vec<String>)>, RunError> {
    let latest: Option<Latest> = stored::read(landing, paths::LATEST).await?;
    let Some(latest) = latest else { return Ok(None) };
    let batch = stored::read_batch(landing, unit, &latest.run_id).await?;
    Ok(batch.map(|batch| (batch.write_mode(), batch.primary_key)))
}

/// The table with the one unit that is to have it.
fn group(pipeline: &Pipeline, asked: &AdoptOrder) -> Result<TableGroup, RunError> {
    let usage = |message: String| Err(RunError::Usage(message));
    let sources: Vec<String> = asked.source.iter().cloned().collect();
    let pairs = pipeline.select(&sources, std::slice::from_ref(&asked.account)).map_err(RunError::Usage)?;
    let mut found = Vec::new();
    for (source, account) in pairs {
        let listed = match (&source.streams, &asked.stream) {
            (Some(_), _) => source.listed(),
            // Without a list the file has all of the connector's streams, whose names the load does not know.
            (None, stream) => vec![stream.clone().unwrap_or_else(|| asked.table.clone())],
        };
        let is_meant = |stream: &String| {
            asked.stream.as_ref().is_none_or(|asked| asked == stream)
                && source.table(stream).eq_ignore_ascii_case(&asked.table)
        };
        found.extend(listed.into_iter().filter(is_meant).map(|stream| (source, account, stream)));
    }
    let (source, account, stream) = match found.as_slice() {
        [one] => one,
        [] => {
            return usage(format!(
                "--table {}: no stream of account {} goes into it by {}; give the stream `table: {}` there",
                asked.table,
                asked.account,
                pipeline.name,
                table_name(&asked.table)
            ));
        }
        [(one, _, a), (other, _, b), ..] => {
            return usage(format!(
                "--table {}: both {}/{a} and {}/{b} may go into it; say which by --source and --stream",
                asked.table, one.name, other.name
            ));
        }
    };
    let settings = source.stream(stream);
    let TablePlace { project, schema } = pipeline.table_place(account);
    // As the user has spelt it: the catalogue knows the table's own spelling.
    let table = TableName { project, schema, table: source.table(stream) };
    let unit = Unit::new(&source.name, &account.id, stream).map_err(RunError::Usage)?;
    let place = select::place_of(&pipeline.warehouse, &account.warehouse);
    Ok(TableGroup { table, place, units: vec![UnitWork { unit, settings, rival: None, round: Round::First }] })
}
