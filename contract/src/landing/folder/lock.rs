//! The locks by which processes of one machine write a path one after the other. A lock is held for moments; one that is not given back
//! (its holder is stopped, or is no program of ours) is waited for with a bound, in steps that can be broken off.

use super::rights::Rights;
use super::{blocking, unavailable};
use crate::landing::LandingError;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// How long a lock is waited for. A lease is given up 45 s after its last renewal, and a renewal that fails must come again before that.
const DEADLINE: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(20);

/// Takes the lock that is this file; it is given back when the file is dropped, or when the process ends, however that is.
pub(super) async fn take(file: PathBuf, rights: Rights, path: &str) -> Result<File, LandingError> {
    let since = Instant::now();
    loop {
        let (attempt, of) = (file.clone(), path.to_owned());
        let lock = blocking(move || try_take(&attempt, rights).map_err(|source| unavailable("write", &of, source)));
        if let Some(lock) = lock.await? {
            return Ok(lock);
        }
        if since.elapsed() >= DEADLINE {
            let held = io::Error::new(io::ErrorKind::TimedOut, held_too_long(&file));
            return Err(unavailable("write", path, held));
        }
        tokio::time::sleep(STEP).await;
    }
}

/// `None` if another process holds it.
fn try_take(file: &Path, rights: Rights) -> io::Result<Option<File>> {
    loop {
        let lock = rights.open_lock(file)?;
        match lock.try_lock() {
            Ok(()) if is_still(&lock, file) => return Ok(Some(lock)),
            // Its name was swept away, and is another file's by now: that one is the lock.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Removes a lock file that nobody holds.
pub(super) fn sweep(file: &Path) {
    if let Ok(lock) = File::open(file)
        && lock.try_lock().is_ok()
        && is_still(&lock, file)
    {
        let _ = fs::remove_file(file);
    }
}

#[cfg(unix)]
fn is_still(lock: &File, file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (lock.metadata(), fs::metadata(file)) {
        (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still(_: &File, _: &Path) -> bool {
    true
}

fn held_too_long(file: &Path) -> String {
    let seconds = DEADLINE.as_secs();
    let shown = file.display();
    match holder_of(file) {
        Some((pid, name)) => format!(
            "process {pid} ({name}) has held the lock {shown} for {seconds} s; if it is stopped let it go on (`kill -CONT {pid}`), or end it"
        ),
        None => format!(
            "another process has held the lock {shown} for {seconds} s; `lsof {shown}` names it, if you may see it: end it, or let it go on \
             if it is stopped"
        ),
    }
}

/// Who holds a lock, where the system tells: by the file's number in `/proc/locks` (proc(5)).
#[cfg(unix)]
fn holder_of(file: &Path) -> Option<(u32, String)> {
    use std::os::unix::fs::MetadataExt;
    let inode = fs::metadata(file).ok()?.ino();
    let pid = holder_in(&fs::read_to_string("/proc/locks").ok()?, inode)?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some((pid, if name.trim().is_empty() { "its name cannot be seen".into() } else { name.trim().to_owned() }))
}

#[cfg(not(unix))]
fn holder_of(_: &Path) -> Option<(u32, String)> {
    None
}

/// From lines like `3: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF`. One that waits has an arrow before its kind; a process of another
/// namespace is 0.
#[cfg(unix)]
fn holder_in(locks: &str, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let of_file = fields.get(5)?.rsplit(':').next()?.parse() == Ok(inode);
        let pid: u32 = fields.get(4)?.parse().ok()?;
        (fields.get(1) == Some(&"FLOCK") && of_file && pid != 0).then_some(pid)
    })
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_found_by_the_files_number() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 08:01:77 0 EOF\n2: FLOCK  ADVISORY  WRITE 12 08:01:78 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 13 08:01:78 0 EOF\n3: FLOCK  ADVISORY  READ  0 08:01:79 0 EOF\nx\n";
        for (inode, holder) in [(77, None), (78, Some(12)), (79, None), (80, None)] {
            assert_eq!(holder_in(locks, inode), holder, "{inode}");
        }
    }

    #[tokio::test]
    async fn a_lock_whose_file_was_removed_is_not_taken_for_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let (file, rights) = (dir.path().join("lock"), Rights::of(dir.path()).unwrap());
        let old = try_take(&file, rights).unwrap().unwrap();
        assert!(try_take(&file, rights).unwrap().is_none());
        fs::remove_file(&file).unwrap();
        assert!(!is_still(&old, &file));
        let new = try_take(&file, rights).unwrap().unwrap();
        drop(old);
        assert!(try_take(&file, rights).unwrap().is_none(), "the new one is held");
        // Nor is one swept away that is held.
        sweep(&file);
        assert!(file.exists());
        drop(new);
        sweep(&file);
        assert!(!file.exists());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test(start_paused = true)]
    async fn a_lock_that_is_not_given_back_is_told_with_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let (file, rights) = (dir.path().join("lock"), Rights::of(dir.path()).unwrap());
        let _held = try_take(&file, rights).unwrap().unwrap();
        let error = take(file.clone(), rights, "runs/lease.json").await.unwrap_err().to_string();
        for part in ["write runs/lease.json: ", "for 10 s", &std::process::id().to_string(), file.to_str().unwrap()] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
