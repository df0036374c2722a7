//! What must not reach the landing zone: fields that are dropped or replaced by a salted hash, and what is found in any text, as the
//! pipeline file says. Paths are by dots; lists on the way are gone through item by item. A field that differs by case alone is meant, too.
//!
//! A path that misses would store what it is to hide. So a reading tells what it has found (`sight`), and one that missed is not published.

mod judge;
mod masks;
mod sight;

pub(crate) use judge::{problems, schema};

use super::tree::Tree;
use contract::pipeline::{Redact, StreamSettings};
use hmac::{Hmac, KeyInit, Mac};
use masks::Masks;
use sha2::Sha256;
use sight::{Met, Sight};

/// One path.
#[derive(Debug)]
struct Field {
    /// As the pipeline file has it.
    name: String,
    path: Vec<String>,
    how: Redact,
    may_be_absent: bool,
}

/// What becomes of the records of one stream of one account, and what they have shown so far.
pub(crate) struct Redaction {
    fields: Vec<Field>,
    masks: Masks,
    salt: Vec<u8>,
    sight: Sight,
}

impl std::fmt::Debug for Redaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redaction").field("fields", &self.fields).field("masks", &self.masks).finish_non_exhaustive()
    }
}

impl Redaction {
    /// What the pipeline file says of a stream; nothing if every field is stored as it is. Keys and cursor, named by `spared`, are not
    /// looked into for e-mail addresses and the like: rows are known by them.
    pub(crate) fn new(settings: &StreamSettings, spared: Vec<String>, salt: &str) -> Option<Self> {
        if settings.redact.is_empty() && settings.mask.is_empty() {
            return None;
        }
        let fields = settings.redact.iter().map(|(name, entry)| Field {
            name: name.clone(),
            path: name.split('.').map(str::to_owned).collect(),
            how: entry.how(),
            may_be_absent: entry.may_be_absent(),
        });
        let fields: Vec<Field> = fields.collect();
        let sight = Sight::of(fields.len());
        Some(Self { fields, masks: Masks::new(&settings.mask, spared), salt: salt.as_bytes().to_vec(), sight })
    }

    /// Takes out of a record what must not be stored.
    ///
    /// # Errors
    /// A path leads into a text: nobody knows what of it would have to go.
    pub(crate) fn apply(&self, record: &mut Tree) -> Result<(), String> {
        self.sight.record(record);
        for (index, field) in self.fields.iter().enumerate() {
            let met = self.field(record, &field.path, field.how);
            if met.text && !field.may_be_absent {
                self.sight.fail();
                return Err(format!(
                    "`redact` names `{0}`, and a record has a text where that path goes deeper, which may hold what is to be hidden: \
                     nothing is published. Name the text itself, or say `{0}: {{how: {1}, may_be_absent: true}}` to keep such texts",
                    field.name,
                    word(field.how)
                ));
            }
            self.sight.met(index, met);
        }
        self.masks.apply(record, &|text| self.digest_of(text.as_bytes()));
        Ok(())
    }

    fn field(&self, tree: &mut Tree, path: &[String], how: Redact) -> Met {
        let mut met = Met::default();
        match tree {
            Tree::List(items) => items.iter_mut().for_each(|item| met.add(self.field(item, path, how))),
            Tree::Map(entries) => {
                // A key can hold dots itself, as flattened fields do. Where it does, a shorter one may well be a text.
                for length in (1..=path.len()).rev() {
                    let (key, rest) = (path[..length].join("."), &path[length..]);
                    let text_before = met.text;
                    let is_found = met.matched;
                    for (have, value) in entries.iter_mut().filter(|(have, _)| is_same(have, &key)) {
                        if rest.is_empty() {
                            met.found(have, &key);
                            *value = if how == Redact::Hash { self.hashed(value) } else { Tree::null() };
                        } else {
                            met.add(self.field(value, rest, how));
                        }
                    }
                    if how == Redact::Drop && rest.is_empty() {
                        entries.retain(|(have, _)| !is_same(have, &key));
                    }
                    if is_found {
                        met.text = text_before;
                    }
                }
            }
            Tree::Scalar(text) => met.text = text.len() > 2 && text.starts_with('"'),
        }
        met
    }

    /// Whether a field of a record may not stay as it is: `name` is how it is stored, `path` where it stands.
    pub(crate) fn changes(&self, name: &str, path: &[String]) -> bool {
        let begins = |own: &Field, with: &str| own.path.first().is_some_and(|first| is_same(with, first));
        let within = |own: &Field| path.first().is_some_and(|first| begins(own, first));
        self.fields.iter().any(|own| is_same(name, &own.name) || begins(own, name) || within(own))
    }

    /// Changes with the salt, and does not tell it.
    pub(crate) fn digest(&self) -> String {
        self.digest_of(b"digest")
    }

    /// The fields that some record has had, by their names in the pipeline file; so that another try need not see them again.
    pub(crate) fn found(&self) -> Vec<String> {
        self.fields.iter().enumerate().filter(|(at, _)| self.sight.has(*at)).map(|(_, f)| f.name.clone()).collect()
    }

    /// An earlier try of the same run has found these, in records that are stored.
    pub(crate) fn recall(&self, found: &[String]) {
        for (index, _) in self.fields.iter().enumerate().filter(|(_, field)| found.contains(&field.name)) {
            self.sight.met(index, Met { matched: true, ..Met::default() });
        }
    }

    /// Whether what has been read must not stay: a record was not redacted as the pipeline file says.
    pub(crate) fn has_failed(&self) -> bool {
        self.sight.has_failed()
    }

    /// What is to be said after a reading with records.
    ///
    /// # Errors
    /// A field that no record has had.
    pub(crate) fn verdict(&self) -> Result<Vec<String>, String> {
        let absent = |(index, field): &(usize, &Field)| !field.may_be_absent && !self.sight.has(*index);
        let absent: Vec<&Field> = self.fields.iter().enumerate().filter(absent).map(|(_, field)| field).collect();
        if let Some(first) = absent.first() {
            self.sight.fail();
            let names: Vec<String> = absent.iter().map(|field| format!("`{}`", field.name)).collect();
            let near = self.sight.nearest(&first.name);
            return Err(format!(
                "`redact` names {}, which no record has{near}: nothing is published, since what is to be hidden may stand elsewhere. \
                 Mend the path, or say `{}: {{how: {}, may_be_absent: true}}`",
                names.join(", "),
                first.name,
                word(first.how)
            ));
        }
        let other = self.fields.iter().enumerate().filter_map(|(index, field)| {
            let other = self.sight.other_case(index)?;
            Some(format!("`redact` names `{}`, and records have `{other}`: it is redacted, too", field.name))
        });
        Ok(other.collect())
    }

    /// HMAC-SHA-256 over a text as it reads, or over the JSON text of anything else; null stays null, so that "not given" can be told.
    fn hashed(&self, value: &Tree) -> Tree {
        if value.is_null() {
            return Tree::null();
        }
        let plain = value.as_text().map_or_else(
            || {
                let mut json = Vec::new();
                value.write(&mut json);
                json
            },
            String::into_bytes,
        );
        Tree::text(&self.digest_of(&plain))
    }

    fn digest_of(&self, plain: &[u8]) -> String {
        // A key of any length will do.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.salt) else { return String::new() };
        mac.update(plain);
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Whether two names are the same but for their case.
fn is_same(have: &str, named: &str) -> bool {
    have.eq_ignore_ascii_case(named) || (!have.is_ascii() && have.to_lowercase() == named.to_lowercase())
}

fn word(how: Redact) -> &'static str {
    match how {
        Redact::Hash => "hash",
        Redact::Drop => "drop",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
