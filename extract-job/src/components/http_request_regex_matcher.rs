//! HttpRequestRegexMatcher: which requests a call rate policy is about, and how many slots one of them takes (`weight`).
//! All that is given must fit: method, host, a pattern found in the path, query parameters and headers that are there.
//!
//! A `url_base` with a path is taken at its word here: the path must start with it. (In the reference engine such a
//! matcher never matches, and the limit is not kept.) Headers are those of the manifest and the login; what the HTTP
//! client adds by itself is not seen.

use super::expression::Scope;
use super::number::Number;
use crate::http::client::Outgoing;
use crate::manifest::reader::Reader;
use crate::template::python_text;
use contract::yaml::Kind;
use regex::Regex;
use reqwest::{Method, Url};

#[derive(Debug)]
pub(crate) struct HttpRequestRegexMatcher {
    method: Option<Method>,
    base: Option<Url>,
    path: Option<Regex>,
    params: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    weight: Option<Number>,
}

impl HttpRequestRegexMatcher {
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "HttpRequestRegexMatcher" {
            reader.unsupported("HttpRequestRegexMatcher");
            return None;
        }
        let method = reader.text("method").and_then(|text| Method::from_bytes(text.to_uppercase().as_bytes()).ok());
        let base = reader.text("url_base").and_then(|text| {
            let url = Url::parse(&text).ok().filter(Url::has_host);
            if url.is_none() {
                reader.error_at("url_base", "must be a scheme and a host, such as https://api.example.com");
            }
            url
        });
        let path = reader.text("url_path_pattern").and_then(|text| match Regex::new(&text) {
            Ok(regex) => Some(regex),
            Err(_) => {
                reader.error_at("url_path_pattern", "is no regular expression that can be used");
                None
            }
        });
        let matcher = Self {
            method,
            base,
            path,
            params: read_texts(reader, "params"),
            headers: read_texts(reader, "headers"),
            weight: Number::read_whole(reader, "weight", 1),
        };
        reader.finish();
        Some(matcher)
    }

    pub(super) fn matches(&self, request: &Outgoing) -> bool {
        let path = request.url.path().trim_end_matches('/');
        self.method.as_ref().is_none_or(|wanted| *wanted == request.method)
            && self.base.as_ref().is_none_or(|base| is_below(&request.url, base))
            && self.path.as_ref().is_none_or(|pattern| pattern.is_match(path))
            && self.params.iter().all(|wanted| has_parameter(&request.url, wanted))
            && self.headers.iter().all(|wanted| has_header(&request.headers, wanted))
    }

    /// How many slots a request takes.
    ///
    /// # Errors
    /// A setting that gives no whole number.
    pub(super) fn weight(&self, scope: &Scope) -> Result<usize, String> {
        let Some(weight) = &self.weight else { return Ok(1) };
        Ok(usize::try_from(weight.whole(scope, 1)?).unwrap_or(usize::MAX))
    }
}

fn read_texts(reader: &Reader<'_>, key: &str) -> Vec<(String, String)> {
    let Some(node) = reader.get(key) else { return Vec::new() };
    let mut texts = Vec::new();
    let Kind::Map(entries) = &node.kind else {
        reader.error_at(key, "must be a mapping of names to texts");
        return texts;
    };
    for entry in entries {
        match &entry.value.kind {
            Kind::Map(_) | Kind::Seq(_) | Kind::Null => {
                reader.error_at(key, format!("must be a mapping of names to texts; `{}` is none", entry.key));
            }
            _ => texts.push((entry.key.clone(), python_text(&entry.value.to_json()))),
        }
    }
    texts
}

fn is_below(url: &Url, base: &Url) -> bool {
    let prefix = base.path().trim_end_matches('/');
    let rest = url.path().strip_prefix(prefix);
    url.origin() == base.origin() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Of a parameter that is repeated, the last counts.
fn has_parameter(url: &Url, (name, value): &(String, String)) -> bool {
    url.query_pairs().filter(|(given, _)| given == name).last().is_some_and(|(_, given)| given == *value)
}

fn has_header(headers: &[(String, String)], (name, value): &(String, String)) -> bool {
    headers.iter().any(|(given, text)| given.eq_ignore_ascii_case(name) && text == value)
}
