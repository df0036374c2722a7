//! Why a table or one of its units could not be loaded.
//! The text goes into the unit's report, the log table and the summary; it holds no values of records.

use crate::warehouse::WarehouseError;
use contract::landing::LandingError;
use contract::report::Remedy;
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
    /// The batch must not be loaded without more.
    #[error("{message}")]
    Needs {
        /// What it needs.
        remedy: Remedy,
        /// Why.
        message: String,
    },
    /// A fault in this program.
    #[error("internal error: {0}")]
    Internal(String),
}

impl LoadError {
    pub(super) fn needs(remedy: Remedy, message: impl Into<String>) -> Self {
        Self::Needs { remedy, message: message.into() }
    }

    /// What the unit needs, where another try alone would fail again.
    pub(super) fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Needs { remedy, .. } => Some(*remedy),
            _ => None,
        }
    }
}
