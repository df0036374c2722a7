//! Splits GoogleSQL into tokens that know their place in the text; comments and white space are left out.
//! Broken text (an open string, say) ends in a last token: to refuse it is the emulator's part.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    /// An identifier in backticks.
    Quoted,
    Text,
    Number,
    /// One character of punctuation.
    Symbol,
}

/// A token; `depth` counts the parentheses and brackets around it (the outer pair itself is outside).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
    pub(crate) depth: u32,
}

/// The tokens of `text`.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let (mut at, mut depth) = (0, 0u32);
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        let next = bytes.get(at + 1).copied().unwrap_or_default();
        let kind = match byte {
            b'-' if next == b'-' => {
                at = line_end(bytes, at);
                continue;
            }
            b'#' => {
                at = line_end(bytes, at);
                continue;
            }
            b'/' if next == b'*' => {
                at = text.get(at + 2..).and_then(|rest| rest.find("*/")).map_or(bytes.len(), |found| at + found + 4);
                continue;
            }
            _ if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'\'' | b'"' => {
                at = string_end(bytes, at);
                Kind::Text
            }
            b'`' => {
                at = string_end(bytes, at);
                Kind::Quoted
            }
            b'0'..=b'9' => {
                at += bytes[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'.').count();
                Kind::Number
            }
            _ if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => {
                at += bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
                let prefix = &text[start..at];
                let quote = bytes.get(at).is_some_and(|byte| matches!(byte, b'\'' | b'"'));
                if quote && ["r", "b", "rb", "br"].iter().any(|known| prefix.eq_ignore_ascii_case(known)) {
                    at = string_end(bytes, at);
                    Kind::Text
                } else {
                    Kind::Word
                }
            }
            _ => {
                at += 1;
                Kind::Symbol
            }
        };
        if kind == Kind::Symbol && matches!(byte, b')' | b']') {
            depth = depth.saturating_sub(1);
        }
        tokens.push(Token { kind, span: start..at, depth });
        if kind == Kind::Symbol && matches!(byte, b'(' | b'[') {
            depth += 1;
        }
    }
    tokens
}

/// The content of a string literal, with its escapes resolved as far as they are simple.
pub(crate) fn literal(token: &str) -> String {
    let raw =
        token.chars().take_while(|letter| letter.is_ascii_alphabetic()).any(|letter| letter.eq_ignore_ascii_case(&'r'));
    let token = token.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    let quotes = if token.starts_with("'''") || token.starts_with("\"\"\"") { 3 } else { 1 };
    let inner = token.get(quotes..token.len().saturating_sub(quotes)).unwrap_or_default();
    if raw {
        return inner.to_owned();
    }
    let mut content = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        content.push(match (letter, letter == '\\') {
            (_, true) => match letters.next().unwrap_or('\\') {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            },
            (letter, false) => letter,
        });
    }
    content
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |found| at + found + 1)
}

/// The end of a string that opens at `at`, with one quote or three. A backslash guards a quote even in a raw string.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let three = [quote; 3];
    let closing: &[u8] = if quote != b'`' && bytes[at..].starts_with(&three) { &three } else { &three[..1] };
    let mut at = at + closing.len();
    while at < bytes.len() {
        if bytes[at] == b'\\' {
            at += 2;
        } else if bytes[at..].starts_with(closing) {
            return at + closing.len();
        } else {
            at += 1;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        tokens(sql).iter().map(|token| &sql[token.span.clone()]).collect()
    }

    #[test]
    fn strings_and_comments_hide_what_is_in_them() {
        let sql = "SELECT `a;b`, 'it\\'s; -- no', r'\\d', \"\"\"x\"y;\"\"\" -- ; gone\n# ; gone\n/* ; gone */ FROM t1;";
        let expected =
            ["SELECT", "`a;b`", ",", "'it\\'s; -- no'", ",", "r'\\d'", ",", "\"\"\"x\"y;\"\"\"", "FROM", "t1", ";"];
        assert_eq!(texts(sql), expected);
    }

    #[test]
    fn depth_counts_the_parentheses_around() {
        let depths: Vec<_> = tokens("a (b [c] d) e)").iter().map(|token| token.depth).collect();
        assert_eq!(depths, [0, 0, 1, 1, 2, 1, 1, 0, 0, 0]);
    }

    #[test]
    fn literals_lose_their_quotes() {
        for (token, content) in [("'a\\'b'", "a'b"), ("r'\\d'", "\\d"), ("\"\"\"x\"y\"\"\"", "x\"y"), ("''", "")] {
            assert_eq!(literal(token), content, "{token}");
        }
    }

    #[test]
    fn broken_text_ends_somewhere() {
        for sql in ["'open", "`open", "/* open", "'\\", "a 'ü", "))((", "r"] {
            assert!(tokens(sql).iter().all(|token| token.span.end <= sql.len()), "{sql}");
        }
    }
}
