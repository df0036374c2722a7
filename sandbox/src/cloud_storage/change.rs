//! Changes of objects that are there: delete, new metadata, composition, copies.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::checksum::Expected;
use super::precondition::Preconditions;
use super::reply::{self, Refusal};
use super::server::Incoming;
use super::state::{State, on_disk};
use super::store::Write;
use super::stored::{Sent, Settings};
use super::upload::resource_sent;

const MOST_SOURCES: usize = 32;

pub(crate) async fn delete(state: &Arc<State>, call: &Call) -> Result<Response, Refusal> {
    let preconditions = Preconditions::read(&call.parameters, "if")?;
    let generation = call.parameters.number("generation")?;
    let (bucket, name) = (call.bucket.clone(), call.object().to_owned());
    on_disk(state, move |state| state.store.delete(&bucket, &name, generation, &preconditions)).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// PATCH merges what is sent into the settings (null removes); PUT replaces them.
pub(crate) async fn update(state: &Arc<State>, call: &Call, incoming: &mut Incoming) -> Result<Response, Refusal> {
    let parse = |error: serde_json::Error| Refusal::bad(format!("Parse Error: {error}"));
    let sent: Value = serde_json::from_slice(&incoming.all().await?).map_err(parse)?;
    let preconditions = Preconditions::read(&call.parameters, "if")?;
    let generation = call.parameters.number("generation")?;
    let (bucket, name, replaces) = (call.bucket.clone(), call.object().to_owned(), call.replaces);
    let resource = on_disk(state, move |state| {
        let change = |settings: &Settings| {
            let mut changed =
                if replaces { Value::Object(Map::new()) } else { serde_json::to_value(settings).map_err(parse)? };
            merge(&mut changed, sent);
            serde_json::from_value(changed).map_err(parse)
        };
        let stored = state.store.change((&bucket, &name), generation, &preconditions, change)?;
        Ok(stored.resource(&state.url, &bucket, &name))
    })
    .await?;
    Ok(reply::json(StatusCode::OK, &resource))
}

/// RFC 7396.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(target) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.shift_remove(&name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Composition {
    #[serde(default)]
    destination: Sent,
    #[serde(default)]
    source_objects: Vec<Source>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    name: String,
    /// A number in a string, as all 64-bit numbers of the API.
    generation: Option<String>,
    object_preconditions: Option<SourcePreconditions>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SourcePreconditions {
    if_generation_match: Option<String>,
}

/// The sources one after the other become one object; its MD5 is not known.
pub(crate) async fn compose(state: &Arc<State>, call: &Call, incoming: &mut Incoming) -> Result<Response, Refusal> {
    let composition: Composition = serde_json::from_slice(&incoming.all().await?)
        .map_err(|error| Refusal::bad(format!("Parse Error: {error}")))?;
    let count = composition.source_objects.len();
    if count == 0 || count > MOST_SOURCES {
        let message =
            format!("The number of source components provided ({count}) is not between 1 and {MOST_SOURCES}.");
        return Err(Refusal::bad(message));
    }
    let mut write = Write {
        bucket: call.bucket.clone(),
        name: call.object().to_owned(),
        expected: composition.destination.expected(),
        settings: composition.destination.settings,
        preconditions: Preconditions::read(&call.parameters, "if")?,
        components: Some(0),
    };
    let sources = composition.source_objects;
    let resource = on_disk(state, move |state| {
        let mut spool = state.store.spool()?;
        let mut components = 0;
        for source in &sources {
            let preconditions = source.object_preconditions.as_ref();
            let wanted = number(preconditions.and_then(|wanted| wanted.if_generation_match.as_deref()))?;
            let preconditions = Preconditions::generation(wanted);
            let generation = number(source.generation.as_deref())?;
            let (stored, mut file) = state.store.read(&write.bucket, &source.name, generation, &preconditions)?;
            components += stored.components.unwrap_or(1);
            spool.copy_from(&mut file)?;
        }
        write.components = Some(components);
        let stored = state.store.put(&write, &mut spool)?;
        Ok(stored.resource(&state.url, &write.bucket, &write.name))
    })
    .await?;
    Ok(reply::json(StatusCode::OK, &resource))
}

fn number(text: Option<&str>) -> Result<Option<i64>, Refusal> {
    let wrong = |text: &str| Refusal::bad(format!("Invalid generation '{text}'."));
    text.map(|text| text.parse().map_err(|_| wrong(text))).transpose()
}

/// `copyTo` and `rewriteTo`, always done in one call. A resource in the body replaces the settings of the source.
pub(crate) async fn copy(state: &Arc<State>, call: &Call, incoming: &mut Incoming) -> Result<Response, Refusal> {
    let body = incoming.all().await?;
    let own_settings = match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(fields)) if !fields.is_empty() => Some(resource_sent(&body)?.settings),
        Ok(_) => None,
        Err(_) if body.is_empty() => None,
        Err(error) => return Err(Refusal::bad(format!("Parse Error: {error}"))),
    };
    let Some((bucket, name, rewrite)) = call.copy_to.clone() else { return Err(Refusal::internal("No destination.")) };
    let generation = call.parameters.number("sourceGeneration")?;
    let source_preconditions = Preconditions::read(&call.parameters, "ifSource")?;
    let preconditions = Preconditions::read(&call.parameters, "if")?;
    let (from_bucket, from_name) = (call.bucket.clone(), call.object().to_owned());
    let resource = on_disk(state, move |state| {
        let (source, mut file) = state.store.read(&from_bucket, &from_name, generation, &source_preconditions)?;
        let mut spool = state.store.spool()?;
        spool.copy_from(&mut file)?;
        let settings = own_settings.unwrap_or(source.settings);
        let (components, expected) = (source.components, Expected::default());
        let write = Write { bucket, name, settings, preconditions, expected, components };
        let stored = state.store.put(&write, &mut spool)?;
        let resource = stored.resource(&state.url, &write.bucket, &write.name);
        if !rewrite {
            return Ok(resource);
        }
        let size = stored.size.to_string();
        let kind = "storage#rewriteResponse";
        Ok(json!({"kind": kind, "totalBytesRewritten": size, "objectSize": size, "done": true, "resource": resource}))
    })
    .await?;
    Ok(reply::json(StatusCode::OK, &resource))
}
