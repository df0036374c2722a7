//! FlattenFields: every nested value becomes a field of the record itself, named by its whole path with dots; items of lists carry their
//! number. Empty objects (and lists, where they are flattened) leave nothing.

use crate::manifest::reader::Reader;
use crate::record::tree::Tree;

#[derive(Debug)]
pub(crate) struct FlattenFields {
    lists: bool,
}

impl FlattenFields {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let lists = reader.boolean("flatten_lists", true);
        reader.finish();
        Some(Self { lists })
    }

    pub(crate) fn apply(&self, record: &mut Tree) {
        if !matches!(record, Tree::Map(_)) {
            return;
        }
        let mut flat = Vec::new();
        self.descend(std::mem::replace(record, Tree::null()), String::new(), &mut flat);
        *record = Tree::Map(Vec::with_capacity(flat.len()));
        flat.into_iter().for_each(|(name, value)| record.set(&[name], value));
    }

    fn descend(&self, value: Tree, path: String, flat: &mut Vec<(String, Tree)>) {
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            Tree::Map(entries) => {
                entries.into_iter().for_each(|(key, value)| self.descend(value, below(&key), flat));
            }
            Tree::List(items) if self.lists => {
                let items = items.into_iter().enumerate();
                items.for_each(|(index, item)| self.descend(item, below(&index.to_string()), flat));
            }
            value => flat.push((path, value)),
        }
    }
}
