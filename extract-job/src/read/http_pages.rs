//! Pages from the API: the request of one page, its answer sliced into records on a blocking thread.

use super::cpu::Cpu;
use super::page::{Ask, Fetched, Page, PageBody, PageSource, ReadError, fingerprint};
use crate::components::declarative_stream::DeclarativeStream;
use crate::components::expression::Scope;
use crate::components::request_option::Injection;
use crate::http::account::Account;
use crate::http::buffers::Buffer;
use crate::http::client::{Answer, Outgoing};
use crate::http::send::{Call, Sent, headers_value};
use crate::record_slicer::{self, Keep};
use crate::template::Names;
use async_trait::async_trait;
use contract::unit::Unit;
use futures::FutureExt;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use std::sync::Arc;

/// The pages of one stream of one account.
pub(crate) struct HttpPages {
    account: Arc<Account>,
    stream: Arc<DeclarativeStream>,
    unit: Unit,
    scope: Scope,
    path: Arc<Vec<String>>,
    cursor_field: Option<Arc<str>>,
    cpu: Cpu,
}

impl HttpPages {
    /// `scope` holds the account's settings.
    ///
    /// # Errors
    /// A template of the extractor or the cursor that cannot be evaluated.
    pub(crate) fn new(
        account: Arc<Account>,
        stream: Arc<DeclarativeStream>,
        unit: Unit,
        scope: Scope,
        cpu: Cpu,
    ) -> Result<Self, ReadError> {
        let path = stream.retriever.selector.extractor.path(&scope);
        let path = path.map_err(|error| ReadError(format!("`field_path`: {error}")))?;
        let path = Arc::new(path);
        let field = stream.cursor.as_ref().map(|cursor| cursor.field(&scope)).transpose().map_err(ReadError)?;
        let cursor_field = field.map(Arc::from);
        Ok(Self { account, stream, unit, scope, path, cursor_field, cpu })
    }

    /// What templates see in a slice.
    pub(crate) fn slice_scope(&self, ask: &Ask) -> Scope {
        let slice = match (&self.stream.cursor, &ask.window) {
            (Some(cursor), Some(window)) => cursor.slice(window),
            _ => json!({}),
        };
        self.scope.clone().with(Names::STREAM_SLICE, slice)
    }

    fn page_scope(&self, ask: &Ask) -> Scope {
        let scope = self.slice_scope(ask);
        match &ask.token {
            Some(token) => scope.with(Names::NEXT_PAGE_TOKEN, json!({ "next_page_token": token })),
            None => scope,
        }
    }

    fn injections(&self, ask: &Ask, scope: &Scope) -> Result<Vec<Injection>, String> {
        let retriever = &self.stream.retriever;
        let mut injections = match &retriever.paginator {
            Some(paginator) => paginator.injections(ask.token.as_ref(), scope)?,
            None => Vec::new(),
        };
        let with_slice = ask.index == 0 || !retriever.slice_on_first_page_only;
        if let (true, Some(cursor), Some(window)) = (with_slice, &self.stream.cursor, &ask.window) {
            injections.extend(cursor.injections(window, scope)?);
        }
        Ok(injections)
    }

    /// What paging needs of an answer: mostly all but the records.
    fn keep(&self) -> Keep {
        let first = self.path.first().map(String::as_str).filter(|segment| *segment != "*");
        let paginator = self.stream.retriever.paginator.as_ref();
        if paginator.is_some_and(|paginator| paginator.may_read_records(first)) { Keep::Whole } else { Keep::Rest }
    }

    /// The request of a page as it would be sent, without its login.
    pub(crate) fn preview(&self, ask: &Ask) -> Result<Outgoing, ReadError> {
        let scope = self.page_scope(ask);
        let built = self.injections(ask, &scope).and_then(|list| self.stream.retriever.requester.build(&scope, &list));
        built.map_err(|why| ReadError(self.account.redactor.clean(&why)))
    }
}

#[async_trait]
impl PageSource for HttpPages {
    async fn fetch(&self, ask: &Ask, expected: usize) -> Result<Fetched, ReadError> {
        let scope = self.page_scope(ask);
        let injections = self.injections(ask, &scope).map_err(|why| ReadError(self.account.redactor.clean(&why)))?;
        let requester = &self.stream.retriever.requester;
        let call = Call {
            account: &self.account,
            requester,
            unit: &self.unit,
            scope: &scope,
            injections: &injections,
            expected,
        };
        let decode = |answer: Answer| {
            let (path, stream, field) = (self.path.clone(), self.stream.clone(), self.cursor_field.clone());
            let (work, keep) = (self.cpu.clone(), self.keep());
            async move { work.run(move || slice(answer, &path, keep, &stream, field.as_deref())).await? }.boxed()
        };
        match call.send(&decode).await.map_err(|error| ReadError(error.to_string()))? {
            Sent::Decoded(page) => Ok(Fetched::Page(page)),
            Sent::Ignored(status) => Ok(Fetched::Ignored(status)),
        }
    }
}

/// Finds the records in an answer; the whole body must be well-formed.
fn slice(
    answer: Answer,
    path: &[String],
    keep: Keep,
    stream: &DeclarativeStream,
    cursor_field: Option<&str>,
) -> Result<Page, String> {
    let headers = page_headers(&answer.headers);
    let mut body = answer.body;
    if answer.status == 204 && body.is_empty() {
        body = Buffer::from(b"{}".to_vec());
    }
    let sliced = record_slicer::slice(&body, path, keep).map_err(|error| not_json(&body, &error))?;
    let highest = match (&stream.cursor, cursor_field) {
        (Some(cursor), Some(field)) => cursor.highest(field, &body, &sliced.records),
        _ => None,
    };
    let fingerprint = fingerprint(&body, &sliced.records);
    Ok(Page {
        body: Arc::new(PageBody { bytes: body, reservation: None }),
        records: sliced.records,
        response: first_of_list(sliced.rest),
        headers,
        highest,
        fingerprint,
    })
}

/// Templates see the first element of a body that is a list.
fn first_of_list(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().next().unwrap_or_else(|| json!({})),
        other => other,
    }
}

fn not_json(body: &[u8], error: &record_slicer::SliceError) -> String {
    let start = body.iter().copied().find(|byte| !byte.is_ascii_whitespace());
    match start {
        None => "the answer is empty, not JSON".to_owned(),
        Some(b'<') => "the answer is HTML or XML, not JSON".to_owned(),
        Some(_) => format!("the answer cannot be read: {error}"),
    }
}

/// Headers with `link` parsed into its relations, as pagination templates see them.
fn page_headers(headers: &HeaderMap) -> Value {
    let mut value = headers_value(headers);
    if let (Some(link), Some(map)) = (headers.get("link").and_then(|link| link.to_str().ok()), value.as_object_mut()) {
        map.insert("link".into(), parse_link(link));
    }
    value
}

/// `<url>; rel="next", …` → {next: {url, rel}}.
fn parse_link(text: &str) -> Value {
    let mut links = serde_json::Map::new();
    let mut rest = text;
    while let Some((url, after)) = rest.split_once('<').and_then(|(_, after)| after.split_once('>')) {
        let parameters = after.split_once('<').map_or(after, |(before, _)| before);
        let mut link = serde_json::Map::from_iter([("url".to_owned(), Value::from(url))]);
        for parameter in parameters.trim_end_matches([',', ' ']).split(';') {
            if let Some((name, value)) = parameter.split_once('=') {
                let value = value.trim().trim_end_matches(',').trim_matches('"');
                link.insert(name.trim().to_owned(), Value::from(value));
            }
        }
        let name = link.get("rel").and_then(Value::as_str).unwrap_or(url).to_owned();
        links.insert(name, Value::Object(link));
        rest = after;
    }
    Value::Object(links)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn link_headers_are_parsed() {
        let links =
            parse_link("<https://a.io/x?page=2>; rel=\"next\", <https://a.io/x?page=9>; rel=\"last\"; title=\"t\"");
        assert_eq!(links["next"]["url"], "https://a.io/x?page=2");
        assert_eq!(links["last"], json!({"url": "https://a.io/x?page=9", "rel": "last", "title": "t"}));
    }
}
