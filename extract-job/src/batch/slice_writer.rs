//! Writes one slice: pages become compressed blocks, side by side on blocking threads, in the order of the pages.
//! The blocks of a small slice wait in memory until it is whole; those of a large one go out at once, into parts of its own.

use super::batch_sink::{Finished, Shared, landing};
use super::block::{Block, Lines};
use super::part_writer::PartWriter;
use crate::read::page::{Page, ReadError};
use crate::read::slice::SliceOutcome;
use crate::read::stream_reader::SliceSink;
use async_trait::async_trait;
use contract::batch::Part;
use contract::telemetry::{self, Event};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Smaller pages are gathered into one block: a block by itself costs a header and the start of a dictionary.
const BLOCK_BYTES: usize = 512 * 1024;
/// Blocks in work at once for one slice.
const BLOCKS_IN_WORK: usize = 2;
/// A slice whose compressed blocks take more than this gets parts of its own.
const SMALL: usize = 1024 * 1024;

pub(super) struct SliceWriter {
    shared: Arc<Shared>,
    identity: String,
    lines: Lines,
    in_work: VecDeque<JoinHandle<Result<Block, String>>>,
    /// Of a slice that is small so far.
    blocks: Vec<Block>,
    waiting: usize,
    /// Of a large one.
    writer: Option<PartWriter>,
    parts: Vec<Part>,
    records: u64,
    bytes: u64,
    kept: Kept,
}

/// What stays when the rest is discarded.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    blocks: usize,
    parts: usize,
    records: u64,
    bytes: u64,
}

impl SliceWriter {
    pub(super) fn new(shared: Arc<Shared>, identity: String) -> Self {
        Self {
            shared,
            identity,
            lines: Lines::default(),
            in_work: VecDeque::new(),
            blocks: Vec::new(),
            waiting: 0,
            writer: None,
            parts: Vec::new(),
            records: 0,
            bytes: 0,
            kept: Kept::default(),
        }
    }

    fn compress_lines(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let (cpu, buffers) = (self.shared.cpu.clone(), self.shared.buffers.clone());
        let compression = self.shared.compression;
        self.in_work.push_back(tokio::spawn(async move {
            cpu.run(move || lines.compress(compression, &buffers)).await?.map_err(|error| error.to_string())
        }));
    }

    /// Takes compressed blocks in order until no more than `left` are in work.
    async fn take_until(&mut self, left: usize) -> Result<(), ReadError> {
        while self.in_work.len() > left || self.in_work.front().is_some_and(JoinHandle::is_finished) {
            let Some(task) = self.in_work.pop_front() else { return Ok(()) };
            let block = task.await.map_err(|_| ReadError("the compression was cut off".into()))?;
            let mut block = block.map_err(|error| ReadError(format!("compress the records: {error}")))?;
            if let Some(writer) = &mut self.writer {
                writer.append(block).await.map_err(landing)?;
                continue;
            }
            block.compressed.fit();
            self.waiting += block.compressed.len();
            self.blocks.push(block);
            if self.waiting > SMALL {
                self.grow().await?;
            }
        }
        Ok(())
    }

    /// The slice is not small any more: its blocks go into parts of its own.
    async fn grow(&mut self) -> Result<(), ReadError> {
        let newer = self.blocks.split_off(self.kept.blocks.min(self.blocks.len()));
        // What is kept must not share a part with what may yet be discarded.
        if !self.blocks.is_empty() {
            let kept = std::mem::take(&mut self.blocks);
            self.parts.extend(Self::written(&self.shared, kept).await?.finish().await.map_err(landing)?);
            (self.kept.blocks, self.kept.parts) = (0, self.parts.len());
        }
        self.writer = Some(Self::written(&self.shared, newer).await?);
        self.waiting = 0;
        Ok(())
    }

    /// Blocks in parts of the slice's own, the last of which is still open.
    async fn written(shared: &Shared, blocks: Vec<Block>) -> Result<PartWriter, ReadError> {
        let mut writer = PartWriter::new(shared);
        for block in blocks {
            writer.append(block).await.map_err(landing)?;
        }
        Ok(writer)
    }

    /// All that has come is compressed and, of a large slice, written.
    async fn settle(&mut self) -> Result<(), ReadError> {
        if self.lines.bytes() > 0 {
            self.compress_lines();
        }
        self.take_until(0).await
    }

    async fn close_parts(&mut self) -> Result<(), ReadError> {
        if let Some(writer) = self.writer.take() {
            self.parts.extend(writer.finish().await.map_err(landing)?);
        }
        Ok(())
    }

    fn forget_pages(&mut self) {
        self.in_work.drain(..).for_each(|task| task.abort());
        self.lines = Lines::default();
    }
}

impl Drop for SliceWriter {
    fn drop(&mut self) {
        self.in_work.iter().for_each(JoinHandle::abort);
    }
}

#[async_trait]
impl SliceSink for SliceWriter {
    async fn page(&mut self, mut page: Page, total: Option<u64>) -> Result<(), ReadError> {
        let (records, bytes) = (page.count(), page.records.iter().map(|range| range.len() as u64 + 1).sum::<u64>());
        self.records += records;
        self.bytes += bytes;
        if page.body.bytes.len() < BLOCK_BYTES && bytes < page.body.bytes.len() as u64 / 2 {
            // Of a page with few records these alone wait for their block.
            self.lines.gather(&page.body.bytes, &page.records);
            page.records.clear();
        }
        if page.body.bytes.len() < BLOCK_BYTES
            && let Some(body) = Arc::get_mut(&mut page.body)
        {
            // A small page may wait long for its block to fill up; it must not hold back pages of others meanwhile.
            body.reservation = None;
            body.bytes.fit();
        }
        // A large page holds its memory until it is compressed, however few of its bytes are records.
        let is_large = page.body.bytes.len() >= BLOCK_BYTES;
        self.lines.push(page.body, page.records);
        if self.lines.bytes() >= BLOCK_BYTES || (is_large && self.lines.bytes() > 0) {
            self.compress_lines();
            self.take_until(BLOCKS_IN_WORK).await?;
        }
        let unit = self.shared.unit.clone();
        let total = total.filter(|_| self.identity.is_empty());
        let (records, bytes) = self.shared.show(records, bytes);
        telemetry::emit(&Event::Progress { stage: "extract".into(), unit, records, bytes, total });
        Ok(())
    }

    async fn keep(&mut self) -> Result<(), ReadError> {
        if self.writer.is_none() && self.lines.bytes() == 0 && self.in_work.is_empty() && self.blocks.is_empty() {
            return Ok(());
        }
        self.settle().await?;
        self.close_parts().await?;
        self.kept =
            Kept { blocks: self.blocks.len(), parts: self.parts.len(), records: self.records, bytes: self.bytes };
        Ok(())
    }

    async fn discard(&mut self) -> Result<(), ReadError> {
        self.forget_pages();
        if let Some(mut writer) = self.writer.take() {
            writer.abandon();
        }
        self.blocks.truncate(self.kept.blocks);
        self.waiting = self.blocks.iter().map(|block| block.compressed.len()).sum();
        for part in self.parts.drain(self.kept.parts..) {
            self.shared.numbers.give_back_part(&part);
        }
        (self.records, self.bytes) = (self.kept.records, self.kept.bytes);
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), ReadError> {
        self.kept = Kept::default();
        self.discard().await
    }

    async fn finish(mut self: Box<Self>, outcome: &SliceOutcome) -> Result<(), ReadError> {
        self.settle().await?;
        self.close_parts().await?;
        if !self.parts.is_empty() && !self.blocks.is_empty() {
            let rest = std::mem::take(&mut self.blocks);
            self.parts.extend(Self::written(&self.shared, rest).await?.finish().await.map_err(landing)?);
        }
        let (parts, blocks) = (std::mem::take(&mut self.parts), std::mem::take(&mut self.blocks));
        let (slice, records, bytes) = (std::mem::take(&mut self.identity), self.records, self.bytes);
        self.shared.add(Finished { slice, outcome: outcome.clone(), parts, blocks, records, bytes }).await
    }
}
