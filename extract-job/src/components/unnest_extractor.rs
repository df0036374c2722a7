//! Our hook `extract_job.Unnest`: one record for each item of a list inside a record, down any number of levels.
//! An item gets what is carried over from the records around it, and its number in the list (from 0).

use super::dpath_extractor::DpathExtractor;
use crate::manifest::reader::Reader;
use crate::record::making::Emit;
use crate::record::tree::Tree;
use contract::yaml::{Kind, Node};
use std::borrow::Cow;

#[derive(Debug)]
pub(crate) struct Unnest {
    path: DpathExtractor,
    levels: Vec<Level>,
}

/// One list to go into.
#[derive(Debug)]
struct Level {
    field: String,
    /// New field, and the path (by `.`) in the outer record that it is taken from.
    carry: Vec<(String, Vec<String>)>,
    index: Option<String>,
}

impl Unnest {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let path = DpathExtractor::read_inner(reader, "field_path");
        let node = reader.required("levels");
        let levels: Vec<Level> =
            node.map(Node::items).unwrap_or_default().iter().filter_map(|item| Level::read(reader, item)).collect();
        if levels.is_empty() {
            reader.error_at("levels", "must list the fields to go into: {field, carry, index}");
        }
        reader.accept(&["class_name"]);
        reader.finish();
        Some(Self { path, levels })
    }

    pub(crate) fn path(&self) -> &DpathExtractor {
        &self.path
    }

    /// Emits the records that one outer record gives, until no more are wanted; whether these were all.
    pub(crate) fn unnest(&self, outer: &Tree, emit: Emit<'_>) -> bool {
        descend(outer, &[], &self.levels, emit)
    }
}

impl Level {
    fn read(reader: &Reader<'_>, node: &Node) -> Option<Self> {
        let mut level = Self { field: String::new(), carry: Vec::new(), index: None };
        for entry in node.entries() {
            match (entry.key.as_str(), &entry.value.kind) {
                ("field", Kind::String(field)) => level.field.clone_from(field),
                ("index", Kind::String(index)) => level.index = Some(index.clone()),
                ("carry", Kind::Map(entries)) => {
                    for entry in entries {
                        match entry.value.as_str() {
                            Some(from) => {
                                level.carry.push((entry.key.clone(), from.split('.').map(str::to_owned).collect()));
                            }
                            None => reader.error_at("levels", "`carry` must map new names to fields"),
                        }
                    }
                }
                (key, _) => reader.error_at("levels", format!("has `{key}`, which is not {{field, carry, index}}")),
            }
        }
        if level.field.is_empty() {
            reader.error_at("levels", "needs a `field` in each level");
            return None;
        }
        Some(level)
    }
}

/// What is carried along is not copied into records before they are written.
fn descend<'t>(outer: &'t Tree, carried: &[(&'t str, Cow<'t, Tree>)], levels: &'t [Level], emit: Emit<'_>) -> bool {
    let Some((level, below)) = levels.split_first() else { return true };
    let Some(Tree::List(items)) = outer.get(&level.field) else { return true };
    let mut carried = carried.to_vec();
    for (name, from) in &level.carry {
        carried.push((name, outer.at(from).map_or_else(|| Cow::Owned(Tree::null()), Cow::Borrowed)));
    }
    for (number, item) in items.iter().enumerate() {
        let mut own = carried.clone();
        if let Some(index) = &level.index {
            own.push((index, Cow::Owned(Tree::Scalar(number.to_string().into()))));
        }
        let goes_on = if below.is_empty() {
            let set: Vec<(&str, &Tree)> = own.iter().map(|(name, value)| (*name, value.as_ref())).collect();
            emit(&|out| item.write_with(&set, out))
        } else {
            descend(item, &own, below, emit)
        };
        if !goes_on {
            return false;
        }
    }
    true
}
