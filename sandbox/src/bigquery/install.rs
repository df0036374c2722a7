//! What the emulator is made of: PyPI's `bqemulator` and all that it needs, every package pinned.
//! Guarantees: installed once for each machine, whole or not at all (see [`crate::python`]).

use crate::python::{Installed, Packages};

pub use crate::python::InstallError;

/// The geography functions need an extension that comes as a package of its own and is unpacked by this once.
const IMPORT_EXTENSION: &str = "from duckdb_extensions import import_extension; import_extension('spatial')";

const EMULATOR: Packages = Packages {
    name: "bqemulator",
    requirements: include_str!("../../bigquery/requirements.txt"),
    finish: Some(IMPORT_EXTENSION),
};

/// Finds the emulator, and installs it first where it is not there yet (about a minute, over the network).
///
/// # Errors
/// When there is no fitting python3, no cache folder, or a step of the installation fails.
pub(crate) fn install() -> Result<Installed, InstallError> {
    EMULATOR.install()
}
