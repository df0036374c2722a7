//! The command line of `load-job` (design, section 8), and what its result looks like on standard output.
//! Parsing, then checking, then connecting: each step ends with its own exit code.

use crate::adopt_command;
pub use crate::adopt_command::AdoptArgs;
use crate::run::{self, Options, RunError, select_run};
use clap::{Args, Command, FromArgMatches, ValueEnum};
use contract::exit::Exit;
use contract::landing::{self, Landing, LandingError};
use contract::lease::{Lease, LeaseError};
use contract::name_list::NameList;
use contract::pipeline::Pipeline;
use contract::report::{RunReport, UnitReport, UnitStatus};
use contract::run_id::RunId;
use contract::secret::Machine;
use contract::shutdown::Shutdown;
use contract::telemetry;
use contract::tether;
use contract::unit::Task;
use std::process::ExitCode;
use std::sync::Arc;

/// The whole command line. Its options are the load's; `adopt` has its own.
fn command() -> Command {
    let adopt = Command::new("adopt")
        .about("Take over a table that another ETL has made: its rows stay, and the next load goes on with them");
    LoadArgs::augment_args(Command::new("load-job"))
        .about("Loads the batches of a run into the warehouse")
        .version(contract::program::version())
        .subcommand(AdoptArgs::augment_args(adopt))
        .subcommand_negates_reqs(true)
}

/// What the load can be told.
#[derive(Debug, Clone, Args)]
pub struct LoadArgs {
    /// The pipeline file.
    #[arg(long, env = "DRAYAGE_PIPELINE", value_name = "FILE")]
    pub pipeline: String,
    /// The run to load, or `latest`: the newest whose extract has finished.
    #[arg(long, env = "DRAYAGE_RUN_ID", value_name = "ID", default_value = "latest")]
    pub run_id: String,
    /// Only this source (repeatable).
    #[arg(long, env = "DRAYAGE_SOURCE", value_name = "S", value_delimiter = ',')]
    pub source: Vec<String>,
    /// Only this account (repeatable).
    #[arg(long, env = "DRAYAGE_ACCOUNT", value_name = "A", value_delimiter = ',')]
    pub account: Vec<String>,
    /// Only this stream (repeatable); a comma within its name is written `\,`.
    #[arg(long, env = "DRAYAGE_STREAM", value_name = "T")]
    pub stream: Vec<NameList>,
    /// Let a snapshot mark any share of an account's rows as deleted.
    #[arg(long, env = "DRAYAGE_ALLOW_MASS_DELETE")]
    pub allow_mass_delete: bool,
    /// Apply a batch that is older than the last one applied.
    #[arg(long, env = "DRAYAGE_FORCE")]
    pub force: bool,
    /// Write every row of the batch anew, also where its content is the same (after a change of hints).
    #[arg(long, env = "DRAYAGE_REWRITE")]
    pub rewrite: bool,
    /// Let a stream write rows that another source or stream has written so far.
    #[arg(long, env = "DRAYAGE_TAKE_OVER")]
    pub take_over: bool,
    /// Load what was read to confirm deletes: the second round of the run.
    #[arg(long, env = "DRAYAGE_CONFIRM")]
    pub confirm: bool,
    /// Show what would change, and change nothing.
    #[arg(long, env = "DRAYAGE_DRY_RUN")]
    pub dry_run: bool,
    /// Wait for a run that is going on instead of stopping.
    #[arg(long, env = "DRAYAGE_WAIT")]
    pub wait: bool,
    /// What goes to standard output.
    #[arg(long, env = "DRAYAGE_OUTPUT", value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// The form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A line a unit.
    Text,
    /// The run report.
    Json,
}

/// The whole program: reads the command line, runs it, and tells how the process ends. Wrong usage ends it at once, with exit code 2.
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    let read = match matches.subcommand() {
        Some((_, given)) => AdoptArgs::from_arg_matches(given).map(adopt),
        None => LoadArgs::from_arg_matches(&matches).map(start),
    };
    read.unwrap_or_else(|error| error.exit())
}

/// The load after its command line was read.
pub fn start(arguments: LoadArgs) -> ExitCode {
    block_on(run(arguments))
}

/// `adopt` after its command line was read.
pub fn adopt(arguments: AdoptArgs) -> ExitCode {
    block_on(async move { adopt_command::run(&arguments).await })
}

fn block_on(work: impl Future<Output = Exit>) -> ExitCode {
    telemetry::init();
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(work).into(),
        Err(error) => {
            tracing::error!(%error, "failed to start");
            Exit::Unreachable.into()
        }
    }
}

/// Runs the command; the only place that turns errors into exit codes.
async fn run(cli: LoadArgs) -> Exit {
    match execute(&cli).await {
        Ok(report) => {
            print(&report, &cli);
            report.exit()
        }
        Err((exit, message)) => {
            tracing::error!("{message}");
            exit
        }
    }
}

/// How the program ends, and why.
pub(crate) type Failure = (Exit, String);

pub(crate) async fn read_pipeline(path: &str) -> Result<Pipeline, Failure> {
    Pipeline::open(path, &Machine).await.map_err(|problems| (Exit::Usage, problems.to_string()))
}

pub(crate) fn open_landing(pipeline: &Pipeline) -> Result<Arc<dyn Landing>, Failure> {
    landing::open(&pipeline.landing).map_err(|error| match error {
        LandingError::Unsupported(_) => (Exit::Usage, error.to_string()),
        _ => (Exit::Unreachable, error.to_string()),
    })
}

async fn execute(cli: &LoadArgs) -> Result<RunReport, Failure> {
    let usage = |message: String| (Exit::Usage, message);
    let unreachable = |message: String| (Exit::Unreachable, message);
    let shutdown = Shutdown::on_signals().map_err(|error| unreachable(error.to_string()))?;
    tether::hold(&shutdown).map_err(|error| unreachable(format!("cannot watch over the orchestrator: {error}")))?;
    let pipeline = tokio::select! {
        opened = read_pipeline(&cli.pipeline) => opened?,
        reason = shutdown.requested() => return Err(unreachable(format!("stopped by {reason}"))),
    };
    let task = Task::from_env(|name| std::env::var(name).ok()).map_err(usage)?;
    let run_id = match cli.run_id.as_str() {
        "latest" | "" => None,
        text => Some(RunId::asked_for(text).map_err(|error| usage(format!("--run-id: {error}")))?),
    };
    let options = Options {
        run_id,
        sources: cli.source.clone(),
        accounts: cli.account.clone(),
        streams: NameList::names(&cli.stream),
        allow_mass_delete: cli.allow_mass_delete,
        force: cli.force,
        rewrite: cli.rewrite,
        confirm: cli.confirm,
        take_over: cli.take_over,
        dry_run: cli.dry_run,
        bigquery: None,
    };
    let landing = open_landing(&pipeline)?;
    let run_id = select_run(landing.as_ref(), &options).await.map_err(|error| (exit_of(&error), error.to_string()))?;
    // A dry run only reads: it may look while another run goes on.
    let lease = if cli.dry_run {
        None
    } else {
        let lease = Lease::take(landing.clone(), &run_id, "load-job", cli.wait, &shutdown).await;
        Some(lease.map_err(|error: LeaseError| unreachable(error.to_string()))?)
    };
    let runtime = tokio::runtime::Handle::current();
    let work = {
        let (landing, run_id) = (landing.clone(), run_id.clone());
        tokio::task::spawn_blocking(move || {
            run::load(&pipeline, &landing, &options, &run_id, task, &shutdown, &runtime)
        })
    };
    let result = work.await;
    if let Some(lease) = lease
        && let Err(error) = lease.release().await
    {
        tracing::warn!(%error, "failed to give the lease back; it expires by itself");
    }
    match result {
        Ok(report) => report.map_err(|error| (exit_of(&error), error.to_string())),
        Err(error) => Err(unreachable(format!("the load broke off: {error}"))),
    }
}

pub(crate) fn exit_of(error: &RunError) -> Exit {
    match error {
        RunError::Usage(_) => Exit::Usage,
        RunError::Stored(_) | RunError::Warehouse(_) => Exit::Unreachable,
    }
}

fn print(report: &RunReport, cli: &LoadArgs) {
    if cli.output == Output::Json {
        match serde_json::to_string_pretty(report) {
            Ok(text) => telemetry::print(&text),
            Err(error) => tracing::error!(%error, "failed to print the report"),
        }
        return;
    }
    for unit in &report.units {
        telemetry::print(&line(unit, cli.dry_run));
    }
}

/// One unit's result: `+inserted ~updated -deleted =unchanged`.
fn line(unit: &UnitReport, dry_run: bool) -> String {
    let name = format!("{} -> {}", unit.unit(), unit.table);
    if unit.status == UnitStatus::Failed {
        return format!("{name}: failed: {}", unit.error.as_deref().unwrap_or("unknown"));
    }
    let rejected = if unit.rows_rejected > 0 { format!(" !{} rejected", unit.rows_rejected) } else { String::new() };
    let repeated = if unit.rows_repeated > 0 { format!(" {} came again", unit.rows_repeated) } else { String::new() };
    let would = if dry_run { "would be " } else { "" };
    format!(
        "{name}: {would}+{} ~{} -{} ={}{repeated}{rejected}",
        unit.rows_inserted, unit.rows_updated, unit.rows_deleted, unit.rows_unchanged
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
        let words = ["load-job", "adopt", "--pipeline", "p.yaml", "--table", "t", "--account", "a"];
        assert!(command().try_get_matches_from(words).is_ok_and(|matches| matches.subcommand_name() == Some("adopt")));
        assert!(command().try_get_matches_from(["load-job", "--pipeline", "p.yaml", "--take-over"]).is_ok());
    }
}
