//! KeysToLower: the record's own keys in lower case; those of nested objects stay.

use super::transformation::rename;
use crate::record::tree::Tree;

pub(crate) fn apply(record: &mut Tree) {
    if let Tree::Map(entries) = record {
        rename(entries, str::to_lowercase);
    }
}
