//! OffsetIncrement: pages start at a record's number. The offset grows by what was received, so that a short page loses nothing.

use crate::components::expression::Expression;
use crate::manifest::reader::Reader;
use crate::template::Names;
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct OffsetIncrement {
    page_size: Option<Expression>,
    inject_on_first_request: bool,
}

impl OffsetIncrement {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let strategy = Self {
            page_size: reader.expression("page_size", Names::PAGINATION),
            inject_on_first_request: reader.boolean("inject_on_first_request", false),
        };
        reader.finish();
        Some(strategy)
    }

    pub(crate) fn page_size(&self) -> Option<&Expression> {
        self.page_size.as_ref()
    }

    /// The offset as a token; the first request may go without one.
    pub(crate) fn token(&self, offset: u64) -> Option<Value> {
        (offset > 0 || self.inject_on_first_request).then(|| Value::from(offset))
    }
}
