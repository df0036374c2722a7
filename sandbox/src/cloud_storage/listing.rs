//! Lists of objects: prefix, delimiter, offsets and pages, in order of the names' UTF-8 bytes.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE;
use serde_json::{Value, json};

use super::call::Call;
use super::parameters::Parameters;
use super::reply::{self, Refusal};
use super::state::{State, on_disk};

const LARGEST_PAGE: usize = 1000;

#[derive(Debug)]
struct Wanted {
    prefix: String,
    delimiter: Option<String>,
    start: String,
    end: Option<String>,
    /// The last entry of the page before.
    after: Option<String>,
    page: usize,
}

/// One line of a list; prefixes count like objects.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Object(String),
    Prefix(String),
}

pub(crate) async fn list(state: &Arc<State>, call: &Call) -> Result<Response, Refusal> {
    let wanted = Wanted::read(&call.parameters)?;
    let soft_deleted = call.parameters.is_true("softDeleted");
    let bucket = call.bucket.clone();
    let page = on_disk(state, move |state| {
        state.store.has_bucket(&bucket)?;
        let names = if soft_deleted { Vec::new() } else { state.store.layout().names(&bucket, &wanted.prefix)? };
        let (entries, next) = wanted.page(names);
        let mut page = json!({"kind": "storage#objects"});
        let (mut items, mut prefixes) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry {
                Entry::Prefix(prefix) => prefixes.push(Value::String(prefix)),
                // One that was deleted meanwhile, or that no client could name, is left out.
                Entry::Object(name) => match state.store.find(&bucket, &name) {
                    Ok(Some(stored)) => items.push(stored.resource(&state.url, &bucket, &name)),
                    Err(refusal) if refusal.code >= 500 => return Err(refusal),
                    _ => {}
                },
            }
        }
        let token = next.map(|name| Value::String(BASE64_URL_SAFE.encode(name)));
        let fields = [("nextPageToken", token), ("prefixes", some(prefixes)), ("items", some(items))];
        for (name, value) in fields {
            if let (Some(value), Some(page)) = (value, page.as_object_mut()) {
                page.insert(name.to_owned(), value);
            }
        }
        Ok(page)
    })
    .await?;
    Ok(reply::json(StatusCode::OK, &page))
}

/// Empty lists are left out, as the API does.
fn some(list: Vec<Value>) -> Option<Value> {
    if list.is_empty() { None } else { Some(Value::Array(list)) }
}

impl Wanted {
    fn read(parameters: &Parameters) -> Result<Self, Refusal> {
        if parameters.get("matchGlob").is_some() {
            return Err(Refusal::bad("This stand-in does not know matchGlob."));
        }
        let text = |name: &str| parameters.get(name).map(str::to_owned);
        let after = match parameters.get("pageToken") {
            Some(token) => {
                let name = BASE64_URL_SAFE.decode(token).ok().and_then(|name| String::from_utf8(name).ok());
                Some(name.ok_or_else(|| Refusal::bad("Invalid pageToken."))?)
            }
            None => None,
        };
        let page = match parameters.number("maxResults")? {
            None => LARGEST_PAGE,
            Some(number) => usize::try_from(number)
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(|| Refusal::bad(format!("Invalid value '{number}' for maxResults.")))?
                .min(LARGEST_PAGE),
        };
        Ok(Self {
            prefix: text("prefix").unwrap_or_default(),
            delimiter: text("delimiter"),
            start: text("startOffset").unwrap_or_default(),
            end: text("endOffset"),
            after,
            page,
        })
    }

    /// One page of these sorted names, and the entry that the next page comes after.
    fn page(&self, names: Vec<String>) -> (Vec<Entry>, Option<String>) {
        let mut entries: Vec<Entry> = Vec::new();
        for name in names {
            if name < self.start || self.end.as_ref().is_some_and(|end| name >= *end) {
                continue;
            }
            let entry = self.entry(name);
            let text = entry.text();
            if self.after.as_deref().is_some_and(|after| text <= after) || entries.last() == Some(&entry) {
                continue;
            }
            if entries.len() == self.page {
                let last = entries.last().map(|entry| entry.text().to_owned());
                return (entries, last);
            }
            entries.push(entry);
        }
        (entries, None)
    }

    fn entry(&self, name: String) -> Entry {
        let rest = name.strip_prefix(self.prefix.as_str()).unwrap_or_default();
        let cut = self.delimiter.as_deref().and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()));
        match cut.and_then(|cut| name.get(..self.prefix.len() + cut)) {
            Some(prefix) => Entry::Prefix(prefix.to_owned()),
            None => Entry::Object(name),
        }
    }
}

impl Entry {
    fn text(&self) -> &str {
        match self {
            Self::Object(text) | Self::Prefix(text) => text,
        }
    }
}
