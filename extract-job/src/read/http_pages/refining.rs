//! The records of an answer refined: all at once, or piece by piece where they are made of something smaller than themselves.

use super::StreamPages;
use crate::components::expression::Scope;
use crate::components::windows::Window;
use crate::http::buffers::Buffer;
use crate::read::page::{ReadError, Remainder};
use crate::record::extract::piece_of;
use crate::record::making::Making;
use crate::record::refine::{Refined, Refinement};
use async_trait::async_trait;
use contract::batch::LONGEST_RECORD;
use std::ops::Range;
use std::sync::Arc;

/// The records of a page after the first of them, made when they are wanted.
pub(super) struct Rest {
    pub(super) shared: Arc<StreamPages>,
    pub(super) scope: Scope,
    pub(super) bounds: Option<Window>,
    pub(super) making: Making,
}

#[async_trait]
impl Remainder for Rest {
    async fn next(&mut self) -> Result<Option<(Buffer, Vec<Range<usize>>)>, ReadError> {
        while !self.making.is_done() {
            let (shared, scope, bounds) = (self.shared.clone(), self.scope.clone(), self.bounds);
            let mut making = self.making.clone();
            let piece = move || {
                let refined = shared.piece(&mut making, &scope, bounds)?;
                Ok((making, refined))
            };
            let (making, refined) = self.shared.cpu.run(piece).await.and_then(|piece| piece).map_err(ReadError)?;
            self.making = making;
            if !refined.records.is_empty() {
                return Ok(Some((refined.body, refined.records)));
            }
        }
        Ok(None)
    }
}

impl StreamPages {
    /// Filters, transforms and redacts records, and looks at what they are.
    pub(super) fn refine(
        &self,
        body: Buffer,
        records: Vec<Range<usize>>,
        scope: &Scope,
        bounds: Option<Window>,
    ) -> Result<Refined, String> {
        let refinement = Refinement {
            stream: &self.stream,
            scope,
            cursor_field: self.cursor_field.as_deref(),
            bounds,
            redaction: self.redaction.as_deref(),
            wants_last: self.stream.retriever.paginator.as_ref().is_some_and(|paginator| paginator.reads_last_record()),
        };
        let refined = refinement.refine(body, records, &self.account.client.buffers)?;
        refuse_longer(&refined.records, LONGEST_RECORD)?;
        self.cursor_sight.see(&refined);
        self.hints.iter().for_each(|hints| hints.see(&refined));
        Ok(refined)
    }

    fn piece(&self, making: &mut Making, scope: &Scope, bounds: Option<Window>) -> Result<Refined, String> {
        let made = making.next(&self.stream.retriever.selector.extractor, scope, piece_of(making))?;
        self.refine(Buffer::from(made.bytes), made.records, scope, bounds)
    }

    /// What the records that are still to be made will show: paging asks for it before they are there.
    pub(super) fn foresee(
        &self,
        mut making: Making,
        scope: &Scope,
        bounds: Option<Window>,
        refined: &mut Refined,
    ) -> Result<(), String> {
        while !making.is_done() {
            refined.and_then(self.piece(&mut making, scope, bounds)?);
        }
        Ok(())
    }
}

/// What is stored the load must be able to read.
fn refuse_longer(records: &[Range<usize>], longest: usize) -> Result<(), String> {
    match records.iter().enumerate().find(|(_, range)| range.len() > longest) {
        None => Ok(()),
        Some((index, range)) => Err(format!(
            "record {} of the page has {} MiB, and a record may have {} MiB at most: leave out what is large in it by the transformation \
             RemoveFields, or by `redact: {{<field>: drop}}` at the stream",
            index + 1,
            range.len() >> 20,
            longest >> 20
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_the_load_could_not_read_is_refused() {
        let records = [0..10, 11..21, 22..33];
        assert_eq!(refuse_longer(&records, 11), Ok(()));
        let why = refuse_longer(&records, 10).unwrap_err();
        assert!(why.starts_with("record 3 of the page has 0 MiB"), "{why}");
    }
}
