//! Why `init` ends before its files are written.

use contract::exit::Exit;

/// The reason, named for what the person who called can do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// Something that was given is wrong, or something is missing: all of it, a line each.
    #[error("{}", .0.join("\n"))]
    Wrong(Vec<String>),
    /// The person gave up.
    #[error("stopped: nothing was written")]
    Cancelled,
    /// This machine.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

impl Stop {
    /// One thing that is wrong.
    pub(crate) fn wrong(message: impl Into<String>) -> Self {
        Self::Wrong(vec![message.into()])
    }

    /// The exit code that says it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Wrong(_) => Exit::Usage,
            Self::Cancelled => Exit::SomeFailed,
            Self::Failed(_) => Exit::Unreachable,
        }
    }
}
