//! DuckDB as the warehouse: one file on this machine, one writing process.
//! Named alike in every warehouse: `client` (the connection), `core` (the warehouse), `open`, `load` and `changes` (a table's sessions), `schema`
//! (types), `sql` (templates and quoting).

mod adopt;
mod changes;
mod client;
mod core;
mod library;
mod load;
mod logs;
mod memory;
mod open;
mod patience;
mod retype;
mod schema;
mod source;
mod sql;

pub use core::DuckDb;
pub(crate) use patience::open_when_free;
