//! Secrets that are fetched from Secret Manager before references are resolved: each one once, several at a time.
//! One that cannot be read is kept as a message, so that all that is wrong can be told at once, each with its place.

use super::{Dotenv, DotenvError, Secret, SecretSource, references};
use crate::google::secret_manager::{SecretVersion, access};
use crate::google::{Rest, Service};
use futures::StreamExt;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

/// Secrets asked for at the same time.
const AT_ONCE: usize = 8;

/// A secret, or why there is none.
type Found = Result<Secret, String>;

/// A source of environment and files, together with the secrets fetched from Secret Manager.
pub struct SecretStore<'a> {
    from: &'a (dyn SecretSource + Sync),
    fetched: BTreeMap<String, Found>,
}

impl SecretSource for SecretStore<'_> {
    fn env(&self, name: &str) -> Option<String> {
        self.from.env(name)
    }

    fn file(&self, path: &Path) -> std::io::Result<String> {
        self.from.file(path)
    }

    fn secret(&self, name: &str) -> Option<Found> {
        self.fetched.get(name).cloned().or_else(|| self.from.secret(name))
    }

    fn dotenv(&self) -> Option<Result<&Dotenv, &DotenvError>> {
        self.from.dotenv()
    }
}

impl fmt::Debug for SecretStore<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretStore({} secrets)", self.fetched.len())
    }
}

/// The names of all Secret Manager secrets that the strings of a value refer to.
pub fn names(value: &Value) -> BTreeSet<String> {
    let all = references(value).into_iter();
    all.filter(|reference| reference.kind == "secret").map(|reference| reference.name).collect()
}

/// Fetches every `${secret:…}` of the values that `from` does not know yet; the store also knows all that `from` knows.
/// What cannot be fetched becomes an error of [`resolve`](super::resolve) at each place that refers to it.
pub async fn fetch<'a>(values: &[&Value], from: &'a (dyn SecretSource + Sync)) -> SecretStore<'a> {
    fetch_by(values, from, || Rest::open(Service::SecretManager).map_err(|error| error.to_string())).await
}

async fn fetch_by<'a>(
    values: &[&Value],
    from: &'a (dyn SecretSource + Sync),
    open: impl FnOnce() -> Result<Rest, String>,
) -> SecretStore<'a> {
    let wanted: BTreeSet<String> = values.iter().flat_map(|value| names(value)).collect();
    let wanted: Vec<String> = wanted.into_iter().filter(|name| from.secret(name).is_none()).collect();
    if wanted.is_empty() {
        return SecretStore { from, fetched: BTreeMap::new() };
    }
    let rest = open();
    let one = |name: String| {
        let rest = rest.clone();
        async move {
            let found = match (rest, name.parse::<SecretVersion>()) {
                (_, Err(error)) => Err(error.to_string()),
                (Err(error), _) => Err(format!("the secret {name} cannot be read: {error}")),
                (Ok(rest), Ok(version)) => access(&rest, &version).await.map_err(|error| error.to_string()),
            };
            (name, found)
        }
    };
    let fetched = futures::stream::iter(wanted).map(one).buffer_unordered(AT_ONCE).collect().await;
    SecretStore { from, fetched }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
