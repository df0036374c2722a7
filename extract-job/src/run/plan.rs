//! From the pipeline file to work units: connectors loaded, settings resolved and checked, streams chosen.
//! Everything that is wrong, in any file, is told at once and before anything is started.

use super::plain::{in_clear, literal_secrets, without_partitions};
use super::settings::{self, config, config_without_secrets, place_of};
use super::sources::{load, streams_of, unknown_streams};
use super::wrong::Wrong;
use crate::components::concurrency_level::ConcurrencyLevel;
use crate::components::declarative_stream::DeclarativeStream;
use crate::components::http_api_budget::HttpApiBudget;
use crate::http::account::Account;
use crate::http::client::Client;
use crate::http::retry::Waits;
use crate::manifest::Manifest;
use crate::read::hint_sight::HintSight;
use crate::record::redaction::{self, Redaction};
use crate::redactor::Redactor;
use chrono::Utc;
use contract::batch::Write;
use contract::pipeline::{
    AccountEntry, Pipeline, Problems, Redacted, Source, Span, StreamMode, did_you_mean, key_path,
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
        let manifest = manifests.entry(&source.name).or_insert_with(|| load(pipeline, source, has_secrets, &mut wrong));
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
        if let Some(problem) = settings::range_problem(stream, &config) {
            let place = pipeline.node(&place_of(source, entry));
            let key = key_path(&place_of(source, entry));
            let message = redactor.clean(&format!("stream `{}`: {problem}", stream.name));
            wrong.add(&pipeline.name, place.line, &key, message);
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
    // A key from within another field stands beside it, under its whole name; what it is taken from hides as any other field does.
    let known_by = stream.primary_key.iter().chain(&cursor).cloned().collect();
    let redaction = Redaction::new(&settings, known_by, salt.map(Secret::expose).unwrap_or_default()).map(Arc::new);
    let hints = (!settings.columns.is_empty()).then(|| Arc::new(HintSight::new(settings.columns.keys())));
    let schema = stream.schema.clone().map(|schema| redaction::schema(schema, &settings.redact));
    let (redacted, every) = (Redacted::by(&settings), settings.every);
    WorkUnit { unit, table, stream: stream.clone(), mode, write, schema, redaction, redacted, hints, every }
}
