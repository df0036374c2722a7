//! Runs a query job: BigQuery's checks first, then the emulator, then what the emulator does not tell (costs, row counts).
//! An error here is a request that BigQuery refuses at once; a job that runs and fails is `Ended` with its error.

use reqwest::Method;
use serde_json::{Value, json};

use super::ddl;
use super::gate::Gate;
use super::job::{Ended, canonical_location};
use super::reply::JobError;
use super::sql::cursor::Path;
use super::sql::merge::{self, Merge};
use super::sql::statement::Script;
use super::upstream::Upstream;

const MIB: u64 = 1 << 20;
/// What the reading of a table costs at least.
const LEAST_BILLED: u64 = 10 * MIB;

/// Runs the query of a job's configuration.
///
/// # Errors
/// When the request itself is refused: no job comes of it.
pub(crate) async fn run(gate: &Gate, project: &str, location: &str, configuration: &Value) -> Result<Ended, JobError> {
    let query = &configuration["query"];
    let Some(sql) = query["query"].as_str().filter(|sql| !sql.trim().is_empty()) else {
        return Err(JobError::new("required", "Required parameter is missing: query"));
    };
    if query["useLegacySql"] != json!(false) {
        return Err(JobError::limit("legacy SQL (useLegacySql is true unless the request says false)"));
    }
    if !query["destinationTable"].is_null() {
        return Err(JobError::limit("destinationTable of a query"));
    }
    let script = Script::parse(sql);
    let cost = Cost::of(&script, project, gate.options.bytes_per_table);
    if configuration["dryRun"] == json!(true) {
        return dry_run(gate, project, configuration, &script, cost).await;
    }
    let checked = check(gate, project, location, query, &script, cost).await;
    let plan = match checked {
        Ok(plan) => plan,
        Err(error) => return Ok(Ended::failed(error)),
    };
    let counted = Counted::before(gate, project, &script).await;
    let emulator_job = Upstream::fresh_job_id();
    let mut statistics = json!({});
    if let Some(sql) = &plan.sql {
        let mut forwarded = configuration.clone();
        forwarded["query"]["query"] = json!(sql);
        let body = json!({"jobReference": {"projectId": project, "jobId": emulator_job}, "configuration": forwarded});
        let (status, answer) = gate.upstream.call(Method::POST, &format!("{project}/jobs"), Some(&body)).await?;
        if let Some(error) = JobError::of_answer(status, &answer) {
            return failed(error, location);
        }
        statistics = answer["statistics"]["query"].clone();
    }
    let has_run = plan.sql.is_some();
    if let Err(error) = plan.settle(gate).await {
        return Ok(Ended::failed(error));
    }
    cost.write_into(&mut statistics);
    statistics["statementType"] = json!(script.statement_type());
    if let Some(counted) = counted {
        counted.write_into(gate, project, &mut statistics).await;
    }
    let mut all = json!({"totalBytesProcessed": cost.processed.to_string(), "query": statistics});
    if script.single().is_none() {
        all["numChildJobs"] = json!(script.statements().count().to_string());
    }
    Ok(Ended { error: None, statistics: all, emulator_job: has_run.then_some(emulator_job) })
}

/// An error of the emulator: bad syntax is refused, all else fails the job.
fn failed(mut error: JobError, location: &str) -> Result<Ended, JobError> {
    if error.reason == "invalidQuery" && error.message.starts_with("Syntax error") {
        return Err(error);
    }
    error.message =
        error.message.replace("was not found in location US", &format!("was not found in location {location}"));
    Ok(Ended::failed(error))
}

async fn check(
    gate: &Gate,
    project: &str,
    location: &str,
    query: &Value,
    script: &Script,
    cost: Cost,
) -> Result<ddl::Plan, JobError> {
    for table in script.tables(project) {
        check_location(gate, &table, location).await?;
    }
    let limit = &query["maximumBytesBilled"];
    let limit = limit.as_u64().or_else(|| limit.as_str()?.parse().ok());
    if let Some(limit) = limit.filter(|limit| *limit < cost.billed) {
        let message = format!("Query exceeded limit for bytes billed: {limit}. {} or higher required.", cost.billed);
        return Err(JobError::new("bytesBilledLimitExceeded", message));
    }
    let plan = ddl::plan(gate, project, location, &query["defaultDataset"], script).await?;
    if !script.is_opaque {
        let parameters = Some(&query["queryParameters"]).filter(|parameters| parameters.is_array());
        for merge in script.statements().filter_map(Merge::parse) {
            let Some(sql) = merge.too_many() else { continue };
            // What cannot be asked in advance (a temporary table of the script, say) is left to the emulator.
            if gate.upstream.number(project, &sql, parameters).await.is_ok_and(|pairs| pairs > 0) {
                return Err(JobError::new("invalidQuery", merge::ERROR));
            }
        }
    }
    Ok(plan)
}

/// Whether the dataset of a table is there and in the job's location.
async fn check_location(gate: &Gate, table: &Path, location: &str) -> Result<(), JobError> {
    let [project, dataset, ..] = table.as_slice() else { return Ok(()) };
    if dataset.starts_with("region-") || dataset.eq_ignore_ascii_case("INFORMATION_SCHEMA") {
        return Ok(());
    }
    let missing = || {
        let message = format!("Not found: Dataset {project}:{dataset} was not found in location {location}");
        JobError::new("notFound", message)
    };
    match gate.location_of(project, dataset).await {
        Ok(found) if canonical_location(&found) == canonical_location(location) => Ok(()),
        Ok(_) => Err(missing()),
        Err(error) if error.reason == "notFound" => Err(missing()),
        Err(error) => Err(error),
    }
}

async fn dry_run(
    gate: &Gate,
    project: &str,
    configuration: &Value,
    script: &Script,
    cost: Cost,
) -> Result<Ended, JobError> {
    let body = json!({"jobReference": {"jobId": Upstream::fresh_job_id()}, "configuration": configuration});
    let (status, answer) = gate.upstream.call(Method::POST, &format!("{project}/jobs"), Some(&body)).await?;
    if let Some(error) = JobError::of_answer(status, &answer) {
        return Err(error);
    }
    let mut statistics = json!({"statementType": script.statement_type()});
    cost.write_into(&mut statistics);
    statistics["totalBytesBilled"] = json!("0");
    let all = json!({"totalBytesProcessed": cost.processed.to_string(), "query": statistics});
    Ok(Ended { error: None, statistics: all, emulator_job: None })
}

/// Made-up bytes: the same for the same statement, none where no table is read.
#[derive(Debug, Clone, Copy)]
struct Cost {
    processed: u64,
    billed: u64,
}

impl Cost {
    fn of(script: &Script, project: &str, bytes_per_table: u64) -> Self {
        let tables = script.scanned(project).len() as u64;
        let billed = bytes_per_table.div_ceil(MIB).saturating_mul(MIB).max(LEAST_BILLED);
        Self { processed: tables * bytes_per_table, billed: tables.saturating_mul(billed) }
    }

    fn write_into(self, statistics: &mut Value) {
        statistics["totalBytesProcessed"] = json!(self.processed.to_string());
        statistics["totalBytesBilled"] = json!(self.billed.to_string());
        statistics["cacheHit"] = json!(false);
    }
}

/// What `dmlStats` of a MERGE needs: the target's rows before.
struct Counted {
    statement_type: &'static str,
    /// The query that counts, and what it said; absent for all but MERGE.
    target: Option<(String, i64)>,
}

impl Counted {
    async fn before(gate: &Gate, project: &str, script: &Script) -> Option<Self> {
        let cursor = script.single()?;
        let statement_type = script.statement_type();
        match statement_type {
            "INSERT" | "UPDATE" | "DELETE" => Some(Self { statement_type, target: None }),
            "MERGE" => {
                // Inserts and deletes in one statement cannot be told apart by counting.
                let sql = Merge::parse(cursor).filter(|merge| !merge.deletes())?.count();
                let rows = gate.upstream.number(project, &sql, None).await.ok()?;
                Some(Self { statement_type, target: Some((sql, rows)) })
            }
            _ => None,
        }
    }

    async fn write_into(self, gate: &Gate, project: &str, statistics: &mut Value) {
        let affected = statistics["numDmlAffectedRows"].as_str().and_then(|text| text.parse::<i64>().ok());
        let Some(affected) = affected else { return };
        let (inserted, updated, deleted) = match (self.statement_type, &self.target) {
            ("INSERT", _) => (affected, 0, 0),
            ("UPDATE", _) => (0, affected, 0),
            ("DELETE", _) => (0, 0, affected),
            (_, Some((sql, before))) => {
                let Ok(after) = gate.upstream.number(project, sql, None).await else { return };
                (after - before, affected - (after - before), 0)
            }
            _ => return,
        };
        statistics["dmlStats"] = json!({
            "insertedRowCount": inserted.to_string(),
            "updatedRowCount": updated.to_string(),
            "deletedRowCount": deleted.to_string(),
        });
    }
}
