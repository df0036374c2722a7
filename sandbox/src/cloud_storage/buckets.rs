//! Buckets: list, get, create. A bucket is a folder and has no settings of its own.

use std::fs;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::call::Call;
use super::reply::{self, Refusal};
use super::server::Incoming;
use super::state::{State, on_disk};

pub(crate) async fn list(state: &Arc<State>, call: &Call) -> Result<Response, Refusal> {
    if call.parameters.get("project").is_none() {
        return Err(Refusal::new(400, "required", "Required parameter: project"));
    }
    let prefix = call.parameters.get("prefix").unwrap_or_default().to_owned();
    let items = on_disk(state, move |state| {
        let names = state.store.layout().buckets()?;
        Ok(names.iter().filter(|name| name.starts_with(&prefix)).map(|name| resource(state, name)).collect::<Vec<_>>())
    })
    .await?;
    Ok(reply::json(StatusCode::OK, &json!({"kind": "storage#buckets", "items": items})))
}

pub(crate) async fn get(state: &Arc<State>, call: &Call) -> Result<Response, Refusal> {
    let (bucket, layout) = (call.bucket.clone(), call.storage_layout);
    let resource = on_disk(state, move |state| {
        state.store.has_bucket(&bucket)?;
        if layout {
            return Ok(json!({"kind": "storage#storageLayout", "bucket": bucket, "location": "US",
                "locationType": "multi-region", "hierarchicalNamespace": {"enabled": false}}));
        }
        Ok(resource(state, &bucket))
    })
    .await?;
    Ok(reply::json(StatusCode::OK, &resource))
}

pub(crate) async fn create(state: &Arc<State>, incoming: &mut Incoming) -> Result<Response, Refusal> {
    let sent: Value = serde_json::from_slice(&incoming.all().await?).map_err(|_| Refusal::bad("Parse Error"))?;
    let Some(name) = sent.get("name").and_then(Value::as_str).map(str::to_owned) else {
        return Err(Refusal::new(400, "required", "Required field: name"));
    };
    let resource = on_disk(state, move |state| {
        state.store.create_bucket(&name)?;
        Ok(resource(state, &name))
    })
    .await?;
    Ok(reply::json(StatusCode::OK, &resource))
}

fn resource(state: &State, name: &str) -> Value {
    let folder = fs::metadata(state.store.layout().bucket(name));
    let made = folder.and_then(|folder| folder.created().or_else(|_| folder.modified()));
    let made = made.map_or_else(|_| Utc::now(), DateTime::<Utc>::from).to_rfc3339_opts(SecondsFormat::Millis, true);
    json!({
        "kind": "storage#bucket",
        "id": name,
        "selfLink": format!("{}/storage/v1/b/{name}", state.url),
        "name": name,
        "projectNumber": "1",
        "metageneration": "1",
        "location": "US",
        "locationType": "multi-region",
        "storageClass": "STANDARD",
        "etag": "CAE=",
        "timeCreated": made,
        "updated": made,
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}},
    })
}
