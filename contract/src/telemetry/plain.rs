//! What a terminal and a text log are given: no character that moves the cursor, colours, rings, ends a line where none ends, or turns
//! the reading order. Answers of APIs and manifests may hold any of them, and a log that can be forged is none.

use std::borrow::Cow;

/// What stands in place of a character that must not be printed.
const REPLACEMENT: char = '\u{fffd}';

/// Control characters (C0, DEL, C1), marks that turn the reading order, and separators that some terminals take for the end of a line.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of our own, which may have lines, and may hold pieces from outside.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let is_ours = |character: char| matches!(character, '\n' | '\t');
    if !text.contains(|character| is_harmful(character) && !is_ours(character)) {
        return Cow::Borrowed(text);
    }
    let text = text.replace("\r\n", "\n");
    let shown = |c: char| if is_harmful(c) && !is_ours(c) { REPLACEMENT } else { c };
    Cow::Owned(text.chars().map(shown).collect())
}

/// A text from outside on one line: it can begin no line of its own.
pub fn one_line(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if is_harmful(c) => REPLACEMENT,
        c => c,
    };
    text.chars().map(shown).collect()
}

/// A message in a log: what it has of further lines is told from the beginning of the next message.
pub(super) fn message(text: &str) -> String {
    harmless(text).replace('\n', "\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_is_left() {
        let every = (0..=0x9f_u32).chain([0x61c, 0x200e, 0x202e, 0x2066, 0x2028, 0x2029, 0xfeff]);
        for character in every.filter_map(char::from_u32).filter(|c| is_harmful(*c)) {
            let text = format!("a{character}b");
            let line = one_line(&text);
            assert!(line == "a b" || line == "a\u{fffd}b", "{line:?}");
            let expected = if matches!(character, '\n' | '\t') { text.as_str() } else { "a\u{fffd}b" };
            assert_eq!(harmless(&text), expected);
        }
        assert!(matches!(harmless("grün – 漢字 😀\n\tfurther"), Cow::Borrowed(_)));
        assert_eq!(harmless("a\r\nb\rc"), "a\nb\u{fffd}c");
        assert_eq!(message("one\ntwo\u{7}"), "one\n    two\u{fffd}");
    }
}
