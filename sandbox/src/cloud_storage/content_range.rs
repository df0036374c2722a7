//! The `Content-Range` header of an upload's PUT: which bytes come, or only a question.

use super::reply::Refusal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentRange {
    /// `bytes */*` or `bytes */TOTAL`: no bytes; a question, or the end of an upload whose bytes are all there.
    Nothing { total: Option<u64> },
    /// `bytes FROM-TO/…`; without `to` (`bytes FROM-*/…`) all bytes up to the end of the body, which ends the upload.
    Bytes { from: u64, to: Option<u64>, total: Option<u64> },
}

impl ContentRange {
    /// A PUT without the header brings the whole object.
    pub(crate) fn read(header: Option<&str>) -> Result<Self, Refusal> {
        let Some(header) = header else { return Ok(Self::Bytes { from: 0, to: None, total: None }) };
        Self::parse(header).ok_or_else(|| Refusal::bad(format!("Failed to parse Content-Range header: {header}")))
    }

    fn parse(header: &str) -> Option<Self> {
        let (range, total) = header.strip_prefix("bytes ")?.split_once('/')?;
        let number = |text: &str| if text == "*" { Some(None) } else { text.parse().ok().map(Some) };
        let total: Option<u64> = number(total)?;
        if range == "*" {
            return Some(Self::Nothing { total });
        }
        let (from, to) = range.split_once('-')?;
        let (from, to) = (from.parse().ok()?, number(to)?);
        let ordered = to.is_none_or(|to| from <= to && total.is_none_or(|total| to < total));
        ordered.then_some(Self::Bytes { from, to, total })
    }

    /// The upload ends with these bytes.
    pub(crate) fn is_last(self) -> bool {
        match self {
            Self::Nothing { .. } => false,
            Self::Bytes { to: None, .. } => true,
            Self::Bytes { to: Some(to), total, .. } => total == Some(to + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let bytes = |from, to, total| Some(ContentRange::Bytes { from, to, total });
        let cases = [
            ("bytes */*", Some(ContentRange::Nothing { total: None }), false),
            ("bytes */7", Some(ContentRange::Nothing { total: Some(7) }), false),
            ("bytes 0-9/*", bytes(0, Some(9), None), false),
            ("bytes 5-9/20", bytes(5, Some(9), Some(20)), false),
            ("bytes 5-9/10", bytes(5, Some(9), Some(10)), true),
            ("bytes 5-*/*", bytes(5, None, None), true),
            ("bytes 9-5/*", None, false),
            ("bytes 0-9/9", None, false),
            ("bytes=0-9", None, false),
        ];
        for (text, expected, last) in cases {
            let range = ContentRange::parse(text);
            assert_eq!(range, expected, "{text}");
            assert_eq!(range.is_some_and(ContentRange::is_last), last, "{text}");
        }
    }
}
