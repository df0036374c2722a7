//! The extract against a stand-in of ServiceTitan over real HTTP: one test binary, a module for each theme.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod budget;
mod confirming;
mod credentials;
mod credentials_substream;
mod cursors;
mod differential;
mod disguised_errors;
mod docs;
mod echoes;
mod endless_pages;
mod error_handlers;
mod extract;
mod fake_api;
mod faults;
mod incremental;
mod large_answers;
mod logins;
mod modes;
mod nested_keys;
mod own_manifest;
mod program;
mod reaching;
mod redaction;
mod requests;
mod resume;
mod servicetitan;
mod servicetitan_days;
mod shares;
mod short_pages;
mod slices;
#[path = "../src/redactor/spelled.rs"]
mod spelled;
mod stability;
mod support;
mod tables;
mod zones;
