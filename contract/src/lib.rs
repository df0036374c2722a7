//! What the three programs, the user and the tests agree on: the pipeline file, secrets, the landing zone, batches, checkpoints,
//! run reports, work units, exit codes and telemetry. It knows no API, no warehouse and no cloud client beyond the landing zone.

pub mod batch;
pub mod cursor;
pub mod datetime;
pub mod evidence;
pub mod exit;
pub mod google;
pub mod landing;
pub mod lease;
pub mod location;
pub mod name_list;
pub mod pipeline;
pub mod program;
pub mod prune;
pub mod report;
pub mod round;
pub mod run_id;
pub mod secret;
mod segment;
pub mod shutdown;
pub mod stored;
pub mod suspects;
pub mod table_name;
pub mod telemetry;
pub mod tether;
pub mod unit;
pub mod yaml;

/// The version that reports and batches carry.
pub const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");
