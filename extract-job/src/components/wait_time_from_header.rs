//! WaitTimeFromHeader: the API says in a header how many seconds to wait.
//! An HTTP date is understood too, as RFC 9110 allows it for Retry-After; the reference engine passes over it.

use super::backoff::Wait;
use super::expression::Scope;
use super::wait_header::{WaitHeader, seconds};
use crate::http::http_date;
use crate::manifest::reader::Reader;
use reqwest::header::HeaderMap;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct WaitTimeFromHeader {
    header: WaitHeader,
}

impl WaitTimeFromHeader {
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        let header = WaitHeader::read(reader);
        reader.finish();
        Some(Self { header: header? })
    }

    pub(super) fn wait(&self, headers: &HeaderMap, scope: &Scope) -> Result<Option<Wait>, String> {
        let Some(text) = self.header.text(headers, scope)? else { return Ok(None) };
        match seconds(&text).or_else(|| http_date::until(&text, headers)) {
            // A header of 0 asks for no wait, which no cap refuses.
            None | Some(Duration::ZERO) => Ok(None),
            Some(wait) => self.header.capped(Wait::Asked(wait), scope).map(Some),
        }
    }
}
