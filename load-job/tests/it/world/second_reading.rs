//! A landing zone whose parts are damaged once they have been read: what a first pass saw whole, a second one does not find again.

use async_trait::async_trait;
use bytes::Bytes;
use contract::landing::{Landing, LandingError, Object, ObjectWriter, PutMode, Version};
use futures::stream::{BoxStream, StreamExt};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// The zone; `account` is whose parts are damaged.
#[derive(Debug)]
pub(crate) struct SecondReading {
    pub(crate) landing: Arc<dyn Landing>,
    pub(crate) account: &'static str,
    pub(crate) readings: Mutex<HashMap<String, u32>>,
}

#[async_trait]
impl Landing for SecondReading {
    fn location(&self) -> &str {
        self.landing.location()
    }

    async fn put(&self, path: &str, bytes: Bytes, mode: PutMode) -> Result<(), LandingError> {
        self.landing.put(path, bytes, mode).await
    }

    async fn get(&self, path: &str) -> Result<Option<Object>, LandingError> {
        self.landing.get(path).await
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, LandingError>>, LandingError> {
        let stream = self.landing.read(path).await?;
        let mut readings = self.readings.lock().unwrap();
        let reading = readings.entry(path.to_owned()).or_default();
        *reading += 1;
        if *reading < 2 || !path.contains(&format!("/{}/", self.account)) {
            return Ok(stream);
        }
        // The end of a compressed part holds its checksum.
        let damaged = stream.map(|chunk| chunk.map(|chunk| chunk.slice(..chunk.len() - 1)));
        Ok(damaged.boxed())
    }

    async fn write(&self, path: &str) -> Result<Box<dyn ObjectWriter>, LandingError> {
        self.landing.write(path).await
    }

    async fn delete(&self, path: &str, version: &Version) -> Result<(), LandingError> {
        self.landing.delete(path, version).await
    }

    async fn remove(&self, path: &str) -> Result<(), LandingError> {
        self.landing.remove(path).await
    }
}
