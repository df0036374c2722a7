//! One command from its arguments to its exit code: results to standard output, everything else to standard error.
//! With `--output json` standard output holds one JSON object, also when nothing could be begun.

use crate::cli::{Cli, Command, DemoArguments, Output, RunArguments};
use crate::error::RunError;
use crate::launcher;
use crate::run::run;
use crate::stage::Stage;
use crate::summary::{RunSummary, text};
use contract::exit::Exit;
use contract::pipeline::{Pipeline, WarehouseEntry};
use contract::secret::Machine;
use contract::shutdown::Shutdown;
use contract::telemetry;
use serde_json::{Map, json};

/// Runs the command, prints its result, and tells how the program ends.
pub async fn execute(cli: Cli, shutdown: &Shutdown) -> Exit {
    match cli.command {
        Command::Run(arguments) => {
            let result = run_command(&arguments, shutdown).await;
            finish(arguments.output, result, |output, summary: &RunSummary| {
                match output {
                    Output::Text => telemetry::print(&text::render(summary)),
                    Output::Json => print_json(summary),
                }
                summary.exit()
            })
        }
        Command::Demo(arguments) => demo_command(&arguments, shutdown).await,
        Command::Serve(_) => refuse("`orchestrator serve`", "start `orchestrator run` from a scheduler"),
        Command::Schedule(_) => refuse("`orchestrator schedule`", "start `orchestrator run` from cron"),
    }
}

async fn run_command(arguments: &RunArguments, shutdown: &Shutdown) -> Result<RunSummary, RunError> {
    let options = arguments.options()?;
    let pipeline = Pipeline::read(&arguments.pipeline, &Machine)?;
    if matches!(pipeline.warehouse, WarehouseEntry::Bigquery { .. }) && options.only != Some(Stage::Extract) {
        return Err(RunError::NotYet("`warehouse: {type: bigquery}`", "use `type: duckdb`, or `--only extract`"));
    }
    let launcher = launcher::choose(&pipeline)?;
    run(&pipeline, &options, launcher.as_ref(), shutdown).await
}

#[cfg(feature = "demo")]
async fn demo_command(arguments: &DemoArguments, shutdown: &Shutdown) -> Exit {
    let tell = |text: &str| {
        if arguments.output == Output::Text {
            telemetry::print(text);
        }
    };
    let result = crate::demo::demo(&arguments.dir, &tell, shutdown).await;
    finish(arguments.output, result, |output, report| {
        if output == Output::Json {
            print_json(report);
        }
        report.exit()
    })
}

#[cfg(not(feature = "demo"))]
async fn demo_command(_: &DemoArguments, _: &Shutdown) -> Exit {
    refuse("`orchestrator demo` in this build", "build it with `--features demo`")
}

fn refuse(what: &'static str, instead: &'static str) -> Exit {
    finish(Output::Text, Err(RunError::NotYet(what, instead)), |_, (): &()| Exit::Done)
}

fn finish<T>(output: Output, result: Result<T, RunError>, print: impl FnOnce(Output, &T) -> Exit) -> Exit {
    let error = match result {
        Ok(result) => return print(output, &result),
        Err(error) => error,
    };
    complain("ERROR", &error.to_string());
    if let Some(hint) = error.hint() {
        complain("INFO", &hint);
    }
    let exit = error.exit();
    if output == Output::Json {
        let errors = [error.to_string()];
        print_json(&json!({ "run_id": null, "status": "failed", "exit_code": exit.code(), "errors": errors }));
    }
    exit
}

/// Shows a line as the jobs' log lines are shown: readable on a terminal, JSON elsewhere.
fn complain(severity: &str, message: &str) {
    telemetry::relay(&telemetry::log_line(severity, message, Map::new()));
}

fn print_json(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => telemetry::print(&text),
        // Reports are plain data; only a bug in them could bring us here.
        Err(error) => complain("ERROR", &format!("failed to print the result: {error}")),
    }
}
