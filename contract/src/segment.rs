//! Names that can stand in a path: what sources and accounts may be called, and how a stream's name is written there.
//! The one rule that keeps a name from leaving its folder.

use std::fmt::Write as _;

/// The longest segment that is no escaped name.
const LONGEST: usize = 128;

/// The longest escaped name; the endings of files are added to it.
const LONGEST_ESCAPED: usize = 180;

/// Stands before the two hex digits of a byte that cannot stand in a path. No name that needs no escape holds it.
const ESCAPE: char = '~';

fn is_plain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

/// Whether a name can stand between two slashes: letters, digits, `_`, `-`, `.`, not starting with a dot, at most 128 bytes.
pub fn is_safe_segment(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && !text.starts_with('.') && text.bytes().all(is_plain)
}

/// A name as it stands in a path: itself, if it can; else with `~` and two hex digits for every byte that cannot. No two names are
/// written alike; one that is too long is cut, and told apart by a checksum of the whole.
pub(crate) fn escaped(name: &str) -> String {
    if is_safe_segment(name) {
        return name.to_owned();
    }
    let mut out = String::with_capacity(name.len() * 2);
    for (at, b) in name.bytes().enumerate() {
        if is_plain(b) && (at > 0 || b != b'.') {
            out.push(char::from(b));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(out, "{ESCAPE}{b:02x}");
        }
    }
    // A name that is only too long holds nothing to escape.
    if out.len() > LONGEST_ESCAPED || out.len() == name.len() {
        let whole = name.as_bytes();
        let reversed: Vec<u8> = whole.iter().rev().copied().collect();
        out.truncate(LONGEST_ESCAPED - 20);
        let _ = write!(out, "{ESCAPE}{ESCAPE}{:08x}{:08x}", crc32c::crc32c(whole), crc32c::crc32c(&reversed));
    }
    out
}

/// Whether a path's segment is one of ours: a safe name, or an escaped one with the ending of a file.
pub(crate) fn is_path_segment(text: &str) -> bool {
    is_safe_segment(text)
        || (text.contains(ESCAPE)
            && text.len() <= LONGEST_ESCAPED + 20
            && !text.starts_with('.')
            && text.bytes().all(|b| is_plain(b) || b == b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn segments_cannot_leave_their_folder() {
        for good in ["acme-hvac", "jobs", "a.b", "X_1"] {
            assert!(is_safe_segment(good), "{good}");
        }
        for bad in ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a b", "é", "a\0", "a\n", "a~b"] {
            assert!(!is_safe_segment(bad), "{bad:?}");
        }
        assert!(!is_safe_segment(&"x".repeat(129)));
    }

    #[test]
    fn names_in_paths() {
        for (name, path) in [
            ("order-items", "order-items"),
            ("a.b", "a.b"),
            ("order items", "order~20items"),
            ("größe", "gr~c3~b6~c3~9fe"),
            ("v1/users", "v1~2fusers"),
            (".hidden", "~2ehidden"),
            ("..", "~2e."),
            ("a~20b", "a~7e20b"),
        ] {
            assert_eq!(escaped(name), path, "{name}");
            assert!(is_path_segment(path), "{path}");
        }
        for bad in ["", "..", ".~20", "a/b", "a b", "a~/b"] {
            assert!(!is_path_segment(bad), "{bad:?}");
        }
        let (a, b) = ("x".repeat(300) + "a", "x".repeat(300) + "b");
        assert!(escaped(&a) != escaped(&b) && is_path_segment(&format!("{}.ndjson.gz", escaped(&a))));
    }

    proptest! {
        #[test]
        fn no_two_names_are_written_alike(a in ".{1,60}", b in ".{1,60}") {
            prop_assert!(is_path_segment(&escaped(&a)), "{}", escaped(&a));
            prop_assert_eq!(a == b, escaped(&a) == escaped(&b));
        }
    }
}
