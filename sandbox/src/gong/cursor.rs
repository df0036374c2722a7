//! Cursors: opaque text that says where the next page begins, good for a short time and for the same filter only.
//! The stand-in keeps nothing about them: what is needed is in the text.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::refusal::Refusal;

/// Where a page begins in the list that a filter gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) offset: usize,
    /// Stands for the filter, generation included: pages of two generations do not fit together.
    pub(crate) filter: u64,
    /// Since the stand-in was started.
    pub(crate) made_at: Duration,
}

impl Cursor {
    pub(crate) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}.{}", self.offset, self.filter, self.made_at.as_millis()))
    }

    /// Reads a cursor that must be good now.
    pub(crate) fn read(text: &str, filter: u64, now: Duration, lifetime: Duration) -> Result<Self, Refusal> {
        let invalid = || Refusal::bad_request("The cursor is invalid or has expired");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        let plain = String::from_utf8(bytes).map_err(|_| invalid())?;
        let numbers: Vec<u64> = plain.split('.').map_while(|part| part.parse().ok()).collect();
        let [offset, of, made_at] = numbers.as_slice() else { return Err(invalid()) };
        let offset = usize::try_from(*offset).map_err(|_| invalid())?;
        let cursor = Self { offset, filter: *of, made_at: Duration::from_millis(*made_at) };
        let good = cursor.filter == filter && now.saturating_sub(cursor.made_at) <= lifetime;
        if good { Ok(cursor) } else { Err(invalid()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn good_for_its_filter_and_time() {
        let minute = Duration::from_secs(60);
        let cursor = Cursor { offset: 200, filter: u64::MAX, made_at: minute };
        let text = cursor.text();
        assert_eq!(Cursor::read(&text, u64::MAX, 3 * minute, 2 * minute).unwrap(), cursor);
        assert!(Cursor::read(&text, u64::MAX, 4 * minute, 2 * minute).is_err());
        assert!(Cursor::read(&text, 5, minute, minute).is_err());
        for wrong in ["", "abc", "%%", &text[1..]] {
            assert!(Cursor::read(wrong, u64::MAX, minute, minute).is_err(), "{wrong}");
        }
    }
}
