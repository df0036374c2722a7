//! Why a table or one of its units could not be loaded.
//! The text goes into the unit's report, the log table and the summary; it holds no values of records.

use crate::warehouse::WarehouseError;
use contract::landing::LandingError;
use contract::stored::StoredError;

/// Why a table or a unit could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The warehouse refused.
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    /// The landing zone refused.
    #[error(transparent)]
    Landing(#[from] LandingError),
    /// A stored file is broken.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// The batch must not be loaded.
    #[error("{0}")]
    Refused(String),
    /// A fault in this program.
    #[error("internal error: {0}")]
    Internal(String),
}
