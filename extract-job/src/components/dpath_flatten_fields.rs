//! DpathFlattenFields: the fields of a nested object move up into the record, or become the record. Where a name is taken already nothing
//! is done. Fields with templates in their path and `*` are followed.

use super::expression::{Expression, Scope};
use super::remove_fields::remove;
use crate::manifest::reader::Reader;
use crate::record::tree::Tree;
use crate::template::Names;

#[derive(Debug)]
pub(crate) struct DpathFlattenFields {
    path: Vec<Expression>,
    delete_origin: bool,
    replace_record: bool,
    prefix: Option<Expression>,
    suffix: Option<Expression>,
}

impl DpathFlattenFields {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        reader.required("field_path");
        let path = reader.expression_list("field_path", Names::ANYWHERE);
        let (mut prefix, mut suffix) = (None, None);
        if let Some(keys) = reader.child("key_transformation") {
            if keys.kind() != "KeyTransformation" {
                keys.unsupported("KeyTransformation");
            }
            prefix = keys.expression("prefix", Names::ANYWHERE);
            suffix = keys.expression("suffix", Names::ANYWHERE);
            keys.finish();
        }
        let flatten = Self {
            path,
            delete_origin: reader.boolean("delete_origin_value", false),
            replace_record: reader.boolean("replace_record", false),
            prefix,
            suffix,
        };
        reader.finish();
        Some(flatten)
    }

    pub(crate) fn apply(&self, record: &mut Tree, scope: &Scope) -> Result<(), String> {
        let text = |expression: &Expression| expression.text(scope).map_err(|error| error.to_string());
        let path: Vec<String> = self.path.iter().map(text).collect::<Result<_, _>>()?;
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let prefix = self.prefix.as_ref().map_or(Ok(String::new()), text)?;
        let suffix = self.suffix.as_ref().map_or(Ok(String::new()), text)?;
        let mut found = Vec::new();
        matches(record, &path, &mut found);
        for entries in found {
            let entries: Vec<(String, Tree)> =
                entries.into_iter().map(|(key, value)| (format!("{prefix}{key}{suffix}"), value)).collect();
            if self.replace_record {
                *record = Tree::Map(entries);
                continue;
            }
            if entries.iter().any(|(key, _)| record.get(key).is_some()) {
                continue;
            }
            if self.delete_origin {
                remove(record, &path, &mut |_| true);
            }
            if let Tree::Map(own) = record {
                own.extend(entries);
            }
        }
        Ok(())
    }
}

/// The objects at a path.
fn matches(tree: &Tree, path: &[&str], found: &mut Vec<Vec<(String, Tree)>>) {
    match (path.split_first(), tree) {
        (None, Tree::Map(entries)) => found.push(entries.clone()),
        (Some((&"*", rest)), Tree::Map(entries)) => entries.iter().for_each(|(_, value)| matches(value, rest, found)),
        (Some((&"*", rest)), Tree::List(items)) => items.iter().for_each(|item| matches(item, rest, found)),
        (Some((segment, rest)), tree) => {
            if let Some(value) = tree.at(&[segment]) {
                matches(value, rest, found);
            }
        }
        _ => {}
    }
}
