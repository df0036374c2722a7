//! What follows once the files are written: the check of the connection, the first load, and what to do next. The commands run as
//! processes of this same program, so that they are what the person will type afterwards.

use super::ask::{Ask, Question};
use super::place::Place;
use super::stop::Stop;
use super::streams::{first_to_load, tables};
use anyhow::{Context, Result};
use contract::exit::Exit;
use contract::name_list::escaped;
use contract::shutdown::Shutdown;
use extract_job::StreamDescription;
use orchestrator::{shell_word, terminate};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use tokio::process::Command;
use tokio::runtime::Runtime;

/// Flags that `init` takes from the environment and that would mean a choice to the commands.
const OWN_SETTINGS: [&str; 3] = ["DRAYAGE_ACCOUNT", "DRAYAGE_STREAM", "DRAYAGE_PIPELINE"];

/// What has been set up.
pub(crate) struct SetUp<'a> {
    pub(crate) place: &'a Place,
    pub(crate) streams: &'a [StreamDescription],
    /// The DuckDB file as the pipeline file names it.
    pub(crate) warehouse: &'a str,
    pub(crate) has_secrets: bool,
}

/// Which of the steps are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) connect: bool,
    /// The stream to load; one is offered where a person can answer.
    pub(crate) load: Option<&'a str>,
}

impl SetUp<'_> {
    /// Runs what is wanted and tells what goes on from here.
    ///
    /// # Errors
    /// A command cannot be started.
    pub(crate) fn follow_up(&self, wanted: Wanted<'_>, ask: Option<&mut dyn Ask>) -> Result<Exit> {
        let commands = Commands::new()?;
        let file = self.place.file.as_str();
        if wanted.connect {
            let check = ["check", "--connect", "--pipeline", file];
            println!("\n$ {}", shown(&check));
            let exit = commands.run(&check)?;
            if exit != Exit::Done {
                self.correct(&check);
                return Ok(exit);
            }
        }
        let load = match (wanted.load, ask) {
            (Some(stream), _) => Some(stream.to_owned()),
            (None, Some(ask)) if wanted.connect => self.offer(ask)?,
            (None, _) => None,
        };
        if let Some(stream) = &load {
            let run = ["run", "--pipeline", file, "--stream", &escaped(stream)];
            println!("\n$ {}", shown(&run));
            let exit = commands.run(&run)?;
            if exit != Exit::Done {
                self.correct(&run);
                return Ok(exit);
            }
        }
        self.next(load.as_deref());
        Ok(Exit::Done)
    }

    /// The stream that a person wants to load now; none if they give up, for the files are there already.
    fn offer(&self, ask: &mut dyn Ask) -> Result<Option<String>> {
        let mut options: Vec<String> = self.streams.iter().map(|stream| stream.name.clone()).collect();
        options.push("nothing".into());
        let question = Question::new("Load a stream now, to see it work?", "");
        match ask.choose(&question, &options, first_to_load(self.streams)) {
            Ok(chosen) => Ok(self.streams.get(chosen).map(|stream| stream.name.clone())),
            Err(Stop::Cancelled) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    fn correct(&self, command: &[&str]) {
        let secrets =
            if self.has_secrets { format!(" or {}", self.place.beside(".env").display()) } else { String::new() };
        println!(
            "\nThe files are written, but this failed. Correct {}{secrets}, then try again:\n\n  {}",
            self.place.file,
            shown(command)
        );
    }

    fn next(&self, loaded: Option<&str>) {
        let file = shell_word(&self.place.file);
        println!("\nNext:\n\n  drayage run --pipeline {file}        # all streams of the file, whenever you like");
        println!("  drayage streams --pipeline {file}    # what they are");
        let place = self.streams.iter().position(|stream| Some(stream.name.as_str()) == loaded).unwrap_or_default();
        let Some(table) = tables(self.streams).into_iter().nth(place) else { return };
        let warehouse = if Path::new(self.warehouse).is_absolute() {
            PathBuf::from(self.warehouse)
        } else {
            self.place.beside(self.warehouse.strip_prefix("./").unwrap_or(self.warehouse))
        };
        let when = if loaded.is_some() { "The rows" } else { "The rows, after a run" };
        println!(
            "\n{when} (no DuckDB on this machine yet? pip install duckdb-cli):\n\n  duckdb {} \"SELECT * FROM bronze.{table} LIMIT 10\"",
            shell_word(&warehouse.display().to_string()),
        );
    }
}

/// A command of this program as the person would type it.
fn shown(words: &[&str]) -> String {
    ["drayage"].iter().chain(words).map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
}

/// Starts commands of this program and waits for each.
struct Commands {
    runtime: Runtime,
    shutdown: Shutdown,
    program: PathBuf,
}

impl Commands {
    fn new() -> Result<Self> {
        let program = std::env::current_exe().context("find this program")?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
        // Ctrl-c reaches the command by the terminal; this process waits for how it ends.
        let shutdown = runtime.block_on(async { Shutdown::on_signals() }).context("handle signals")?;
        Ok(Self { runtime, shutdown, program })
    }

    fn run(&self, words: &[&str]) -> Result<Exit> {
        let mut command = Command::new(&self.program);
        command.args(words);
        for name in OWN_SETTINGS {
            command.env_remove(name);
        }
        let waited: std::io::Result<ExitStatus> = self.runtime.block_on(async {
            let mut child = command.spawn()?;
            tokio::select! {
                status = child.wait() => return status,
                reason = self.shutdown.requested() => if reason != "SIGINT" { terminate(&mut child) },
            }
            child.wait().await
        });
        let status = waited.with_context(|| format!("run {}", shown(words)))?;
        Ok(Exit::from_code(status.code()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_what_a_person_would_type() {
        assert_eq!(shown(&["run", "--pipeline", "a b.yaml"]), "drayage run --pipeline 'a b.yaml'");
    }
}
