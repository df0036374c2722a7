//! FlattenFields: every nested value becomes a field of the record itself. Names of nested keys are joined by dots only where the bare
//! name is taken already; items of lists carry their number.

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

    /// Breadth is kept: a value is looked at before what lies inside its neighbours' depths, the last one first, as a stack gives them.
    pub(crate) fn apply(&self, record: &mut Tree) {
        let Tree::Map(_) = record else { return };
        let whole = std::mem::replace(record, Tree::null());
        let mut stack: Vec<(Tree, String, String)> = vec![(whole, "_".into(), String::new())];
        let mut flat: Vec<(String, Tree)> = Vec::new();
        while let Some((value, path, name)) = stack.pop() {
            match value {
                Tree::Map(entries) if !entries.is_empty() => {
                    for (key, value) in entries {
                        let path = format!("{path}.{key}");
                        stack.push((value, path, key));
                    }
                }
                Tree::List(items) if self.lists && !items.is_empty() => {
                    for (index, item) in items.into_iter().enumerate() {
                        stack.push((item, format!("{path}.{index}"), format!("{name}.{index}")));
                    }
                }
                value => {
                    let taken = flat.iter().any(|(have, _)| *have == name);
                    let name = if taken { path.trim_start_matches(['_', '.']).to_owned() } else { name };
                    match flat.iter_mut().find(|(have, _)| *have == name) {
                        Some(have) => have.1 = value,
                        None => flat.push((name, value)),
                    }
                }
            }
        }
        *record = Tree::Map(flat);
    }
}
