//! The command line: every flag has an environment variable `DRAYAGE_<FLAG>`, lists are separated by commas there.
//! What cannot be said together is refused before anything is read.

use crate::error::RunError;
use crate::run::{RunChoice, RunOptions};
use crate::stage::Stage;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Runs a Drayage pipeline: starts extract-job, waits, starts load-job, waits, reports.
///
/// Exit codes: 0 all units done; 1 some units failed, the others are done; 2 wrong usage, pipeline file or manifest;
/// 3 nothing could be done (landing zone or warehouse out of reach, or another run holds the lease).
#[derive(Debug, Parser)]
#[command(name = "orchestrator", version)]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline once
    Run(RunArguments),
    /// See it all: a stand-in of ServiceTitan, loaded into a DuckDB file twice, with changes in between
    Demo(DemoArguments),
    #[command(hide = true)]
    Serve(Later),
    #[command(hide = true)]
    Schedule(Later),
}

/// A command that is planned; whatever follows its name is swallowed, so that the refusal is about the name.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Later {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _rest: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Tables
    #[default]
    Text,
    /// One JSON object
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// The folder to work in; it is created, and an earlier demo in it is wiped
    #[arg(long, env = "DRAYAGE_DIR", default_value = "./drayage-demo")]
    pub(crate) dir: PathBuf,
    /// What to print to standard output
    #[arg(long, env = "DRAYAGE_OUTPUT", value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The pipeline file
    #[arg(long, env = "DRAYAGE_PIPELINE", value_name = "FILE")]
    pub(crate) pipeline: String,
    /// Run only this stage
    #[arg(long, env = "DRAYAGE_ONLY", value_enum)]
    only: Option<Stage>,
    /// The run's id: of the run to load with `--only load` (default there: latest), else of the run to begin or to go on with
    #[arg(long, env = "DRAYAGE_RUN_ID", value_name = "ID")]
    run_id: Option<RunChoice>,
    /// Only this source; may be repeated
    #[arg(long = "source", env = "DRAYAGE_SOURCE", value_name = "S", value_delimiter = ',')]
    sources: Vec<String>,
    /// Only this account; may be repeated
    #[arg(long = "account", env = "DRAYAGE_ACCOUNT", value_name = "A", value_delimiter = ',')]
    accounts: Vec<String>,
    /// Only this stream; may be repeated
    #[arg(long = "stream", env = "DRAYAGE_STREAM", value_name = "T", value_delimiter = ',')]
    streams: Vec<String>,
    /// Extract everything anew, whatever the checkpoints say
    #[arg(long, env = "DRAYAGE_FULL_REFRESH", value_parser = FalseyValueParser::new())]
    full_refresh: bool,
    /// Backfill from this time: RFC 3339, or a date for its midnight in UTC; moves no checkpoint
    #[arg(long, env = "DRAYAGE_FROM", value_name = "TS", value_parser = parse_instant, requires = "to")]
    from: Option<DateTime<Utc>>,
    /// Backfill up to this time
    #[arg(long, env = "DRAYAGE_TO", value_name = "TS", value_parser = parse_instant, requires = "from")]
    to: Option<DateTime<Utc>>,
    /// Load a snapshot even if it marks more rows as deleted than max_delete_fraction allows
    #[arg(long, env = "DRAYAGE_ALLOW_MASS_DELETE", value_parser = FalseyValueParser::new())]
    allow_mass_delete: bool,
    /// Load a batch though a newer one was applied already
    #[arg(long, env = "DRAYAGE_FORCE", value_parser = FalseyValueParser::new())]
    force: bool,
    /// Write every row of the batch anew, for example after a change of column hints
    #[arg(long, env = "DRAYAGE_REWRITE", value_parser = FalseyValueParser::new())]
    rewrite: bool,
    /// Wait for a run that is going on instead of stopping with exit code 3
    #[arg(long, env = "DRAYAGE_WAIT", value_parser = FalseyValueParser::new())]
    wait: bool,
    /// How many extract processes run side by side (default: the pipeline file's orchestrator.extract_tasks, or 1)
    #[arg(long, env = "DRAYAGE_EXTRACT_TASKS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    extract_tasks: Option<u16>,
    /// What to print to standard output
    #[arg(long, env = "DRAYAGE_OUTPUT", value_enum, default_value_t)]
    pub(crate) output: Output,
}

impl RunArguments {
    /// The options of the run, if they go together.
    pub(crate) fn options(&self) -> Result<RunOptions, RunError> {
        self.conflicts().map_or(Ok(()), |message| Err(RunError::Usage(message)))?;
        // An empty variable is no name.
        let named = |list: &[String]| list.iter().filter(|name| !name.is_empty()).cloned().collect();
        Ok(RunOptions {
            only: self.only,
            run_id: self.run_id.clone(),
            sources: named(&self.sources),
            accounts: named(&self.accounts),
            streams: named(&self.streams),
            full_refresh: self.full_refresh,
            window: self.from.zip(self.to),
            allow_mass_delete: self.allow_mass_delete,
            force: self.force,
            rewrite: self.rewrite,
            wait: self.wait,
            extract_tasks: self.extract_tasks.map(usize::from),
        })
    }

    fn conflicts(&self) -> Option<String> {
        let of_extract = [("--full-refresh", self.full_refresh), ("--from/--to", self.from.is_some())];
        let of_load =
            [("--allow-mass-delete", self.allow_mass_delete), ("--force", self.force), ("--rewrite", self.rewrite)];
        let first = |flags: &[(&'static str, bool)]| flags.iter().find(|(_, set)| *set).map(|(flag, _)| *flag);
        let useless = match self.only {
            Some(Stage::Extract) => first(&of_load).map(|flag| (flag, Stage::Load)),
            Some(Stage::Load) => first(&of_extract).map(|flag| (flag, Stage::Extract)),
            None => None,
        };
        if let Some((flag, stage)) = useless {
            return Some(format!("{flag} concerns the {stage}, which `--only` leaves out"));
        }
        if self.full_refresh && self.from.is_some() {
            return Some("--full-refresh and --from/--to exclude each other".into());
        }
        if self.from.zip(self.to).is_some_and(|(from, to)| from >= to) {
            return Some("--from must be before --to".into());
        }
        if self.run_id == Some(RunChoice::Latest) && self.only != Some(Stage::Load) {
            return Some("`--run-id latest` goes with `--only load`: a run that extracts gets an id of its own".into());
        }
        None
    }
}

fn parse_instant(text: &str) -> Result<DateTime<Utc>, String> {
    let date = || text.parse::<NaiveDate>().map(|date| date.and_time(NaiveTime::MIN).and_utc());
    let instant = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).or_else(|_| date());
    instant.map_err(|_| "expected a time like 2026-01-31T00:00:00Z, or a date".into())
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
            "--source a --source b --account x,y --stream jobs --from 2026-01-01 --to 2026-02-01T00:00:00+01:00 \
             --allow-mass-delete --force --rewrite --wait --extract-tasks 3 --run-id 20260131T235900Z-a1b2c3",
        )
        .unwrap();
        assert_eq!(read.sources, ["a", "b"]);
        assert_eq!(read.accounts, ["x", "y"]);
        assert_eq!(read.streams, ["jobs"]);
        let (from, to) = read.window.unwrap();
        assert_eq!(
            (from.to_rfc3339(), to.to_rfc3339()),
            ("2026-01-01T00:00:00+00:00".into(), "2026-01-31T23:00:00+00:00".into())
        );
        assert!(read.allow_mass_delete && read.force && read.rewrite && read.wait && !read.full_refresh);
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

    #[test]
    fn commands_to_come_are_known_by_name() {
        for words in [["orchestrator", "serve", "--pipeline"], ["orchestrator", "schedule", "--help"]] {
            let command = Cli::try_parse_from(words).unwrap().command;
            assert!(matches!(command, Command::Serve(_) | Command::Schedule(_)));
        }
    }
}
