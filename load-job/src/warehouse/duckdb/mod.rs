//! DuckDB as the warehouse: one file on this machine, one writing process.
//! Named alike in every warehouse: `client` (the connection), `core` (the trait), `schema` (types), `sql` (templates and quoting).

mod adopt;
mod client;
mod core;
mod library;
mod logs;
mod memory;
mod patience;
mod retype;
mod schema;
mod sql;

pub use core::DuckDb;
pub(crate) use patience::open_when_free;
