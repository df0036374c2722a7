//! What must hold for the repository as a whole: one test binary, a module for each theme.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dependencies;
