//! The demo's folder: created, or wiped if an earlier demo wrote it; a folder that holds anything else is never touched.
//! A demo that is still going on in it keeps it, by its lease.

use crate::error::RunError;
use chrono::Utc;
use contract::landing;
use contract::lease::Lease;
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The first line of the pipeline file: it tells a demo's folder from others.
pub(super) const MARK: &str = "# Written by the demo, which wipes this folder when it runs again.";
pub(super) const WAREHOUSE: &str = "warehouse.duckdb";
const PIPELINE: &str = "pipeline.yaml";
const LANDING: &str = "landing";

/// A folder that is empty and ours.
#[derive(Debug)]
pub(super) struct DemoFolder {
    dir: PathBuf,
}

impl DemoFolder {
    pub(super) async fn prepare(dir: &Path, shutdown: &Shutdown) -> Result<Self, RunError> {
        if let Some(found) = foreign(dir).map_err(|source| file_error(dir, source))? {
            return Err(RunError::DemoFolder { dir: dir.display().to_string(), found });
        }
        let landing = dir.join(LANDING);
        if landing.is_dir() {
            let opened = landing::open_folder(&landing)?;
            let run_id = RunId::new(Utc::now());
            Lease::take(opened, &run_id, "orchestrator demo", false, shutdown).await?.release().await?;
        }
        wipe(dir).map_err(|source| file_error(dir, source))?;
        fs::create_dir_all(dir).map_err(|source| file_error(dir, source))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Writes the pipeline file; returns its path.
    pub(super) fn write_pipeline(&self, text: &str) -> Result<String, RunError> {
        let file = self.dir.join(PIPELINE);
        fs::write(&file, text).map_err(|source| file_error(&file, source))?;
        Ok(file.display().to_string())
    }

    pub(super) fn warehouse(&self) -> String {
        self.dir.join(WAREHOUSE).display().to_string()
    }
}

fn file_error(path: &Path, source: io::Error) -> RunError {
    RunError::DemoFile { path: path.display().to_string(), source }
}

/// Whether a demo writes something of this name (DuckDB puts files of its own beside the warehouse).
fn is_ours(name: &str) -> bool {
    name == PIPELINE || name == LANDING || name.starts_with(WAREHOUSE)
}

/// What the folder holds that no demo has written, if anything.
fn foreign(dir: &Path) -> io::Result<Option<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    if let Some(name) = names.iter().find(|name| !is_ours(name)) {
        return Ok(Some(format!("`{name}`")));
    }
    let Some(first) = names.first() else { return Ok(None) };
    // The names alone prove nothing: a user's own pipeline may have them too.
    let marked = fs::read_to_string(dir.join(PIPELINE)).is_ok_and(|text| text.lines().next() == Some(MARK));
    Ok((!marked).then(|| format!("`{first}`")))
}

/// Removes what a demo has written; the marked file last, so that a wipe cut short can be done again.
fn wipe(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name() == PIPELINE {
            continue;
        }
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    match fs::remove_file(dir.join(PIPELINE)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_demos_folder_is_wiped() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a/demo");
        let shutdown = Shutdown::new();
        let folder = DemoFolder::prepare(&dir, &shutdown).await.unwrap();
        folder.write_pipeline(&format!("{MARK}\nlanding: x\n")).unwrap();
        fs::create_dir_all(dir.join("landing/runs")).unwrap();
        fs::write(dir.join("warehouse.duckdb.wal"), "x").unwrap();
        DemoFolder::prepare(&dir, &shutdown).await.unwrap();
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);

        for (name, text) in [("notes.txt", "mine"), ("pipeline.yaml", "landing: ./mine\n"), ("warehouse.duckdb", "x")] {
            let file = dir.join(name);
            fs::write(&file, text).unwrap();
            let error = DemoFolder::prepare(&dir, &shutdown).await.unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            fs::remove_file(&file).unwrap();
        }
    }

    #[tokio::test]
    async fn a_demo_that_is_going_on_keeps_its_folder() {
        let root = tempfile::tempdir().unwrap();
        let (dir, shutdown) = (root.path().join("demo"), Shutdown::new());
        DemoFolder::prepare(&dir, &shutdown).await.unwrap().write_pipeline(MARK).unwrap();
        let landing = landing::open_folder(&dir.join(LANDING)).unwrap();
        let lease = Lease::take(landing, &RunId::new(Utc::now()), "orchestrator", false, &shutdown).await.unwrap();
        assert!(matches!(DemoFolder::prepare(&dir, &shutdown).await, Err(RunError::Lease(_))));
        assert!(dir.join(PIPELINE).exists());
        lease.release().await.unwrap();
        DemoFolder::prepare(&dir, &shutdown).await.unwrap();
    }
}
