//! What one answer proves: its verdict turned into a page, another try, or the failure of the stream.

use super::StreamPages;
use crate::http::buffers::Buffer;
use crate::http::send::Undecoded;
use crate::read::tally::PageProof;
use crate::record::extract::Extracted;
use crate::record::tree::Tree;
use crate::record::verdict::{self, Verdict};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

/// What an answer proves.
pub(super) enum Proof {
    /// It is a page.
    Of(PageProof),
    /// The manifest looks for records where there are none; why.
    Mistaken(String),
}

impl StreamPages {
    /// Where the records of an answer are: a single one may be the answer itself, and an export without a line has none at any place.
    pub(super) fn place(&self, body: &Buffer, is_single: bool) -> &[String] {
        if self.stream.retriever.decoder.has_no_lines(body) {
            return &[];
        }
        let has_key = |tree: &Tree| self.stream.key_of(tree).all(|value| value.is_some());
        let is_record = is_single && Tree::parse(body).is_ok_and(|tree| has_key(&tree));
        if is_record { &[] } else { &self.path }
    }

    /// What an answer without a place for records proves. One that tells nothing is asked for once more; a shape that has told nothing twice
    /// is taken as it is from then on.
    pub(super) fn proof(
        &self,
        verdict: &Verdict,
        named: bool,
        kept: bool,
        was_vague: Option<&AtomicBool>,
    ) -> Result<Proof, Undecoded> {
        let place = if self.path.is_empty() { "records".to_owned() } else { format!("`{}`", self.path.join(".")) };
        match verdict {
            Verdict::Records | Verdict::Empty => Ok(Proof::Of(PageProof::Whole)),
            // The manifest's error handler knows such answers, and lets them pass.
            Verdict::Error(_) | Verdict::Elsewhere(_) if named => {
                self.warn("answers that tell an error were passed over, as the error handler says".into());
                Ok(Proof::Of(PageProof::PassedOver))
            }
            Verdict::Error(why) => Err(Undecoded::Malformed(self.for_people(why))),
            Verdict::Elsewhere(why) => Ok(Proof::Mistaken(self.for_people(why))),
            Verdict::Nothing { shape } => {
                let Some(was_vague) = was_vague else { return Ok(Proof::Of(PageProof::NoPlace)) };
                let mut known = self.vague.lock().unwrap_or_else(PoisonError::into_inner);
                if !named && !kept && !known.contains(shape) && !was_vague.swap(true, Ordering::Relaxed) {
                    return Err(Undecoded::Vague(format!(
                        "the answer has no {place}, nor anything else that explains it"
                    )));
                }
                known.insert(shape.clone());
                self.warn(format!(
                    "answers without {place} were taken for empty lists, which they do not prove: if the API writes an empty list so, \
                     say it by `x-empty-when` in the extractor"
                ));
                Ok(Proof::Of(PageProof::NoPlace))
            }
        }
    }

    /// The error that an answer tells which would be taken for the one record of its page.
    pub(super) fn error_in_record(&self, extracted: &Extracted, place: &[String]) -> Option<String> {
        let (1, [record], true) = (extracted.received, extracted.records.as_slice(), place.is_empty()) else {
            return None;
        };
        let tree = Tree::parse(extracted.body.get(record.clone())?).ok()?;
        let is_keyed = !self.stream.primary_key.is_empty();
        if self.stream.key_of(&tree).any(|value| value.is_some()) {
            return None;
        }
        verdict::error_in_record(&tree.to_value(), is_keyed)
    }

    /// A text with pieces of an answer: secrets out first, since half of one would not be known again.
    pub(super) fn for_people(&self, text: &str) -> String {
        const LONGEST: usize = 300;
        self.account.redactor.for_people(text, LONGEST)
    }
}
