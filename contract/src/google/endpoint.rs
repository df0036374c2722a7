//! Where each Google API is reached: its public host, or the one that the environment names (private endpoints, stand-ins).
//! An endpoint also knows whether it may be sent credentials: over https always, over plain http only on this machine.

use std::fmt;
use url::{Host, Url};

/// A Google API that Drayage calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Cloud Storage, JSON API.
    Storage,
    /// BigQuery, REST API v2.
    BigQuery,
    /// Cloud Run Admin API v2.
    Run,
    /// Secret Manager, REST API v1.
    SecretManager,
}

impl Service {
    /// The public host (gcp.md of the project's facts; each API's reference page, "Service endpoint").
    fn public(self) -> &'static str {
        match self {
            Self::Storage => "https://storage.googleapis.com",
            Self::BigQuery => "https://bigquery.googleapis.com",
            Self::Run => "https://run.googleapis.com",
            Self::SecretManager => "https://secretmanager.googleapis.com",
        }
    }

    /// The environment variables that name another endpoint, ours first; the others are the convention of emulators.
    pub fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Storage => &["DRAYAGE_STORAGE_ENDPOINT", "STORAGE_EMULATOR_HOST"],
            Self::BigQuery => &["DRAYAGE_BIGQUERY_ENDPOINT", "BIGQUERY_EMULATOR_HOST"],
            Self::Run => &["DRAYAGE_RUN_ENDPOINT"],
            Self::SecretManager => &["DRAYAGE_SECRET_MANAGER_ENDPOINT"],
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Storage => "Cloud Storage",
            Self::BigQuery => "BigQuery",
            Self::Run => "Cloud Run",
            Self::SecretManager => "Secret Manager",
        })
    }
}

/// An endpoint that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint `{text}` of {service} ({variable}) is no http or https URL without path, query and password")]
pub struct EndpointError {
    service: Service,
    variable: &'static str,
    text: String,
}

/// Where an API is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Scheme, host and port, without a slash at the end.
    pub url: String,
    /// Whether calls may carry credentials.
    pub takes_credentials: bool,
}

impl Endpoint {
    /// The endpoint of a service, as the environment says.
    ///
    /// # Errors
    /// The variable holds no usable URL.
    pub fn of(service: Service) -> Result<Self, EndpointError> {
        Self::from(service, |name| std::env::var(name).ok())
    }

    fn from(service: Service, variable: impl Fn(&str) -> Option<String>) -> Result<Self, EndpointError> {
        let set = |name: &&'static str| variable(name).filter(|text| !text.is_empty()).map(|text| (*name, text));
        let Some((name, text)) = service.variables().iter().find_map(set) else {
            return Ok(Self { url: service.public().into(), takes_credentials: true });
        };
        let refused = || EndpointError { service, variable: name, text: text.clone() };
        // The convention of emulators allows a bare `host:port`.
        let whole = if text.contains("://") { text.clone() } else { format!("http://{text}") };
        let url = Url::parse(&whole).map_err(|_| refused())?;
        let plain = url.path() == "/" && url.query().is_none() && url.username().is_empty() && url.password().is_none();
        if !plain || url.host().is_none() {
            return Err(refused());
        }
        let takes_credentials = match url.scheme() {
            "https" => true,
            // A stand-in on this machine gets credentials only where the user has named which: never the machine's own by accident.
            "http" => {
                let named = ["GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST"];
                is_loopback(&url) && named.iter().any(|name| variable(name).is_some_and(|text| !text.is_empty()))
            }
            _ => return Err(refused()),
        };
        Ok(Self { url: url.as_str().trim_end_matches('/').to_owned(), takes_credentials })
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn endpoint(set: &[(&str, &str)]) -> Result<Endpoint, EndpointError> {
        let find = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, text)| (*text).to_owned());
        Endpoint::from(Service::Storage, find)
    }

    #[test]
    fn the_environment_names_endpoints() {
        const KEY: (&str, &str) = ("GOOGLE_APPLICATION_CREDENTIALS", "/key.json");
        type Case = (&'static [(&'static str, &'static str)], &'static str, bool);
        let cases: &[Case] = &[
            (&[], "https://storage.googleapis.com", true),
            (&[("DRAYAGE_STORAGE_ENDPOINT", "")], "https://storage.googleapis.com", true),
            (&[("STORAGE_EMULATOR_HOST", "localhost:9000")], "http://localhost:9000", false),
            (
                &[("DRAYAGE_STORAGE_ENDPOINT", "http://127.0.0.1:1/"), ("STORAGE_EMULATOR_HOST", "x:2")],
                "http://127.0.0.1:1",
                false,
            ),
            (&[("DRAYAGE_STORAGE_ENDPOINT", "http://127.0.0.1:1"), KEY], "http://127.0.0.1:1", true),
            (&[("DRAYAGE_STORAGE_ENDPOINT", "http://emulator:1"), KEY], "http://emulator:1", false),
            (
                &[("DRAYAGE_STORAGE_ENDPOINT", "https://storage-x.p.googleapis.com")],
                "https://storage-x.p.googleapis.com",
                true,
            ),
        ];
        for (set, url, takes_credentials) in cases {
            let expected = Endpoint { url: (*url).into(), takes_credentials: *takes_credentials };
            assert_eq!(endpoint(set).unwrap(), expected, "{set:?}");
        }
        for text in ["ftp://x", "https://h/path", "https://u:p@h", "http://", "https://h/?q=1"] {
            let error = endpoint(&[("DRAYAGE_STORAGE_ENDPOINT", text)]).unwrap_err();
            assert!(error.to_string().contains("DRAYAGE_STORAGE_ENDPOINT"), "{error}");
        }
    }
}
