//! Why a run could not begin or go on, with its exit code and what to do about it.
//! Messages name files, runs and flags; never a secret or a record's value.

use crate::launcher::LaunchError;
use contract::exit::Exit;
use contract::landing::LandingError;
use contract::lease::LeaseError;
use contract::pipeline::Problems;
use contract::run_id::RunId;
use contract::stored::StoredError;

/// Why there is no run. The failure of units is no error here: it is in the summary.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Everything that is wrong with the pipeline file.
    #[error(transparent)]
    Pipeline(#[from] Problems),
    /// Flags that do not go together, or that name what is not there.
    #[error("{0}")]
    Usage(String),
    /// `serve` cannot listen there.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address as it was given.
        address: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A command or setting that this version does not have.
    #[error("{0} is not supported yet; {1}")]
    NotYet(&'static str, &'static str),
    /// The landing zone cannot be opened.
    #[error("the landing zone cannot be used: {0}")]
    Landing(#[from] LandingError),
    /// A file of the landing zone cannot be read.
    #[error("the landing zone cannot be used: {0}")]
    Stored(#[from] StoredError),
    /// Another run is going on, or the lease cannot be written.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Another run with the same order has waited too, and has begun: it stands for this one.
    #[error("run {run_id} has begun with the same order while this one waited, and stands for both")]
    Merged {
        /// The run.
        run_id: RunId,
    },
    /// A job cannot be started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// `--only load` of a run that has no plan.
    #[error("the landing zone {location} knows no run {run_id}")]
    UnknownRun {
        /// The run that was asked for.
        run_id: RunId,
        /// The landing zone.
        location: String,
    },
    /// `--only load` of the latest run, and there is none.
    #[error("the landing zone {location} holds no run whose extract has finished")]
    NoLatest {
        /// The landing zone.
        location: String,
    },
    /// `--only load` of the latest run, and that is one from the future.
    #[error("{path} in {location} names run {run_id}, which lies in the future: a clock was wrong when it was made")]
    LatestAhead {
        /// The file that names it.
        path: &'static str,
        /// The run.
        run_id: RunId,
        /// The landing zone.
        location: String,
    },
    /// Old batches cannot be removed.
    #[error(transparent)]
    Prune(#[from] contract::prune::PruneError),
    /// The demo's folder holds something else.
    #[error("the folder {dir} holds {found}, which no demo has written")]
    DemoFolder {
        /// The folder.
        dir: String,
        /// What was found in it.
        found: String,
    },
    /// The demo's folder or files cannot be written.
    #[error("cannot write {path}: {source}")]
    DemoFile {
        /// The file or folder.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The demo's stand-in does not start.
    #[error("the stand-in of ServiceTitan does not start: {0}")]
    StandIn(String),
}

impl RunError {
    /// The exit code (design, section 8).
    pub fn exit(&self) -> Exit {
        match self {
            Self::Merged { .. } => Exit::Done,
            Self::Pipeline(_)
            | Self::Usage(_)
            | Self::NotYet(..)
            | Self::UnknownRun { .. }
            | Self::NoLatest { .. }
            | Self::LatestAhead { .. }
            | Self::DemoFolder { .. } => Exit::Usage,
            Self::Landing(LandingError::Unsupported(_)) => Exit::Usage,
            Self::Landing(_)
            | Self::Stored(_)
            | Self::Lease(_)
            | Self::Launch(_)
            | Self::Listen { .. }
            | Self::Prune(_)
            | Self::DemoFile { .. }
            | Self::StandIn(_) => Exit::Unreachable,
        }
    }

    /// The run that is in the way, if that is all that is wrong.
    pub(crate) fn holder(&self) -> Option<&RunId> {
        match self {
            Self::Lease(error) => error.other_run(),
            Self::Launch(LaunchError::StillRunning { run_id, .. } | LaunchError::Overtaken { run_id, .. }) => {
                Some(run_id)
            }
            _ => None,
        }
    }

    /// What to do about it, where the message does not say so itself.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Launch(error) => return error.hint(),
            Self::UnknownRun { .. } => "leave out --run-id to load the latest run",
            Self::NoLatest { .. } => "start a whole run first: leave out `--only load`",
            Self::LatestAhead { .. } => {
                "name the run to load with --run-id, or start a whole run, which makes a newer one the latest"
            }
            Self::DemoFolder { .. } => "name another one with --dir",
            Self::Listen { .. } => "name another one with --listen",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_exit_code() {
        let io = || std::io::Error::other("disk on fire");
        let run_id: RunId = "20260131T235900Z-a1b2c3".parse().unwrap();
        let unavailable = || LandingError::Unavailable { what: "write", path: "runs".into(), source: io() };
        let table: Vec<(RunError, Exit)> = vec![
            (Problems::one("p.yaml", 3, "landing", "missing").into(), Exit::Usage),
            (RunError::Usage("no".into()), Exit::Usage),
            (RunError::NotYet("`orchestrator fly`", "use run"), Exit::Usage),
            (LandingError::Unsupported("gs".into()).into(), Exit::Usage),
            (unavailable().into(), Exit::Unreachable),
            (StoredError::from(unavailable()).into(), Exit::Unreachable),
            (LeaseError::Stopped("SIGTERM".into()).into(), Exit::Unreachable),
            (RunError::UnknownRun { run_id, location: "l".into() }, Exit::Usage),
            (RunError::NoLatest { location: "l".into() }, Exit::Usage),
            (
                RunError::LatestAhead {
                    path: "p",
                    run_id: "20991231T235959Z-a1b2c3".parse().unwrap(),
                    location: "l".into(),
                },
                Exit::Usage,
            ),
            (RunError::DemoFolder { dir: "d".into(), found: "x".into() }, Exit::Usage),
            (RunError::DemoFile { path: "d".into(), source: io() }, Exit::Unreachable),
            (RunError::StandIn("port".into()), Exit::Unreachable),
            (RunError::Listen { address: "a".into(), source: io() }, Exit::Unreachable),
            (LaunchError::Missing { program: "extract-job", folder: "bin".into() }.into(), Exit::Unreachable),
        ];
        for (error, exit) in table {
            assert_eq!(error.exit(), exit, "{error}");
        }
    }
}
