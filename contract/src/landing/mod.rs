//! The landing zone: where batches, checkpoints and reports lie between the two jobs: a folder, or a bucket by the same trait.
//! Every object is written whole or not at all; `put` can demand that nothing was there, or that nothing has changed.

mod cloud_storage;
mod folder;
pub mod paths;

use crate::location::Location;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::fmt::Debug;
use std::sync::Arc;

pub use cloud_storage::CloudStorageLanding;
pub use folder::FolderLanding;

/// What must hold for a [`Landing::put`] to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutMode {
    /// Nothing; an older object is replaced.
    Overwrite,
    /// No object may be there.
    Create,
    /// The object must still be the one that was read with this version.
    Replace(Version),
}

/// Which write of an object was read; opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub(crate) String);

/// A small object, read whole.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its content.
    pub bytes: Bytes,
    /// For [`PutMode::Replace`].
    pub version: Version,
}

/// What a finished [`ObjectWriter`] has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Size of the object in bytes.
    pub bytes: u64,
    /// Its crc32c (Castagnoli).
    pub crc32c: u32,
}

/// Why the landing zone refused, named for what the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum LandingError {
    /// [`PutMode::Create`] or [`PutMode::Replace`] did not hold. Nothing was written.
    #[error("{path} was written by someone else")]
    Precondition {
        /// The object.
        path: String,
    },
    /// There is no such object.
    #[error("{path} does not exist")]
    NotFound {
        /// The object.
        path: String,
    },
    /// Permission, space, network: the zone is out of reach for this call.
    #[error("{what} {path}: {source}")]
    Unavailable {
        /// `write`, `read` or `delete`.
        what: &'static str,
        /// The object or folder.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Cloud Storage refused or gave no answer, after all that can be repeated was.
    #[error("{what} {path}: {message}")]
    Remote {
        /// `write`, `read` or `delete`.
        what: &'static str,
        /// The object, as `gs://bucket/object`.
        path: String,
        /// What it said, and what to do where that is known.
        message: String,
    },
    /// The setting `landing` names no zone that can be used.
    #[error("{0}")]
    Unsupported(String),
}

/// Stores objects under slash-separated paths below the pipeline's `landing`.
///
/// All calls may be repeated. A reader sees an object whole or not at all. Writers of different paths do not disturb each other.
#[async_trait]
pub trait Landing: Debug + Send + Sync {
    /// Where it is, for messages.
    fn location(&self) -> &str;

    /// Stores a small object.
    async fn put(&self, path: &str, bytes: Bytes, mode: PutMode) -> Result<(), LandingError>;

    /// Reads a small object; `None` if there is none.
    async fn get(&self, path: &str) -> Result<Option<Object>, LandingError>;

    /// Reads an object in chunks of bounded size.
    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, LandingError>>, LandingError>;

    /// Starts an object that is written in chunks; it appears when [`ObjectWriter::finish`] returns, replacing an older one.
    async fn write(&self, path: &str) -> Result<Box<dyn ObjectWriter>, LandingError>;

    /// Removes an object that is still the one read with `version`; a missing one is no error.
    async fn delete(&self, path: &str, version: &Version) -> Result<(), LandingError>;

    /// Removes an object whatever it is; a missing one is no error. For what this process has written for itself alone (staging).
    async fn remove(&self, path: &str) -> Result<(), LandingError>;
}

/// An object that is being written. Dropped before `finish`, it leaves nothing.
#[async_trait]
pub trait ObjectWriter: Send {
    /// Adds bytes.
    async fn write(&mut self, chunk: Bytes) -> Result<(), LandingError>;

    /// Makes the object visible, durably.
    async fn finish(self: Box<Self>) -> Result<Written, LandingError>;
}

/// Opens the zone that the pipeline file names. A bucket is first asked for something when something is read or written.
///
/// # Errors
/// A `gs://` URI that names no bucket and prefix, an endpoint that is no URL, or a folder that cannot be created or written.
pub fn open(location: &Location) -> Result<Arc<dyn Landing>, LandingError> {
    Ok(match location {
        Location::CloudStorage(uri) => Arc::new(CloudStorageLanding::open(uri)?),
        Location::Folder(path) => Arc::new(FolderLanding::open(path)?),
    })
}

/// Opens a folder as a landing zone.
///
/// # Errors
/// It cannot be created or written.
pub fn open_folder(path: &std::path::Path) -> Result<Arc<dyn Landing>, LandingError> {
    Ok(Arc::new(FolderLanding::open(&path.to_string_lossy())?))
}
