//! What only BigQuery has: its statements word for word, its costs, its failures, partitions, and a project for each company.

mod cost;
mod faults;
mod partitions;
mod places;
mod statements;
