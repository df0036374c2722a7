//! CursorPagination: the answer says what to ask for next. With `x-keep-token` the last token is the stream's state.

use crate::components::expression::{Expression, ExpressionError, Scope};
use crate::manifest::reader::Reader;
use crate::template::Names;
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct CursorPagination {
    cursor_value: Expression,
    stop_condition: Option<Expression>,
    page_size: Option<Expression>,
    keep_token: bool,
}

impl CursorPagination {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let cursor_value = reader.required_expression("cursor_value", Names::PAGINATION);
        let stop_condition = reader.expression("stop_condition", Names::PAGINATION);
        let page_size = reader.expression("page_size", Names::ANYWHERE);
        let keep_token = reader.boolean("x-keep-token", false);
        reader.finish();
        Some(Self { cursor_value: cursor_value?, stop_condition, page_size, keep_token })
    }

    pub(crate) fn page_size(&self) -> Option<&Expression> {
        self.page_size.as_ref()
    }

    /// The templates that look at an answer.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        std::iter::once(&self.cursor_value).chain(&self.stop_condition)
    }

    pub(crate) fn keeps_token(&self) -> bool {
        self.keep_token
    }

    /// The token after a page; nothing where it is empty, null, zero or false.
    pub(crate) fn token(&self, scope: &Scope) -> Result<Option<Value>, ExpressionError> {
        // What is not there ends the pages, as in the reference engine: many APIs leave the token out on the last page.
        let Some(value) = self.cursor_value.option(scope)? else { return Ok(None) };
        // A token is opaque: one that looks like a number must come back letter by letter.
        let exact = if value.is_number() { Value::String(self.cursor_value.text(scope)?) } else { value.clone() };
        Ok(is_truthy(&value).then_some(exact))
    }

    /// Whether the stop condition ends the slice after this page.
    pub(crate) fn stops(&self, scope: &Scope) -> Result<bool, ExpressionError> {
        self.stop_condition.as_ref().map_or(Ok(false), |condition| condition.condition(scope))
    }
}

fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn falsy_tokens_end() {
        for value in [json!(null), json!(""), json!(0), json!(false), json!([]), json!({})] {
            assert!(!is_truthy(&value), "{value}");
        }
        for value in [json!("0"), json!(1), json!("x"), json!([0])] {
            assert!(is_truthy(&value), "{value}");
        }
    }
}
