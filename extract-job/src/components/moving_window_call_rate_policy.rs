//! MovingWindowCallRatePolicy: at most so many requests in any span of time. Its matchers (HttpRequestRegexMatcher) say which requests.

use crate::http::budget::Rate;
use crate::manifest::reader::Reader;
use crate::template::duration::IsoDuration;
use chrono::{DateTime, Utc};
use regex::Regex;
use reqwest::{Method, Url};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct MovingWindowCallRatePolicy {
    pub(crate) rates: Vec<Rate>,
    matchers: Vec<Matcher>,
}

#[derive(Debug)]
struct Matcher {
    method: Option<Method>,
    url_base: Option<String>,
    path: Option<Regex>,
}

impl MovingWindowCallRatePolicy {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "MovingWindowCallRatePolicy" {
            reader.unsupported("MovingWindowCallRatePolicy");
            return None;
        }
        let rates: Vec<Rate> = read_rates(reader);
        let matchers = reader.children("matchers").iter().filter_map(Matcher::read).collect();
        reader.finish();
        (!rates.is_empty()).then_some(Self { rates, matchers })
    }

    pub(crate) fn applies(&self, method: &Method, url: &Url) -> bool {
        self.matchers.is_empty() || self.matchers.iter().any(|matcher| matcher.matches(method, url))
    }
}

/// `rates` are plain mappings {limit, interval}, with or without `type: Rate`.
fn read_rates(reader: &Reader<'_>) -> Vec<Rate> {
    let items = reader.required("rates").map(contract::yaml::Node::items).unwrap_or_default();
    let mut rates = Vec::new();
    for item in items {
        let limit = item.get("limit").and_then(|limit| limit.to_json().as_u64()).filter(|limit| *limit > 0);
        let interval = item.get("interval").and_then(contract::yaml::Node::as_str).and_then(span);
        match (limit.and_then(|limit| usize::try_from(limit).ok()), interval) {
            (Some(limit), Some(interval)) => rates.push(Rate { limit, interval }),
            _ => {
                reader.error_at("rates", "must hold {limit: an integer of at least 1, interval: an ISO 8601 duration}")
            }
        }
    }
    if items.is_empty() {
        reader.error_at("rates", "must be a list of rates");
    }
    rates
}

/// A duration in seconds; a month counts as the month after the epoch.
fn span(text: &str) -> Option<Duration> {
    let start = DateTime::<Utc>::UNIX_EPOCH.fixed_offset();
    let end = IsoDuration::parse(text).ok()?.add_to(start).ok()?;
    (end - start).to_std().ok().filter(|span| !span.is_zero())
}

impl Matcher {
    fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "HttpRequestRegexMatcher" {
            reader.unsupported("HttpRequestRegexMatcher");
            return None;
        }
        let method = reader.text("method").and_then(|text| Method::from_bytes(text.to_uppercase().as_bytes()).ok());
        let url_base = reader.text("url_base").map(|text| text.trim_end_matches('/').to_owned());
        let path = reader.text("url_path_pattern").and_then(|text| match Regex::new(&text) {
            Ok(regex) => Some(regex),
            Err(_) => {
                reader.error_at("url_path_pattern", "is no regular expression that can be used");
                None
            }
        });
        reader.refuse(&["params", "headers"]);
        reader.accept(&["weight"]);
        reader.finish();
        Some(Self { method, url_base, path })
    }

    fn matches(&self, method: &Method, url: &Url) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method)
            && self.url_base.as_ref().is_none_or(|base| *base == url.origin().ascii_serialization())
            && self.path.as_ref().is_none_or(|path| path.is_match(url.path()))
    }
}
