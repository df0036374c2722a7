//! The rounds of a run. The first reads and loads everything; a second one confirms deletes, for the units alone that have suspects.
//! Both belong to one run and have their batches, plans and reports side by side.

use crate::run_id::RunId;
use std::fmt;

/// Which round of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Round {
    /// What was asked for.
    #[default]
    First,
    /// Rows that one complete reading lacked are looked for once more.
    Confirm,
}

impl Round {
    /// The name of a stage (`extract`, `load`) in this round, as log rows have it.
    pub fn stage(self, stage: &str) -> String {
        match self {
            Self::First => stage.to_owned(),
            Self::Confirm => format!("{stage}-confirm"),
        }
    }
}

/// A round of a certain run; printed as the folder that its files lie in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunRound {
    /// The run.
    pub run: RunId,
    /// Its round.
    pub round: Round,
}

impl RunRound {
    /// The first round of a run.
    pub fn first(run: RunId) -> Self {
        Self { run, round: Round::First }
    }
}

/// Where the files of a run lie: a run's own are those of its first round.
pub trait RunFolder: fmt::Display {
    /// The run.
    fn run(&self) -> &RunId;
}

impl RunFolder for RunId {
    fn run(&self) -> &RunId {
        self
    }
}

impl RunFolder for RunRound {
    fn run(&self) -> &RunId {
        &self.run
    }
}

impl fmt::Display for RunRound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.round {
            Round::First => write!(f, "{}", self.run),
            Round::Confirm => write!(f, "{}/confirm", self.run),
        }
    }
}
