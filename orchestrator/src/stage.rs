//! The stages of a run and the program that does each: extract and load, and both once more for rows that one reading lacked.

use clap::ValueEnum;
use contract::round::{Round, RunRound};
use contract::run_id::RunId;
use std::fmt;

/// One step of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Stage {
    /// From the APIs into the landing zone.
    Extract,
    /// From the landing zone into the warehouse.
    Load,
    /// The extract of the confirming round.
    #[value(skip)]
    ConfirmExtract,
    /// The load of the confirming round.
    #[value(skip)]
    ConfirmLoad,
}

impl Stage {
    /// The stages of every run, in their order.
    pub const FIRST: [Self; 2] = [Self::Extract, Self::Load];
    /// The stages that confirm deletes, in their order.
    pub const CONFIRM: [Self; 2] = [Self::ConfirmExtract, Self::ConfirmLoad];
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Extract, Self::Load, Self::ConfirmExtract, Self::ConfirmLoad];

    /// The word in messages, in the names of launch notes and in flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Extract => "extract",
            Self::Load => "load",
            Self::ConfirmExtract => "extract-confirm",
            Self::ConfirmLoad => "load-confirm",
        }
    }

    /// The program that does it.
    pub fn program(self) -> &'static str {
        match self.job() {
            Self::Load => "load-job",
            _ => "extract-job",
        }
    }

    /// The stage of the first round that the same job does.
    pub fn job(self) -> Self {
        match self {
            Self::Extract | Self::ConfirmExtract => Self::Extract,
            Self::Load | Self::ConfirmLoad => Self::Load,
        }
    }

    /// The round that it belongs to, of a certain run.
    pub fn round_of(self, run: &RunId) -> RunRound {
        let round = if Self::CONFIRM.contains(&self) { Round::Confirm } else { Round::First };
        RunRound { run: run.clone(), round }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
