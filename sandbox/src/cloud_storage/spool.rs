//! Bytes on their way into an object: a file of its own with running hashes, gone unless it becomes the object.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use super::checksum::Hashes;

static NUMBER: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
pub(crate) struct Spool {
    path: PathBuf,
    file: File,
    size: u64,
    hashes: Hashes,
    kept: bool,
}

/// A place in a spool that it can be cut back to.
#[derive(Debug)]
pub(crate) struct Mark {
    size: u64,
    hashes: Hashes,
}

impl Spool {
    /// An empty spool in this folder.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!("{:08}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let file = File::create(&path)?;
        Ok(Self { path, file, size: 0, hashes: Hashes::default(), kept: false })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hashes.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn copy_from(&mut self, source: &mut impl Read) -> io::Result<()> {
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let count = source.read(&mut buffer)?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
            self.write(bytes)?;
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn hashes(&self) -> &Hashes {
        &self.hashes
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { size: self.size, hashes: self.hashes.clone() }
    }

    pub(crate) fn cut_back(&mut self, mark: Mark) -> io::Result<()> {
        self.file.set_len(mark.size)?;
        self.file.seek(SeekFrom::Start(mark.size))?;
        (self.size, self.hashes) = (mark.size, mark.hashes);
        Ok(())
    }

    /// Moves the file to its place at once and returns when it was last changed.
    pub(crate) fn keep(&mut self, place: &Path) -> io::Result<u64> {
        let modified = modified_nanos(&self.file.metadata()?);
        fs::rename(&self.path, place)?;
        self.kept = true;
        Ok(modified)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if !self.kept {
            // Nobody reads it, and the next start clears the folder anyway.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// When a file was last changed, in nanoseconds since 1970; 0 where the system does not say.
pub(crate) fn modified_nanos(metadata: &fs::Metadata) -> u64 {
    let age = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    age.and_then(|age| u64::try_from(age.as_nanos()).ok()).unwrap_or(0)
}
