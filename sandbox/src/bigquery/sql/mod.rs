//! As much of GoogleSQL as the gate must read: tokens, the kinds of statements, MERGE, CREATE TABLE and ALTER TABLE.
//! What it does not know it leaves to the emulator.

pub(crate) mod alter_table;
pub(crate) mod create_table;
pub(crate) mod cursor;
pub(crate) mod merge;
pub(crate) mod statement;
pub(crate) mod token;
