//! The parts of a batch: blocks are appended until a part is large enough, then it is made visible, whole, and the next one begins.

use super::block::Block;
use bytes::Bytes;
use contract::batch::Part;
use contract::landing::{Landing, LandingError, ObjectWriter, paths};
use contract::run_id::RunId;
use contract::unit::Unit;
use std::sync::Arc;

/// A part is closed when its records have so many bytes before compression.
const PART_BYTES: u64 = 128 * 1024 * 1024;

/// Writes the parts of one batch.
pub(crate) struct PartWriter {
    landing: Arc<dyn Landing>,
    unit: Unit,
    run: RunId,
    extension: &'static str,
    part_bytes: u64,
    parts: Vec<Part>,
    open: Option<Open>,
}

struct Open {
    path: String,
    writer: Box<dyn ObjectWriter>,
    records: u64,
    bytes: u64,
}

impl PartWriter {
    pub(crate) fn new(landing: Arc<dyn Landing>, unit: Unit, run: RunId, extension: &'static str) -> Self {
        Self { landing, unit, run, extension, part_bytes: PART_BYTES, parts: Vec::new(), open: None }
    }

    /// Appends a block.
    pub(crate) async fn append(&mut self, block: Block) -> Result<(), LandingError> {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let path = paths::part(&self.unit, &self.run, self.parts.len(), self.extension);
                let writer = self.landing.write(&path).await?;
                self.open.insert(Open { path, writer, records: 0, bytes: 0 })
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
    pub(crate) async fn finish(&mut self) -> Result<Vec<Part>, LandingError> {
        self.close().await?;
        Ok(std::mem::take(&mut self.parts))
    }

    /// Forgets everything; the next parts replace those that are there.
    pub(crate) fn restart(&mut self) {
        self.open = None;
        self.parts.clear();
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
        let landing = contract::landing::open(folder.path().to_str().unwrap()).unwrap();
        let unit = Unit::new("s", "a", "t").unwrap();
        let run: RunId = "20260101T000000Z-aaaaaa".parse().unwrap();
        let mut writer = PartWriter::new(landing.clone(), unit.clone(), run.clone(), "gz");
        writer.part_bytes = 10;
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
    }
}
