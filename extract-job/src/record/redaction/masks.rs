//! E-mail addresses and phone numbers within texts, such as transcripts, replaced by their hashes. Found by plain patterns: in doubt a
//! number is taken for a phone number, unless it reads as a date.

use crate::record::tree::Tree;
use contract::pipeline::Mask;
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// Fewer digits are no phone number; more are an id.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

static EMAIL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*\.\p{L}{2,}").ok());

/// With a plus, an area code in brackets, a leading zero, or in the groups of North America.
static PHONE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let ways = [
        r"\+\d[\d ()./-]{5,20}\d",
        r"\(\+?\d{2,5}\)[ ./-]?\d[\d ./-]{3,15}\d",
        r"\b0\d[\d ()./-]{5,18}\d\b",
        r"\b(?:1[ .-])?\d{3}[ .-]\d{3}[ .-]\d{4}\b",
    ];
    Regex::new(&ways.join("|")).ok()
});

static DATE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4})\b").ok());

/// What is looked for in the texts of a stream's records.
#[derive(Debug)]
pub(super) struct Masks {
    email: bool,
    phone: bool,
    /// Fields of the record that are left alone.
    spared: Vec<String>,
}

impl Masks {
    pub(super) fn new(masks: &[Mask], spared: Vec<String>) -> Self {
        Self { email: masks.contains(&Mask::Email), phone: masks.contains(&Mask::Phone), spared }
    }

    /// Replaces what is found in the texts of a record.
    pub(super) fn apply(&self, record: &mut Tree, hash: &dyn Fn(&str) -> String) {
        if !self.email && !self.phone {
            return;
        }
        let Tree::Map(entries) = record else { return self.tree(record, hash) };
        let open = entries.iter_mut().filter(|(key, _)| !self.spared.contains(key));
        open.for_each(|(_, value)| self.tree(value, hash));
    }

    fn tree(&self, tree: &mut Tree, hash: &dyn Fn(&str) -> String) {
        match tree {
            Tree::List(items) => items.iter_mut().for_each(|item| self.tree(item, hash)),
            Tree::Map(entries) => entries.iter_mut().for_each(|(_, value)| self.tree(value, hash)),
            Tree::Scalar(json) => {
                let may_hold = json.starts_with('"')
                    && (json.contains(['@', '\\'])
                        || json.bytes().filter(u8::is_ascii_digit).count() >= *DIGITS.start());
                let Some(text) = may_hold.then(|| tree.as_text()).flatten() else { return };
                let masked = self.text(&text, hash);
                if masked != text {
                    *tree = Tree::text(&masked);
                }
            }
        }
    }

    fn text(&self, text: &str, hash: &dyn Fn(&str) -> String) -> String {
        let mut text = text.to_owned();
        // Patterns of our own; a test compiles them.
        if let Some(email) = EMAIL.as_ref().filter(|_| self.email) {
            text = email.replace_all(&text, |found: &Captures<'_>| hash(&found[0])).into_owned();
        }
        if let Some(phone) = PHONE.as_ref().filter(|_| self.phone) {
            let replace = |found: &Captures<'_>| {
                let number = &found[0];
                let place = found.get(0).map(|found| found.range()).unwrap_or_default();
                if is_phone(number, &text, place) { hash(number) } else { number.to_owned() }
            };
            text = phone.replace_all(&text, replace).into_owned();
        }
        text
    }
}

/// Whether what looks like a phone number is none of the many other things: a date, a piece of an id or of a time.
fn is_phone(number: &str, text: &str, place: std::ops::Range<usize>) -> bool {
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let is_date = DATE.as_ref().is_some_and(|date| date.is_match(number));
    let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ':');
    let is_begun = !number.starts_with(['+', '('])
        && text.get(..place.start).and_then(|before| before.chars().next_back()).is_some_and(goes_on);
    let is_open = text.get(place.end..).and_then(|after| after.chars().next()).is_some_and(goes_on);
    DIGITS.contains(&digits) && !is_date && !is_begun && !is_open
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let masks = Masks::new(&[Mask::Email, Mask::Phone], vec!["id".into()]);
        masks.text(text, &|found| format!("<{found}>"))
    }

    #[test]
    fn addresses_and_numbers_are_found_and_nothing_else() {
        assert!(EMAIL.is_some() && PHONE.is_some() && DATE.is_some());
        for (text, expected) in [
            ("write to ann.lee+x@mail.example.com.", "write to <ann.lee+x@mail.example.com>."),
            ("Ann <jörg@büro.de>, BOB@EXAMPLE.ORG", "Ann <<jörg@büro.de>>, <BOB@EXAMPLE.ORG>"),
            ("call +49 (30) 123-4567 now", "call <+49 (30) 123-4567> now"),
            ("or 030 1234567, or (555) 123-4567", "or <030 1234567>, or <(555) 123-4567>"),
            ("tel:+49301234567 x", "tel:<+49301234567> x"),
            ("555-123-4567 and 1-800-555-0199", "<555-123-4567> and <1-800-555-0199>"),
            ("2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z"),
            ("01/02/2026 10:11, 01.02.2026 10:11:12", "01/02/2026 10:11, 01.02.2026 10:11:12"),
            ("order 12345678, a@b, 3.14159265, v1.2.3", "order 12345678, a@b, 3.14159265, v1.2.3"),
            ("6f1c2d3e-0000-4000-8000-1234567890ab", "6f1c2d3e-0000-4000-8000-1234567890ab"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn texts_at_any_depth_are_looked_into_but_for_keys() {
        let masks = Masks::new(&[Mask::Email], vec!["id".into()]);
        let mut tree =
            Tree::parse(br#"{"id":"a@b.io","at":[{"said":"to \u0061@b.io, +49 30 1234567"}],"n":49301234567}"#)
                .unwrap();
        masks.apply(&mut tree, &|_| "#".into());
        let expected =
            serde_json::json!({"id": "a@b.io", "at": [{"said": "to #, +49 30 1234567"}], "n": 49_301_234_567_u64});
        assert_eq!(tree.to_value(), expected);
    }
}
