//! The landing zone in a folder. Objects are written under a temporary name on the same file system, synced, and renamed;
//! conditional writes take a file lock, so that two processes on one machine cannot both win.

mod lock;
mod rights;

use rights::Rights;

use super::{Landing, LandingError, Object, ObjectWriter, PutMode, Version, Written};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Temporary files older than this belong to no living writer.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// Size of the chunks that `read` yields.
const CHUNK: usize = 256 * 1024;

/// A landing zone in a local folder.
#[derive(Debug, Clone)]
pub struct FolderLanding {
    root: PathBuf,
    location: String,
    rights: Rights,
}

impl FolderLanding {
    /// Opens a folder, creating it if need be, and clears away what killed writers left long ago.
    ///
    /// # Errors
    /// The folder cannot be created or written.
    pub fn open(location: &str) -> Result<Self, LandingError> {
        let root = PathBuf::from(location);
        let temporary = root.join(".tmp");
        let probe = temporary.join(unique_name());
        let prepared = Rights::of(&root).and_then(|rights| {
            rights.make_folders(&temporary)?;
            rights.create(&probe)?;
            fs::remove_file(&probe)?;
            Ok(rights)
        });
        let rights = prepared.map_err(|source| unavailable("write", location, source))?;
        sweep(&temporary);
        Ok(Self { root, location: location.to_owned(), rights })
    }

    fn file(&self, path: &str) -> Result<PathBuf, LandingError> {
        let safe = path.split('/').all(super::paths::is_path_segment);
        if safe { Ok(self.root.join(path)) } else { Err(LandingError::Unsupported(format!("unsafe path `{path}`"))) }
    }

    /// Serialises conditional writes of one path among the processes of this machine.
    async fn lock(&self, path: &str) -> Result<File, LandingError> {
        let name = format!("{}.lock", path.replace('/', "__"));
        lock::take(self.root.join(".tmp").join(name), self.rights, path).await
    }

    /// Writes a whole file under a name of its own.
    fn write_temporary(&self, path: &str, bytes: &[u8]) -> Result<Temporary, LandingError> {
        let temporary = Temporary(self.root.join(".tmp").join(unique_name()));
        let written = self.rights.create(&temporary.0).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.map(|()| temporary).map_err(|source| unavailable("write", path, source))
    }

    /// Makes a written file the object, if the mode's condition holds.
    fn place(&self, temporary: &Temporary, target: &Path, path: &str, mode: &PutMode) -> Result<(), LandingError> {
        let io = |source| unavailable("write", path, source);
        self.make_parent(target).map_err(io)?;
        let holds = match mode {
            PutMode::Overwrite => true,
            PutMode::Create => !target.exists(),
            PutMode::Replace(version) => read_version(target).map_err(io)?.as_ref() == Some(version),
        };
        if !holds {
            return Err(LandingError::Precondition { path: path.into() });
        }
        fs::rename(&temporary.0, target).map_err(io)?;
        sync_parent(target);
        Ok(())
    }

    fn make_parent(&self, target: &Path) -> io::Result<()> {
        target.parent().map_or(Ok(()), |parent| self.rights.make_folders(parent))
    }
}

#[async_trait]
impl Landing for FolderLanding {
    fn location(&self) -> &str {
        &self.location
    }

    async fn put(&self, path: &str, bytes: Bytes, mode: PutMode) -> Result<(), LandingError> {
        let (target, landing, of) = (self.file(path)?, self.clone(), path.to_owned());
        let temporary = blocking(move || landing.write_temporary(&of, &bytes)).await?;
        let lock = match mode {
            PutMode::Overwrite => None,
            PutMode::Create | PutMode::Replace(_) => Some(self.lock(path).await?),
        };
        let (landing, of) = (self.clone(), path.to_owned());
        blocking(move || {
            let _lock = lock;
            landing.place(&temporary, &target, &of, &mode)
        })
        .await
    }

    async fn get(&self, path: &str) -> Result<Option<Object>, LandingError> {
        let (file, path) = (self.file(path)?, path.to_owned());
        blocking(move || match fs::read(&file) {
            Ok(bytes) => Ok(Some(Object { version: version_of(&bytes), bytes: bytes.into() })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(unavailable("read", &path, source)),
        })
        .await
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, LandingError>>, LandingError> {
        let (file, path) = (self.file(path)?, path.to_owned());
        let opened = {
            let path = path.clone();
            blocking(move || {
                File::open(&file).map_err(|source| match source.kind() {
                    ErrorKind::NotFound => LandingError::NotFound { path },
                    _ => unavailable("read", &path, source),
                })
            })
            .await?
        };
        let chunks = futures::stream::try_unfold((opened, path), |(mut file, path)| {
            blocking(move || {
                let mut chunk = vec![0; CHUNK];
                let read = file.read(&mut chunk).map_err(|source| unavailable("read", &path, source))?;
                chunk.truncate(read);
                Ok((read > 0).then(|| (Bytes::from(chunk), (file, path))))
            })
        });
        Ok(Box::pin(chunks))
    }

    async fn write(&self, path: &str) -> Result<Box<dyn ObjectWriter>, LandingError> {
        let target = self.file(path)?;
        let (landing, path) = (self.clone(), path.to_owned());
        blocking(move || {
            let temporary = Temporary(landing.root.join(".tmp").join(unique_name()));
            let file = landing.rights.create(&temporary.0).map_err(|source| unavailable("write", &path, source))?;
            let written = Written { bytes: 0, crc32c: 0 };
            let writer = FolderWriter { file: Some(file), landing, temporary, target, path, written };
            Ok(Box::new(writer) as Box<dyn ObjectWriter>)
        })
        .await
    }

    async fn delete(&self, path: &str, version: &Version) -> Result<(), LandingError> {
        let (target, version) = (self.file(path)?, version.clone());
        let (lock, path) = (self.lock(path).await?, path.to_owned());
        blocking(move || {
            let _lock = lock;
            let io = |source| unavailable("delete", &path, source);
            match read_version(&target).map_err(io)? {
                None => Ok(()),
                Some(found) if found == version => fs::remove_file(&target).map_err(io),
                Some(_) => Err(LandingError::Precondition { path: path.clone() }),
            }
        })
        .await
    }

    async fn remove(&self, path: &str) -> Result<(), LandingError> {
        let (target, path) = (self.file(path)?, path.to_owned());
        blocking(move || match fs::remove_file(&target) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(unavailable("delete", &path, error)),
            _ => Ok(()),
        })
        .await
    }
}

struct FolderWriter {
    file: Option<File>,
    landing: FolderLanding,
    temporary: Temporary,
    target: PathBuf,
    path: String,
    written: Written,
}

#[async_trait]
impl ObjectWriter for FolderWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), LandingError> {
        let Some(mut file) = self.file.take() else {
            return Err(unavailable("write", &self.path, io::Error::other("an earlier write has failed")));
        };
        self.written.bytes += chunk.len() as u64;
        let (path, crc) = (self.path.clone(), self.written.crc32c);
        let (file, crc) = blocking(move || {
            file.write_all(&chunk).map_err(|source| unavailable("write", &path, source))?;
            Ok((file, crc32c::crc32c_append(crc, &chunk)))
        })
        .await?;
        self.written.crc32c = crc;
        self.file = Some(file);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Written, LandingError> {
        let Some(file) = self.file.take() else {
            return Err(unavailable("write", &self.path, io::Error::other("an earlier write has failed")));
        };
        blocking(move || {
            let io = |source| unavailable("write", &self.path, source);
            file.sync_all().map_err(io)?;
            self.landing.make_parent(&self.target).map_err(io)?;
            fs::rename(&self.temporary.0, &self.target).map_err(io)?;
            sync_parent(&self.target);
            Ok(self.written)
        })
        .await
    }
}

/// A file that is to become an object. Dropped, it leaves nothing under this name: after the rename there is nothing.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LandingError> + Send + 'static,
) -> Result<T, LandingError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(unavailable("write", "the landing folder", io::Error::other(error.to_string()))),
    }
}

fn unavailable(what: &'static str, path: &str, source: io::Error) -> LandingError {
    LandingError::Unavailable { what, path: path.to_owned(), source }
}

fn version_of(bytes: &[u8]) -> Version {
    Version(format!("{:08x}-{}", crc32c::crc32c(bytes), bytes.len()))
}

fn read_version(file: &Path) -> io::Result<Option<Version>> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(version_of(&bytes))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The rename itself must survive a power cut. Not every file system can sync a folder; the data is safe then all the same.
fn sync_parent(target: &Path) {
    if let Some(parent) = target.parent()
        && let Ok(folder) = File::open(parent)
    {
        let _ = folder.sync_all();
    }
}

fn unique_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}-{:08x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed), rand::random::<u32>())
}

fn sweep(temporary: &Path) {
    let Ok(entries) = fs::read_dir(temporary) else { return };
    for entry in entries.flatten() {
        let age = entry.metadata().and_then(|meta| meta.modified()).map(|at| SystemTime::now().duration_since(at));
        if !matches!(age, Ok(Ok(age)) if age > STALE) {
            continue;
        }
        let file = entry.path();
        if file.extension().is_some_and(|extension| extension == "lock") {
            lock::sweep(&file);
        } else {
            let _ = fs::remove_file(&file);
        }
    }
}
