//! DpathExtractor: the path in an answer where its records are.

use super::expression::{Expression, ExpressionError, Scope};
use crate::manifest::reader::Reader;
use crate::template::Names;

#[derive(Debug)]
pub(crate) struct DpathExtractor {
    field_path: Vec<Expression>,
}

impl DpathExtractor {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "DpathExtractor" {
            reader.unsupported("DpathExtractor");
            return None;
        }
        reader.required("field_path");
        let field_path = reader.expression_list("field_path", Names::ANYWHERE);
        reader.refuse(&["record_expander"]);
        reader.accept(&["decoder"]);
        reader.finish();
        Some(Self { field_path })
    }

    pub(crate) fn new(field_path: Vec<Expression>) -> Self {
        Self { field_path }
    }

    /// The path's segments.
    pub(crate) fn path(&self, scope: &Scope) -> Result<Vec<String>, ExpressionError> {
        self.field_path.iter().map(|segment| segment.text(scope)).collect()
    }
}
