//! One `init` at a time in a folder: what is read there, changed and written must not be changed by another one in between.

use super::files::TEMPORARY;
use anyhow::{Context, Result, bail};
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Another one holds the lock for as long as it takes to write four small files.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// A folder that no other `init` writes into. The lock ends with this value, and with the process.
#[derive(Debug)]
pub(crate) struct FolderLock {
    path: PathBuf,
    /// None where the file system has no locks.
    _file: Option<File>,
}

impl FolderLock {
    /// Locks a folder, which is made if it is not there. Waits for another `init`, and says so.
    ///
    /// # Errors
    /// The folder cannot be written to, or another `init` does not come to its end.
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        Self::within(PATIENCE, folder)
    }

    fn within(patience: Duration, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))?;
        let path = folder.join(format!("{TEMPORARY}lock"));
        let end = Instant::now() + patience;
        let mut waits = false;
        loop {
            let file = File::options().write(true).create(true).truncate(false).open(&path);
            let file = file.with_context(|| format!("write {}", path.display()))?;
            match file.try_lock() {
                // Whoever held it before may have removed the file: then others lock a new one.
                Ok(()) if is_still_there(&file, &path) => return Ok(Self { path, _file: Some(file) }),
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                    eprintln!(
                        "warning: {} cannot be locked: run no other `drayage init` there meanwhile",
                        folder.display()
                    );
                    return Ok(Self { path, _file: None });
                }
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("lock {}", path.display()));
                }
            }
            if Instant::now() >= end {
                bail!(
                    "another `drayage init` has been writing into {} for {} seconds; nothing was written: try again when it has ended",
                    folder.display(),
                    patience.as_secs()
                );
            }
            if !std::mem::replace(&mut waits, true) {
                eprintln!("waiting for another `drayage init` that is writing into {}", folder.display());
            }
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // While it is locked: nobody else can hold it now. Where files have no numbers to be told apart by, it stays.
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn is_still_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let number = |metadata: io::Result<fs::Metadata>| metadata.map(|found| (found.dev(), found.ino())).ok();
    number(file.metadata()) == number(fs::metadata(path))
}

#[cfg(not(unix))]
fn is_still_there(_file: &File, _path: &Path) -> bool {
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_and_left_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("new");
        let first = FolderLock::take(&folder).unwrap();
        let error = FolderLock::within(Duration::ZERO, &folder).unwrap_err().to_string();
        assert!(error.starts_with("another `drayage init` has been writing into ") && error.contains("new"), "{error}");
        drop(first);
        drop(FolderLock::within(Duration::ZERO, &folder).unwrap());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn many_take_turns() {
        let root = tempfile::tempdir().unwrap();
        let count = root.path().join("count");
        fs::write(&count, "0").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let _lock = FolderLock::take(root.path()).unwrap();
                        let number: u32 = fs::read_to_string(&count).unwrap().parse().unwrap();
                        fs::write(&count, (number + 1).to_string()).unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_to_string(&count).unwrap(), "160");
    }
}
