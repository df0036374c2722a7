//! The last defence against secrets in logs and errors: known secret values are blotted out of any text that leaves the program,
//! however they are spelled there. The first defence is that nothing puts them there.

mod base64_forms;
#[cfg(test)]
mod spelled;
mod spellings;
#[cfg(test)]
mod tests;

use contract::telemetry::one_line;
use memchr::memmem;
use spellings::Level;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

/// Shorter values would blot out half of every text, and guard nothing.
const SHORTEST: usize = 5;
/// So much of a text from outside is searched before it is cut, so that no half of a secret is left at the end.
const SEARCHED: usize = 64 * 1024;

/// The secrets of one account; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    secrets: Arc<RwLock<Vec<Known>>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

/// A secret in the forms that are looked for.
struct Known {
    plain: String,
    /// Without any escape, and with a space for every plus: what every spelling of it comes to in the end.
    bare: Option<Vec<u8>>,
    /// What stands in the Base64 text of anything that holds the secret.
    encoded: Vec<String>,
}

impl Known {
    fn new(secret: &str) -> Self {
        let bare = spellings::bare(secret);
        let bare = (bare.len() >= SHORTEST).then_some(bare);
        Self { plain: secret.to_owned(), bare, encoded: base64_forms::inside(secret.as_bytes()) }
    }
}

impl Redactor {
    /// Learns a secret. Each line of one that has several counts alone, as logs tear them apart.
    pub(crate) fn add(&self, secret: &str) {
        let lines = secret.lines().filter(|line| secret.contains('\n') && line.len() > 2 * SHORTEST);
        for text in std::iter::once(secret).chain(lines) {
            if text.len() < SHORTEST || self.knows(text) {
                continue;
            }
            self.secrets.write().unwrap_or_else(PoisonError::into_inner).push(Known::new(text));
        }
    }

    /// Learns the value of a header that signs requests, and what follows its scheme: answers repeat either.
    pub(crate) fn add_header(&self, value: &str) {
        self.add(value);
        if let Some((_, credential)) = value.split_once(' ') {
            self.add(credential);
        }
    }

    fn knows(&self, secret: &str) -> bool {
        self.secrets.read().unwrap_or_else(PoisonError::into_inner).iter().any(|known| known.plain == secret)
    }

    /// The text without any secret, whichever way it is spelled: as it is, percent-encoded, as a form, in JSON, in HTML, in Base64, and
    /// any of these within another.
    pub(crate) fn clean(&self, text: &str) -> String {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut level = (!secrets.is_empty()).then(|| Level::of(text));
        while let Some(this) = level {
            for known in secrets.iter() {
                found.extend(this.find(known.plain.as_bytes()));
                let runs = known.encoded.iter().flat_map(|form| this.find_run(form.as_bytes()));
                found.extend(runs);
            }
            level = this.deeper();
            if level.is_none() {
                let bare = this.spaced();
                found.extend(secrets.iter().filter_map(|known| known.bare.as_ref()).flat_map(|form| bare.find(form)));
            }
        }
        blot_out(text, found)
    }

    /// A text from outside as a message shows it: without secrets, on one line, and no longer than so many characters. Secrets go first,
    /// since half of one would not be known again.
    pub(crate) fn for_people(&self, text: &str, longest: usize) -> String {
        let end = (SEARCHED..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        let clean = self.clean(text.get(..end).unwrap_or(text));
        let mut shown: String = one_line(&clean).chars().take(longest + 1).collect();
        if shown.chars().count() > longest {
            shown.pop();
            shown.push('…');
        }
        shown
    }
}

/// The text with every range of it replaced; those that overlap are one.
fn blot_out(text: &str, mut found: Vec<Range<usize>>) -> String {
    found.sort_by_key(|range| (range.start, range.end));
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for range in found {
        if range.start >= at {
            out.push_str(text.get(at..range.start).unwrap_or_default());
            out.push_str("***");
        }
        at = at.max(range.end);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// All places of a form in bytes.
fn places<'a>(bytes: &'a [u8], form: &'a [u8]) -> impl Iterator<Item = Range<usize>> + 'a {
    memmem::find_iter(bytes, form).map(|at| at..at + form.len())
}
