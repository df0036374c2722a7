//! Shaping raw records into typed columns (design, section 6): names, types, drift, hashes, rejects.
//! It knows no warehouse: its output is Arrow batches under a [`TablePlan`].

mod canonical_json;
mod column_builder;
mod column_type;
mod epoch;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod fuzz;
mod hash;
mod hint;
mod kind;
mod name;
mod observe;
mod record;
mod record_reader;
mod shaper;
mod table_plan;
mod value;
mod wanted;

pub use column_type::ColumnType;
pub use epoch::EpochUnit;
pub use hint::{Hint, RAW_COLUMN, Reading, hints};
pub(crate) use kind::is_held_by_a_machine_number;
pub use kind::{Kind, Kinds};
pub(crate) use name::column_name;
pub use observe::Observed;
pub(crate) use shaper::{BatchContext, RejectReason, ShapedBlock, Shaper};
pub use table_plan::{ColumnPlan, ExistingColumn, FieldPlan, SchemaChange, SchemaChangeKind, TablePlan, Widening};
pub use wanted::Wanted;

/// The audit columns, in their order after the data columns.
pub const AUDIT_COLUMNS: [&str; 4] = ["_etl_synced", "_etl_operation", "_etl_account", "_etl_row_hash"];
