//! WaitUntilTimeFromHeader: the API says in a header when to come back, as seconds since 1970.
//! `min_wait` is the least that is waited, also where the header is missing or unreadable; a time that has passed is no wait.

use super::backoff::Wait;
use super::expression::Scope;
use super::number::Number;
use super::wait_header::WaitHeader;
use crate::http::http_date;
use crate::manifest::reader::Reader;
use reqwest::header::HeaderMap;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct WaitUntilTimeFromHeader {
    header: WaitHeader,
    least: Option<Number>,
}

impl WaitUntilTimeFromHeader {
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        let header = WaitHeader::read(reader);
        let least = Number::read(reader, "min_wait");
        reader.finish();
        Some(Self { header: header?, least })
    }

    pub(super) fn wait(&self, headers: Option<&HeaderMap>, scope: &Scope) -> Result<Option<Wait>, String> {
        let asked = match headers {
            Some(headers) => self.header.text(headers, scope)?.and_then(|text| until(&text, headers)),
            None => None,
        };
        let least = self.least.as_ref().map(|least| least.seconds(scope)).transpose()?.filter(|wait| !wait.is_zero());
        let wait = match (asked, least) {
            (Some(asked), least) => Some(Wait::Asked(asked.max(least.unwrap_or_default()))),
            (None, least) => least.map(Wait::For),
        };
        wait.map(|wait| self.header.capped(wait, scope)).transpose()
    }
}

/// The time until a number of seconds since 1970; nothing if it is over.
fn until(text: &str, headers: &HeaderMap) -> Option<Duration> {
    let since = (http_date::now(headers) - chrono::DateTime::UNIX_EPOCH).to_std().ok()?;
    let wait = text.trim().parse::<f64>().ok()? - since.as_secs_f64();
    Duration::try_from_secs_f64(wait).ok().filter(|wait| !wait.is_zero())
}
