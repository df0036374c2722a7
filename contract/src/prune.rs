//! Old batches and rejected records of a landing folder, removed. A bucket has lifecycle rules for it; in a folder nothing else would
//! ever delete them, and they hold what the sources hold.
//!
//! The one place that looks into the folder to find what is there: what is old belongs to sources and streams of long ago, too. What
//! another step may still need stays, however old it is (see [`Kept`]); where that cannot be told, nothing is removed.

use crate::lease::LeaseFile;
use crate::report::{RunReport, UnitStatus};
use crate::run_id::RunId;
use crate::stored::{Checkpoint, Latest};
use crate::suspects::Suspects;
use chrono::{DateTime, TimeDelta, Utc};
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What was removed, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Batches, complete or not.
    pub batches: u64,
    /// Files of rejected records.
    pub rejects: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// Batches that are old enough, and stay because they may be needed.
    pub kept: u64,
}

/// Why nothing more is removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot prune {}: {source}", path.display())]
pub struct PruneError {
    path: PathBuf,
    source: io::Error,
}

/// How to prune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Remove what is old.
    Remove,
    /// Only count it.
    Count,
}

/// What a batch is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// It is the newest complete one of its unit: a load that is asked for again reads it.
    Newest,
    /// Nobody has loaded it.
    NotLoaded,
    /// It belongs to the latest run, or to one that is going on.
    Current,
    /// Where its unit goes on from, or rows that it lacked are to be confirmed.
    Named,
}

/// Removes batches and rejects of runs that began more than `keep` ago.
///
/// # Errors
/// The folder cannot be read or changed, or a file that says what is needed cannot be read.
pub fn prune(root: &Path, keep: TimeDelta, now: DateTime<Utc>, act: Act) -> Result<Pruned, PruneError> {
    let latest: Option<Latest> = read(&root.join("runs/latest.json"))?;
    let lease: Option<LeaseFile> = read(&root.join("runs/lease.json"))?;
    let current = [latest.map(|latest| latest.run_id), lease.map(|lease| lease.run_id)];
    let folder = Folder { root, current: current.into_iter().flatten().collect(), oldest: now - keep, act };
    let mut pruned = Pruned::default();
    for unit in units(&root.join("batches"))? {
        folder.prune_batches(&unit, &mut pruned)?;
    }
    for unit in units(&root.join("rejects"))? {
        folder.prune_rejects(&unit, &mut pruned)?;
    }
    Ok(pruned)
}

/// What every unit is judged by.
struct Folder<'a> {
    root: &'a Path,
    /// The latest run, and the one that is going on.
    current: Vec<RunId>,
    /// Runs that began before are old.
    oldest: DateTime<Utc>,
    act: Act,
}

/// A batch's own word for what it is; the rest of it is of no use here.
#[derive(Deserialize)]
struct Description {
    mode: String,
    source: String,
    account: String,
    stream: String,
}

impl Folder<'_> {
    fn prune_batches(&self, unit: &Path, pruned: &mut Pruned) -> Result<(), PruneError> {
        let of_unit = unit.strip_prefix(self.root.join("batches")).unwrap_or(unit);
        let beside = |kind: &str, end: &str| self.root.join(kind).join(format!("{}{end}", of_unit.display()));
        let checkpoint: Option<Checkpoint> = read(&beside("checkpoints", ".json"))?;
        let suspects = suspects(&beside("suspects", ".json.gz"))?;
        let mut runs: Vec<(RunId, PathBuf)> =
            folders(unit)?.into_iter().filter_map(|path| Some((run_of(&path, "")?, path))).collect();
        runs.sort();
        let newest = runs.iter().rev().find(|(_, path)| path.join("batch.json").is_file()).map(|(run, _)| run.clone());
        for (run, path) in &runs {
            if run.started() >= self.oldest {
                continue;
            }
            let is_named = checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.run_id == *run)
                || suspects.as_ref().is_some_and(|suspects| suspects.run_id == *run);
            let kept = if self.current.contains(run) {
                Some(Kept::Current)
            } else if newest.as_ref() == Some(run) {
                Some(Kept::Newest)
            } else if is_named {
                Some(Kept::Named)
            } else {
                let is_loaded = self.is_loaded(run, path, checkpoint.as_ref())?;
                (!is_loaded).then_some(Kept::NotLoaded)
            };
            if let Some(kept) = kept {
                tracing::debug!(batch = %path.display(), ?kept, "an old batch stays");
                pruned.kept += 1;
                continue;
            }
            pruned.batches += 1;
            pruned.bytes += size(path)?;
            if self.act == Act::Remove {
                // First what makes it a batch: one that is half removed must not be loaded.
                remove_file(&path.join("confirm/batch.json"))?;
                remove_file(&path.join("batch.json"))?;
                fs::remove_dir_all(path).map_err(failed(path))?;
            }
        }
        Ok(())
    }

    /// Whether a batch has been loaded, or overtaken by one that was; one that was never complete has nothing to load.
    fn is_loaded(&self, run: &RunId, path: &Path, checkpoint: Option<&Checkpoint>) -> Result<bool, PruneError> {
        let Some(batch) = read::<Description>(&path.join("batch.json"))? else { return Ok(true) };
        if batch.mode != "window" {
            return Ok(checkpoint.is_some_and(|checkpoint| checkpoint.run_id >= *run));
        }
        // A backfill moves no checkpoint; the load's reports say what became of it.
        let of_run = self.root.join("runs").join(run.as_str());
        for file in entries(&of_run)? {
            let is_load = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("load-"));
            let report = if is_load { read::<RunReport>(&file)? } else { None };
            let is_unit = |unit: &crate::report::UnitReport| {
                unit.source == batch.source && unit.account == batch.account && unit.stream == batch.stream
            };
            let units = report.iter().flat_map(|report| &report.units);
            if units.filter(|unit| is_unit(unit)).any(|unit| unit.status == UnitStatus::Done) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn prune_rejects(&self, unit: &Path, pruned: &mut Pruned) -> Result<(), PruneError> {
        // Those of a confirming round lie in a folder of their run.
        for path in entries(unit)? {
            let Some(run) = run_of(&path, ".ndjson.gz").or_else(|| run_of(&path, "")) else { continue };
            if run.started() >= self.oldest || self.current.contains(&run) {
                continue;
            }
            pruned.rejects += 1;
            pruned.bytes += size(&path)?;
            if self.act == Act::Remove {
                if path.is_dir() {
                    fs::remove_dir_all(&path).map_err(failed(&path))?;
                } else {
                    remove_file(&path)?;
                }
            }
        }
        Ok(())
    }
}

/// The folders `<source>/<account>/<stream>`.
fn units(of: &Path) -> Result<Vec<PathBuf>, PruneError> {
    let mut level = vec![of.to_owned()];
    for _ in 0..3 {
        let mut next = Vec::new();
        for folder in level {
            next.extend(folders(&folder)?);
        }
        level = next;
    }
    Ok(level)
}

fn run_of(path: &Path, end: &str) -> Option<RunId> {
    path.file_name()?.to_str()?.strip_suffix(end)?.parse().ok()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, PruneError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound) => return Ok(Vec::new()),
        Err(error) => return Err(failed(folder)(error)),
    };
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>().map_err(failed(folder))?;
    paths.sort();
    Ok(paths)
}

/// Folders in a folder; a link is none, and leads nowhere that is ours.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, PruneError> {
    let is_folder = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|about| about.is_dir());
    Ok(entries(folder)?.into_iter().filter(is_folder).collect())
}

fn size(path: &Path) -> Result<u64, PruneError> {
    let about = fs::symlink_metadata(path).map_err(failed(path))?;
    if !about.is_dir() {
        return Ok(about.len());
    }
    let mut bytes = 0;
    for entry in entries(path)? {
        bytes += size(&entry)?;
    }
    Ok(bytes)
}

fn remove_file(path: &Path) -> Result<(), PruneError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(path)(error)),
        _ => Ok(()),
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, PruneError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| failed(path)(error.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path)(error)),
    }
}

fn suspects(path: &Path) -> Result<Option<Suspects>, PruneError> {
    match fs::read(path) {
        Ok(bytes) => {
            serde_json::from_reader(GzDecoder::new(&bytes[..])).map(Some).map_err(|error| failed(path)(error.into()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path)(error)),
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> PruneError {
    let path = path.to_owned();
    move |source| PruneError { path, source }
}
