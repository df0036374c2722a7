//! `drayage init`: from nothing to a pipeline that runs. Asks for what it needs, or takes it from flags; writes the pipeline file, its
//! schema and `.env`; then tries the connection. A secret goes into `.env` and nowhere else.

mod answers;
mod arguments;
mod ask;
mod connector;
mod env_text;
mod files;
mod follow_up;
mod interview;
mod judge;
mod lock;
mod pipeline_text;
mod place;
mod secrets;
mod setting;
mod stop;
mod streams;
mod terminal;
mod value;
mod yaml;

pub(crate) use arguments::InitArguments;

use answers::{Answers, gather};
use arguments::{LANDING, WAREHOUSE, given};
use ask::Ask;
use contract::exit::Exit;
use contract::pipeline::{Pipeline, pipeline_schema};
use contract::secret::{DOTENV, Machine};
use contract::telemetry::harmless;
use files::{Files, TEMPORARIES};
use follow_up::{SetUp, Wanted};
use lock::FolderLock;
use pipeline_text::{PipelineText, SCHEMA};
use place::Place;
use secrets::Variables;
use serde_json::Value;
use setting::{Setting, settings};
use std::process::ExitCode;
use stop::Stop;
use terminal::Terminal;
use value::at;

/// What git must not see: secrets, and the data where it lies in its default place.
const DATA: &str = "/data/";

/// Sets a pipeline up.
pub(crate) fn start(arguments: &InitArguments) -> ExitCode {
    set_up(arguments)
        .unwrap_or_else(|stop| {
            eprintln!("error: {}", harmless(&stop.to_string()));
            stop.exit()
        })
        .into()
}

fn set_up(arguments: &InitArguments) -> Result<Exit, Stop> {
    let place = Place::of(&arguments.pipeline)?;
    let mut terminal = Terminal::open().filter(|_| !arguments.no_input);
    let answers = gather(arguments, &place, terminal.as_mut().map(|terminal| terminal as &mut dyn Ask))?;
    answers.warnings.iter().for_each(|warning| eprintln!("warning: {}", harmless(warning)));
    let has_secrets = write(arguments, &place, &answers)?;
    let set_up = SetUp { place: &place, streams: &answers.streams, warehouse: &arguments.warehouse, has_secrets };
    let wanted = Wanted { connect: !arguments.no_connect, load: given(arguments.load.as_ref()) };
    Ok(set_up.follow_up(wanted, terminal.as_mut().map(|terminal| terminal as &mut dyn Ask))?)
}

/// Writes the files; tells whether secrets lie in `.env`.
fn write(arguments: &InitArguments, place: &Place, answers: &Answers) -> Result<bool, Stop> {
    let _lock = FolderLock::take(&place.folder)?;
    // What lies there may have changed since the first question.
    let place = &Place::of(&arguments.pipeline)?;
    let spec = answers.judge.manifest.spec().cloned().unwrap_or_default();
    let environment = |name: &str| std::env::var(name).ok();
    let mut variables = Variables::new(&answers.account, &place.dotenv, &environment);
    let mut settings = answers.settings.clone();
    variables.hide(&spec, &mut settings, &[]);
    if !variables.wrong.is_empty() {
        return Err(Stop::Wrong(variables.wrong));
    }
    let text = PipelineText {
        landing: &arguments.landing,
        warehouse: &arguments.warehouse,
        connector: &answers.connector,
        source: answers.source.as_deref(),
        account: &answers.account,
        settings: &settings,
        unset: unset(&spec, &settings),
        streams: &answers.streams,
    }
    .render();
    Pipeline::parse(&arguments.pipeline, &text, &place.folder, &Machine)
        .map_err(|problems| Stop::wrong(problems.to_string()))?;
    let new = variables.new.len();
    let dotenv = match new {
        0 => None,
        _ => Some(env_text::extended(&files::read(&place.beside(DOTENV))?, &answers.account, &variables.new)?),
    };
    let mut ignored = vec![DOTENV, TEMPORARIES];
    if arguments.landing == LANDING || arguments.warehouse == WAREHOUSE {
        ignored.push(DATA);
    }
    let schema = format!("{:#}\n", pipeline_schema());
    let written = Files { pipeline: text, schema: (SCHEMA, schema), dotenv, ignored }.write(place)?;
    println!("Written: {}", written.join(", "));
    if new > 0 {
        let secrets = if new == 1 { "secret".to_owned() } else { format!("{new} secrets") };
        println!(
            "{} holds the {secrets}, readable only by you; .gitignore keeps it out of git.",
            place.beside(DOTENV).display()
        );
    }
    Ok(new > 0 || place.dotenv.place().is_some())
}

/// The settings that are left to their defaults.
fn unset(spec: &Value, given: &Value) -> Vec<String> {
    settings(spec, &[]).iter().filter(|setting| at(given, &setting.path).is_none()).map(Setting::key).collect()
}
