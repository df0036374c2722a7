//! RequestWindowSplitting: a window that holds more than the API gives is read as two halves, again and again. On the error action
//! SPLIT_REQUEST_WINDOW; records of the window that had come already are dropped, so that none comes twice (the reference gives them twice).

use super::expression::{Expression, Scope};
use super::windows::Window;
use crate::manifest::reader::Reader;
use crate::template::Names;
use crate::template::duration::IsoDuration;

#[derive(Debug)]
pub(crate) struct RequestWindowSplitting {
    smallest: Option<Expression>,
    message: Option<Expression>,
}

impl RequestWindowSplitting {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "RequestWindowSplitting" {
            reader.unsupported("RequestWindowSplitting");
            return None;
        }
        let smallest = reader.expression("min_split_window", Names::ANYWHERE);
        let message = reader.expression("failure_message", Names::ANYWHERE);
        reader.finish();
        Some(Self { smallest, message })
    }

    /// The two halves of a window: `[a, m − granularity]` and `[m, b]`; `printed` gives a moment as the cursor's format can tell it.
    ///
    /// # Errors
    /// The window cannot be split any further, in the manifest's words where it has some.
    pub(crate) fn halves(
        &self,
        window: Window,
        granularity: &IsoDuration,
        scope: &Scope,
        printed: impl Fn(chrono::DateTime<chrono::FixedOffset>) -> chrono::DateTime<chrono::FixedOffset>,
        why: &str,
    ) -> Result<[Window; 2], String> {
        let Window { start, end } = window;
        let smallest = match &self.smallest {
            Some(text) => {
                let text = text.text(scope).map_err(|error| format!("`min_split_window`: {error}"))?;
                Some(IsoDuration::parse(&text).map_err(|error| format!("`min_split_window`: {error}"))?)
            }
            None => None,
        };
        let least = smallest.as_ref().unwrap_or(granularity);
        // Both ends are in: the width is a granularity more than their distance.
        let width = granularity.add_to(end).map_err(|error| format!("`cursor_granularity`: {error}"))? - start;
        let middle = printed(start + width / 2);
        let left = granularity.sub_from(middle).map_err(|error| format!("`cursor_granularity`: {error}"))?;
        let too_small = |least: &IsoDuration| least.add_to(start).is_ok_and(|smallest| smallest >= end);
        if too_small(least) || too_small(granularity) || middle <= start || left < start {
            let told = self.message.as_ref().and_then(|message| message.text(scope).ok());
            let told = told.filter(|text| !text.is_empty()).map(|text| format!("{text}: ")).unwrap_or_default();
            return Err(format!("{told}the window from {start} to {end} cannot be split any further ({why})"));
        }
        Ok([Window { start, end: left }, Window { start: middle, end }])
    }
}
