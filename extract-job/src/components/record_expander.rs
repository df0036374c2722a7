//! RecordExpander: one record for each item of a list inside a record, which may keep the record it came from under `original_record`.

use super::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::record::making::Emit;
use crate::record::tree::Tree;
use crate::template::Names;
use chrono::DateTime;

#[derive(Debug)]
pub(crate) struct RecordExpander {
    field: Vec<Expression>,
    keeps_original: bool,
    /// A record without the list, or with an empty one, is a record itself.
    emits_parent: bool,
}

impl RecordExpander {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "RecordExpander" {
            reader.unsupported("RecordExpander");
            return None;
        }
        reader.required("expand_records_from_field");
        let field = reader.expression_list("expand_records_from_field", Names::ANYWHERE);
        if field.iter().any(|segment| segment.text(&Scope::new(DateTime::UNIX_EPOCH)).is_ok_and(|text| text == "*")) {
            reader.error_at("expand_records_from_field", "with `*` is not supported");
        }
        let emits_parent = match reader.text("on_no_records").as_deref() {
            None | Some("skip") => false,
            Some("emit_parent") => true,
            Some(_) => {
                reader.error_at("on_no_records", "must be skip or emit_parent");
                false
            }
        };
        let expander = Self { field, keeps_original: reader.boolean("remain_original_record", false), emits_parent };
        reader.finish();
        Some(expander)
    }

    /// Emits the records that one record gives, until no more are wanted; whether these were all.
    ///
    /// # Errors
    /// A template that cannot be evaluated.
    pub(crate) fn expand(&self, record: &Tree, scope: &Scope, emit: Emit<'_>) -> Result<bool, String> {
        let path = self.field.iter().map(|segment| segment.text(scope).map_err(|error| error.to_string()));
        let path: Vec<String> = path.collect::<Result<_, _>>()?;
        Ok(match record.at(&path) {
            Some(Tree::List(items)) if !items.is_empty() => items.iter().all(|item| {
                emit(&|out| match item {
                    Tree::Map(_) if self.keeps_original => item.write_with(&[("original_record", record)], out),
                    item => item.write(out),
                })
            }),
            _ if self.emits_parent => emit(&|out| record.write(out)),
            _ => true,
        })
    }
}
