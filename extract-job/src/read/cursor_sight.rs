//! What a reading has seen of its cursor: a field that no record has, or values that no format reads, mean that the state never moves.

use crate::components::datetime_based_cursor::DatetimeBasedCursor;
use crate::record::refine::Refined;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the records of all pages have shown.
#[derive(Debug, Default)]
pub(super) struct CursorSight {
    records: AtomicBool,
    values: AtomicBool,
    readable: AtomicBool,
}

impl CursorSight {
    /// Looks at the records of a page.
    pub(super) fn see(&self, refined: &Refined) {
        let seen = [
            (&self.records, refined.came_out > 0),
            (&self.values, refined.has_cursor_value),
            (&self.readable, refined.has_readable_cursor),
        ];
        seen.into_iter().filter(|(_, now)| *now).for_each(|(flag, _)| flag.store(true, Ordering::Relaxed));
    }

    /// What people should know of it; nothing where there were no records to judge by.
    pub(super) fn warning(&self, cursor: &DatetimeBasedCursor, field: &str) -> Option<String> {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        if is(&self.readable) || !is(&self.records) {
            return None;
        }
        let every_run = "the state does not move, and every run reads from the same moment on";
        if !is(&self.values) {
            return Some(format!(
                "no record has a value in the cursor field `{field}`: {every_run}; name a field of the records by `cursor_field`"
            ));
        }
        let formats: Vec<String> = cursor.formats().as_slice().iter().map(|format| format!("`{format}`")).collect();
        Some(format!(
            "no value of the cursor field `{field}` fits its formats ({}): {every_run}; add the format of the records to \
             `cursor_datetime_formats`",
            formats.join(", ")
        ))
    }
}
