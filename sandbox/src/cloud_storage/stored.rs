//! What is known about an object besides its bytes: kept in its sidecar, and shown as the API's resource.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::checksum::Expected;
use super::parameters::encoded;

/// What a client may set; the names are those of the API.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) storage_class: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) custom_time: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// The object resource that a client sends with an upload.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Sent {
    pub(crate) name: Option<String>,
    pub(crate) crc32c: Option<String>,
    pub(crate) md5_hash: Option<String>,
    #[serde(flatten)]
    pub(crate) settings: Settings,
}

impl Sent {
    pub(crate) fn expected(&self) -> Expected {
        Expected { crc32c: self.crc32c.clone(), md5: self.md5_hash.clone() }
    }
}

/// The sidecar.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) generation: i64,
    pub(crate) metageneration: i64,
    pub(crate) size: u64,
    /// When the file was last changed; another value or another size means that somebody else wrote it.
    pub(crate) modified_nanos: u64,
    /// Base64, as the API shows it.
    pub(crate) crc32c: String,
    /// Base64; `None` for a composed object.
    pub(crate) md5: Option<String>,
    /// How many uploads a composed object is made of.
    pub(crate) components: Option<u64>,
    pub(crate) created: DateTime<Utc>,
    pub(crate) updated: DateTime<Utc>,
    pub(crate) settings: Settings,
}

impl Stored {
    pub(crate) fn etag(&self) -> String {
        BASE64_STANDARD.encode(format!("{}/{}", self.generation, self.metageneration))
    }

    pub(crate) fn storage_class(&self) -> &str {
        self.settings.storage_class.as_deref().unwrap_or("STANDARD")
    }

    pub(crate) fn content_type(&self) -> &str {
        self.settings.content_type.as_deref().unwrap_or("application/octet-stream")
    }

    /// The API's object resource; `url` is where the stand-in listens.
    pub(crate) fn resource(&self, url: &str, bucket: &str, name: &str) -> Value {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
        let path = format!("b/{bucket}/o/{}", encoded(name));
        let generation = self.generation;
        let mut resource = json!({
            "kind": "storage#object",
            "id": format!("{bucket}/{name}/{generation}"),
            "selfLink": format!("{url}/storage/v1/{path}"),
            "mediaLink": format!("{url}/download/storage/v1/{path}?generation={generation}&alt=media"),
            "name": name,
            "bucket": bucket,
            "generation": generation.to_string(),
            "metageneration": self.metageneration.to_string(),
            "contentType": self.content_type(),
            "storageClass": self.storage_class(),
            "size": self.size.to_string(),
            "crc32c": self.crc32c,
            "etag": self.etag(),
            "timeCreated": time(self.created),
            "updated": time(self.updated),
            "timeStorageClassUpdated": time(self.created),
            "timeFinalized": time(self.created),
        });
        if let Some(fields) = resource.as_object_mut() {
            if let Some(md5) = &self.md5 {
                fields.insert("md5Hash".to_owned(), json!(md5));
            }
            if let Some(components) = self.components {
                fields.insert("componentCount".to_owned(), json!(components));
            }
            if let Ok(Value::Object(settings)) = serde_json::to_value(&self.settings) {
                fields.extend(settings);
            }
        }
        resource
    }
}
