//! The two stages of a run and the program that does each.
//! Their names are those of the run reports' paths.

use clap::ValueEnum;
use std::fmt;

/// One half of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Stage {
    /// From the APIs into the landing zone.
    Extract,
    /// From the landing zone into the warehouse.
    Load,
}

impl Stage {
    /// Both, in the order of a run.
    pub const ALL: [Self; 2] = [Self::Extract, Self::Load];

    /// The word in paths, reports and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Extract => "extract",
            Self::Load => "load",
        }
    }

    /// The program that does it.
    pub fn program(self) -> &'static str {
        match self {
            Self::Extract => "extract-job",
            Self::Load => "load-job",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
