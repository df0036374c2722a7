//! PageIncrement: pages are numbered. Ends at an empty or a short page, unless `x-has-more` says it better.

use crate::components::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::template::Names;
use serde_json::Value;

/// Larger numbers of pages and records than this no API takes as they are, and sums of smaller ones are numbers still.
const LARGEST: u64 = (1 << 53) - 1;

#[derive(Debug)]
pub(crate) struct PageIncrement {
    page_size: Option<Expression>,
    start_from_page: u64,
    inject_on_first_request: bool,
}

impl PageIncrement {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let start_from_page = reader.integer("start_from_page", 0).unwrap_or(0);
        if start_from_page > LARGEST {
            reader.error_at("start_from_page", format!("must be at most {LARGEST}"));
        }
        let strategy = Self {
            page_size: reader.expression("page_size", Names::ANYWHERE),
            start_from_page,
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

/// The page size as a template gives it; a size of 0, one beyond all records, or no integer is refused.
pub(crate) fn evaluate_page_size(size: &Expression, scope: &Scope) -> Result<u64, String> {
    let value = size.value(scope).map_err(|error| error.to_string())?;
    let size = value.as_u64().filter(|size| (1..=LARGEST).contains(size));
    size.ok_or_else(|| format!("`page_size` is no integer from 1 to {LARGEST}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::manifest::problem::Problems;
    use serde_json::json;

    #[test]
    fn numbers_that_no_page_has_are_refused_and_none_overflows() {
        let read = |number: u64| {
            let text =
                format!("{{type: PageIncrement, start_from_page: {number}, page_size: \"{{{{ config.size }}}}\"}}");
            let (node, problems) = (contract::yaml::parse(&text).unwrap(), Problems::default());
            let read = PageIncrement::read(&Reader::new(&node, "strategy".into(), &problems).unwrap()).unwrap();
            (read, problems.into_sorted().0)
        };
        for number in [u64::MAX, u64::MAX - 1, LARGEST + 1] {
            let (_, errors) = read(number);
            assert!(format!("{errors:?}").contains("must be at most 9007199254740991"), "{number}: {errors:?}");
        }
        let (strategy, errors) = read(LARGEST);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(strategy.token(2), Some(json!(LARGEST + 2)));
        for (size, is_size) in [(0, false), (1, true), (LARGEST, true), (LARGEST + 1, false), (u64::MAX, false)] {
            let scope = Scope::new(chrono::Utc::now()).with(Names::CONFIG, json!({"size": size}));
            assert_eq!(evaluate_page_size(strategy.page_size().unwrap(), &scope).is_ok(), is_size, "{size}");
        }
    }
}
