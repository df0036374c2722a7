//! What `transformations` can hold: each changes a record, in the order in which they are listed.

use super::add_fields::AddFields;
use super::dpath_flatten_fields::DpathFlattenFields;
use super::expression::Scope;
use super::flatten_fields::FlattenFields;
use super::keys_replace::KeysReplace;
use super::keys_to_lower;
use super::keys_to_snake_case;
use super::remove_fields::RemoveFields;
use crate::manifest::reader::Reader;
use crate::record::tree::Tree;

#[derive(Debug)]
pub(crate) enum Transformation {
    AddFields(AddFields),
    RemoveFields(RemoveFields),
    KeysToLower,
    KeysToSnakeCase,
    KeysReplace(KeysReplace),
    FlattenFields(FlattenFields),
    DpathFlattenFields(DpathFlattenFields),
}

impl Transformation {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        match reader.kind() {
            "AddFields" => AddFields::read(reader).map(Self::AddFields),
            "RemoveFields" => RemoveFields::read(reader).map(Self::RemoveFields),
            "KeysToLower" => {
                reader.finish();
                Some(Self::KeysToLower)
            }
            "KeysToSnakeCase" => {
                reader.finish();
                Some(Self::KeysToSnakeCase)
            }
            "KeysReplace" => KeysReplace::read(reader).map(Self::KeysReplace),
            "FlattenFields" => FlattenFields::read(reader).map(Self::FlattenFields),
            "DpathFlattenFields" => DpathFlattenFields::read(reader).map(Self::DpathFlattenFields),
            _ => {
                reader.unsupported(
                    "AddFields, RemoveFields, KeysToLower, KeysToSnakeCase, KeysReplace, FlattenFields, DpathFlattenFields",
                );
                None
            }
        }
    }

    /// Whether fields get other names by it.
    pub(crate) fn renames(&self) -> bool {
        !matches!(self, Self::AddFields(_) | Self::RemoveFields(_))
    }

    /// Whether it makes the field at a path, or one that the path leads through.
    pub(crate) fn adds(&self, path: &[&str]) -> bool {
        matches!(self, Self::AddFields(add) if add.makes(path))
    }

    /// Changes a record, which is an object.
    ///
    /// # Errors
    /// A template that cannot be evaluated.
    pub(crate) fn apply(&self, record: &mut Tree, scope: &Scope) -> Result<(), String> {
        match self {
            Self::AddFields(add) => add.apply(record, scope),
            Self::RemoveFields(remove) => remove.apply(record, scope),
            Self::KeysToLower => {
                keys_to_lower::apply(record);
                Ok(())
            }
            Self::KeysToSnakeCase => {
                keys_to_snake_case::apply(record);
                Ok(())
            }
            Self::KeysReplace(replace) => replace.apply(record, scope),
            Self::FlattenFields(flatten) => {
                flatten.apply(record);
                Ok(())
            }
            Self::DpathFlattenFields(flatten) => flatten.apply(record, scope),
        }
    }
}

/// Renames the keys of an object; of two that become one name, the later one stays.
pub(crate) fn rename(entries: &mut Vec<(String, Tree)>, name: impl Fn(&str) -> String) {
    let mut renamed: Vec<(String, Tree)> = Vec::with_capacity(entries.len());
    for (key, value) in entries.drain(..) {
        let key = name(&key);
        match renamed.iter_mut().find(|(have, _)| *have == key) {
            Some(have) => have.1 = value,
            None => renamed.push((key, value)),
        }
    }
    *entries = renamed;
}
