//! The sink of an extract: pages become compressed blocks, blocks become parts, in the order of the pages.
//! Compression of several blocks runs side by side; a page's memory is free again as soon as its block is compressed.

use super::block::{Block, Lines};
use super::part_writer::PartWriter;
use crate::http::buffers::Buffers;
use crate::read::cpu::Cpu;
use crate::read::page::{Page, ReadError};
use crate::read::stream_reader::RecordSink;
use async_trait::async_trait;
use contract::batch::Part;
use contract::pipeline::Compression;
use contract::telemetry::{self, Event};
use contract::unit::Unit;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Smaller pages are gathered into one block: a block by itself costs a header and the start of a dictionary.
const BLOCK_BYTES: usize = 512 * 1024;
/// Blocks in work at once for one batch.
const BLOCKS_IN_WORK: usize = 2;

/// Writes one batch's records.
pub(crate) struct BatchWriter {
    unit: Unit,
    parts: PartWriter,
    compression: Compression,
    cpu: Cpu,
    buffers: Buffers,
    lines: Lines,
    in_work: VecDeque<JoinHandle<Result<Block, String>>>,
    records: u64,
    bytes: u64,
}

/// What a finished writer has stored.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) parts: Vec<Part>,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl BatchWriter {
    pub(crate) fn new(unit: Unit, parts: PartWriter, compression: Compression, cpu: Cpu, buffers: Buffers) -> Self {
        let (lines, in_work) = (Lines::default(), VecDeque::new());
        Self { unit, parts, compression, cpu, buffers, lines, in_work, records: 0, bytes: 0 }
    }

    fn compress_lines(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let (cpu, buffers, compression) = (self.cpu.clone(), self.buffers.clone(), self.compression);
        self.in_work.push_back(tokio::spawn(async move {
            cpu.run(move || lines.compress(compression, &buffers)).await?.map_err(|error| error.to_string())
        }));
    }

    /// Appends compressed blocks in order until no more than `left` are in work.
    async fn append_until(&mut self, left: usize) -> Result<(), ReadError> {
        while self.in_work.len() > left || self.in_work.front().is_some_and(JoinHandle::is_finished) {
            let Some(task) = self.in_work.pop_front() else { return Ok(()) };
            let block = task.await.map_err(|_| ReadError("the compression was cut off".into()))?;
            let block = block.map_err(|error| ReadError(format!("compress the records: {error}")))?;
            self.parts.append(block).await.map_err(|error| ReadError(error.to_string()))?;
        }
        Ok(())
    }

    /// Writes what is left and closes the last part.
    pub(crate) async fn finish(mut self) -> Result<Stored, ReadError> {
        if self.lines.bytes() > 0 {
            self.compress_lines();
        }
        self.append_until(0).await?;
        let parts = self.parts.finish().await.map_err(|error| ReadError(error.to_string()))?;
        Ok(Stored { parts, records: self.records, bytes: self.bytes })
    }
}

impl Drop for BatchWriter {
    fn drop(&mut self) {
        self.in_work.iter().for_each(JoinHandle::abort);
    }
}

#[async_trait]
impl RecordSink for BatchWriter {
    async fn page(&mut self, mut page: Page, total: Option<u64>) -> Result<(), ReadError> {
        self.records += page.count();
        self.bytes += page.records.iter().map(|range| range.len() as u64 + 1).sum::<u64>();
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
            self.append_until(BLOCKS_IN_WORK).await?;
        }
        let (records, bytes) = (self.records, self.bytes);
        telemetry::emit(&Event::Progress { stage: "extract".into(), unit: self.unit.clone(), records, bytes, total });
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), ReadError> {
        self.in_work.drain(..).for_each(|task| task.abort());
        self.lines = Lines::default();
        self.parts.restart();
        (self.records, self.bytes) = (0, 0);
        Ok(())
    }
}
