//! The landing zone in a bucket of Cloud Storage. Objects appear whole or not at all by themselves there; conditions are preconditions
//! on the object's generation; every call that may be repeated is repeated for a bounded time.

mod client;
mod download;
mod failure;
mod location;
mod session;
mod small;
mod upload;

use super::{Landing, LandingError, Object, ObjectWriter, PutMode, Version};
use crate::google::{Endpoint, Rest, Service};
use async_trait::async_trait;
use bytes::Bytes;
use client::Client;
use futures::stream::BoxStream;
use location::Location;
use std::sync::Arc;
use upload::Upload;

/// A landing zone below `gs://bucket/prefix`.
#[derive(Debug, Clone)]
pub struct CloudStorageLanding {
    location: Location,
    client: Arc<Client>,
}

impl CloudStorageLanding {
    /// The zone at the endpoint that the environment names. Nothing is sent before something is read or written.
    ///
    /// # Errors
    /// A location or an endpoint that is none.
    pub fn open(location: &str) -> Result<Self, LandingError> {
        let endpoint = Endpoint::of(Service::Storage).map_err(|error| LandingError::Unsupported(error.to_string()))?;
        Self::at(endpoint, location)
    }

    /// The zone at this endpoint.
    ///
    /// # Errors
    /// A location that is none.
    pub fn at(endpoint: Endpoint, location: &str) -> Result<Self, LandingError> {
        let client = Arc::new(Client::new(Rest::at(Service::Storage, endpoint)));
        Ok(Self { location: Location::parse(location)?, client })
    }
}

#[async_trait]
impl Landing for CloudStorageLanding {
    fn location(&self) -> &str {
        &self.location.text
    }

    async fn put(&self, path: &str, bytes: Bytes, mode: PutMode) -> Result<(), LandingError> {
        small::put(&self.client, &self.location.object(path)?, bytes, &mode).await
    }

    async fn get(&self, path: &str) -> Result<Option<Object>, LandingError> {
        small::get(&self.client, &self.location.object(path)?).await
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, LandingError>>, LandingError> {
        download::read(&self.client, self.location.object(path)?).await
    }

    async fn write(&self, path: &str) -> Result<Box<dyn ObjectWriter>, LandingError> {
        Ok(Box::new(Upload::new(self.client.clone(), self.location.object(path)?)))
    }

    async fn delete(&self, path: &str, version: &Version) -> Result<(), LandingError> {
        small::delete(&self.client, &self.location.object(path)?, Some(version)).await
    }

    async fn remove(&self, path: &str) -> Result<(), LandingError> {
        small::delete(&self.client, &self.location.object(path)?, None).await
    }
}
