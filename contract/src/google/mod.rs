//! Google Cloud's REST APIs as all three programs call them: endpoints, credentials, one call, its retries.
//! What is called lives with its caller; the landing zone's bucket is in `landing::cloud_storage`.

mod call;
mod credentials;
mod endpoint;
pub mod retry;
pub(crate) mod secret_manager;

pub use call::{CallError, Rest};
pub(crate) use call::{accepted, lost};
pub(crate) use credentials::CredentialsFailure;
pub use endpoint::{Endpoint, EndpointError, Service};
