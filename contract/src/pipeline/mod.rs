//! The pipeline file, read and checked: one strict YAML file for all three programs.
//! Reading does not resolve accounts' secrets: only the extract needs them, and asks for them late.

mod conflicts;
mod file;
mod launching;
mod open;
mod problem;
mod redact;
mod schema;
mod span;
mod tables;

pub use file::{
    AccountEntry, AccountWarehouse, ColumnHint, Compression, ConfirmDeletes, LandingEntry, PartitionEntry,
    PartitionEvery, PartitionMap, PipelineFile, SourceEntry, StreamEntry, StreamMode, StreamSettings, TablePlace,
    WarehouseEntry,
};
pub use launching::{CloudRunEntry, LauncherEntry, LauncherKind, LauncherMap, NotifyEntry, OrchestratorEntry};
pub use problem::{Problem, Problems, did_you_mean, key_path};
pub use redact::{Mask, Redact, RedactEntry, RedactMap, Redacted};
pub use schema::{check, check_hiding, pipeline_schema};
pub use span::Span;

use crate::location::Location;
use crate::secret::{self, Dotenv, DotenvError, Secret, SecretSource, Unresolved, WithDotenv};
use crate::yaml::{self, Node};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Units that a task works on at the same time unless the file says otherwise.
pub const DEFAULT_CONCURRENCY: usize = 4;

/// The most MiB of one answer unless the file says otherwise.
pub const DEFAULT_MAX_PAGE_MIB: u32 = 64;

/// A pipeline file that holds together.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The file as the user named it, for messages.
    pub name: String,
    /// The folder that relative paths start at.
    pub base: PathBuf,
    /// The landing zone; a folder is made absolute against `base`.
    pub landing: Location,
    /// How parts are compressed.
    pub compression: Compression,
    /// How long a landing folder keeps batches and rejects; `None`: for ever.
    pub keep: Option<Span>,
    /// The warehouse; a DuckDB path is made absolute against `base`.
    pub warehouse: WarehouseEntry,
    /// The sources; each has its `name`.
    pub sources: Vec<Source>,
    /// Units side by side in one task.
    pub concurrency: usize,
    /// The most MiB of one answer, uncompressed.
    pub max_page_mib: u32,
    /// When rows that a reading lacked are looked for once more, where a stream does not say otherwise.
    confirm_deletes: ConfirmDeletes,
    /// How a run is started.
    pub orchestrator: OrchestratorEntry,
    /// Who is told.
    pub notify: NotifyEntry,
    /// The salt of redacted fields, as written.
    redact_salt: Option<String>,
    /// What lies beside the file for its references. One that cannot be used is an error of those that need it.
    dotenv: Result<Dotenv, DotenvError>,
    document: Node,
}

/// One source of the pipeline.
#[derive(Debug, Clone)]
pub struct Source {
    /// Unique name.
    pub name: String,
    /// Built-in name or manifest path (relative to the pipeline file) as written.
    pub connector: String,
    /// At least one.
    pub accounts: Vec<AccountEntry>,
    /// The streams asked for; `None` means all of the connector's.
    pub streams: Option<Vec<StreamSettings>>,
    /// Credentials may go over plain http to another machine.
    pub allow_plain_http: bool,
    /// Its place in the file's list.
    pub index: usize,
}

impl Source {
    /// What the file says of a stream; default settings where it says nothing.
    pub fn stream(&self, name: &str) -> StreamSettings {
        let listed = self.streams.iter().flatten().find(|stream| stream.name == name);
        listed.cloned().unwrap_or_else(|| StreamSettings { name: name.to_owned(), ..StreamSettings::default() })
    }
}

impl Pipeline {
    /// When rows that a reading of a stream lacked are looked for once more.
    pub fn confirm_deletes(&self, source: &str, stream: &str) -> ConfirmDeletes {
        let source = self.sources.iter().find(|known| known.name == source);
        let own = source.and_then(|source| source.stream(stream).confirm_deletes);
        own.unwrap_or(self.confirm_deletes)
    }

    /// Reads a pipeline file of this machine.
    ///
    /// # Errors
    /// Everything that is wrong with it, in one report.
    pub fn read(path: &str, from: &dyn SecretSource) -> Result<Self, Problems> {
        let text = std::fs::read_to_string(path).map_err(|error| open::unreadable(path, error))?;
        Self::parse(path, &text, &folder_of(path), from)
    }

    /// Reads a pipeline from its text; `base` is the folder of relative paths. A `.env` in it is read too, unless the file is in
    /// Cloud Storage, where it has no folder.
    ///
    /// # Errors
    /// Everything that is wrong with it, in one report. What is wrong with `.env` is told with the references that only it could answer.
    pub fn parse(name: &str, text: &str, base: &Path, from: &dyn SecretSource) -> Result<Self, Problems> {
        let is_remote = Location::parse(name).is_ok_and(|location| location.path().is_none());
        let dotenv = if is_remote { Ok(Dotenv::default()) } else { Dotenv::beside(base) };
        let from = &WithDotenv::new(from, dotenv.as_ref());
        let document = yaml::parse(text).map_err(|error| Problems::one(name, error.line, "", error.message))?;
        let mut list = check(&pipeline_schema(), &document).map_err(|error| Problems::one(name, 0, "", error))?;
        list.extend(conflicts::conflicts(&document));
        // Places and names outside the accounts may hold references too; accounts are resolved when they are used.
        let mut value = document.to_json();
        for key in ["landing", "warehouse"] {
            let Some(part) = value.get_mut(key) else { continue };
            match secret::resolve(part, base, from) {
                Ok((resolved, _)) => *part = resolved,
                Err(unresolved) => list.extend(unresolved.iter().map(|u| locate(&document, &format!("/{key}"), u))),
            }
        }
        list.extend(conflicts::staging(&document, &value));
        list.extend(conflicts::keeping(&document, &value));
        list.extend(conflicts::schemes(&document, &value));
        if is_remote {
            list.extend(conflicts::without_folder(&document, &value));
        }
        // With what is wrong elsewhere the file may not fit its types; then that is told first.
        let file: Result<PipelineFile, _> = serde_json::from_value(value);
        let pipeline = file.map(|file| Self::build(name, base, file, document, dotenv));
        if let Ok(pipeline) = &pipeline {
            list.extend(pipeline.table_problems(Source::listed));
        }
        if !list.is_empty() {
            list.sort();
            list.dedup();
            return Err(Problems { file: name.into(), list });
        }
        pipeline.map_err(|error| Problems::one(name, 0, "", error.to_string()))
    }

    fn build(name: &str, base: &Path, file: PipelineFile, document: Node, dotenv: Result<Dotenv, DotenvError>) -> Self {
        let (landing, compression, keep) = match file.landing {
            LandingEntry::Path(path) => (path, Compression::default(), None),
            LandingEntry::Map(map) => (map.path, map.compression, map.keep),
        };
        let below = |path: &str| base.join(path).to_string_lossy().into_owned();
        // Another scheme is among the problems that are told.
        let landing = Location::parse(&landing).map_or(Location::Folder(landing), |landing| landing.below(base));
        let mut warehouse = file.warehouse;
        if let WarehouseEntry::Duckdb { path, .. } = &mut warehouse {
            *path = below(path);
        }
        let sources = file.sources.into_iter().enumerate().map(|(index, entry)| Source {
            name: source_name(entry.name.as_deref(), &entry.connector),
            connector: entry.connector,
            accounts: entry.accounts,
            streams: entry.streams.map(|streams| streams.into_iter().map(settings).collect()),
            allow_plain_http: entry.allow_plain_http,
            index,
        });
        Self {
            name: name.to_owned(),
            base: base.to_owned(),
            landing,
            compression,
            keep,
            warehouse,
            sources: sources.collect(),
            concurrency: file.concurrency.unwrap_or(DEFAULT_CONCURRENCY),
            max_page_mib: file.max_page_mib.unwrap_or(DEFAULT_MAX_PAGE_MIB),
            orchestrator: file.orchestrator,
            notify: file.notify,
            confirm_deletes: file.confirm_deletes.unwrap_or_default(),
            redact_salt: file.redact_salt,
            dotenv,
            document,
        }
    }

    /// A value of this file with its references resolved, and the secrets among them. What the environment lacks comes from `.env`.
    ///
    /// # Errors
    /// Every reference that cannot be resolved.
    pub fn resolve(&self, value: &Value, from: &dyn SecretSource) -> Result<(Value, Vec<Secret>), Vec<Unresolved>> {
        secret::resolve(value, &self.base, &WithDotenv::new(from, self.dotenv.as_ref()))
    }

    /// An account's settings with all references resolved, and the secrets among them.
    ///
    /// # Errors
    /// Every reference that cannot be resolved, with its line.
    pub fn resolve_config(
        &self,
        source: &Source,
        account: &str,
        from: &dyn SecretSource,
    ) -> Result<(Value, Vec<Secret>), Problems> {
        let index = source.accounts.iter().position(|entry| entry.id == account).unwrap_or_default();
        let config = source.accounts.get(index).map(|entry| entry.config.clone()).unwrap_or_default();
        let pointer = format!("/sources/{}/accounts/{index}/config", source.index);
        self.resolve(&Value::Object(config), from).map_err(|unresolved| Problems {
            file: self.name.clone(),
            list: unresolved.iter().map(|u| locate(&self.document, &pointer, u)).collect(),
        })
    }

    /// The environment variables that only the sources need: their accounts' settings, and the salt of redacted fields, name them, and
    /// nothing that a load resolves does.
    pub fn source_variables(&self) -> BTreeSet<String> {
        let document = self.document.to_json();
        let of = |value: Option<&Value>| value.map(secret::variables).unwrap_or_default();
        let needed: BTreeSet<String> = ["landing", "warehouse"].iter().flat_map(|key| of(document.get(*key))).collect();
        let mut own = of(document.get("redact_salt"));
        let sources = document.get("sources").and_then(Value::as_array).into_iter().flatten();
        let accounts = sources.filter_map(|source| source.get("accounts")?.as_array()).flatten();
        accounts.for_each(|account| own.extend(of(account.get("config"))));
        own.retain(|name| !needed.contains(name));
        own
    }

    /// The Slack webhook, resolved; `None` if the file names none.
    ///
    /// # Errors
    /// A reference that cannot be resolved, with its line.
    pub fn resolve_slack_webhook(&self, from: &dyn SecretSource) -> Result<Option<Secret>, Problems> {
        self.resolve_text(self.notify.slack_webhook.as_deref(), "/notify/slack_webhook", from)
    }

    /// The reference to the salt of redacted fields, so that its secret can be fetched.
    pub fn redact_salt(&self) -> Option<Value> {
        self.redact_salt.clone().map(Value::String)
    }

    /// The salt of redacted fields, resolved; `None` if the file names none.
    ///
    /// # Errors
    /// A reference that cannot be resolved, with its line.
    pub fn resolve_redact_salt(&self, from: &dyn SecretSource) -> Result<Option<Secret>, Problems> {
        self.resolve_text(self.redact_salt.as_deref(), "/redact_salt", from)
    }

    fn resolve_text(
        &self,
        text: Option<&str>,
        pointer: &str,
        from: &dyn SecretSource,
    ) -> Result<Option<Secret>, Problems> {
        let Some(text) = text else { return Ok(None) };
        match self.resolve(&Value::String(text.to_owned()), from) {
            Ok((resolved, _)) => Ok(resolved.as_str().map(Secret::new)),
            Err(unresolved) => Err(Problems {
                file: self.name.clone(),
                list: unresolved.iter().map(|u| locate(&self.document, pointer, u)).collect(),
            }),
        }
    }

    /// The line of a place in the file, given as a JSON pointer (`/sources/0/accounts/1/config`), for messages.
    pub fn line_of(&self, pointer: &str) -> usize {
        self.document.nearest(pointer).line
    }

    /// The part of the file at a JSON pointer, with its lines.
    pub fn node(&self, pointer: &str) -> &Node {
        self.document.nearest(pointer)
    }

    /// Which (source, account) pairs the filters select; an empty filter selects all.
    ///
    /// # Errors
    /// A filter that names nothing in the file.
    pub fn select(&self, sources: &[String], accounts: &[String]) -> Result<Vec<(&Source, &AccountEntry)>, String> {
        for name in sources {
            if !self.sources.iter().any(|source| source.name == *name) {
                let near = did_you_mean(name, self.sources.iter().map(|source| source.name.as_str()));
                return Err(format!("--source {name}: there is no such source in {}{near}", self.name));
            }
        }
        let all = || self.sources.iter().flat_map(|source| source.accounts.iter().map(|account| account.id.as_str()));
        for id in accounts {
            if !all().any(|known| known == id) {
                return Err(format!(
                    "--account {id}: there is no such account in {}{}",
                    self.name,
                    did_you_mean(id, all())
                ));
            }
        }
        let picked = |filter: &[String], name: &String| filter.is_empty() || filter.contains(name);
        let pairs = self.sources.iter().filter(|source| picked(sources, &source.name)).flat_map(|source| {
            source.accounts.iter().filter(|account| picked(accounts, &account.id)).map(move |account| (source, account))
        });
        Ok(pairs.collect())
    }
}

/// The folder of a file: where its relative paths start.
fn folder_of(path: &str) -> PathBuf {
    let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

fn settings(entry: StreamEntry) -> StreamSettings {
    match entry {
        StreamEntry::Name(name) => StreamSettings { name, ..StreamSettings::default() },
        StreamEntry::Map(settings) => settings,
    }
}

/// A source's name: as given, or the connector's (of a path, the file's name without its ending).
fn source_name(given: Option<&str>, connector: &str) -> String {
    given.map_or_else(
        || Path::new(connector).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
        str::to_owned,
    )
}

fn locate(document: &Node, pointer: &str, unresolved: &Unresolved) -> Problem {
    let pointer = format!("{pointer}{}", unresolved.pointer);
    Problem { line: document.nearest(&pointer).line, key: key_path(&pointer), message: unresolved.message.clone() }
}
