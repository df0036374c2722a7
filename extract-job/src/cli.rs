//! The command line of `extract-job` (design, section 8). Every flag has an environment variable `DRAYAGE_<FLAG>`.
//! Results go to standard output, everything else to the log on standard error.

use crate::run::check::{Checked, Depth, check_manifest, check_pipeline};
use crate::run::dry_run::{Preview, preview};
use crate::run::plan::Selection;
use crate::run::read::{Lines, ReadOptions, read};
use crate::run::streams::{StreamLine, list};
use crate::run::{ExtractError, Options, extract};
use chrono::{DateTime, NaiveDate, Utc};
use clap::builder::FalseyValueParser;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use contract::exit::Exit;
use contract::name_list::NameList;
use contract::pipeline::DEFAULT_MAX_PAGE_MIB;
use contract::program;
use contract::report::{RunReport, UnitStatus};
use contract::run_id::RunId;
use contract::secret::Machine;
use contract::shutdown::Shutdown;
use contract::telemetry;
use contract::tether;
use contract::unit::Task;
use std::process::ExitCode;

/// Extracts records from REST APIs into the landing zone.
#[derive(Debug, Parser)]
#[command(name = "extract-job", version = program::version(), args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    extract: ExtractArgs,
}

impl From<Command> for Cli {
    fn from(command: Command) -> Self {
        Self { command: Some(command), extract: ExtractArgs::default() }
    }
}

impl From<ExtractArgs> for Cli {
    fn from(extract: ExtractArgs) -> Self {
        Self { command: None, extract }
    }
}

/// What looks at connectors and pipelines without extracting.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Validates a pipeline or a manifest without extracting
    Check(CheckArgs),
    /// Prints the records of a manifest to standard output
    Read(ReadArgs),
    /// Lists streams, tables, modes and keys
    Streams(StreamsArgs),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Default, Args)]
struct PipelineArgs {
    /// The pipeline file: a path or gs://bucket/object
    #[arg(long, env = "DRAYAGE_PIPELINE", value_name = "FILE")]
    pipeline: Option<String>,
    /// Only these sources (repeat, or separate by commas)
    #[arg(long, env = "DRAYAGE_SOURCE", value_delimiter = ',', value_name = "NAME")]
    source: Vec<String>,
    /// Only these accounts
    #[arg(long, env = "DRAYAGE_ACCOUNT", value_delimiter = ',', value_name = "ID")]
    account: Vec<String>,
    /// Only these streams; a comma within a name is written `\,`
    #[arg(long, env = "DRAYAGE_STREAM", value_name = "NAME")]
    stream: Vec<NameList>,
    /// How results are printed
    #[arg(long, env = "DRAYAGE_OUTPUT", value_enum, default_value = "text")]
    output: Output,
    /// Multiplies the waits between tries; for tests
    #[arg(long, env = "DRAYAGE_WAIT_FACTOR", default_value = "1", hide = true)]
    wait_factor: f64,
}

/// What the extract can be told.
#[derive(Debug, Default, Args)]
pub struct ExtractArgs {
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// The run that this belongs to (default: a new one)
    #[arg(long, env = "DRAYAGE_RUN_ID", value_name = "ID", value_parser = RunId::asked_for)]
    run_id: Option<RunId>,
    /// Ignores checkpoints and reads everything
    #[arg(long, env = "DRAYAGE_FULL_REFRESH", value_parser = FalseyValueParser::new())]
    full_refresh: bool,
    /// Start of a backfill: a date or an RFC 3339 time; checkpoints do not move
    #[arg(long, env = "DRAYAGE_FROM", value_name = "TS", requires = "to", value_parser = moment)]
    from: Option<DateTime<Utc>>,
    /// End of a backfill
    #[arg(long, env = "DRAYAGE_TO", value_name = "TS", requires = "from", value_parser = moment)]
    to: Option<DateTime<Utc>>,
    /// Stops each stream after so many records; the batch then deletes nothing and moves no checkpoint
    #[arg(long, env = "DRAYAGE_LIMIT", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Reads once more those streams alone whose rows were missing when this run was loaded: the load then marks as deleted what is still
    /// missing. An orchestrator does so by itself
    #[arg(long, env = "DRAYAGE_CONFIRM", requires = "run_id", conflicts_with_all = ["full_refresh", "from", "to", "limit"], value_parser = FalseyValueParser::new())]
    confirm: bool,
    /// Prints what would be requested, and sends nothing
    #[arg(long, env = "DRAYAGE_DRY_RUN", value_parser = FalseyValueParser::new())]
    dry_run: bool,
    /// Waits for another run to end instead of giving up
    #[arg(long, env = "DRAYAGE_WAIT", value_parser = FalseyValueParser::new())]
    wait: bool,
}

/// What `check` can be told.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// A manifest file or the name of a built-in connector, instead of a pipeline
    #[arg(long, env = "DRAYAGE_MANIFEST", value_name = "FILE")]
    manifest: Option<String>,
    /// Also makes one request for each account
    #[arg(long, env = "DRAYAGE_CONNECT", value_parser = FalseyValueParser::new())]
    connect: bool,
    /// Looks up no secret of a source: for a machine that does not have them. Settings are checked as far as they are known without
    #[arg(long, env = "DRAYAGE_WITHOUT_SECRETS", conflicts_with = "connect", value_parser = FalseyValueParser::new())]
    without_secrets: bool,
}

/// What `streams` can be told.
#[derive(Debug, Args)]
pub struct StreamsArgs {
    #[command(flatten)]
    pipeline: PipelineArgs,
}

/// What `read` can be told.
#[derive(Debug, Args)]
pub struct ReadArgs {
    /// A manifest file or the name of a built-in connector
    #[arg(long, env = "DRAYAGE_MANIFEST", value_name = "FILE")]
    manifest: String,
    /// A YAML or JSON file with the connector's settings; may hold ${env:NAME}, ${file:PATH} and ${secret:NAME}. What the environment
    /// lacks is looked for in a `.env` beside it, or else in the working directory's
    #[arg(long, env = "DRAYAGE_CONFIG", value_name = "FILE")]
    config: Option<String>,
    /// Only these streams; a comma within a name is written `\,`
    #[arg(long, env = "DRAYAGE_STREAM", value_name = "NAME")]
    stream: Vec<NameList>,
    /// A JSON file with a state for each stream
    #[arg(long, env = "DRAYAGE_STATE", value_name = "FILE")]
    state: Option<String>,
    /// Writes each stream's state after the reading to this JSON file
    #[arg(long, env = "DRAYAGE_STATE_OUTPUT", value_name = "FILE")]
    state_output: Option<String>,
    /// `text` prints the bare records, `json` also the stream of each: {"stream": …, "record": …}
    #[arg(long, env = "DRAYAGE_OUTPUT", value_enum, default_value = "text")]
    output: Output,
    /// At most so many records of each stream
    #[arg(long, env = "DRAYAGE_LIMIT", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Shows every request and answer on standard error, without secrets
    #[arg(long, env = "DRAYAGE_TRACE", value_parser = FalseyValueParser::new())]
    trace: bool,
    /// Lets credentials go over http:// to another machine, where everybody on the way can read them
    #[arg(long, env = "DRAYAGE_ALLOW_PLAIN_HTTP", value_parser = FalseyValueParser::new())]
    allow_plain_http: bool,
    /// The most MiB of one answer, uncompressed
    #[arg(long, env = "DRAYAGE_MAX_PAGE_MIB", value_name = "N", default_value_t = DEFAULT_MAX_PAGE_MIB, value_parser = clap::value_parser!(u32).range(1..=4096))]
    max_page_mib: u32,
    /// Multiplies the waits between tries; for tests
    #[arg(long, env = "DRAYAGE_WAIT_FACTOR", default_value = "1", hide = true)]
    wait_factor: f64,
}

/// The whole program: reads the command line, runs it, and tells how the process ends. Wrong usage ends it at once, with exit code 2.
pub fn main() -> ExitCode {
    start(Cli::parse())
}

/// The program after its command line was read.
pub fn start(cli: impl Into<Cli>) -> ExitCode {
    let cli = cli.into();
    telemetry::init();
    // Waiting needs one thread; slicing, compressing and writing files have their own. Every thread costs memory.
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(cores + 16).enable_all().build();
    match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(run(cli));
            // What is left is abandoned; nothing of it is published.
            runtime.shutdown_background();
            exit.into()
        }
        Err(error) => {
            eprintln!("error: start the runtime: {error}");
            Exit::Unreachable.into()
        }
    }
}

/// Runs a command.
async fn run(cli: Cli) -> Exit {
    let shutdown = match Shutdown::on_signals() {
        Ok(shutdown) => shutdown,
        Err(error) => return fail(&ExtractError::Machine(format!("handle signals: {error}"))),
    };
    if let Err(error) = tether::hold(&shutdown) {
        return fail(&ExtractError::Machine(format!("watch over the orchestrator: {error}")));
    }
    let result = match cli.command {
        None => run_extract(cli.extract, &shutdown).await,
        Some(command) => tokio::select! {
            result = run_command(command) => result,
            _ = shutdown.requested() => Ok(Exit::SomeFailed),
        },
    };
    result.unwrap_or_else(|error| fail(&error))
}

async fn run_command(command: Command) -> Result<Exit, ExtractError> {
    match command {
        Command::Check(args) => run_check(args).await,
        Command::Read(args) => {
            let options = ReadOptions {
                manifest: args.manifest,
                config: args.config,
                streams: NameList::names(&args.stream),
                state: args.state,
                state_output: args.state_output,
                lines: if args.output == Output::Json { Lines::WithStream } else { Lines::Records },
                limit: args.limit,
                trace: args.trace,
                allow_plain_http: args.allow_plain_http,
                max_page_mib: args.max_page_mib,
                wait_factor: args.wait_factor,
            };
            read(&options, &Machine, &mut std::io::stdout()).await
        }
        Command::Streams(args) => {
            let (selection, output) = (args.pipeline.selection(), args.pipeline.output);
            let lines = list(&args.pipeline.file()?, &selection, &Machine).await?;
            show(output, &lines, &stream_lines(&lines));
            Ok(Exit::Done)
        }
    }
}

async fn run_extract(args: ExtractArgs, shutdown: &Shutdown) -> Result<Exit, ExtractError> {
    let options = args.options()?;
    let output = args.pipeline.output;
    if args.dry_run {
        let previews = preview(&options, &Machine).await?;
        show(output, &previews, &preview_lines(&previews));
        return Ok(if previews.iter().any(|preview| preview.error.is_some()) { Exit::SomeFailed } else { Exit::Done });
    }
    let report = extract(&options, &Machine, shutdown).await?;
    show(output, &report, &report_lines(&report));
    Ok(report.exit())
}

async fn run_check(args: CheckArgs) -> Result<Exit, ExtractError> {
    let checked = match &args.manifest {
        Some(manifest) => check_manifest(manifest)?,
        None => {
            let depth = match (args.without_secrets, args.connect) {
                (true, _) => Depth::WithoutSecrets,
                (false, false) => Depth::Settings,
                (false, true) => Depth::Connection,
            };
            check_pipeline(&args.pipeline.options()?, &Machine, depth).await?
        }
    };
    let Checked { passed, failed, warnings } = checked;
    warnings.iter().for_each(|line| telemetry::print(&format!("warning: {line}")));
    passed.iter().for_each(|line| telemetry::print(&format!("ok: {line}")));
    failed.iter().for_each(|line| telemetry::print(&format!("failed: {line}")));
    Ok(if failed.is_empty() { Exit::Done } else { Exit::SomeFailed })
}

impl PipelineArgs {
    fn file(&self) -> Result<String, ExtractError> {
        self.pipeline.clone().ok_or_else(|| {
            let message = "the pipeline file is missing: give --pipeline FILE or set DRAYAGE_PIPELINE";
            usage(clap::error::ErrorKind::MissingRequiredArgument, message)
        })
    }

    fn selection(&self) -> Selection {
        // An empty variable, as deployment templates leave them, selects everything.
        let named = |list: &[String]| list.iter().filter(|name| !name.is_empty()).cloned().collect();
        Selection {
            sources: named(&self.source),
            accounts: named(&self.account),
            streams: NameList::names(&self.stream),
        }
    }

    fn options(&self) -> Result<Options, ExtractError> {
        Ok(Options {
            pipeline: self.file()?,
            run_id: None,
            selection: self.selection(),
            full_refresh: false,
            range: None,
            limit: None,
            confirm: false,
            task: Task::ONLY,
            wait: false,
            wait_factor: self.wait_factor,
        })
    }
}

impl ExtractArgs {
    fn options(&self) -> Result<Options, ExtractError> {
        let usage = |message: String| -> ExtractError { usage(clap::error::ErrorKind::ValueValidation, &message) };
        let task = Task::from_env(|name| std::env::var(name).ok()).map_err(usage)?;
        let range = self.from.zip(self.to);
        if let Some((from, to)) = range.filter(|(from, to)| from > to) {
            return Err(usage(format!("--from {from} is later than --to {to}")));
        }
        let (run_id, limit) = (self.run_id.clone(), self.limit);
        Ok(Options {
            run_id,
            full_refresh: self.full_refresh,
            range,
            limit,
            confirm: self.confirm,
            task,
            wait: self.wait,
            ..self.pipeline.options()?
        })
    }
}

/// Ends the process as a wrong command line does.
fn usage(kind: clap::error::ErrorKind, message: &str) -> ! {
    Cli::command().bin_name(program::extract_job()).error(kind, message).exit()
}

/// A date (midnight UTC) or an RFC 3339 time.
fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.to_utc());
    }
    let date = text.parse::<NaiveDate>().ok().and_then(|date| date.and_hms_opt(0, 0, 0));
    date.map(|midnight| midnight.and_utc())
        .ok_or_else(|| "expected a date (2026-01-31) or a time (2026-01-31T08:00:00Z)".into())
}

fn fail(error: &ExtractError) -> Exit {
    tracing::error!("{error}");
    error.exit()
}

fn show<T: serde::Serialize>(output: Output, value: &T, lines: &[String]) {
    match output {
        Output::Text => lines.iter().for_each(|line| telemetry::print(line)),
        Output::Json => telemetry::print(&serde_json::to_string_pretty(value).unwrap_or_default()),
    }
}

fn stream_lines(lines: &[StreamLine]) -> Vec<String> {
    let width =
        lines.iter().map(|line| line.source.len() + line.account.len() + line.stream.len() + 2).max().unwrap_or(0);
    lines
        .iter()
        .map(|line| {
            let unit = format!("{}/{}/{}", line.source, line.account, line.stream);
            let key = if line.primary_key.is_empty() { "-".to_owned() } else { line.primary_key.join(", ") };
            format!("{unit:width$}  {:11}  key {key}  → {}", line.mode, line.table)
        })
        .collect()
}

fn preview_lines(previews: &[Preview]) -> Vec<String> {
    let line = |preview: &Preview| {
        let state = preview.state.as_ref().map_or_else(String::new, |state| format!(", from state {state}"));
        let what = match (&preview.error, &preview.request) {
            (Some(error), _) => format!("error: {error}"),
            (None, Some(request)) => request.clone(),
            (None, None) => "nothing to request".to_owned(),
        };
        format!("{} ({}{state}): {what}", preview.unit, preview.mode)
    };
    previews.iter().map(line).collect()
}

fn report_lines(report: &RunReport) -> Vec<String> {
    let mut lines = Vec::new();
    for unit in &report.units {
        let seconds = unit.duration_ms as f64 / 1000.0;
        let (status, name) = (unit.status.as_str(), unit.unit());
        lines.push(format!(
            "{status:7}  {name}  {} records, {:.1} MB, {seconds:.1} s",
            unit.rows_extracted,
            unit.bytes as f64 / 1e6
        ));
        lines.extend(unit.error.iter().map(|error| format!("         error: {error}")));
        lines.extend(unit.warnings.iter().map(|warning| format!("         warning: {warning}")));
    }
    let count = |status: UnitStatus| report.units.iter().filter(|unit| unit.status == status).count();
    let (done, skipped, failed) = (count(UnitStatus::Done), count(UnitStatus::Skipped), count(UnitStatus::Failed));
    lines.push(format!("run {}: {done} done, {skipped} skipped, {failed} failed", report.run_id));
    lines
}
