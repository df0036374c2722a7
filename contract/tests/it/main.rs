//! The contract through its public surface: bad pipeline files, the landing zone and its bucket, credentials, the lease,
//! stored formats, log lines, the shipped schema.
//! One binary; each module is one promise.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod bad_pipelines;
mod cloud_storage;
mod credentials;
mod dotenv;
mod landing_conformance;
mod leases;
mod log_lines;
mod prune;
mod schema;
mod stored_formats;
