//! Reads tokens from left to right: words, names, paths, groups in parentheses.
//! A cursor covers one statement or one part of it; positions are those of the whole text.

use std::ops::Range;

use super::token::{Kind, Token};

/// A table's or dataset's name, split at its dots.
pub(crate) type Path = Vec<String>;

/// A place in a run of tokens.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    pub(crate) text: &'a str,
    pub(crate) tokens: &'a [Token],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str, tokens: &'a [Token]) -> Self {
        Self { text, tokens, at: 0 }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// How many tokens have been read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn skip(&mut self) {
        self.at += 1;
    }

    pub(crate) fn kind(&self) -> Option<Kind> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    /// The next token's text; empty at the end.
    pub(crate) fn peek(&self) -> &'a str {
        self.peek_at(0)
    }

    pub(crate) fn peek_at(&self, ahead: usize) -> &'a str {
        let text = self.text;
        self.tokens.get(self.at + ahead).and_then(|token| text.get(token.span.clone())).unwrap_or_default()
    }

    pub(crate) fn sees(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(ahead, word)| {
            let kind = self.tokens.get(self.at + ahead).map(|token| token.kind);
            matches!(kind, Some(Kind::Word | Kind::Symbol)) && self.peek_at(ahead).eq_ignore_ascii_case(word)
        })
    }

    /// Reads these words when they come next.
    pub(crate) fn take(&mut self, words: &[&str]) -> bool {
        let seen = self.sees(words);
        if seen {
            self.at += words.len();
        }
        seen
    }

    /// Reads one name.
    pub(crate) fn name(&mut self) -> Option<String> {
        let text = self.peek();
        let name = match self.kind()? {
            Kind::Word => text.to_owned(),
            Kind::Quoted => text.trim_matches('`').to_owned(),
            _ => return None,
        };
        self.at += 1;
        Some(name)
    }

    /// Reads a name with dots, in backticks as a whole, in parts, or not at all.
    pub(crate) fn path(&mut self) -> Option<Path> {
        let mut path: Path = self.name()?.split('.').map(str::to_owned).collect();
        while self.sees(&["."]) {
            self.at += 1;
            path.extend(self.name()?.split('.').map(str::to_owned));
        }
        Some(path)
    }

    /// Reads a group in parentheses and returns what is inside.
    pub(crate) fn group(&mut self) -> Option<Cursor<'a>> {
        let open = self.tokens.get(self.at).filter(|_| self.sees(&["("]))?;
        let inside = self.tokens.get(self.at + 1..)?;
        let length = inside.iter().take_while(|token| token.depth > open.depth).count();
        self.at += length + 2;
        Some(Cursor::new(self.text, inside.get(..length)?))
    }

    /// The parts between the commas that are in no parentheses and in no angle brackets.
    pub(crate) fn split_at_commas(&self) -> Vec<Cursor<'a>> {
        let rest = self.tokens.get(self.at..).unwrap_or_default();
        let Some(depth) = rest.first().map(|token| token.depth) else { return Vec::new() };
        let (mut parts, mut start, mut angles) = (Vec::new(), 0, 0i32);
        for (index, token) in rest.iter().enumerate() {
            match self.text.get(token.span.clone()) {
                Some("<") if token.kind == Kind::Symbol => angles += 1,
                Some(">") if token.kind == Kind::Symbol => angles -= 1,
                Some(",") if token.kind == Kind::Symbol && token.depth == depth && angles == 0 => {
                    parts.push(&rest[start..index]);
                    start = index + 1;
                }
                _ => {}
            }
        }
        parts.push(&rest[start..]);
        parts.into_iter().map(|tokens| Cursor::new(self.text, tokens)).collect()
    }

    /// The place in the text of the tokens from `from` on that have been read.
    pub(crate) fn span_since(&self, from: usize) -> Range<usize> {
        let start = self.tokens.get(from).map_or(self.text.len(), |token| token.span.start);
        let end = self.at.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(start, |token| token.span.end);
        start..end.max(start)
    }

    /// The text of all the tokens that are left.
    pub(crate) fn rest(&self) -> &'a str {
        match (self.tokens.get(self.at), self.tokens.last()) {
            (Some(first), Some(last)) => self.text.get(first.span.start..last.span.end).unwrap_or_default(),
            _ => "",
        }
    }
}
