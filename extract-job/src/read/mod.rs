//! Reading a stream: its windows, the pages of each in their order, and the records in each page.
//! Pages are read ahead; what they hold at once in memory is bounded for the whole process.

pub(crate) mod ask;
pub(crate) mod cpu;
pub(crate) mod cursor_sight;
mod endless;
pub(crate) mod hint_sight;
pub(crate) mod http_pages;
pub(crate) mod known_partitions;
pub(crate) mod memory;
pub(crate) mod page;
pub(crate) mod partition_states;
pub(crate) mod partitions;
pub(crate) mod progress;
pub(crate) mod read_ahead;
pub(crate) mod seam;
pub(crate) mod shown_size;
pub(crate) mod slice;
pub(crate) mod slice_reader;
pub(crate) mod stream_reader;
pub(crate) mod tally;
