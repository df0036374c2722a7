//! The command line: every flag has an environment variable `DRAYAGE_<FLAG>`, lists are separated by commas there.
//! What cannot be said together is refused before anything is read.

use crate::error::RunError;
use crate::options::{Spelling, conflict, parse_instant};
use crate::run::{RunChoice, RunOptions};
use crate::schedule::{Timetable, Zone};
use crate::stage::Stage;
use chrono::{DateTime, NaiveTime, Utc};
use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use contract::name_list::NameList;
use contract::pipeline::Span;
use contract::secret::Secret;
use std::convert::Infallible;
use std::path::PathBuf;

/// Runs a Drayage pipeline: starts extract-job, waits, starts load-job, waits, reports.
///
/// Exit codes: 0 all units done; 1 some units failed, the others are done; 2 wrong usage, pipeline file or manifest;
/// 3 nothing could be done (landing zone or warehouse out of reach, or another run holds the lease).
#[derive(Debug, Parser)]
#[command(name = "orchestrator", version = contract::program::version())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the orchestrator does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pipeline once
    Run(RunArguments),
    /// See it all: a stand-in of ServiceTitan, loaded into a DuckDB file twice, with changes in between
    Demo(DemoArguments),
    /// Stay up and start runs on request: POST /run, GET /runs/<id>, GET /healthz, and a page to look at
    ///
    /// Runs go on after the request is answered: a Cloud Run service needs CPU that is always allocated.
    Serve(ServeArguments),
    /// Stay up and run a pipeline at certain times
    Schedule(ScheduleArguments),
    /// Remove old batches and rejected records from a landing folder; what a next run or load may need stays
    Prune(PruneArguments),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Tables
    #[default]
    Text,
    /// One JSON object
    Json,
}

/// What `demo` can be told.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// The folder to work in; it is created, and an earlier demo in it is wiped
    #[arg(long, env = "DRAYAGE_DIR", default_value = "./drayage-demo")]
    pub(crate) dir: PathBuf,
    /// What to print to standard output
    #[arg(long, env = "DRAYAGE_OUTPUT", value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// What `run` can be told.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// The pipeline file: a path, or gs://bucket/object
    #[arg(long, env = "DRAYAGE_PIPELINE", value_name = "FILE")]
    pub(crate) pipeline: String,
    /// The run's id: of the run to load with `--only load` (default there: latest), else of the run to begin or to go on with
    #[arg(long, env = "DRAYAGE_RUN_ID", value_name = "ID")]
    run_id: Option<RunChoice>,
    #[command(flatten)]
    selection: Selection,
    /// Backfill from this time: RFC 3339, or a date for its midnight in UTC; moves no checkpoint
    #[arg(long, env = "DRAYAGE_FROM", value_name = "TS", value_parser = parse_instant, requires = "to")]
    from: Option<DateTime<Utc>>,
    /// Backfill up to this time
    #[arg(long, env = "DRAYAGE_TO", value_name = "TS", value_parser = parse_instant, requires = "from")]
    to: Option<DateTime<Utc>>,
    /// What to print to standard output
    #[arg(long, env = "DRAYAGE_OUTPUT", value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// What every run can be told, once or each time.
#[derive(Debug, Args)]
struct Selection {
    /// Run only this stage
    #[arg(long, env = "DRAYAGE_ONLY", value_enum)]
    only: Option<Stage>,
    /// Only this source; may be repeated
    #[arg(long = "source", env = "DRAYAGE_SOURCE", value_name = "S", value_delimiter = ',')]
    sources: Vec<String>,
    /// Only this account; may be repeated
    #[arg(long = "account", env = "DRAYAGE_ACCOUNT", value_name = "A", value_delimiter = ',')]
    accounts: Vec<String>,
    /// Only this stream; may be repeated. A comma within its name is written `\,`
    #[arg(long = "stream", env = "DRAYAGE_STREAM", value_name = "T")]
    streams: Vec<NameList>,
    /// Extract everything anew, whatever the checkpoints say
    #[arg(long, env = "DRAYAGE_FULL_REFRESH", value_parser = FalseyValueParser::new())]
    full_refresh: bool,
    /// Load a snapshot even if it marks more rows as deleted than max_delete_fraction allows
    #[arg(long, env = "DRAYAGE_ALLOW_MASS_DELETE", value_parser = FalseyValueParser::new())]
    allow_mass_delete: bool,
    /// Load a batch though a newer one was applied already
    #[arg(long, env = "DRAYAGE_FORCE", value_parser = FalseyValueParser::new())]
    force: bool,
    /// Write every row of the batch anew, for example after a change of column hints
    #[arg(long, env = "DRAYAGE_REWRITE", value_parser = FalseyValueParser::new())]
    rewrite: bool,
    /// Let a stream write rows that another source or stream has written so far
    #[arg(long, env = "DRAYAGE_TAKE_OVER", value_parser = FalseyValueParser::new())]
    take_over: bool,
    /// Wait for a run that is going on instead of refusing (exit code 3); `schedule` always does
    #[arg(long, env = "DRAYAGE_WAIT", value_parser = FalseyValueParser::new())]
    wait: bool,
    /// How many extract tasks run side by side (default: as the pipeline file says, or 1)
    #[arg(long, env = "DRAYAGE_EXTRACT_TASKS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    extract_tasks: Option<u16>,
}

impl Selection {
    fn options(&self) -> RunOptions {
        // An empty variable is no name.
        let named = |list: &[String]| list.iter().filter(|name| !name.is_empty()).cloned().collect();
        RunOptions {
            only: self.only,
            run_id: None,
            sources: named(&self.sources),
            accounts: named(&self.accounts),
            streams: NameList::names(&self.streams),
            full_refresh: self.full_refresh,
            window: None,
            allow_mass_delete: self.allow_mass_delete,
            force: self.force,
            rewrite: self.rewrite,
            take_over: self.take_over,
            wait: self.wait,
            extract_tasks: self.extract_tasks.map(usize::from),
        }
    }
}

impl RunArguments {
    /// The options of the run, if they go together.
    pub(crate) fn options(&self) -> Result<RunOptions, RunError> {
        let window = self.from.zip(self.to);
        checked(RunOptions { run_id: self.run_id.clone(), window, ..self.selection.options() })
    }
}

/// What `serve` can be told.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// The pipeline file: a path, or gs://bucket/object; it is read anew for every run
    #[arg(long, env = "DRAYAGE_PIPELINE", value_name = "FILE")]
    pub(crate) pipeline: String,
    /// Where to listen (default: 127.0.0.1:8080; on Cloud Run all addresses and its PORT)
    #[arg(long, env = "DRAYAGE_LISTEN", value_name = "HOST:PORT")]
    listen: Option<String>,
    /// What callers must send as `Authorization: Bearer <token>`; better set as DRAYAGE_TOKEN than seen in the list of processes
    #[arg(long, env = "DRAYAGE_TOKEN", hide_env_values = true, value_parser = secret)]
    token: Option<Secret>,
}

impl ServeArguments {
    /// Where to listen; an empty variable is none.
    pub(crate) fn listen(&self) -> Option<String> {
        self.listen.clone().filter(|listen| !listen.is_empty())
    }

    /// What callers must know; an empty variable is nothing.
    pub(crate) fn token(&self) -> Option<Secret> {
        self.token.clone().filter(|token| !token.expose().is_empty())
    }
}

/// What `prune` can be told.
#[derive(Debug, Args)]
pub struct PruneArguments {
    /// The pipeline file: a path, or gs://bucket/object
    #[arg(long, env = "DRAYAGE_PIPELINE", value_name = "FILE")]
    pub(crate) pipeline: String,
    /// How long batches and rejects are kept, like 30d (default: `keep` in the pipeline file's landing)
    #[arg(long, env = "DRAYAGE_KEEP", value_name = "TIME")]
    pub(crate) keep: Option<Span>,
    /// Say what would be removed, and remove nothing
    #[arg(long, env = "DRAYAGE_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub(crate) dry_run: bool,
    /// What to print to standard output
    #[arg(long, env = "DRAYAGE_OUTPUT", value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// What `schedule` can be told.
#[derive(Debug, Args)]
pub struct ScheduleArguments {
    /// The pipeline file: a path, or gs://bucket/object; it is read anew for every run
    #[arg(long, env = "DRAYAGE_PIPELINE", value_name = "FILE")]
    pub(crate) pipeline: String,
    #[command(flatten)]
    times: Times,
    /// The time zone of these times: a name like `Europe/Berlin`, `UTC`, or `local` for this machine's
    #[arg(long, env = "DRAYAGE_TIMEZONE", value_name = "ZONE", default_value = "UTC")]
    timezone: Zone,
    #[command(flatten)]
    selection: Selection,
    /// What to print to standard output after each run
    #[arg(long, env = "DRAYAGE_OUTPUT", value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Times {
    /// Every day at these times
    #[arg(long, env = "DRAYAGE_AT", value_name = "HH:MM,…", value_delimiter = ',', value_parser = time_of_day)]
    at: Vec<NaiveTime>,
    /// Whenever this cron pattern matches: minute, hour, day, month, weekday; or six fields with seconds first
    #[arg(long, env = "DRAYAGE_CRON", value_name = "PATTERN")]
    cron: Option<String>,
}

impl ScheduleArguments {
    /// The options of every run, if they go together.
    pub(crate) fn options(&self) -> Result<RunOptions, RunError> {
        // A run that is due is not to be lost because another one goes on.
        checked(RunOptions { wait: true, ..self.selection.options() })
    }

    /// When runs are due.
    pub(crate) fn timetable(&self) -> Result<Timetable, RunError> {
        let of_cron = |pattern: &String| {
            Timetable::cron(pattern, self.timezone).map_err(|why| format!("--cron \"{pattern}\": {why}"))
        };
        let of_times = || Timetable::at(&self.times.at, self.timezone).map_err(|why| format!("--at: {why}"));
        self.times.cron.as_ref().map_or_else(of_times, of_cron).map_err(RunError::Usage)
    }
}

fn checked(options: RunOptions) -> Result<RunOptions, RunError> {
    conflict(&options, Spelling::Flags).map_or(Ok(options), |message| Err(RunError::Usage(message)))
}

fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

fn time_of_day(text: &str) -> Result<NaiveTime, String> {
    let text = text.trim();
    let read = |format| NaiveTime::parse_from_str(text, format);
    read("%H:%M").or_else(|_| read("%H:%M:%S")).map_err(|_| "expected a time of day like 02:30".into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn options(arguments: &str) -> Result<RunOptions, String> {
        let words = ["orchestrator", "run", "--pipeline", "p.yaml"].into_iter().chain(arguments.split_whitespace());
        let Command::Run(run) = Cli::try_parse_from(words).map_err(|error| error.to_string())?.command else {
            panic!("not a run")
        };
        run.options().map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_holds_together() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn flags_are_read() {
        let read = options(
            "--source a --source b --account x,y --stream jobs,calls --stream leads\\,new --from 2026-01-01 --to 2026-02-01T00:00:00+01:00 \
             --allow-mass-delete --force --rewrite --take-over --wait --extract-tasks 3 --run-id 20260131T235900Z-a1b2c3",
        )
        .unwrap();
        assert_eq!(read.sources, ["a", "b"]);
        assert_eq!(read.accounts, ["x", "y"]);
        assert_eq!(read.streams, ["jobs", "calls", "leads,new"]);
        let (from, to) = read.window.unwrap();
        assert_eq!(
            (from.to_rfc3339(), to.to_rfc3339()),
            ("2026-01-01T00:00:00+00:00".into(), "2026-01-31T23:00:00+00:00".into())
        );
        assert!(
            read.allow_mass_delete && read.force && read.rewrite && read.take_over && read.wait && !read.full_refresh
        );
        assert_eq!(read.extract_tasks, Some(3));
        assert!(matches!(read.run_id, Some(RunChoice::Id(_))));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (arguments, says) in [
            ("--only extract --force", "--force concerns the load"),
            ("--only load --full-refresh", "--full-refresh concerns the extract"),
            ("--only load --from 2026-01-01 --to 2026-01-02", "--from/--to concerns the extract"),
            ("--full-refresh --from 2026-01-01 --to 2026-01-02", "exclude each other"),
            ("--from 2026-01-02 --to 2026-01-02", "--from must be before --to"),
            ("--from 2026-01-02", "--to <TS>"),
            ("--from tuesday --to 2026-01-02", "expected a time like"),
            ("--run-id latest", "goes with `--only load`"),
            ("--run-id ../x", "is no run id"),
            ("--extract-tasks 0", "not in 1..=256"),
            ("--only both", "[possible values: extract, load]"),
        ] {
            let error = options(arguments).unwrap_err();
            assert!(error.contains(says), "{arguments}: {error}");
        }
        assert!(options("--only load --run-id latest").is_ok());
    }

    fn schedule(arguments: &[&str]) -> Result<(RunOptions, Timetable), String> {
        let words = ["orchestrator", "schedule", "--pipeline", "p.yaml"].iter().chain(arguments);
        let Command::Schedule(schedule) = Cli::try_parse_from(words).map_err(|error| error.to_string())?.command else {
            panic!("no schedule")
        };
        let timetable = schedule.timetable().map_err(|error| error.to_string())?;
        Ok((schedule.options().map_err(|error| error.to_string())?, timetable))
    }

    #[test]
    fn times_are_read() {
        let after = "2026-01-31T03:00:00Z".parse().unwrap();
        let next = |arguments: &[&str]| {
            let (_, timetable) = schedule(arguments).unwrap();
            timetable.show(timetable.next(after).unwrap())
        };
        assert_eq!(next(&["--at", "02:30, 04:00"]), "2026-01-31T04:00:00Z");
        assert_eq!(next(&["--at", "02:30", "--at", "2:59:59"]), "2026-02-01T02:30:00Z");
        assert_eq!(next(&["--cron", "0 */6 * * *", "--timezone", "utc"]), "2026-01-31T06:00:00Z");
        let (options, _) = schedule(&["--at", "02:30", "--source", "a", "--wait", "--full-refresh"]).unwrap();
        assert!(options.sources == ["a"] && options.wait && options.full_refresh);
    }

    #[test]
    fn wrong_times_are_refused() {
        for (arguments, says) in [
            (&[][..], "required arguments were not provided"),
            (&["--at", "02:30", "--cron", "* * * * *"], "cannot be used with"),
            (&["--at", "25:00"], "expected a time of day like 02:30"),
            (&["--cron", "0 */6"], "--cron \"0 */6\": "),
            (&["--cron", "0 0 30 2 *"], "it never comes"),
            (&["--at", "02:30", "--timezone", "Moon"], "expected `UTC`, `local`, or a name"),
            (&["--at", "02:30", "--only", "extract", "--force"], "--force concerns the load"),
            (&["--at", "02:30", "--run-id", "latest"], "unexpected argument '--run-id'"),
        ] {
            let error = schedule(arguments).unwrap_err();
            assert!(error.contains(says), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn a_token_is_no_text_to_be_shown() {
        let words = ["orchestrator", "serve", "--pipeline", "p.yaml", "--token", "s3cr3t", "--listen", ""];
        let Command::Serve(serve) = Cli::try_parse_from(words).unwrap().command else { panic!("no server") };
        assert_eq!((serve.token().unwrap().expose(), serve.listen()), ("s3cr3t", None));
        assert!(!format!("{serve:?}").contains("s3cr3t"));
    }
}
