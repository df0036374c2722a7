//! The extract job: from REST APIs to batches in the landing zone. It runs declarative manifests, keeps records as the API sent them,
//! and publishes a unit's batch whole or not at all. It knows no warehouse.

#[doc(hidden)]
pub mod authoring;
mod batch;
pub mod cli;
mod components;
mod http;
mod manifest;
mod read;
mod record;
mod record_slicer;
mod redactor;
mod run;
mod template;

pub use manifest::Manifest;
pub use manifest::describe::{BuiltIn, StreamDescription, built_in};
pub use run::check::{Checked, Depth, check_manifest, check_pipeline};
pub use run::dry_run::{Preview, preview};
pub use run::plan::{PlanError, Selection};
pub use run::read::{Lines, ReadOptions, read};
pub use run::streams::{StreamLine, list as list_streams};
pub use run::{ExtractError, Options, extract};
