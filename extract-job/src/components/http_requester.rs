//! HttpRequester: one request from its templates, and from what the paginator, the cursor and the authenticator add to it.
//! A request to a host that is not the source's own carries nothing of ours.
//!
//! The source's own hosts are what the manifest and the settings say: neither a page token nor a slice, which can come from a
//! record, can make a host one of them.

use super::authenticator::Authenticator;
use super::error_handler::ErrorHandler;
use super::expression::{Expression, Scope};
use super::request_body::RequestBody;
use super::request_input::RequestInput;
use super::request_option::{Injection, Place};
use super::request_parts::{Parts, text_of};
use crate::http::account::Account;
use crate::http::client::{Outgoing, same_host};
use crate::http::homes::{Homes, home_of};
use crate::manifest::reader::Reader;
use crate::template::Names;
use reqwest::{Method, Url};
use serde_json::Value;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct HttpRequester {
    base: Expression,
    path: Option<Expression>,
    method: Method,
    parameters: RequestInput,
    headers: RequestInput,
    body: RequestBody,
    patience: Option<Duration>,
    /// Answers may be kept for other streams of the run that ask for the same, as parents' are.
    pub(crate) uses_cache: bool,
    pub(crate) authenticator: Authenticator,
    pub(crate) error_handler: ErrorHandler,
}

impl HttpRequester {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "HttpRequester" {
            reader.unsupported("HttpRequester");
            return None;
        }
        let (base, path) = if reader.has("url") {
            reader.accept(&["url_base", "path"]);
            (reader.expression("url", Names::REQUEST), None)
        } else {
            if !reader.has("url_base") {
                reader.error("HttpRequester needs `url`, or `url_base` and `path`");
            }
            (reader.expression("url_base", Names::REQUEST), reader.expression("path", Names::REQUEST))
        };
        let method = match reader.text("http_method").as_deref() {
            None | Some("GET") => Method::GET,
            Some("POST") => Method::POST,
            Some(_) => {
                reader.error_at("http_method", "must be GET or POST");
                Method::GET
            }
        };
        let authenticator = reader.child("authenticator").map(|child| Authenticator::read(&child));
        let error_handler = reader.child("error_handler").map(|child| ErrorHandler::read(&child));
        let patience = reader.number("read_timeout_in_seconds");
        if patience.is_some_and(|seconds| !(0.001..=3600.0).contains(&seconds)) {
            reader.error_at("read_timeout_in_seconds", "must be at most 3600, and more than nothing");
            return None;
        }
        let requester = Self {
            parameters: RequestInput::read(reader, "request_parameters"),
            headers: RequestInput::read(reader, "request_headers"),
            body: RequestBody::read(reader),
            base: base?,
            path,
            method,
            patience: patience.map(Duration::from_secs_f64),
            uses_cache: reader.boolean("use_cache", true),
            authenticator: authenticator.unwrap_or(Some(Authenticator::NoAuth))?,
            error_handler: error_handler.unwrap_or_else(|| Some(ErrorHandler::default()))?,
        };
        reader.refuse(&["fetch_properties_from_endpoint", "query_properties"]);
        // How connections are made and kept open is the client's own affair.
        reader.accept(&["use_tcp_keepalive", "connect_timeout_in_seconds"]);
        reader.finish();
        Some(requester)
    }

    /// The request of one page. `homes` are the source's own hosts, besides those that this requester has by itself.
    ///
    /// # Errors
    /// A template that cannot be evaluated, a URL that is none, a field that is set twice.
    pub(crate) fn build(&self, scope: &Scope, injections: &[Injection], homes: &Homes) -> Result<Outgoing, String> {
        let url = self.url(scope, injections)?;
        let home = self.home_of_request(scope, homes);
        if !home.as_ref().is_some_and(|home| same_host(&url, home)) {
            return match self.method {
                Method::GET => Ok(Outgoing {
                    method: Method::GET,
                    url,
                    home,
                    headers: Vec::new(),
                    body: None,
                    login: false,
                    patience: None,
                }),
                _ => Err("the address is on another host than the source's own, where nothing is sent by POST".into()),
            };
        }
        let mut parts = Parts::default();
        for (name, values) in self.parameters.pairs(scope).map_err(|why| format!("`request_parameters`: {why}"))? {
            parts.own_parameter(name, values)?;
        }
        for (name, value) in self.headers.headers(scope).map_err(|why| format!("`request_headers`: {why}"))? {
            parts.header(name, value)?;
        }
        parts.body(self.body.own(scope)?);
        injections.iter().try_for_each(|injection| parts.inject(injection))?;
        let outgoing = parts.into_request(self.method.clone(), url, home)?;
        Ok(Outgoing { patience: self.patience, ..outgoing })
    }

    /// The host that this requester has in the scope given: with the settings alone, one of the source's own.
    pub(crate) fn home(&self, scope: &Scope) -> Option<Url> {
        let base = self.base.text(scope).ok().as_deref().and_then(home_of);
        match self.path.as_ref().and_then(|path| path.text(scope).ok()) {
            // A full URL as path wins over the base.
            Some(path) if Url::parse(&path).is_ok() => home_of(&path),
            _ => base,
        }
    }

    /// What its requests without pages and slices would be, and who signs them. Holds secrets.
    pub(crate) fn key(&self, account: &Account, scope: &Scope) -> Result<String, String> {
        let outgoing = self.build(scope, &[], &account.homes)?;
        let signer = self.authenticator.key(account, scope)?;
        Ok(format!("{} {} {:?} {:?} {signer}", outgoing.method, outgoing.url, outgoing.headers, outgoing.body))
    }

    /// The host that may see the request: the one where this slice starts, if it is the source's own. A page token cannot move it.
    fn home_of_request(&self, scope: &Scope, homes: &Homes) -> Option<Url> {
        let own = self.home(&settings_alone(scope));
        let first_page = scope.clone().with(Names::NEXT_PAGE_TOKEN, Value::Null);
        let start = self.url(&first_page, &[]).ok().or_else(|| self.home(&first_page))?;
        let is_own = own.is_some_and(|own| same_host(&start, &own)) || homes.contain(&start);
        is_own.then_some(start)
    }

    fn url(&self, scope: &Scope, injections: &[Injection]) -> Result<Url, String> {
        let base = self.base.text(scope).map_err(|error| format!("the URL: {error}"))?;
        let link = injections.iter().find(|injection| injection.place == Place::Path).map(|i| text_of(&i.value));
        let path = match (link, &self.path) {
            (Some(link), _) => link,
            (None, Some(path)) => path.text(scope).map_err(|error| format!("the path: {error}"))?,
            (None, None) => String::new(),
        };
        let url = join(&base, &path).map_err(|_| "base URL and path make no URL".to_owned())?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err("the URL is neither http nor https".into());
        }
        Ok(url)
    }
}

/// The scope without what comes from answers and records.
pub(crate) fn settings_alone(scope: &Scope) -> Scope {
    scope.clone().with(Names::NEXT_PAGE_TOKEN, Value::Null).with(Names::STREAM_SLICE, Value::Null)
}

/// Strips the path's leading slash, ends the base with one, and joins; an absolute URL as path wins.
fn join(base: &str, path: &str) -> Result<Url, url::ParseError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return Url::parse(base);
    }
    let base = if base.ends_with('/') { Url::parse(base)? } else { Url::parse(&format!("{base}/"))? };
    base.join(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn base_and_path_join() {
        let cases = [
            ("https://a.io", "/x/y", "https://a.io/x/y"),
            ("https://a.io/v2", "x", "https://a.io/v2/x"),
            ("https://a.io/v2/", "/x?p=1", "https://a.io/v2/x?p=1"),
            ("https://a.io/v2", "https://b.io/z", "https://b.io/z"),
            ("https://a.io/v2", "", "https://a.io/v2"),
        ];
        for (base, path, expected) in cases {
            assert_eq!(join(base, path).unwrap().as_str(), expected, "{base} {path}");
        }
    }
}
