//! What is plainly not as it should be in the settings: secrets that stand in the pipeline file, or would be sent over plain http to another
//! machine; partitions where there are none.

use crate::components::authenticator::Authenticator;
use crate::components::declarative_stream::DeclarativeStream;
use crate::components::expression::Scope;
use crate::http::reach;
use crate::manifest::Manifest;
use crate::template::{Names, Shared};
use contract::pipeline::{AccountEntry, Pipeline, Source, WarehouseEntry, key_path};
use contract::secret::{holds_reference, referring};
use serde_json::Value;
use std::sync::Arc;

/// What is told of each secret of an account that the pipeline file holds itself.
pub(super) fn literal_secrets(
    pipeline: &Pipeline,
    source: &Source,
    entry: &AccountEntry,
    manifest: &Manifest,
) -> Vec<String> {
    let Some(spec) = &manifest.source.spec else { return Vec::new() };
    let index = source.accounts.iter().position(|account| account.id == entry.id).unwrap_or_default();
    let settings = spec.secret_settings(&Value::Object(entry.config.clone()));
    let mut list: Vec<String> = settings
        .into_iter()
        .filter(|(_, value)| !value.is_empty() && !holds_reference(value))
        .map(|(place, _)| {
            let pointer = format!("/sources/{}/accounts/{index}/config{place}", source.index);
            let (file, line, key) = (&pipeline.name, pipeline.line_of(&pointer), key_path(&pointer));
            format!("{file}:{line}: {key}: a secret stands in the file itself; refer to it: `${{env:NAME}}`, with a line in `.env`")
        })
        .collect();
    list.dedup();
    list
}

/// That a table's partitions are asked of a warehouse that has none.
pub(super) fn without_partitions(pipeline: &Pipeline, source: &Source) -> Vec<String> {
    if !matches!(pipeline.warehouse, WarehouseEntry::Duckdb { .. }) {
        return Vec::new();
    }
    let entries = source.streams.iter().flatten().enumerate().filter(|(_, settings)| settings.partition_by.is_some());
    entries
        .map(|(index, settings)| {
            let pointer = format!("/sources/{}/streams/{index}", source.index);
            let (file, line, key) = (&pipeline.name, pipeline.line_of(&pointer), key_path(&pointer));
            format!(
                "{file}:{line}: {key}: `partition_by` of `{}` has no effect: DuckDB has no partitions",
                settings.name
            )
        })
        .collect()
}

/// That an account's credentials would be sent over plain http to another machine.
pub(super) fn in_clear(
    source: &Source,
    entry: &AccountEntry,
    manifest: &Manifest,
    streams: &[Arc<DeclarativeStream>],
    config: &Value,
) -> Option<String> {
    // The settings of an account of another task are not known here.
    if source.allow_plain_http || config.is_null() {
        return None;
    }
    let refers = !referring(&Value::Object(entry.config.clone())).is_empty();
    let host = host_in_clear(refers, manifest, streams, config)?;
    Some(format!(
        "account `{}`: its credentials would be sent to `http://{host}` for everybody on the way to read: use https, or say \
         `allow_plain_http: true` at the source",
        entry.id,
    ))
}

/// The other machine that credentials would be sent to over plain http. `refers`: the settings refer to secrets.
pub(super) fn host_in_clear(
    refers: bool,
    manifest: &Manifest,
    streams: &[Arc<DeclarativeStream>],
    config: &Value,
) -> Option<String> {
    let has_secrets =
        refers || manifest.source.spec.as_ref().is_some_and(|spec| !spec.secret_settings(config).is_empty());
    let scope = Scope::new(chrono::Utc::now()).with(Names::CONFIG, Shared::from(config));
    let all = streams.iter().flat_map(|stream| std::iter::once(&**stream).chain(stream.ancestors()));
    let signed =
        all.filter(|stream| has_secrets || !matches!(stream.retriever.requester.authenticator, Authenticator::NoAuth));
    let far = signed
        .flat_map(|stream| {
            let logins = stream.retriever.requester.authenticator.homes(&scope);
            stream.homes(&scope).into_iter().chain(logins)
        })
        .find(|home| home.scheme() == "http" && !reach::is_this_machine(home))?;
    Some(far.host_str().unwrap_or_default().to_owned())
}
