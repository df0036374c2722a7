//! Each of the five sources with its built-in connector, from its stand-in into DuckDB: generations, backfills and runs that were killed.
//! What the tables must hold comes from the stand-ins' own records, folded together as the design's section 7 says.

mod callio;
mod gaio_social;
mod gong;
mod rows;
mod scene;
mod servicetitan;
mod stream;
mod zoho_salesiq;
