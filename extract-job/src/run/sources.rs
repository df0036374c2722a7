//! A source's manifest, and the streams that its entry in the pipeline file lists.

use super::wrong::Wrong;
use crate::manifest::{Manifest, connectors};
use crate::record::redaction;
use contract::pipeline::{Pipeline, Redact, Source, StreamMode, did_you_mean, key_path};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The source's manifest, if it can be used; its stream list is checked against it.
pub(super) fn load(
    pipeline: &Pipeline,
    source: &Source,
    has_secrets: bool,
    wrong: &mut Wrong,
) -> Option<Arc<Manifest>> {
    let pointer = format!("/sources/{}", source.index);
    let manifest = match Manifest::load(&source.connector, &pipeline.base) {
        Ok(manifest) => Arc::new(manifest),
        // Where the secrets are, the file may be as well: a pipeline in a bucket names one of the extract job's image.
        Err(problems)
            if !has_secrets
                && pipeline.name.starts_with("gs://")
                && connectors::is_path(&source.connector)
                && problems.file == source.connector =>
        {
            tracing::warn!("{problems}");
            return None;
        }
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
pub(super) fn unknown_streams(
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

/// The streams of a source, for the judgement of the whole file: also of one that is not selected. A manifest that cannot be read brings
/// no rows.
pub(super) fn streams_of(
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use contract::secret::Machine;

    #[test]
    fn a_manifest_may_lie_where_the_secrets_are() {
        let text = "landing: gs://b/l\nwarehouse: {type: bigquery, project: p}\nsources:\n  - {connector: CONNECTOR, accounts: [{id: a}]}\n";
        let is_wrong = |name: &str, connector: &str, has_secrets: bool| {
            let folder = tempfile::tempdir().unwrap();
            let text = text.replace("CONNECTOR", connector);
            let pipeline = Pipeline::parse(name, &text, folder.path(), &Machine).unwrap();
            let mut wrong = Wrong::default();
            assert!(load(&pipeline, &pipeline.sources[0], has_secrets, &mut wrong).is_none());
            !wrong.0.is_empty()
        };
        for (name, connector, has_secrets, expected) in [
            ("gs://b/p/pipeline.yaml", "/image/own.yaml", false, false),
            ("gs://b/p/pipeline.yaml", "/image/own.yaml", true, true),
            ("gs://b/p/pipeline.yaml", "gonk", false, true),
            ("pipeline.yaml", "/image/own.yaml", false, true),
        ] {
            assert_eq!(is_wrong(name, connector, has_secrets), expected, "{name} {connector} {has_secrets}");
        }
    }
}
