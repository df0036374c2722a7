//! The clients of one bucket: Google's crate for whole objects and downloads, and plain calls for what the crate cannot do
//! over HTTP. Both are made lazily, share one set of credentials, and are never asked to repeat by themselves.

use super::failure::Failure;
use crate::google::Rest;
use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_storage::client::Storage;
use tokio::sync::OnceCell;

/// The clients.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) rest: Rest,
    storage: OnceCell<Storage>,
}

impl Client {
    pub(super) fn new(rest: Rest) -> Self {
        Self { rest, storage: OnceCell::new() }
    }

    /// Google's client. Its own retries are off: it waits without a limit for one try, and does not hear `Retry-After`.
    ///
    /// # Errors
    /// There are no credentials, or they cannot be reached; the next call tries again.
    pub(super) async fn storage(&self) -> Result<&Storage, Failure> {
        self.storage
            .get_or_try_init(|| async {
                let credentials = self.rest.credentials().await?;
                let builder = Storage::builder()
                    .with_endpoint(self.rest.endpoint().url.clone())
                    .with_credentials(credentials.unwrap_or_else(|| anonymous::Builder::new().build()))
                    .with_grpc_subchannel_count(1)
                    .with_retry_policy(NeverRetry);
                builder.build().await.map_err(|error| Failure {
                    message: format!("no client for Cloud Storage: {error}"),
                    is_transient: true,
                    ..Failure::default()
                })
            })
            .await
    }
}

/// The bucket as Google's client names it.
pub(super) fn bucket_resource(bucket: &str) -> String {
    format!("projects/_/buckets/{bucket}")
}
