//! What is left of a batch that must not lie there.

use super::super::resume::Basis;
use super::*;
use bytes::Bytes;
use contract::landing::{Object, ObjectWriter, PutMode, Version};
use futures::stream::BoxStream;

/// A folder of which one object cannot be read.
#[derive(Debug)]
struct Stalling {
    inner: Arc<dyn Landing>,
    path: String,
}

#[async_trait]
impl Landing for Stalling {
    fn location(&self) -> &str {
        self.inner.location()
    }

    async fn put(&self, path: &str, bytes: Bytes, mode: PutMode) -> Result<(), LandingError> {
        self.inner.put(path, bytes, mode).await
    }

    async fn get(&self, path: &str) -> Result<Option<Object>, LandingError> {
        self.inner.get(path).await
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, LandingError>>, LandingError> {
        if path == self.path {
            let (path, message) = (path.to_owned(), "503".to_owned());
            return Err(LandingError::Remote { what: "read", path, message });
        }
        self.inner.read(path).await
    }

    async fn write(&self, path: &str) -> Result<Box<dyn ObjectWriter>, LandingError> {
        self.inner.write(path).await
    }

    async fn delete(&self, path: &str, version: &Version) -> Result<(), LandingError> {
        self.inner.delete(path, version).await
    }

    async fn remove(&self, path: &str) -> Result<(), LandingError> {
        self.inner.remove(path).await
    }
}

#[tokio::test]
async fn no_part_stays_though_it_cannot_be_read_or_is_compressed_otherwise() {
    let (unit, run) = (Unit::new("s", "a", "t").unwrap(), RunRound::first("20260101T000000Z-aaaaaa".parse().unwrap()));
    for (number, extension) in [(0, "gz"), (1, "gz"), (2, "zst"), (20, "gz"), (30, "zst")] {
        for compression in [Compression::Gzip, Compression::Zstd] {
            let folder = tempfile::tempdir().unwrap();
            let inner = contract::landing::open_folder(folder.path()).unwrap();
            let stored = [paths::part(&unit, &run, 0, "gz"), paths::part(&unit, &run, number, extension)];
            for path in &stored {
                inner.put(path, Bytes::from_static(b"in clear"), PutMode::Overwrite).await.unwrap();
            }
            let stalling = Arc::new(Stalling { inner: inner.clone(), path: stored[1].clone() });
            for landing in [inner.clone(), stalling as Arc<dyn Landing>] {
                inner.put(&stored[1], Bytes::from_static(b"in clear"), PutMode::Overwrite).await.unwrap();
                let basis = Basis { now: chrono::Utc::now(), state: None, range: None, shape: String::new() };
                let (unit, run, resume) = (unit.clone(), run.clone(), Resume::fresh(basis));
                BatchSink::new(landing, unit, run, compression, Cpu::new(), Buffers::default(), resume).forget().await;
                for path in &stored {
                    assert!(inner.get(path).await.unwrap().is_none(), "{path}, {compression:?}");
                }
            }
        }
    }
}
