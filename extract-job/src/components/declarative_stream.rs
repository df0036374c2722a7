//! DeclarativeStream: one output of a source: its name, its key, how it is read and what its records look like.

use super::confirm::Confirm;
use super::datetime_based_cursor::DatetimeBasedCursor;
use super::expression::Scope;
use super::inline_schema_loader;
use super::pagination_reset::ResetWay;
use super::partition_router::{PARENT_SLICE, PartitionRouter};
use super::simple_retriever::SimpleRetriever;
use super::transformation::Transformation;
use crate::manifest::problem::SettingRead;
use crate::manifest::reader::Reader;
use crate::record::tree::Tree;
use crate::template::Names;
use contract::pipeline::{StreamMode, did_you_mean};
use contract::yaml::{Kind, Node};
use reqwest::Url;
use serde_json::Value;

/// What templates may read of any slice, beside its own fields.
const OF_EVERY_SLICE: [&str; 4] = ["extra_fields", PARENT_SLICE, "partition", "cursor_slice"];

#[derive(Debug)]
pub(crate) struct DeclarativeStream {
    pub(crate) name: String,
    /// The fields that rows are known by, as batches name them.
    pub(crate) primary_key: Vec<String>,
    /// Where each field of the key stands in a record.
    pub(crate) key_paths: Vec<Vec<String>>,
    pub(crate) retriever: SimpleRetriever,
    pub(crate) cursor: Option<DatetimeBasedCursor>,
    pub(crate) transformations: Vec<Transformation>,
    pub(crate) schema: Option<Value>,
    /// How single records are asked for.
    pub(crate) confirm: Option<Confirm>,
    mode: Option<StreamMode>,
}

impl DeclarativeStream {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "DeclarativeStream" {
            reader.unsupported("DeclarativeStream");
            return None;
        }
        let slice_reads = reader.problems().slice_reads();
        let name = reader.text("name").filter(|name| !name.is_empty());
        if name.is_none() {
            reader.error("DeclarativeStream needs `name`");
        }
        let key_paths = read_key(reader);
        let primary_key: Vec<String> = key_paths.iter().map(|path| path.join(".")).collect();
        let retriever = reader.required_child("retriever").and_then(|child| SimpleRetriever::read(&child));
        let had_cursor = reader.has("incremental_sync");
        let mut cursor = reader.child("incremental_sync").and_then(|child| DatetimeBasedCursor::read(&child));
        if let (Some(cursor), Some(retriever)) = (&mut cursor, reader.get("retriever"))
            && mentions(retriever, cursor.end_field())
        {
            cursor.note_end_in_templates();
        }
        let schema = reader.child("schema_loader").and_then(|child| inline_schema_loader::read(&child));
        let mode = read_mode(reader);
        let is_partitioned = retriever.as_ref().is_some_and(|retriever| retriever.router.is_some());
        let confirm = Confirm::read(reader, &primary_key, is_partitioned);
        let listed = reader.children("transformations");
        let transformations: Vec<_> = listed.iter().filter_map(Transformation::read).collect();
        reader.refuse(&["state_migrations", "file_uploader"]);
        reader.finish();
        let retriever = retriever?;
        check_slice_fields(reader, slice_reads, &retriever, cursor.as_ref());
        check_windows(reader, &retriever, cursor.as_ref());
        let stateful = had_cursor || retriever.paginator.as_ref().is_some_and(|paginator| paginator.keeps_token());
        if had_cursor && retriever.paginator.as_ref().is_some_and(|paginator| paginator.keeps_token()) {
            reader.error("has both `incremental_sync` and `x-keep-token`: a stream has one state");
        }
        if matches!(mode, Some(StreamMode::Incremental)) && !stateful {
            reader.error_at("x-mode", "is incremental, but the stream has neither a cursor nor `x-keep-token`");
        }
        if retriever.router.is_some() && retriever.paginator.as_ref().is_some_and(|paginator| paginator.keeps_token()) {
            reader.error("has both a `partition_router` and `x-keep-token`: one token cannot serve several partitions");
        }
        Some(Self { name: name?, primary_key, key_paths, retriever, cursor, transformations, schema, confirm, mode })
    }

    /// How the stream is read, unless the pipeline file says otherwise.
    pub(crate) fn mode(&self) -> StreamMode {
        self.mode.unwrap_or(if self.is_stateful() { StreamMode::Incremental } else { StreamMode::Snapshot })
    }

    /// Whether a state moves from run to run.
    pub(crate) fn is_stateful(&self) -> bool {
        self.cursor.is_some() || self.keeps_token()
    }

    /// The streams that its partitions come from, and theirs.
    pub(crate) fn ancestors(&self) -> Vec<&Self> {
        let router = self.retriever.router.as_ref();
        let parents = router.map(PartitionRouter::parents).unwrap_or_default();
        parents.iter().flat_map(|parent| std::iter::once(&*parent.stream).chain(parent.stream.ancestors())).collect()
    }

    /// The hosts that the settings alone give its requests: with lists of values in the address, one for each value.
    pub(crate) fn homes(&self, scope: &Scope) -> Vec<Url> {
        let requester = &self.retriever.requester;
        let mut homes: Vec<Url> = requester.home(scope).into_iter().collect();
        let router = self.retriever.router.as_ref();
        for list in router.map(PartitionRouter::lists).unwrap_or_default() {
            for partition in list.partitions(scope).unwrap_or_default() {
                let seen = scope.clone().with(Names::STREAM_SLICE, Value::Object(partition.keys));
                homes.extend(requester.home(&seen));
            }
        }
        homes
    }

    /// Whether a field of the key stands within another one.
    pub(crate) fn has_nested_key(&self) -> bool {
        self.key_paths.iter().any(|path| path.len() > 1)
    }

    /// The values of a record's key, as far as it has them.
    pub(crate) fn key_of<'a>(&'a self, record: &'a Tree) -> impl Iterator<Item = Option<&'a Tree>> {
        self.key_paths.iter().map(|path| record.at(path))
    }

    /// Puts the fields of the key that stand within others beside them, under their names, where there are none: by what lies deeper no table
    /// knows its rows.
    pub(crate) fn lift_keys(&self, record: &mut Tree) {
        for (name, path) in self.primary_key.iter().zip(&self.key_paths).filter(|(_, path)| path.len() > 1) {
            if record.get(name).is_none()
                && let Some(value) = record.at(path).cloned()
            {
                record.set(&[name], value);
            }
        }
    }

    pub(crate) fn keeps_token(&self) -> bool {
        self.retriever.paginator.as_ref().is_some_and(|paginator| paginator.keeps_token())
    }
}

/// Whether a text inside of the node has a template that may read this name.
fn mentions(node: &Node, name: &str) -> bool {
    match &node.kind {
        Kind::String(text) => text.contains("{{") && text.contains(name),
        Kind::Seq(items) => items.iter().any(|item| mentions(item, name)),
        // A parent stream's templates read windows of their own.
        Kind::Map(entries) => {
            entries.iter().any(|entry| entry.key != "partition_router" && mentions(&entry.value, name))
        }
        _ => false,
    }
}

/// Fields of the slice that templates read and no slice has: they render to nothing, and requests go astray.
fn check_slice_fields(
    reader: &Reader<'_>,
    before: usize,
    retriever: &SimpleRetriever,
    cursor: Option<&DatetimeBasedCursor>,
) {
    let reads = reader.problems().slice_reads_since(before);
    // What settings name is not known here.
    let Some(mut known) = retriever.router.as_ref().map_or_else(|| Some(Vec::new()), PartitionRouter::fields) else {
        return;
    };
    known.extend(cursor.iter().flat_map(|cursor| cursor.slice_fields()).map(str::to_owned));
    // Templates that several streams share may ask for a slice that this one does not have.
    if known.is_empty() {
        return;
    }
    let is_unknown = |read: &&SettingRead| !known.contains(&read.name) && !OF_EVERY_SLICE.contains(&read.name.as_str());
    for read in reads.iter().filter(is_unknown) {
        let near = did_you_mean(&read.name, known.iter().map(String::as_str));
        let message = format!(
            "{}: the template reads the slice's field `{}`, but its slices have {}{near}",
            read.place,
            read.name,
            known.join(", ")
        );
        if near.is_empty() {
            reader.problems().warning(read.line, message);
        } else {
            reader.problems().error(read.line, message);
        }
    }
}

/// What can only be done with a cursor.
fn check_windows(reader: &Reader<'_>, retriever: &SimpleRetriever, cursor: Option<&DatetimeBasedCursor>) {
    let granular = cursor.is_some_and(|cursor| cursor.granularity().is_some());
    if retriever.splitting.is_some() && !granular {
        reader.error("has `request_window_splitting`, which needs a cursor with `step` and `cursor_granularity`");
    }
    if retriever.reset.is_some_and(|reset| reset.way == ResetWay::Split) && cursor.is_none() {
        reader.error("has `pagination_reset` by SPLIT_USING_CURSOR, which needs a cursor");
    }
}

/// A text, a list of texts, or a list of paths.
fn read_key(reader: &Reader<'_>) -> Vec<Vec<String>> {
    let Some(node) = reader.get("primary_key") else { return Vec::new() };
    let path = |node: &Node| match &node.kind {
        Kind::String(text) => Some(vec![text.clone()]),
        Kind::Seq(path) if !path.is_empty() => {
            path.iter().map(|segment| segment.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        }
        _ => None,
    };
    let items = if let Kind::Seq(items) = &node.kind { items.as_slice() } else { std::slice::from_ref(node) };
    let key: Option<Vec<Vec<String>>> = items.iter().map(path).collect();
    key.unwrap_or_else(|| {
        reader.error_at("primary_key", "must be a field's name, or a list of names or paths");
        Vec::new()
    })
}

fn read_mode(reader: &Reader<'_>) -> Option<StreamMode> {
    match reader.text("x-mode")?.as_str() {
        "snapshot" => Some(StreamMode::Snapshot),
        "incremental" => Some(StreamMode::Incremental),
        "append" => Some(StreamMode::Append),
        _ => {
            reader.error_at("x-mode", "must be snapshot, incremental or append");
            None
        }
    }
}
