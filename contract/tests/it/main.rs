//! The contract through its public surface: bad pipeline files, the landing zone, the lease, stored formats, the shipped schema.
//! One binary; each module is one promise.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod bad_pipelines;
mod landing_conformance;
mod leases;
mod schema;
mod stored_formats;
