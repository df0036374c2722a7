//! Who may read and write what lies in a landing folder: records with personal data, so nobody but the owner, unless the folder was made
//! for others too. A folder that is there already says so by its own mode, and everything in it follows.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// The mode of a folder that is made here.
const PRIVATE: u32 = 0o700;

/// The mode of the landing folder. The user's umask takes away from it as usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rights(u32);

impl Rights {
    /// Those of a folder; one that is not there is made, for its owner alone.
    pub(super) fn of(root: &Path) -> io::Result<Self> {
        Self(PRIVATE).make_folders(root)?;
        mode_of(root).map(Self)
    }

    /// Makes a folder with all that is missing above it.
    pub(super) fn make_folders(self, folder: &Path) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, self.0);
        builder.create(folder)
    }

    /// Makes an empty file, or empties one that is there.
    pub(super) fn create(self, file: &Path) -> io::Result<File> {
        open(file, self.0 & 0o666, true)
    }

    /// Opens a lock file. Whoever may open it may hold the lock, also if only for reading: so those alone may who may write in the folder.
    pub(super) fn open_lock(self, file: &Path) -> io::Result<File> {
        let of_class = |shift: u32| if (self.0 >> shift) & 0o2 == 0 { 0 } else { 0o6 << shift };
        let mode = 0o600 | of_class(3) | of_class(0);
        let lock = open(file, mode, false)?;
        #[cfg(unix)]
        narrow(&lock, mode);
        Ok(lock)
    }
}

/// A lock file that an earlier version has made may be open to readers. Only its owner can change that.
#[cfg(unix)]
fn narrow(lock: &File, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    if let Ok(found) = lock.metadata().map(|meta| meta.permissions().mode() & 0o777)
        && found & !mode != 0
    {
        let _ = lock.set_permissions(fs::Permissions::from_mode(found & mode));
    }
}

fn open(file: &Path, mode: u32, truncate: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(truncate);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.open(file)
}

#[cfg(unix)]
fn mode_of(folder: &Path) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::metadata(folder)?.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode_of(folder: &Path) -> io::Result<u32> {
    fs::metadata(folder).map(|_| PRIVATE)
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// What the umask of whoever runs the tests leaves of a mode.
    fn umasked(mode: u32) -> u32 {
        let dir = tempfile::tempdir().unwrap();
        let probe = dir.path().join("probe");
        open(&probe, 0o666, true).unwrap();
        let umask = 0o666 & !mode_of(&probe).unwrap();
        mode & !umask
    }

    #[test]
    fn a_new_folder_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("data/landing");
        let rights = Rights::of(&root).unwrap();
        rights.make_folders(&root.join("a/b")).unwrap();
        drop(rights.create(&root.join("a/b/file")).unwrap());
        drop(rights.open_lock(&root.join("lock")).unwrap());
        for (name, mode) in [("", 0o700), ("a", 0o700), ("a/b", 0o700), ("a/b/file", 0o600), ("lock", 0o600)] {
            assert_eq!(mode_of(&root.join(name)).unwrap(), mode, "{name}");
        }
    }

    #[test]
    fn in_a_folder_that_is_there_everything_follows_its_mode() {
        for (folder, files, lock) in
            [(0o755, 0o644, 0o600), (0o775, 0o664, 0o660), (0o770, 0o660, 0o660), (0o711, 0o600, 0o600)]
        {
            let dir = tempfile::tempdir().unwrap();
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(folder)).unwrap();
            let rights = Rights::of(dir.path()).unwrap();
            drop(rights.create(&dir.path().join("file")).unwrap());
            // An earlier version has left one that everybody may read.
            let left = dir.path().join("lock");
            fs::write(&left, "").unwrap();
            fs::set_permissions(&left, fs::Permissions::from_mode(0o644)).unwrap();
            drop(rights.open_lock(&left).unwrap());
            drop(rights.open_lock(&dir.path().join("new")).unwrap());
            assert_eq!(mode_of(dir.path()).unwrap(), folder, "{folder:o}");
            assert_eq!(mode_of(&dir.path().join("file")).unwrap(), umasked(files), "{folder:o}");
            assert_eq!(mode_of(&left).unwrap(), 0o644 & lock, "{folder:o}");
            assert_eq!(mode_of(&dir.path().join("new")).unwrap(), umasked(lock), "{folder:o}");
        }
    }
}
