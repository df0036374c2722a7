//! PageIncrement: pages are numbered. Ends at an empty or a short page, unless `x-has-more` says it better.

use crate::components::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::template::Names;
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct PageIncrement {
    page_size: Option<Expression>,
    start_from_page: u64,
    inject_on_first_request: bool,
}

impl PageIncrement {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let strategy = Self {
            page_size: reader.expression("page_size", Names::ANYWHERE),
            start_from_page: reader.integer("start_from_page", 0).unwrap_or(0),
            inject_on_first_request: reader.boolean("inject_on_first_request", false),
        };
        reader.finish();
        Some(strategy)
    }

    pub(crate) fn page_size(&self) -> Option<&Expression> {
        self.page_size.as_ref()
    }

    /// The number of the page of this index; the first may go without one.
    pub(crate) fn token(&self, index: u64) -> Option<Value> {
        (index > 0 || self.inject_on_first_request).then(|| Value::from(self.start_from_page + index))
    }
}

/// The page size as a template gives it; a size of 0 or no integer is refused.
pub(crate) fn evaluate_page_size(size: &Expression, scope: &Scope) -> Result<u64, String> {
    let value = size.value(scope).map_err(|error| error.to_string())?;
    value.as_u64().filter(|size| *size > 0).ok_or_else(|| "`page_size` is no integer of at least 1".to_owned())
}
