//! FlattenFields: every nested value becomes a field of the record itself. It keeps its name; where that is taken, or once a list was
//! flattened, it is named by its whole path with dots. Items of lists carry their number; empty objects and lists leave nothing.

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

    /// Names are given as the reference engine gives them: what comes later in the record is named first.
    pub(crate) fn apply(&self, record: &mut Tree) {
        if !matches!(record, Tree::Map(_)) {
            return;
        }
        let mut stack = vec![(std::mem::replace(record, Tree::null()), String::new())];
        let mut flat = Tree::Map(Vec::new());
        let mut whole_paths = false;
        while let Some((value, path)) = stack.pop() {
            match value {
                Tree::Map(entries) => {
                    for (key, value) in entries {
                        let is_taken = whole_paths || flat.get(&key).is_some();
                        let name = if is_taken && !path.is_empty() { format!("{path}.{key}") } else { key };
                        stack.push((value, name));
                    }
                }
                Tree::List(items) if self.lists => {
                    for (index, item) in items.into_iter().enumerate() {
                        whole_paths = true;
                        stack.push((item, format!("{path}.{index}")));
                    }
                }
                value => flat.set(&[path], value),
            }
        }
        *record = flat;
    }
}
