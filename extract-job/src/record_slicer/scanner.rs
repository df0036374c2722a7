//! Steps over JSON text byte by byte: where a value ends, and whether it is well formed.
//! Guarantees: accepts exactly the JSON grammar up to `MAX_DEPTH`, never allocates, never panics, reads each byte once.

use super::SliceError;

/// Values nested deeper are refused: what is accepted here, `serde_json` can read with its own limit.
pub(crate) const MAX_DEPTH: usize = 127;

type Result<T> = std::result::Result<T, SliceError>;

/// What kind of value was stepped over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object { empty: bool },
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// A position in a text that is known to be UTF-8.
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Scanner<'a> {
        Scanner { bytes, at: 0, depth: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn expected<T>(&self, what: &'static str) -> Result<T> {
        Err(SliceError::Syntax { offset: self.at, expected: what })
    }

    pub(crate) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes the byte that opens an object or a list, and the white space after it.
    pub(crate) fn open(&mut self) -> Result<()> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SliceError::TooDeep { offset: self.at });
        }
        self.space();
        Ok(())
    }

    /// Whether the object or list that was just opened ends at once.
    pub(crate) fn closes(&mut self, bracket: u8) -> bool {
        let closes = self.peek() == Some(bracket);
        if closes {
            self.at += 1;
            self.depth -= 1;
        }
        closes
    }

    /// After an item: takes the comma and white space (true) or the closing bracket (false).
    pub(crate) fn more(&mut self, bracket: u8) -> Result<bool> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.space();
                Ok(true)
            }
            Some(byte) if byte == bracket => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            _ if bracket == b'}' => self.expected("`,` or `}`"),
            _ => self.expected("`,` or `]`"),
        }
    }

    /// Takes a key with its quotes and the colon; returns what stands between the quotes, as it is written.
    pub(crate) fn key(&mut self) -> Result<&'a [u8]> {
        if self.peek() != Some(b'"') {
            return self.expected("a key");
        }
        let start = self.at + 1;
        self.string()?;
        let key = &self.bytes[start..self.at - 1];
        self.space();
        if self.peek() != Some(b':') {
            return self.expected("`:`");
        }
        self.at += 1;
        self.space();
        Ok(key)
    }

    /// Steps over one value; the position must be at its first byte.
    pub(crate) fn value(&mut self) -> Result<Kind> {
        match self.peek() {
            Some(b'"') => self.string().map(|()| Kind::String),
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| Kind::Number),
            Some(b't') => self.word(b"true", Kind::True),
            Some(b'f') => self.word(b"false", Kind::False),
            Some(b'n') => self.word(b"null", Kind::Null),
            _ => self.expected("a value"),
        }
    }

    /// White space to the end of the text.
    pub(crate) fn end(&mut self) -> Result<()> {
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { self.expected("the end of the text") }
    }

    fn object(&mut self) -> Result<Kind> {
        self.open()?;
        if self.closes(b'}') {
            return Ok(Kind::Object { empty: true });
        }
        loop {
            self.key()?;
            self.value()?;
            if !self.more(b'}')? {
                return Ok(Kind::Object { empty: false });
            }
        }
    }

    fn array(&mut self) -> Result<Kind> {
        self.open()?;
        if self.closes(b']') {
            return Ok(Kind::Array);
        }
        loop {
            self.value()?;
            if !self.more(b']')? {
                return Ok(Kind::Array);
            }
        }
    }

    fn word(&mut self, word: &'static [u8], kind: Kind) -> Result<Kind> {
        if !self.bytes[self.at..].starts_with(word) {
            return self.expected("a value");
        }
        self.at += word.len();
        Ok(kind)
    }

    fn number(&mut self) -> Result<()> {
        self.at += usize::from(self.peek() == Some(b'-'));
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { self.expected("a digit") }
    }

    /// Steps over a string; the position must be at its opening quote.
    fn string(&mut self) -> Result<()> {
        self.at += 1;
        loop {
            // Eight bytes at a time up to a quote, a backslash or a control character.
            while let Some(chunk) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
                let special = special_bytes(u64::from_le_bytes(*chunk));
                if special != 0 {
                    self.at += special.trailing_zeros() as usize / 8;
                    break;
                }
                self.at += 8;
            }
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(0x20..) => self.at += 1, // the last bytes of the text only
                Some(_) => return self.expected("no control character in a string"),
                None => return self.expected("`\"`"),
            }
        }
    }

    fn escape(&mut self) -> Result<()> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return self.expected("four hexadecimal digits");
                    }
                    self.at += 1;
                }
            }
            _ => return self.expected("an escape"),
        }
        Ok(())
    }
}

/// The high bit of every byte that is a quote, a backslash or below 0x20. The lowest one that is set is exact.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHS: u64 = ONES << 7;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (zero(quote) | zero(backslash) | control) & HIGHS
}
