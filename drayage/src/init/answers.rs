//! All that has to be known before anything is written: from flags, and from a person for what they leave out. Everything that is wrong
//! with the flags is told at once, before the first question; without a person, so is everything that is missing.

use super::arguments::{InitArguments, given};
use super::ask::{Ask, Question};
use super::connector::Connector;
use super::interview::interview;
use super::judge::Judge;
use super::place::Place;
use super::setting::{Setting, settings};
use super::stop::Stop;
use super::streams::{choose, named, some_names, twice};
use super::value::{at, put, read};
use contract::landing::paths::is_safe_segment;
use extract_job::StreamDescription;
use serde_json::{Map, Value};
use std::rc::Rc;

/// What an account's id may look like.
const ID_FORM: &str = "use letters, digits, `_`, `-` and `.`, not starting with a dot";

/// What is to be set up.
pub(crate) struct Answers {
    /// The connector as the pipeline file names it.
    pub(crate) connector: String,
    pub(crate) source: Option<String>,
    pub(crate) account: String,
    pub(crate) judge: Rc<Judge>,
    /// The account's settings, secrets included.
    pub(crate) settings: Value,
    pub(crate) streams: Vec<StreamDescription>,
    /// What the person should know, though it stops nothing.
    pub(crate) warnings: Vec<String>,
}

/// What keeps flags alone from being enough.
#[derive(Default)]
struct Lacks {
    wrong: Vec<String>,
    missing: Vec<(String, String)>,
}

impl Lacks {
    fn miss(&mut self, flag: impl Into<String>, what: impl Into<String>) {
        self.missing.push((flag.into(), what.into()));
    }

    fn stop(self) -> Result<(), Stop> {
        let mut lines = self.wrong;
        if !self.missing.is_empty() {
            let width = self.missing.iter().map(|(flag, _)| flag.len()).max().unwrap_or_default();
            lines.push("missing, and there is no terminal to ask on:".into());
            lines.extend(
                self.missing.iter().map(|(flag, what)| format!("  {flag:width$}  {what}").trim_end().to_owned()),
            );
        }
        if lines.is_empty() { Ok(()) } else { Err(Stop::Wrong(lines)) }
    }
}

/// Gathers the answers.
///
/// # Errors
/// Flags are wrong or, without a person, missing; or the person has given up.
pub(crate) fn gather(arguments: &InitArguments, place: &Place, mut ask: Option<&mut dyn Ask>) -> Result<Answers, Stop> {
    let mut lacks = Lacks::default();
    let account = given(arguments.account.as_ref());
    if let Some(id) = account.filter(|id| !is_safe_segment(id)) {
        lacks.wrong.push(format!("--account {id}: {ID_FORM}"));
    }
    let connector = match (given(arguments.connector.as_ref()), ask.as_deref_mut()) {
        (Some(written), _) => Connector::open(written, place)?,
        (None, Some(ask)) => {
            lacks.stop()?;
            lacks = Lacks::default();
            Connector::choose(ask, place)?
        }
        (None, None) => {
            lacks.miss("CONNECTOR", "a built-in connector's name, or the path of a manifest of your own");
            if account.is_none() {
                lacks.miss("--account ID", "a short name for the account");
            }
            if arguments.settings.is_empty() {
                lacks.miss("--set KEY=VALUE", "each setting that the connector needs");
            }
            if arguments.streams().is_empty() {
                lacks.miss("--stream NAME", "the streams to read");
            }
            return Err(lacks.stop().err().unwrap_or(Stop::Cancelled));
        }
    };
    let Connector { name, source, manifest } = connector;
    let judge = Rc::new(Judge { manifest, base: place.folder.clone(), dotenv: place.dotenv.clone() });
    let spec = judge.manifest.spec().cloned().unwrap_or_default();
    let mut given_settings = flags(arguments, &spec, &mut lacks);
    let unsaid = judged(&judge, &spec, &given_settings, &mut lacks);
    let names = arguments.streams();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let described = |settings: &Value| {
        judge.manifest.describe_streams(&judge.resolved(settings)).map_err(|problems| Stop::wrong(problems.to_string()))
    };
    let all = described(&given_settings)?;
    let mut chosen = Vec::new();
    match named(&names, &all) {
        Ok(streams) => chosen = streams,
        // Settings that are still to come may make more streams.
        Err(_) if ask.is_some() => {}
        Err(wrong) => lacks.wrong.extend(wrong),
    }
    let load = given(arguments.load.as_ref());
    if let Some(load) = load.filter(|load| !names.is_empty() && !names.contains(load)) {
        lacks.wrong.push(format!("--load {load}: this stream is not among those of --stream"));
    }
    let Some(ask) = ask else {
        if account.is_none() {
            lacks.miss("--account ID", "a short name for the account whose data this is");
        }
        let before = lacks.missing.len();
        missing_settings(&spec, &given_settings, &mut lacks);
        if lacks.missing.len() == before {
            // What only one of several alternatives needs.
            lacks.wrong.extend(unsaid);
        }
        if names.is_empty() {
            lacks.miss("--stream NAME", format!("one or more of: {}", some_names(&all)));
        }
        lacks.stop()?;
        let account = account.unwrap_or_default().to_owned();
        let warnings = twice(&chosen);
        return Ok(Answers {
            connector: name,
            source,
            account,
            judge,
            settings: given_settings,
            streams: chosen,
            warnings,
        });
    };
    // What is missing is asked for.
    lacks.stop()?;
    let account = match account {
        Some(account) => account.to_owned(),
        None => ask_account(ask)?,
    };
    given_settings = interview(ask, judge.clone(), given_settings)?;
    let problems: Vec<String> = judge.problems(&given_settings).iter().map(|p| said(&p.key, &p.message)).collect();
    if !problems.is_empty() {
        return Err(Stop::Wrong(problems));
    }
    let all = described(&given_settings)?;
    let mut warnings = Vec::new();
    let streams = if names.is_empty() {
        let mut chosen = choose(ask, &all)?;
        if let Some(load) = load.filter(|load| chosen.iter().all(|stream| stream.name != *load)) {
            chosen.extend(named(&[load], &all).map_err(Stop::Wrong)?);
        }
        chosen
    } else {
        let streams = named(&names, &all).map_err(Stop::Wrong)?;
        warnings = twice(&streams);
        streams
    };
    Ok(Answers { connector: name, source, account, judge, settings: given_settings, streams, warnings })
}

fn ask_account(ask: &mut dyn Ask) -> Result<String, Stop> {
    let question = Question::new(
        "A short name for the account",
        "The company whose data this is, as acme-hvac: it stands in every row, in the column _etl_account.",
    );
    let check = |text: &str| if is_safe_segment(text.trim()) { Ok(()) } else { Err(ID_FORM.to_owned()) };
    Ok(ask.text(&question, None, Rc::new(check))?.trim().to_owned())
}

/// The settings that flags give, as values of the types that the spec asks for.
fn flags(arguments: &InitArguments, spec: &Value, lacks: &mut Lacks) -> Value {
    let mut settings = Value::Object(Map::new());
    for setting in &arguments.settings {
        let Some((key, text)) = setting.expose().split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
            // What stands there may be a secret.
            lacks.wrong.push("--set: expected KEY=VALUE".into());
            continue;
        };
        let keys: Vec<&str> = key.trim().split('.').collect();
        let path: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        if at(&settings, &path).is_some() {
            lacks.wrong.push(format!("--set {key}: given twice"));
            continue;
        }
        let nothing = Value::Null;
        put(&mut settings, &path, read(text, Setting::schema_at(spec, &keys).unwrap_or(&nothing)));
    }
    settings
}

/// What is wrong with the settings that are given; returns what is missing, which may still be asked for.
fn judged(judge: &Judge, spec: &Value, settings: &Value, lacks: &mut Lacks) -> Vec<String> {
    let mut missing = Vec::new();
    for problem in judge.problems(settings) {
        let is_missing = problem.message.starts_with("the key `") && problem.message.ends_with("` is missing");
        if is_missing {
            missing.push(format!("--set: {}", said(&problem.key, &problem.message)));
        } else {
            let keys: Vec<&str> = problem.key.split('.').collect();
            let path: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            let schema = Setting::schema_at(spec, &keys).cloned().unwrap_or_default();
            let setting = Setting { path, schema: &schema, is_required: true };
            lacks.wrong.push(format!("--set {}", said(&problem.key, &setting.plainly(&problem.message))));
        }
    }
    missing
}

/// The settings that the spec requires, that have no default, and that no flag gives.
fn missing_settings(spec: &Value, given: &Value, lacks: &mut Lacks) {
    fn visit(schema: &Value, path: &[String], given: &Value, lacks: &mut Lacks) {
        for setting in settings(schema, path) {
            let value = at(given, &setting.path);
            if value.is_some_and(Value::is_object) {
                visit(setting.schema, &setting.path, given, lacks);
            } else if value.is_none() && setting.is_required && setting.default().is_none() {
                let value = if setting.is_secret() { "'${env:NAME}'" } else { "VALUE" };
                let what = format!("{}: {}", setting.title(), setting.help());
                lacks.miss(format!("--set {}={value}", setting.key()), what.trim_end_matches([' ', ':']));
            }
        }
    }
    visit(spec, &[], given, lacks);
}

fn said(key: &str, message: &str) -> String {
    if key.is_empty() { message.to_owned() } else { format!("{key}: {message}") }
}
