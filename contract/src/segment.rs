//! Names that can stand in a path: what sources, accounts and streams may be called.
//! The one rule that keeps a name from leaving its folder.

/// Whether a name can stand between two slashes: letters, digits, `_`, `-`, `.`, not starting with a dot, at most 128 bytes.
pub fn is_safe_segment(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_cannot_leave_their_folder() {
        for good in ["acme-hvac", "jobs", "a.b", "X_1"] {
            assert!(is_safe_segment(good), "{good}");
        }
        for bad in ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a b", "é", "a\0", "a\n"] {
            assert!(!is_safe_segment(bad), "{bad:?}");
        }
        assert!(!is_safe_segment(&"x".repeat(129)));
    }
}
