//! The pipeline file found and read, on this machine or in Cloud Storage, with the secrets that its places and names need.

use super::problem::Problems;
use super::{Pipeline, folder_of};
use crate::landing::{self, LandingError};
use crate::location::Location;
use crate::secret::{self, SecretSource};
use crate::yaml;
use serde_json::Value;
use std::path::PathBuf;

impl Pipeline {
    /// Reads a pipeline file from a path or from `gs://bucket/object`. References to Secret Manager under `landing` and `warehouse`
    /// are fetched; those of accounts are not.
    ///
    /// # Errors
    /// Everything that is wrong with it, in one report.
    pub async fn open(path: &str, from: &(dyn SecretSource + Sync)) -> Result<Self, Problems> {
        let location = Location::parse(path).map_err(|error| unreadable(path, error))?;
        let (text, base) = match location.path() {
            None => (download(location.as_str()).await?, PathBuf::new()),
            Some(path) => {
                let text = tokio::fs::read_to_string(path).await;
                (text.map_err(|error| unreadable(path, error))?, folder_of(path))
            }
        };
        // What is no YAML names no secret either, and is reported by the parser below.
        let value = yaml::parse(&text).map(|document| document.to_json()).unwrap_or_default();
        let places: Vec<&Value> = ["landing", "warehouse"].iter().filter_map(|key| value.get(key)).collect();
        let store = secret::fetch(&places, from).await;
        Self::parse(path, &text, &base, &store)
    }
}

pub(super) fn unreadable(path: &str, why: impl std::fmt::Display) -> Problems {
    Problems::one(path, 0, "", format!("the file cannot be read: {why}"))
}

async fn download(uri: &str) -> Result<String, Problems> {
    let (folder, name) = match uri.rsplit_once('/') {
        Some((folder, name)) if folder.len() > "gs:/".len() && !name.is_empty() => (folder, name),
        _ => return Err(unreadable(uri, "a pipeline file in Cloud Storage is gs://bucket/object")),
    };
    let plain = |error: LandingError| match error {
        // The place is the file's own here.
        LandingError::Unsupported(message) => unreadable(uri, message.replace("landing `", "`")),
        LandingError::Remote { message, .. } => {
            unreadable(uri, message.replace("`landing` in the pipeline file", "the URI"))
        }
        other => unreadable(uri, other),
    };
    let folder = Location::parse(folder).map_err(|error| unreadable(uri, error))?;
    let bucket = landing::open(&folder).map_err(plain)?;
    let object = bucket.get(name).await.map_err(plain)?;
    let object = object.ok_or_else(|| unreadable(uri, "there is no such object"))?;
    String::from_utf8(object.bytes.to_vec()).map_err(|_| unreadable(uri, "it is no UTF-8 text"))
}
