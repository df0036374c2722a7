//! One command from its arguments to its exit code: results to standard output, everything else to standard error.
//! With `--output json` standard output holds one JSON object, also when nothing could be begun.

use crate::cli::{
    Cli, Command, DemoArguments, Output, PruneArguments, RunArguments, ScheduleArguments, ServeArguments,
};
use crate::error::RunError;
use crate::schedule::schedule;
use crate::serve::{Settings, serve};
use crate::summary::{RunSummary, text};
use crate::trigger;
use clap::Parser;
use contract::exit::Exit;
use contract::prune::Act;
use contract::shutdown::Shutdown;
use contract::telemetry;
use serde_json::{Map, json};
use std::process::ExitCode;

/// The whole program: reads the command line, runs it, and tells how the process ends. Wrong usage ends it at once, with exit code 2.
pub fn main() -> ExitCode {
    start(Cli::parse().command)
}

/// The program after its command line was read.
pub fn start(command: Command) -> ExitCode {
    telemetry::init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime does not start: {error}");
            return Exit::Unreachable.into();
        }
    };
    let exit = runtime.block_on(async {
        match Shutdown::on_signals() {
            Ok(shutdown) => execute(command, &shutdown).await,
            Err(error) => {
                eprintln!("error: the system refuses signal handlers: {error}");
                Exit::Unreachable
            }
        }
    });
    exit.into()
}

/// Runs the command, prints its result, and tells how the program ends.
async fn execute(command: Command, shutdown: &Shutdown) -> Exit {
    match command {
        Command::Run(arguments) => run_command(&arguments, shutdown).await,
        Command::Demo(arguments) => demo_command(&arguments, shutdown).await,
        Command::Serve(arguments) => serve_command(&arguments, shutdown).await,
        Command::Schedule(arguments) => schedule_command(&arguments, shutdown).await,
        Command::Prune(arguments) => prune_command(&arguments, shutdown).await,
    }
}

async fn run_command(arguments: &RunArguments, shutdown: &Shutdown) -> Exit {
    let options = match arguments.options() {
        Ok(options) => options,
        Err(error) => return show(arguments.output, &Err(error)),
    };
    let attempt = trigger::attempt(&arguments.pipeline, &options, shutdown, |_| {}).await;
    let exit = show(arguments.output, &attempt.result);
    attempt.tell(None, shutdown).await;
    exit
}

async fn serve_command(arguments: &ServeArguments, shutdown: &Shutdown) -> Exit {
    let (path, listen, token) = (arguments.pipeline.clone(), arguments.listen(), arguments.token());
    let result = serve(Settings { path, listen, token }, shutdown).await;
    finish(Output::Text, &result, |_, exit| *exit)
}

async fn schedule_command(arguments: &ScheduleArguments, shutdown: &Shutdown) -> Exit {
    let run = async {
        let (options, timetable) = (arguments.options()?, arguments.timetable()?);
        let show = |result: &_| show(arguments.output, result);
        schedule(&arguments.pipeline, &options, &timetable, shutdown, show).await
    };
    finish(arguments.output, &run.await, |_, exit| *exit)
}

async fn prune_command(arguments: &PruneArguments, shutdown: &Shutdown) -> Exit {
    let act = if arguments.dry_run { Act::Count } else { Act::Remove };
    let result = crate::prune::by_hand(&arguments.pipeline, arguments.keep, act, shutdown).await;
    finish(arguments.output, &result, |output, pruned| {
        match output {
            Output::Text => telemetry::print(&crate::prune::told(pruned, act)),
            Output::Json => print_json(&json!({
                "batches": pruned.batches, "rejects": pruned.rejects, "bytes": pruned.bytes, "kept": pruned.kept,
            })),
        }
        Exit::Done
    })
}

/// Prints what came of a run.
fn show(output: Output, result: &Result<RunSummary, RunError>) -> Exit {
    finish(output, result, |output, summary| {
        match output {
            Output::Text => telemetry::print(&text::render(summary)),
            Output::Json => print_json(summary),
        }
        summary.exit()
    })
}

#[cfg(feature = "demo")]
async fn demo_command(arguments: &DemoArguments, shutdown: &Shutdown) -> Exit {
    let tell = |text: &str| {
        if arguments.output == Output::Text {
            telemetry::print(text);
        }
    };
    let result = crate::demo::demo(&arguments.dir, &tell, shutdown).await;
    finish(arguments.output, &result, |output, report| {
        if output == Output::Json {
            print_json(report);
        }
        report.exit()
    })
}

#[cfg(not(feature = "demo"))]
async fn demo_command(_: &DemoArguments, _: &Shutdown) -> Exit {
    let refused = RunError::NotYet("the demo in this build", "build it with `--features demo`");
    finish(Output::Text, &Err(refused), |_, (): &()| Exit::Done)
}

fn finish<T>(output: Output, result: &Result<T, RunError>, print: impl FnOnce(Output, &T) -> Exit) -> Exit {
    let error = match result {
        Ok(result) => return print(output, result),
        Err(error) => error,
    };
    if let RunError::Merged { run_id } = error {
        complain("INFO", &error.to_string());
        if output == Output::Json {
            print_json(&json!({ "run_id": run_id, "status": "merged", "exit_code": Exit::Done.code(), "errors": [] }));
        }
        return Exit::Done;
    }
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
