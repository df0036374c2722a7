//! Writing batches: records as they came, one a line, compressed in blocks on blocking threads, in parts of bounded size.

pub(crate) mod batch_sink;
pub(crate) mod block;
pub(crate) mod part_writer;
pub(crate) mod resume;
mod slice_writer;
