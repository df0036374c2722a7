//! KeysReplace: replaces a text in all keys, nested ones included.

use super::expression::{Expression, Scope};
use super::transformation::rename;
use crate::manifest::reader::Reader;
use crate::record::tree::Tree;
use crate::template::{Names, Shared};

#[derive(Debug)]
pub(crate) struct KeysReplace {
    old: Expression,
    new: Expression,
}

impl KeysReplace {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let old = reader.required_expression("old", Names::RECORD_FIELDS);
        let new = reader.required_expression("new", Names::RECORD_FIELDS);
        reader.finish();
        Some(Self { old: old?, new: new? })
    }

    pub(crate) fn apply(&self, record: &mut Tree, scope: &Scope) -> Result<(), String> {
        let seen = scope.clone().with(Names::RECORD, Shared::of(record));
        let old = self.old.text(&seen).map_err(|error| error.to_string())?;
        let new = self.new.text(&seen).map_err(|error| error.to_string())?;
        if !old.is_empty() {
            replace(record, &old, &new);
        }
        Ok(())
    }
}

fn replace(tree: &mut Tree, old: &str, new: &str) {
    match tree {
        Tree::Map(entries) => {
            rename(entries, |key| key.replace(old, new));
            entries.iter_mut().for_each(|(_, value)| replace(value, old, new));
        }
        // As in the reference engine, objects inside of lists stay.
        Tree::List(_) | Tree::Scalar(_) => {}
    }
}
