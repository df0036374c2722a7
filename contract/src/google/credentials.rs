//! Application default credentials: a key file, the user's gcloud credentials, or the metadata server (on Cloud Run), in this order.
//! The official crate finds them, caches tokens and renews them before they end.

use http::HeaderMap;
use tokio::sync::OnceCell;

use google_cloud_auth::credentials::CacheableResource;
pub(crate) use google_cloud_auth::credentials::Credentials;

/// What every API that Drayage calls accepts; what a caller may do is decided by roles.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Why there are no credentials.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct CredentialsFailure {
    pub(crate) message: String,
    pub(crate) is_transient: bool,
}

/// The credentials of this process. Call inside of a tokio runtime.
///
/// # Errors
/// A file that is named but cannot be used; with no file at all, the metadata server is asked when a token is needed.
pub(crate) fn application_default() -> Result<Credentials, String> {
    let built = google_cloud_auth::credentials::Builder::default().with_scopes([SCOPE]).build();
    built.map_err(|error| {
        format!(
            "no Google credentials: {error}; run `gcloud auth application-default login`, name a key file in \
             GOOGLE_APPLICATION_CREDENTIALS, or run on Google Cloud"
        )
    })
}

/// Credentials that are looked for at the first call.
#[derive(Debug, Default)]
pub(crate) struct LazyCredentials(OnceCell<Credentials>);

impl LazyCredentials {
    /// The credentials themselves; a token is got when one is needed.
    pub(crate) async fn get(&self) -> Result<Credentials, CredentialsFailure> {
        let build =
            || async { application_default().map_err(|message| CredentialsFailure { message, is_transient: false }) };
        self.0.get_or_try_init(build).await.cloned()
    }

    /// The headers that authorise a call.
    pub(crate) async fn headers(&self) -> Result<HeaderMap, CredentialsFailure> {
        let credentials = self.get().await?;
        match credentials.headers(http::Extensions::new()).await {
            Ok(CacheableResource::New { data, .. }) => Ok(data),
            // Only an answer to a question that carried a tag.
            Ok(CacheableResource::NotModified) => Ok(HeaderMap::new()),
            Err(error) => Err(CredentialsFailure {
                message: format!("no access token: {error}"),
                is_transient: error.is_transient(),
            }),
        }
    }
}
