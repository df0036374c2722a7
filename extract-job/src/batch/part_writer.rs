//! The parts of a batch: blocks are appended until a part is large enough, then it is made visible, whole, and the next one begins.

use super::batch_sink::Shared;
use super::block::Block;
use bytes::Bytes;
use contract::batch::Part;
use contract::landing::{Landing, LandingError, ObjectWriter, paths};
use contract::round::RunRound;
use contract::unit::Unit;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// A part is closed when its records have so many bytes before compression.
const PART_BYTES: u64 = 128 * 1024 * 1024;

/// The numbers of a batch's parts; those of parts that were given up are used again. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct PartNumbers {
    state: Arc<Mutex<(usize, BTreeSet<usize>)>>,
}

impl PartNumbers {
    /// Numbers from this one on.
    pub(crate) fn after(next: usize) -> Self {
        Self { state: Arc::new(Mutex::new((next, BTreeSet::new()))) }
    }

    /// No part has this number yet, or one after it.
    pub(super) fn next(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn take(&self) -> usize {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.1.pop_first().unwrap_or_else(|| {
            state.0 += 1;
            state.0 - 1
        })
    }

    fn give_back(&self, number: usize) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.insert(number);
    }

    /// A part that nobody will list.
    pub(super) fn give_back_part(&self, part: &Part) {
        if let Some(number) = number_of(part) {
            self.give_back(number);
        }
    }
}

/// The number in a part's path.
pub(super) fn number_of(part: &Part) -> Option<usize> {
    part.path.rsplit_once("/part-")?.1.split('.').next()?.parse().ok()
}

/// Writes parts one after the other.
pub(crate) struct PartWriter {
    landing: Arc<dyn Landing>,
    unit: Unit,
    run: RunRound,
    extension: &'static str,
    part_bytes: u64,
    numbers: PartNumbers,
    parts: Vec<Part>,
    open: Option<Open>,
}

struct Open {
    number: usize,
    path: String,
    writer: Box<dyn ObjectWriter>,
    records: u64,
    bytes: u64,
}

impl PartWriter {
    pub(super) fn new(shared: &Shared) -> Self {
        Self {
            landing: shared.landing.clone(),
            unit: shared.unit.clone(),
            run: shared.run.clone(),
            extension: shared.compression.extension(),
            part_bytes: PART_BYTES,
            numbers: shared.numbers.clone(),
            parts: Vec::new(),
            open: None,
        }
    }

    /// Appends a block.
    pub(crate) async fn append(&mut self, block: Block) -> Result<(), LandingError> {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let number = self.numbers.take();
                let path = paths::part(&self.unit, &self.run, number, self.extension);
                let writer = self.landing.write(&path).await?;
                self.open.insert(Open { number, path, writer, records: 0, bytes: 0 })
            }
        };
        open.writer.write(Bytes::from_owner(block.compressed)).await?;
        open.records += block.records;
        open.bytes += block.bytes;
        if open.bytes >= self.part_bytes {
            self.close().await?;
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<(), LandingError> {
        if let Some(Open { path, writer, records, .. }) = self.open.take() {
            let written = writer.finish().await?;
            self.parts.push(Part { path, records, bytes: written.bytes, crc32c: written.crc32c });
        }
        Ok(())
    }

    /// Closes the last part; the list of all.
    pub(crate) async fn finish(mut self) -> Result<Vec<Part>, LandingError> {
        self.close().await?;
        Ok(std::mem::take(&mut self.parts))
    }

    /// Forgets everything; others use the numbers.
    pub(crate) fn abandon(&mut self) {
        if let Some(open) = self.open.take() {
            self.numbers.give_back(open.number);
        }
        self.parts.drain(..).for_each(|part| self.numbers.give_back_part(&part));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn block(text: &str, bytes: u64) -> Block {
        Block { compressed: text.as_bytes().to_vec().into(), records: 1, bytes }
    }

    #[tokio::test]
    async fn parts_roll_by_size_and_appear_whole() {
        let folder = tempfile::tempdir().unwrap();
        let landing = contract::landing::open_folder(folder.path()).unwrap();
        let unit = Unit::new("s", "a", "t").unwrap();
        let run = RunRound::first("20260101T000000Z-aaaaaa".parse().unwrap());
        let numbers = PartNumbers::default();
        let writer = || PartWriter {
            landing: landing.clone(),
            unit: unit.clone(),
            run: run.clone(),
            extension: "gz",
            part_bytes: 10,
            numbers: numbers.clone(),
            parts: Vec::new(),
            open: None,
        };
        let mut given_up = writer();
        given_up.append(block("never", 6)).await.unwrap();
        given_up.abandon();
        let mut writer = writer();
        for text in ["one", "two", "three"] {
            writer.append(block(text, 6)).await.unwrap();
        }
        let second = paths::part(&unit, &run, 1, "gz");
        assert!(landing.get(&second).await.unwrap().is_none(), "an open part is not there yet");
        let parts = writer.finish().await.unwrap();
        assert_eq!(parts.iter().map(|part| part.records).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(landing.get(&parts[0].path).await.unwrap().unwrap().bytes, "onetwo".as_bytes());
        assert_eq!(parts[1].crc32c, crc32c::crc32c(b"three"));
        assert_eq!(parts[1].path, second);
        assert_eq!(parts.iter().map(number_of).collect::<Vec<_>>(), [Some(0), Some(1)]);
    }
}
