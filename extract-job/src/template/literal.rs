//! Reads text as a Python literal, the way the reference engine types what a template has rendered.
//! Guarantees: never panics, bounded depth, and anything that is no literal (or does not fit JSON) is told apart.

use serde_json::{Map, Number, Value};

use super::python_text;

/// Nesting deeper than this is no literal (and stays text).
const MAX_DEPTH: usize = 64;

/// What a text reads as.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    /// A scalar, a list or a mapping.
    Value(Value),
    /// A tuple: an array in JSON, but not a list where only lists are allowed.
    Tuple(Vec<Value>),
}

impl Literal {
    /// The JSON value; a tuple becomes an array.
    pub(crate) fn into_value(self) -> Value {
        match self {
            Literal::Value(value) => value,
            Literal::Tuple(items) => Value::Array(items),
        }
    }
}

/// Reads the whole text as one Python literal.
///
/// `None` when it is none. Integers beyond 64 bits, infinite floats, sets, bytes and complex numbers count as
/// none too, because JSON cannot hold them without loss: they stay the text that they are.
pub(crate) fn read(text: &str) -> Option<Literal> {
    let mut reader = Reader { bytes: text.trim_start_matches([' ', '\t']).as_bytes(), at: 0, brackets: 0 };
    if reader.at_blank_lines_then_indent() {
        return None;
    }
    reader.space();
    let first = reader.item(0)?;
    reader.space();
    let literal =
        if reader.peek() == Some(b',') { Literal::Tuple(reader.rest_of_tuple(first, 0, None)?) } else { first };
    reader.end_of_text()?;
    Some(literal)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Open brackets: a newline is white space inside them only.
    brackets: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Blank lines may come first, but the line of the value must not be indented after them.
    fn at_blank_lines_then_indent(&mut self) -> bool {
        let mut line_start = 0;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'\n' | b'\r' => line_start = self.at + 1,
                b' ' | b'\t' | b'\x0c' => {}
                _ => break,
            }
            self.at += 1;
        }
        line_start > 0 && self.at > line_start
    }

    fn space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\x0c' => {}
                b'\n' | b'\r' if self.brackets > 0 => {}
                b'#' => {
                    while self.peek().is_some_and(|b| b != b'\n') {
                        self.at += 1;
                    }
                    continue;
                }
                _ => break,
            }
            self.at += 1;
        }
    }

    fn end_of_text(&mut self) -> Option<()> {
        self.brackets = 1; // after the value only white space, newlines and comments may follow
        self.space();
        (self.at == self.bytes.len()).then_some(())
    }

    fn item(&mut self, depth: usize) -> Option<Literal> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'[' => self.list(depth),
            b'{' => self.mapping(depth),
            b'(' => self.parenthesised(depth),
            b'+' | b'-' | b'.' | b'0'..=b'9' => self.signed_number().map(Literal::Value),
            b'"' | b'\'' => self.strings().map(|text| Literal::Value(Value::String(text))),
            _ => self.word(),
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.item(depth).map(Literal::into_value)
    }

    fn word(&mut self) -> Option<Literal> {
        let start = self.at;
        while self.peek().is_some_and(is_name_byte) {
            self.at += 1;
        }
        let value = match self.bytes.get(start..self.at)? {
            b"None" => Value::Null,
            b"True" => Value::Bool(true),
            b"False" => Value::Bool(false),
            b"r" | b"R" | b"u" | b"U" if matches!(self.peek(), Some(b'"' | b'\'')) => {
                self.at = start;
                Value::String(self.strings()?)
            }
            _ => return None,
        };
        Some(Literal::Value(value))
    }

    fn open(&mut self) {
        self.at += 1;
        self.brackets += 1;
        self.space();
    }

    fn close(&mut self, bracket: u8) -> bool {
        let closed = self.eat(bracket);
        self.brackets -= usize::from(closed);
        closed
    }

    fn list(&mut self, depth: usize) -> Option<Literal> {
        self.open();
        let mut items = Vec::new();
        loop {
            if self.close(b']') {
                return Some(Literal::Value(Value::Array(items)));
            }
            items.push(self.value(depth + 1)?);
            self.space();
            if self.eat(b',') {
                self.space();
            } else if self.peek() != Some(b']') {
                return None;
            }
        }
    }

    fn parenthesised(&mut self, depth: usize) -> Option<Literal> {
        self.open();
        if self.close(b')') {
            return Some(Literal::Tuple(Vec::new()));
        }
        let first = self.item(depth + 1)?;
        self.space();
        if self.close(b')') {
            return Some(first);
        }
        let items = self.rest_of_tuple(first, depth + 1, Some(b')'))?;
        Some(Literal::Tuple(items))
    }

    /// Reads `, item, item` after the first one, up to the bracket or, without one, the end of the text.
    fn rest_of_tuple(&mut self, first: Literal, depth: usize, bracket: Option<u8>) -> Option<Vec<Value>> {
        let mut items = vec![first.into_value()];
        loop {
            let comma = self.eat(b',');
            self.space();
            match bracket {
                Some(bracket) if self.close(bracket) => return Some(items),
                None if matches!(self.peek(), None | Some(b'\n' | b'\r')) => return Some(items),
                _ if !comma => return None,
                _ => {}
            }
            items.push(self.value(depth + 1)?);
            self.space();
        }
    }

    fn mapping(&mut self, depth: usize) -> Option<Literal> {
        self.open();
        let mut entries = Map::new();
        loop {
            if self.close(b'}') {
                return Some(Literal::Value(Value::Object(entries)));
            }
            let key = match self.item(depth + 1)? {
                Literal::Value(Value::String(text)) => text,
                Literal::Value(Value::Array(_) | Value::Object(_)) => return None, // not hashable
                Literal::Value(Value::Null) => "null".into(),
                Literal::Value(Value::Bool(flag)) => flag.to_string(),
                other => python_text::of_json(&other.into_value()),
            };
            self.space();
            if !self.eat(b':') {
                return None; // a set, or no literal at all
            }
            self.space();
            let value = self.value(depth + 1)?;
            entries.insert(key, value);
            self.space();
            if self.eat(b',') {
                self.space();
            } else if self.peek() != Some(b'}') {
                return None;
            }
        }
    }

    fn signed_number(&mut self) -> Option<Value> {
        let negative = match self.peek()? {
            b'-' => true,
            b'+' => false,
            _ => return self.number(false),
        };
        self.at += 1;
        self.space();
        self.number(negative)
    }

    fn number(&mut self, negative: bool) -> Option<Value> {
        let radix = match (self.peek()?, self.bytes.get(self.at + 1).map(u8::to_ascii_lowercase)) {
            (b'0', Some(b'x')) => 16,
            (b'0', Some(b'o')) => 8,
            (b'0', Some(b'b')) => 2,
            _ => return self.decimal(negative),
        };
        self.at += 2;
        self.eat(b'_'); // `0x_1f` is legal
        let digits = self.digits(radix)?;
        if self.peek().is_some_and(|byte| is_name_byte(byte) || byte == b'.') {
            return None;
        }
        integer(&digits, radix, negative)
    }

    fn decimal(&mut self, negative: bool) -> Option<Value> {
        let mut text = String::new();
        let mut float = false;
        if self.peek()? != b'.' {
            text = self.digits(10)?;
        }
        if self.eat(b'.') {
            float = true;
            let fraction =
                if self.peek().is_some_and(|b| b.is_ascii_digit()) { self.digits(10)? } else { String::new() };
            if text.is_empty() && fraction.is_empty() {
                return None;
            }
            text = format!("{}.{fraction}", if text.is_empty() { "0" } else { &text });
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            float = true;
            self.at += 1;
            text.push('e');
            if let Some(sign @ (b'+' | b'-')) = self.peek() {
                self.at += 1;
                text.push(char::from(sign));
            }
            text.push_str(&self.digits(10)?);
        }
        if self.peek().is_some_and(|byte| is_name_byte(byte) || byte == b'.') {
            return None; // `1j`, `1.2.3`, `12abc`
        }
        if float {
            let number = text.parse::<f64>().ok()?;
            return Number::from_f64(if negative { -number } else { number }).map(Value::Number);
        }
        if text.starts_with('0') && text.bytes().any(|byte| byte != b'0') {
            return None; // `007`
        }
        integer(&text, 10, negative)
    }

    /// One or more digits, single underscores between them; returns the digits alone.
    fn digits(&mut self, radix: u32) -> Option<String> {
        let mut digits = String::new();
        loop {
            match self.peek() {
                Some(byte) if char::from(byte).is_digit(radix) => digits.push(char::from(byte)),
                Some(b'_') if !digits.is_empty() => {
                    let next = self.bytes.get(self.at + 1).copied()?;
                    if !char::from(next).is_digit(radix) {
                        return None;
                    }
                }
                _ => break,
            }
            self.at += 1;
        }
        (!digits.is_empty()).then_some(digits)
    }

    /// One or more string literals side by side, which Python joins.
    fn strings(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            let raw = match self.peek() {
                Some(b'r' | b'R') => Some(true),
                Some(b'u' | b'U') => Some(false),
                _ => None,
            };
            self.at += usize::from(raw.is_some());
            self.string(raw == Some(true), &mut text)?;
            self.space();
            let prefixed = matches!(self.peek(), Some(b'r' | b'R' | b'u' | b'U'))
                && matches!(self.bytes.get(self.at + 1), Some(b'"' | b'\''));
            if !prefixed && !matches!(self.peek(), Some(b'"' | b'\'')) {
                return Some(text);
            }
        }
    }

    fn string(&mut self, raw: bool, text: &mut String) -> Option<()> {
        let quote = self.peek().filter(|byte| matches!(byte, b'"' | b'\''))?;
        let triple = self.bytes.get(self.at..self.at + 3) == Some(&[quote; 3]);
        self.at += if triple { 3 } else { 1 };
        let mut start = self.at;
        loop {
            match self.peek()? {
                b'\0' => return None,
                b'\n' | b'\r' if !triple => return None,
                b'\\' => {
                    self.push(start, text)?;
                    self.escape(raw, text)?;
                    start = self.at;
                }
                byte if byte == quote => {
                    let closes = !triple || self.bytes.get(self.at..self.at + 3) == Some(&[quote; 3]);
                    if closes {
                        self.push(start, text)?;
                        self.at += if triple { 3 } else { 1 };
                        return Some(());
                    }
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
    }

    fn push(&self, start: usize, text: &mut String) -> Option<()> {
        text.push_str(std::str::from_utf8(self.bytes.get(start..self.at)?).ok()?);
        Some(())
    }

    fn escape(&mut self, raw: bool, text: &mut String) -> Option<()> {
        self.at += 1;
        let escaped = self.peek()?;
        if raw || !escaped.is_ascii() {
            text.push('\\'); // the character itself is taken by the caller's run, unless it is a quote or a backslash
            if matches!(escaped, b'\\' | b'"' | b'\'') {
                text.push(char::from(escaped));
                self.at += 1;
            }
            return Some(());
        }
        self.at += 1;
        match escaped {
            b'\n' => {}
            b'\\' | b'\'' | b'"' => text.push(char::from(escaped)),
            b'a' => text.push('\x07'),
            b'b' => text.push('\x08'),
            b'f' => text.push('\x0c'),
            b'n' => text.push('\n'),
            b'r' => text.push('\r'),
            b't' => text.push('\t'),
            b'v' => text.push('\x0b'),
            b'x' => text.push(self.code(2, 16)?),
            b'u' => text.push(self.code(4, 16)?),
            b'U' => text.push(self.code(8, 16)?),
            b'N' | b'\r' => return None,
            b'0'..=b'7' => {
                self.at -= 1;
                let count = self.bytes[self.at..].iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
                text.push(self.code(count, 8)?);
            }
            other => text.extend(['\\', char::from(other)]),
        }
        Some(())
    }

    fn code(&mut self, digits: usize, radix: u32) -> Option<char> {
        let text = std::str::from_utf8(self.bytes.get(self.at..self.at + digits)?).ok()?;
        if !text.chars().all(|digit| digit.is_digit(radix)) {
            return None;
        }
        self.at += digits;
        char::from_u32(u32::from_str_radix(text, radix).ok()?)
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

fn integer(digits: &str, radix: u32, negative: bool) -> Option<Value> {
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let number = if negative { -magnitude } else { magnitude };
    i64::try_from(number).map(Value::from).or_else(|_| u64::try_from(number).map(Value::from)).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
