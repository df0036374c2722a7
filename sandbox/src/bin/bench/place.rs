//! A folder with a pipeline file, a landing zone and a warehouse, and the programs that are measured in it.
//! What a round has left is set aside and removed at the end: a file system is slow in giving out again what was just given back.

use crate::measure::{self, Measured};
use contract::landing::{self, Landing, paths};
use contract::run_id::RunId;
use contract::stored::{self, Latest};
use std::cell::Cell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// The warehouse of the pipeline file, and the database of DuckDB's own load.
pub(crate) const WAREHOUSE: &str = "warehouse.duckdb";
pub(crate) const FLOOR: &str = "floor.duckdb";

pub(crate) struct Place {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    aside: Cell<usize>,
}

impl Place {
    /// A new folder; `sources` is that part of its pipeline file.
    pub(crate) fn new(sources: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let place = Self { folder, runtime, aside: Cell::new(0) };
        let text = format!("landing: landing\nwarehouse: {{type: duckdb, path: {WAREHOUSE}}}\nsources:\n{sources}");
        std::fs::write(place.path("pipeline.yaml"), text).expect("the pipeline file is written");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn landing(&self) -> Arc<dyn Landing> {
        landing::open_folder(&self.path("landing")).expect("the landing folder opens")
    }

    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Extracts into a landing zone that is new.
    pub(crate) fn extract(&self) -> Measured {
        self.set_aside("landing");
        measure::run(&mut self.job("extract-job"))
    }

    /// The run that was extracted last.
    pub(crate) fn latest(&self) -> RunId {
        let landing = self.landing();
        let latest = self.wait(stored::read::<Latest>(landing.as_ref(), paths::LATEST)).expect("latest.json");
        latest.expect("an extract has finished").run_id
    }

    /// Loads a run into what is there.
    pub(crate) fn load(&self, run: &RunId) -> Measured {
        measure::run(self.job("load-job").arg("--run-id").arg(run.to_string()))
    }

    /// DuckDB's own load of these files into what is there.
    pub(crate) fn duckdb(&self, files: &[PathBuf]) -> Measured {
        measure::run(own_program().arg("duckdb").arg(self.path(FLOOR)).args(files))
    }

    /// A table that is not there yet.
    pub(crate) fn without(&self, database: &str) {
        for name in [database.to_owned(), format!("{database}.wal")] {
            let _ = std::fs::remove_file(self.path(&name));
        }
    }

    /// Keeps a database as it is, for [`Place::restore`].
    pub(crate) fn keep(&self, database: &str) {
        copy(&self.path(database), &self.path(&format!("{database}.kept")));
    }

    /// The database as it was kept. Checkpoints and suspects go: the next load is the first after it.
    pub(crate) fn restore(&self, database: &str) {
        self.without(database);
        copy(&self.path(&format!("{database}.kept")), &self.path(database));
        ["landing/checkpoints", "landing/suspects"].into_iter().for_each(|name| self.set_aside(name));
    }

    fn set_aside(&self, name: &str) {
        let aside = self.path(&format!("aside-{}", self.aside.replace(self.aside.get() + 1)));
        let _ = std::fs::rename(self.path(name), aside);
    }

    fn job(&self, program: &str) -> Command {
        let own = std::env::current_exe().expect("this program");
        let program = own.with_file_name(program);
        assert!(program.exists(), "{} is missing: run `cargo build` first", program.display());
        let mut command = Command::new(program);
        command.arg("--pipeline").arg(self.path("pipeline.yaml"));
        command
    }
}

/// This program, to be run as a floor.
pub(crate) fn own_program() -> Command {
    Command::new(std::env::current_exe().expect("this program"))
}

/// Synced, so that no measurement pays for it.
fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).expect("the database is copied");
    File::open(to).and_then(|file| file.sync_all()).expect("the copy is synced");
}
