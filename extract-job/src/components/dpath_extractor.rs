//! DpathExtractor: the path in an answer where its records are.

use super::expression::{Expression, ExpressionError, Scope};
use super::record_expander::RecordExpander;
use crate::manifest::reader::Reader;
use crate::template::Names;
use contract::yaml::Node;

#[derive(Debug)]
pub(crate) struct DpathExtractor {
    field_path: Vec<Expression>,
    /// `x-bare-array`: an answer that is a list holds the records itself, instead of elements that the path leads into.
    bare_array: bool,
    /// `x-empty-when`: an answer that lacks the path is an empty list, and a proven one.
    empty_when: Option<Expression>,
    expander: Option<RecordExpander>,
}

impl DpathExtractor {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "DpathExtractor" {
            reader.unsupported("DpathExtractor");
            return None;
        }
        if let Some(text) = reader.required("field_path").and_then(Node::as_str)
            && text.contains('.')
            && !text.contains("{{")
        {
            let list = text.split('.').collect::<Vec<_>>().join(", ");
            reader.error_at(
                "field_path",
                format!("must be a list of names: [{list}] (or [\"{text}\"], for one name with dots)"),
            );
        }
        let field_path = reader.expression_list("field_path", Names::ANYWHERE);
        let expander = reader.child("record_expander").and_then(|child| RecordExpander::read(&child));
        reader.accept(&["decoder"]);
        let bare_array = reader.boolean("x-bare-array", false);
        let empty_when = reader.expression("x-empty-when", Names::ERROR);
        reader.finish();
        Some(Self { field_path, bare_array, empty_when, expander })
    }

    /// The path of an extractor that makes its records of what lies there: the path's name in the manifest, and `x-empty-when`.
    pub(crate) fn read_inner(reader: &Reader<'_>, path: &str) -> Self {
        let field_path = reader.expression_list(path, Names::ANYWHERE);
        let empty_when = reader.expression("x-empty-when", Names::ERROR);
        Self { field_path, bare_array: false, empty_when, expander: None }
    }

    pub(crate) fn expander(&self) -> Option<&RecordExpander> {
        self.expander.as_ref()
    }

    /// Whether an answer without the path is an empty list, as far as the manifest says.
    pub(crate) fn is_empty_when(&self, scope: &Scope) -> Result<bool, ExpressionError> {
        self.empty_when.as_ref().map_or(Ok(false), |condition| condition.condition(scope))
    }

    /// The path's segments.
    pub(crate) fn path(&self, scope: &Scope) -> Result<Vec<String>, ExpressionError> {
        self.field_path.iter().map(|segment| segment.text(scope)).collect()
    }

    /// The path that leads to the records of this answer.
    pub(crate) fn path_in<'a>(&self, body: &[u8], path: &'a [String]) -> &'a [String] {
        let starts_list = || body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
        if self.bare_array && starts_list() { &[] } else { path }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_array_holds_the_records_itself() {
        let path = ["docs".to_owned()];
        let none: &[String] = &[];
        for (bare_array, body, expected) in
            [(true, " \n[{}]", none), (true, "{\"docs\": []}", &path), (true, "", &path), (false, "[{}]", &path)]
        {
            let extractor = DpathExtractor { field_path: Vec::new(), bare_array, empty_when: None, expander: None };
            assert_eq!(extractor.path_in(body.as_bytes(), &path), expected, "{body}");
        }
    }
}
