//! From the pipeline file to work units: connectors loaded, settings resolved and checked, streams chosen.
//! Everything that is wrong, in any file, is told at once and before anything is started.

use super::plain::{in_clear, literal_secrets, without_partitions};
use crate::components::concurrency_level::ConcurrencyLevel;
use crate::components::declarative_stream::DeclarativeStream;
use crate::components::expression::Scope;
use crate::components::http_api_budget::HttpApiBudget;
use crate::http::account::Account;
use crate::http::client::Client;
use crate::http::retry::Waits;
use crate::manifest::Manifest;
use crate::manifest::spec::with_lines;
use crate::read::hint_sight::HintSight;
use crate::record::redaction::{self, Redaction};
use crate::redactor::Redactor;
use crate::template::Names;
use chrono::Utc;
use contract::batch::Write;
use contract::pipeline::{
    AccountEntry, Pipeline, Problem, Problems, Redact, Redacted, Source, Span, StreamMode, did_you_mean, key_path,
};
use contract::secret::{self, Secret, SecretSource};
use contract::unit::Unit;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Which part of the pipeline is meant; an empty list means all.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Names of sources.
    pub sources: Vec<String>,
    /// Ids of accounts.
    pub accounts: Vec<String>,
    /// Names of streams.
    pub streams: Vec<String>,
}

/// All that is wrong, file by file.
#[derive(Debug)]
pub struct PlanError(pub Vec<Problems>);

impl std::error::Error for PlanError {}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("\n"))
    }
}

/// One stream of one account.
#[derive(Debug, Clone)]
pub(crate) struct WorkUnit {
    pub(crate) unit: Unit,
    pub(crate) table: String,
    pub(crate) stream: Arc<DeclarativeStream>,
    pub(crate) mode: StreamMode,
    pub(crate) write: Option<Write>,
    /// The JSON Schema of a record as it is stored: type hints for the load.
    pub(crate) schema: Option<Value>,
    pub(crate) redaction: Option<Arc<Redaction>>,
    /// What it takes out, for the load to know.
    pub(crate) redacted: Redacted,
    /// The fields that the pipeline file gives types.
    pub(crate) hints: Option<Arc<HintSight>>,
    /// How often it is read at most.
    pub(crate) every: Option<Span>,
}

/// One account and its work.
#[derive(Debug)]
pub(crate) struct AccountPlan {
    pub(crate) source: String,
    pub(crate) id: String,
    pub(crate) units: Vec<WorkUnit>,
    /// The streams by which a connection is checked.
    pub(crate) check: Vec<Arc<DeclarativeStream>>,
    /// The settings, resolved; null for an account that only another task can resolve.
    config: Value,
    redactor: Redactor,
    budget: Arc<HttpApiBudget>,
    concurrency: Arc<ConcurrencyLevel>,
    /// What people should know of its settings.
    pub(crate) warnings: Vec<String>,
}

impl AccountPlan {
    /// Whether its settings are resolved.
    pub(crate) fn is_known(&self) -> bool {
        !self.config.is_null()
    }

    /// The account with its connections; nothing is sent yet.
    pub(crate) fn open(&self, client: &Client, waits: Waits) -> Arc<Account> {
        let label = format!("{}/{}", self.source, self.id);
        let redactor = self.redactor.clone();
        let account = Account::new(label, &self.config, client.clone(), self.budget.clone(), redactor, waits);
        let scope = account.scope(Utc::now());
        let streams = self.units.iter().map(|work| &*work.stream).chain(self.check.iter().map(|stream| &**stream));
        Arc::new(account.with_slices(self.concurrency.slices(&scope)).with_streams(streams, &scope))
    }
}

/// Accounts by source and id.
pub(crate) type Accounts = BTreeSet<(String, String)>;

/// Whose secrets are fetched.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Share<'a> {
    /// Those of all that are selected.
    All,
    /// Those of these accounts; the settings of others that need some are another task's to resolve and to check.
    Of(&'a Accounts),
    /// Nobody's: another process has them.
    WithoutSecrets,
}

/// The accounts that are selected, in the order of the pipeline file. What needs secrets that are not fetched is not known of them.
///
/// # Errors
/// Everything that is wrong with filters, manifests and settings.
pub(crate) async fn plan(
    pipeline: &Pipeline,
    selection: &Selection,
    share: Share<'_>,
    from: &(dyn SecretSource + Sync),
) -> Result<Vec<AccountPlan>, PlanError> {
    let pairs = select(pipeline, selection)?;
    let is_mine = |source: &Source, entry: &AccountEntry| match share {
        Share::All => true,
        Share::Of(share) => share.contains(&(source.name.clone(), entry.id.clone())),
        Share::WithoutSecrets => false,
    };
    let has_secrets = !matches!(share, Share::WithoutSecrets);
    let all_mine = pairs.iter().all(|(source, entry)| is_mine(source, entry));
    let configs = pairs.iter().filter(|(source, entry)| is_mine(source, entry));
    let mut configs: Vec<Value> = configs.map(|(_, entry)| Value::Object(entry.config.clone())).collect();
    configs.extend(pipeline.redact_salt().filter(|_| has_secrets));
    let store = secret::fetch(&configs.iter().collect::<Vec<_>>(), from).await;
    let mut wrong = Wrong::default();
    let salt = has_secrets.then(|| pipeline.resolve_redact_salt(&store)).transpose();
    let salt = salt.map(Option::flatten).unwrap_or_else(|problems| {
        wrong.extend(problems);
        None
    });
    if salt.as_ref().is_some_and(|salt| salt.expose().is_empty()) {
        wrong.add(&pipeline.name, pipeline.line_of("/redact_salt"), "redact_salt", "must not be empty");
    }
    let mut manifests: BTreeMap<&str, Option<Arc<Manifest>>> = BTreeMap::new();
    let mut accounts = Vec::new();
    // Of which source there is which stream. What the settings of an account make is known of those that are selected.
    let mut known = BTreeSet::new();
    for (source, entry) in pairs {
        let manifest = manifests.entry(&source.name).or_insert_with(|| load(pipeline, source, &mut wrong));
        let Some(manifest) = manifest.clone() else { continue };
        let needs_none = || {
            let config = Value::Object(entry.config.clone());
            // What stands in the environment costs nothing to look up, but need not be here.
            if has_secrets { secret::names(&config).is_empty() } else { secret::referring(&config).is_empty() }
        };
        let from = (is_mine(source, entry) || needs_none()).then_some(&store as &dyn SecretSource);
        if from.is_none() && !has_secrets {
            wrong.extend_list(&pipeline.name, config_without_secrets(pipeline, source, entry, &manifest));
        }
        accounts.extend(account(
            pipeline,
            source,
            entry,
            &manifest,
            selection,
            from,
            salt.as_ref(),
            &mut known,
            &mut wrong,
        ));
    }
    for (source, manifest) in
        pipeline.sources.iter().filter_map(|s| Some((s, manifests.get(s.name.as_str())?.as_ref()?)))
    {
        // The settings of other accounts, which may name the stream, are another task's to know.
        if all_mine && manifest.has_dynamic_streams() {
            unknown_streams(pipeline, source, manifest, &known, &mut wrong);
        }
    }
    wrong.extend_list(
        &pipeline.name,
        pipeline.table_problems(|source| streams_of(pipeline, source, &manifests, &known)),
    );
    let is_listed = |source: &str, name: &str| {
        let source = pipeline.sources.iter().find(|entry| entry.name == source);
        source.and_then(|source| source.streams.as_ref()).is_none_or(|list| list.iter().any(|s| s.name == name))
    };
    let known: BTreeSet<&str> =
        known.iter().filter(|(source, name)| is_listed(source, name)).map(|(_, name)| name.as_str()).collect();
    for name in &selection.streams {
        if !known.is_empty() && !known.contains(name.as_str()) {
            let near = did_you_mean(name, known.iter().copied());
            wrong.add(&pipeline.name, 0, "", format!("--stream {name}: no selected source has such a stream{near}"));
        }
    }
    if wrong.0.is_empty() { Ok(accounts) } else { Err(PlanError(wrong.0)) }
}

/// The streams of a source, for the judgement of the whole file: also of one that is not selected. A manifest that cannot be read brings
/// no rows.
fn streams_of(
    pipeline: &Pipeline,
    source: &Source,
    manifests: &BTreeMap<&str, Option<Arc<Manifest>>>,
    known: &BTreeSet<(String, String)>,
) -> Vec<String> {
    if source.streams.is_some() {
        return source.listed();
    }
    let manifest = match manifests.get(source.name.as_str()) {
        Some(loaded) => loaded.clone(),
        None => Manifest::load(&source.connector, &pipeline.base).ok().map(Arc::new),
    };
    let of_manifest = manifest.iter().flat_map(|manifest| manifest.source.streams.iter().map(|s| s.name.clone()));
    let made = known.iter().filter(|(of, _)| *of == source.name).map(|(_, name)| name.clone());
    of_manifest.chain(made).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The accounts that the selection names.
///
/// # Errors
/// A filter that names nothing in the file.
pub(crate) fn select<'a>(
    pipeline: &'a Pipeline,
    selection: &Selection,
) -> Result<Vec<(&'a Source, &'a AccountEntry)>, PlanError> {
    pipeline
        .select(&selection.sources, &selection.accounts)
        .map_err(|message| PlanError(vec![Problems::one(&pipeline.name, 0, "", message)]))
}

/// Problems, gathered by file.
#[derive(Default)]
struct Wrong(Vec<Problems>);

impl Wrong {
    fn extend(&mut self, problems: Problems) {
        match self.0.iter_mut().find(|have| have.file == problems.file) {
            Some(have) => have.list.extend(problems.list),
            None => self.0.push(problems),
        }
    }

    fn extend_list(&mut self, file: &str, list: Vec<Problem>) {
        if !list.is_empty() {
            self.extend(Problems { file: file.into(), list });
        }
    }

    fn add(&mut self, file: &str, line: usize, key: &str, message: impl Into<String>) {
        self.extend(Problems::one(file, line, key, message));
    }
}

/// The source's manifest, if it can be used; its stream list is checked against it.
fn load(pipeline: &Pipeline, source: &Source, wrong: &mut Wrong) -> Option<Arc<Manifest>> {
    let pointer = format!("/sources/{}", source.index);
    let manifest = match Manifest::load(&source.connector, &pipeline.base) {
        Ok(manifest) => Arc::new(manifest),
        Err(problems) if problems.file == source.connector => {
            let line = pipeline.node(&pointer).line_of("connector");
            let key = key_path(&format!("{pointer}/connector"));
            for problem in problems.list {
                wrong.add(&pipeline.name, line, &key, format!("`{}`: {}", source.connector, problem.message));
            }
            return None;
        }
        Err(problems) => {
            wrong.extend(problems);
            return None;
        }
    };
    for problem in &manifest.warnings {
        tracing::warn!(file = %manifest.file, line = problem.line, "{}", problem.message);
    }
    if source.streams.as_ref().is_some_and(Vec::is_empty) {
        let pointer = format!("{pointer}/streams");
        let message = "lists no stream, so that nothing would be read; leave it out to read all of them";
        wrong.add(&pipeline.name, pipeline.line_of(&pointer), &key_path(&pointer), message);
    }
    for (index, settings) in source.streams.iter().flatten().enumerate() {
        let pointer = format!("{pointer}/streams/{index}");
        let mut add = |message: String| {
            wrong.add(&pipeline.name, pipeline.line_of(&pointer), &key_path(&pointer), message);
        };
        let hashes = settings.redact.values().any(|entry| entry.how() == Redact::Hash);
        if (hashes || !settings.mask.is_empty()) && pipeline.redact_salt().is_none() {
            let key = if hashes { "redact" } else { "mask" };
            add(format!("`{key}` hashes what it finds, which needs a `redact_salt` at the top of the file (a secret)"));
        }
        match manifest.source.stream(&settings.name) {
            // Which streams there are is known with the settings.
            None if manifest.has_dynamic_streams() => {}
            None => {
                let names = manifest.source.streams.iter().map(|stream| stream.name.as_str());
                let near = did_you_mean(&settings.name, names);
                add(format!("the connector has no stream `{}`{near}", settings.name));
            }
            Some(stream) => {
                if settings.mode == Some(StreamMode::Incremental) && !stream.is_stateful() {
                    let name = &settings.name;
                    add(format!("the stream `{name}` has no cursor, so that its mode cannot be incremental"));
                }
                redaction::problems(stream, &settings.redact).into_iter().for_each(&mut add);
            }
        }
    }
    Some(manifest)
}

/// Listed streams that no account of the source has. Where the settings of one are wrong, which may name the stream, only what looks
/// like another stream's name is told.
fn unknown_streams(
    pipeline: &Pipeline,
    source: &Source,
    manifest: &Manifest,
    known: &BTreeSet<(String, String)>,
    wrong: &mut Wrong,
) {
    let made = known.iter().filter(|(of, _)| *of == source.name).map(|(_, name)| name.as_str());
    let names: BTreeSet<&str> = manifest.source.streams.iter().map(|stream| stream.name.as_str()).chain(made).collect();
    let is_sure = wrong.0.is_empty();
    for (index, settings) in source.streams.iter().flatten().enumerate() {
        let near = did_you_mean(&settings.name, names.iter().copied());
        if !names.contains(settings.name.as_str()) && (is_sure || !near.is_empty()) {
            let pointer = format!("/sources/{}/streams/{index}", source.index);
            let message = format!("the connector has no stream `{}`{near}", settings.name);
            wrong.add(&pipeline.name, pipeline.line_of(&pointer), &key_path(&pointer), message);
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "what one account is made of")]
fn account(
    pipeline: &Pipeline,
    source: &Source,
    entry: &AccountEntry,
    manifest: &Manifest,
    selection: &Selection,
    from: Option<&dyn SecretSource>,
    salt: Option<&Secret>,
    known: &mut BTreeSet<(String, String)>,
    wrong: &mut Wrong,
) -> Option<AccountPlan> {
    let redactor = Redactor::default();
    salt.iter().for_each(|salt| redactor.add(salt.expose()));
    let config = match from {
        Some(from) => config(pipeline, source, entry, manifest, &redactor, from, wrong)?,
        None => Value::Null,
    };
    let mut warnings = literal_secrets(pipeline, source, entry, manifest);
    warnings.extend(without_partitions(pipeline, source));
    let mut units = Vec::new();
    let streams = match manifest.streams(&config) {
        Ok(streams) => streams,
        Err(problems) => {
            wrong.extend(problems);
            return None;
        }
    };
    known.extend(streams.iter().map(|stream| (source.name.clone(), stream.name.clone())));
    if let Some(message) = in_clear(source, entry, manifest, &streams, &config) {
        let pointer = format!("/sources/{}", source.index);
        wrong.add(&pipeline.name, pipeline.line_of(&pointer), &key_path(&pointer), message);
    }
    for stream in &streams {
        // Of a stream that the settings make; the others have been looked at with the manifest.
        if manifest.source.stream(&stream.name).is_none() {
            for message in redaction::problems(stream, &source.stream(&stream.name).redact) {
                wrong.add(&pipeline.name, 0, &format!("stream {}", stream.name), message);
            }
        }
        let listed = source.streams.as_ref().is_none_or(|list| list.iter().any(|s| s.name == stream.name));
        let picked = selection.streams.is_empty() || selection.streams.contains(&stream.name);
        if !(listed && picked) {
            continue;
        }
        let scope = Scope::new(Utc::now()).with(Names::CONFIG, &config);
        if let Some(cursor) = stream.cursor.as_ref().filter(|_| !config.is_null())
            && let Some(problem) = cursor.range_problem(&scope)
        {
            let index = source.accounts.iter().position(|account| account.id == entry.id).unwrap_or_default();
            let pointer = format!("/sources/{}/accounts/{index}", source.index);
            let message = redactor.clean(&format!("stream `{}`: {problem}", stream.name));
            wrong.add(&pipeline.name, pipeline.line_of(&pointer), &key_path(&pointer), message);
        }
        match Unit::new(&source.name, &entry.id, &stream.name) {
            Ok(unit) => units.push(work_unit(source, unit, stream, salt)),
            Err(message) => wrong.add(&pipeline.name, 0, "", message),
        }
    }
    let check = manifest.source.check.stream_names.iter().filter_map(|name| manifest.source.stream(name).cloned());
    Some(AccountPlan {
        source: source.name.clone(),
        id: entry.id.clone(),
        units,
        check: check.collect(),
        config,
        redactor,
        budget: manifest.source.budget.clone(),
        concurrency: manifest.source.concurrency.clone(),
        warnings,
    })
}

fn work_unit(source: &Source, unit: Unit, stream: &Arc<DeclarativeStream>, salt: Option<&Secret>) -> WorkUnit {
    let settings = source.stream(&stream.name);
    let mode = settings.mode.unwrap_or_else(|| stream.mode());
    let write = settings.write.or((mode == StreamMode::Append).then_some(Write::Append));
    let table = source.table(&stream.name);
    let cursor = stream.cursor.as_ref().and_then(|cursor| cursor.plain_field());
    let first = |key: &String| key.split('.').next().unwrap_or_default().to_owned();
    // A key from within another field stands beside it, too, under its whole name.
    let known_by = stream.primary_key.iter().chain(&cursor).map(first).chain(stream.primary_key.clone()).collect();
    let redaction = Redaction::new(&settings, known_by, salt.map(Secret::expose).unwrap_or_default()).map(Arc::new);
    let hints = (!settings.columns.is_empty()).then(|| Arc::new(HintSight::new(settings.columns.keys())));
    let schema = stream.schema.clone().map(|schema| redaction::schema(schema, &settings.redact));
    let (redacted, every) = (Redacted::by(&settings), settings.every);
    WorkUnit { unit, table, stream: stream.clone(), mode, write, schema, redaction, redacted, hints, every }
}

/// The account's settings: references resolved, defaults filled in, checked by the connector's spec.
fn config(
    pipeline: &Pipeline,
    source: &Source,
    entry: &AccountEntry,
    manifest: &Manifest,
    redactor: &Redactor,
    from: &dyn SecretSource,
    wrong: &mut Wrong,
) -> Option<Value> {
    let (value, secrets) = match pipeline.resolve_config(source, &entry.id, from) {
        Ok(resolved) => resolved,
        Err(problems) => {
            wrong.extend(problems);
            return None;
        }
    };
    secrets.iter().for_each(|secret| redactor.add(secret.expose()));
    let index = source.accounts.iter().position(|account| account.id == entry.id).unwrap_or_default();
    let pointer = format!("/sources/{}/accounts/{index}/config", source.index);
    let place = pipeline.node(&pointer);
    let referring = secret::referring(&Value::Object(entry.config.clone()));
    let (config, problems) = complete(manifest, with_lines(&value, place), &referring, redactor);
    let is_right = problems.is_empty();
    wrong.extend_list(&pipeline.name, problems.into_iter().map(|problem| placed(problem, &pointer)).collect());
    is_right.then_some(config)
}

/// What is wrong with an account's settings whatever its secrets are.
fn config_without_secrets(
    pipeline: &Pipeline,
    source: &Source,
    entry: &AccountEntry,
    manifest: &Manifest,
) -> Vec<Problem> {
    let index = source.accounts.iter().position(|account| account.id == entry.id).unwrap_or_default();
    let pointer = format!("/sources/{}/accounts/{index}/config", source.index);
    let config = Value::Object(entry.config.clone());
    let referring = secret::referring(&config);
    let (_, mut problems) =
        complete(manifest, with_lines(&config, pipeline.node(&pointer)), &referring, &Redactor::default());
    // A reference is not the value that is judged, nor is what holds it.
    let unknown: Vec<String> = referring.iter().map(|place| key_path(place)).collect();
    problems.retain(|problem| problem.key.is_empty() || !unknown.iter().any(|key| key.starts_with(&problem.key)));
    problems.into_iter().map(|problem| placed(problem, &pointer)).collect()
}

/// A problem of an account's settings, at its place in the pipeline file.
fn placed(problem: Problem, pointer: &str) -> Problem {
    let separator = if problem.key.is_empty() || problem.key.starts_with('[') { "" } else { "." };
    Problem { key: format!("{}{separator}{}", key_path(pointer), problem.key), ..problem }
}

/// Settings with the spec's defaults, and what is wrong with them; secret values become known to the redactor. At the places of
/// `referring` (JSON pointers) stood references to secrets.
pub(crate) fn complete(
    manifest: &Manifest,
    config: contract::yaml::Node,
    referring: &[String],
    redactor: &Redactor,
) -> (Value, Vec<Problem>) {
    let Some(spec) = &manifest.source.spec else { return (config.to_json(), Vec::new()) };
    let node = spec.complete(config);
    let value = node.to_json();
    spec.secret_settings(&value).iter().for_each(|(_, secret)| redactor.add(secret));
    (value, spec.problems(&node, referring))
}
