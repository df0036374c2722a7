//! A text with its escapes undone, one level after another, each byte with the place in the text that it comes from: percent-encoding,
//! escapes of JSON and of programs' logs, HTML's entities. Whatever mixture a secret comes back in, some level shows it as it is.

use super::base64_forms::is_character;
use super::places;
use std::ops::Range;

/// Escapes within escapes are undone so deep.
const MOST_LEVELS: usize = 6;

/// HTML's names for what has to be escaped, or often is.
const ENTITIES: [(&str, char); 22] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("plus", '+'),
    ("sol", '/'),
    ("bsol", '\\'),
    ("equals", '='),
    ("colon", ':'),
    ("semi", ';'),
    ("commat", '@'),
    ("percnt", '%'),
    ("num", '#'),
    ("dollar", '$'),
    ("excl", '!'),
    ("quest", '?'),
    ("lowbar", '_'),
    ("period", '.'),
    ("comma", ','),
    ("ast", '*'),
];

/// The bytes of a text after so many escapes.
pub(super) struct Level {
    bytes: Vec<u8>,
    /// Where each byte comes from; empty for the text as it is.
    from: Vec<(usize, usize)>,
    depth: usize,
}

impl Level {
    /// The text as it is.
    pub(super) fn of(text: &str) -> Self {
        Self { bytes: text.as_bytes().to_vec(), from: Vec::new(), depth: 0 }
    }

    fn source(&self, at: usize) -> (usize, usize) {
        self.from.get(at).copied().unwrap_or((at, at + 1))
    }

    fn sources(&self, range: Range<usize>) -> Range<usize> {
        self.source(range.start).0..self.source(range.end.saturating_sub(1)).1
    }

    /// Where a form stands, as places in the text.
    pub(super) fn find(&self, form: &[u8]) -> Vec<Range<usize>> {
        places(&self.bytes, form).map(|range| self.sources(range)).collect()
    }

    /// The whole Base64 texts that hold a form, as places in the text.
    pub(super) fn find_run(&self, form: &[u8]) -> Vec<Range<usize>> {
        let whole = |range: Range<usize>| {
            let before = self.bytes.get(..range.start).unwrap_or_default();
            let after = self.bytes.get(range.end..).unwrap_or_default();
            let start = range.start - before.iter().rev().take_while(|byte| is_character(**byte)).count();
            let rest = after.iter().take_while(|byte| is_character(**byte)).count();
            let padding = after.get(rest..).unwrap_or_default().iter().take_while(|byte| **byte == b'=').count();
            self.sources(start..range.end + rest + padding)
        };
        places(&self.bytes, form).map(whole).collect()
    }

    /// The next level; nothing if no escape is left.
    pub(super) fn deeper(&self) -> Option<Self> {
        if self.depth == MOST_LEVELS || !self.bytes.iter().any(|byte| matches!(byte, b'%' | b'\\' | b'&')) {
            return None;
        }
        let mut next = Self { bytes: Vec::with_capacity(self.bytes.len()), from: Vec::new(), depth: self.depth + 1 };
        let (mut at, mut changed) = (0, false);
        while let Some(rest) = self.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let mut buffer = [0; 4];
            let (length, bytes) = match unescaped(rest) {
                Some((length, Unescaped::Byte(byte))) => {
                    buffer[0] = byte;
                    (length, &buffer[..1])
                }
                Some((length, Unescaped::Char(character))) => (length, character.encode_utf8(&mut buffer).as_bytes()),
                None => (1, &rest[..1]),
            };
            changed |= length > 1;
            let source = self.sources(at..at + length);
            next.bytes.extend_from_slice(bytes);
            next.from.extend(bytes.iter().map(|_| (source.start, source.end)));
            at += length;
        }
        changed.then_some(next)
    }

    /// The level with a space for every plus, as forms have it.
    pub(super) fn spaced(mut self) -> Self {
        self.bytes.iter_mut().filter(|byte| **byte == b'+').for_each(|byte| *byte = b' ');
        self
    }
}

/// What every spelling of a text comes to.
pub(super) fn bare(text: &str) -> Vec<u8> {
    let mut level = Level::of(text);
    while let Some(deeper) = level.deeper() {
        level = deeper;
    }
    level.spaced().bytes
}

enum Unescaped {
    Byte(u8),
    Char(char),
}

/// The escape that a text begins with: its length, and what it means.
fn unescaped(text: &[u8]) -> Option<(usize, Unescaped)> {
    match text.first()? {
        b'%' => Some((3, Unescaped::Byte(u8::try_from(hex(text.get(1..3)?)?).ok()?))),
        b'\\' => backslashed(text),
        b'&' => entity(text),
        _ => None,
    }
}

fn backslashed(text: &[u8]) -> Option<(usize, Unescaped)> {
    let plain = |character: char| Some((2, Unescaped::Char(character)));
    match text.get(1)? {
        byte @ (b'"' | b'\'' | b'\\' | b'/') => plain(char::from(*byte)),
        b'n' => plain('\n'),
        b'r' => plain('\r'),
        b't' => plain('\t'),
        b'b' => plain('\u{8}'),
        b'f' => plain('\u{c}'),
        b'0' => plain('\0'),
        b'x' => Some((4, Unescaped::Char(char::from_u32(hex(text.get(2..4)?)?)?))),
        b'u' if text.get(2) == Some(&b'{') => {
            let digits = text.get(3..)?.iter().position(|byte| *byte == b'}').filter(|digits| *digits <= 6)?;
            Some((digits + 4, Unescaped::Char(char::from_u32(hex(text.get(3..3 + digits)?)?)?)))
        }
        b'u' => {
            let unit = |at: usize| hex(text.get(at..at + 4)?).and_then(|unit| u16::try_from(unit).ok());
            let first = unit(2)?;
            if let Some(alone) = char::from_u32(first.into()) {
                return Some((6, Unescaped::Char(alone)));
            }
            let second = unit(8).filter(|_| text.get(6..8) == Some(b"\\u"))?;
            let pair = char::decode_utf16([first, second]).next()?.ok()?;
            Some((12, Unescaped::Char(pair)))
        }
        _ => None,
    }
}

fn entity(text: &[u8]) -> Option<(usize, Unescaped)> {
    let end = text.iter().take(12).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(text.get(1..end)?).ok()?;
    let character = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => hex(digits.as_bytes())?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
        None => ENTITIES.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((end + 1, Unescaped::Char(character)))
}

fn hex(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(text, 16).ok()
}
