//! Who may ask what: the token, and the tricks by which a web page could use its reader's browser to start a run.
//! Pure functions of a request's headers.

use super::address::Callers;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use contract::secret::Secret;
use std::hint::black_box;
use std::net::IpAddr;

/// What a request must satisfy.
#[derive(Debug)]
pub(super) struct Guard {
    /// What callers must know; `None`: nothing.
    pub(super) token: Option<Secret>,
    pub(super) callers: Callers,
}

impl Guard {
    /// Whether the request carries the token, if there is one.
    pub(super) fn is_known(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let sent = match sent.split_once(' ') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
            _ => "",
        };
        same(sent.as_bytes(), token.expose().as_bytes())
    }

    /// Refuses what comes from the pages of other sites.
    ///
    /// # Errors
    /// The status and what is wrong.
    pub(super) fn own_site(&self, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(HOST).unwrap_or_default();
        // A name that somebody has pointed at this machine makes his page one of ours to a browser; addresses cannot be pointed.
        if self.callers == Callers::ThisMachine && !is_this_machine(host) {
            return Err((StatusCode::FORBIDDEN, "only this machine may call; to be called by a name, set a token"));
        }
        // Browsers say from which site a page calls; programs do not.
        let foreign = text(ORIGIN).is_some_and(|origin| origin.split_once("://").map(|(_, site)| site) != Some(host));
        if foreign { Err((StatusCode::FORBIDDEN, "pages of other sites may not call")) } else { Ok(()) }
    }
}

fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Compares in a time that tells nothing of what was expected.
fn same(sent: &[u8], expected: &[u8]) -> bool {
    let mut difference = sent.len() ^ expected.len();
    for (index, byte) in sent.iter().enumerate() {
        let other = expected.get(index % expected.len().max(1)).copied().unwrap_or_default();
        difference |= usize::from(black_box(byte ^ other));
    }
    black_box(difference) == 0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&str, &str)| {
            (axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap())
        };
        list.iter().map(header).collect()
    }

    #[test]
    fn the_token_must_be_whole() {
        let guard = Guard { token: Some(Secret::new("abc123")), callers: Callers::Everybody };
        for (sent, known) in [
            ("Bearer abc123", true),
            ("bearer abc123", true),
            ("Bearer abc12", false),
            ("Bearer abc1234", false),
            ("Bearer abc123abc123", false),
            ("Bearer ", false),
            ("Basic abc123", false),
            ("abc123", false),
        ] {
            assert_eq!(guard.is_known(&headers(&[("authorization", sent)])), known, "{sent}");
        }
        assert!(!guard.is_known(&headers(&[])));
        assert!(!format!("{guard:?}").contains("abc123"));
    }

    #[test]
    fn other_sites_pages_are_refused() {
        let own = Guard { token: None, callers: Callers::ThisMachine };
        let open = Guard { token: None, callers: Callers::Everybody };
        type Case<'a> = (&'a Guard, &'a [(&'a str, &'a str)], bool);
        let table: &[Case<'_>] = &[
            (&own, &[("host", "127.0.0.1:8080")], true),
            (&own, &[("host", "localhost:8080"), ("origin", "http://localhost:8080")], true),
            (&own, &[("host", "[::1]:8080")], true),
            (&own, &[("host", "127.0.0.1:8080"), ("origin", "https://example.com")], false),
            (&own, &[("host", "127.0.0.1:8080"), ("origin", "null")], false),
            (&own, &[("host", "rebound.example.com:8080"), ("origin", "http://rebound.example.com:8080")], false),
            (&own, &[], false),
            (&open, &[("host", "drayage.example.com")], true),
            (&open, &[("host", "drayage.example.com"), ("origin", "https://drayage.example.com")], true),
            (&open, &[("host", "drayage.example.com"), ("origin", "https://example.com")], false),
        ];
        for (guard, list, allowed) in table {
            assert_eq!(guard.own_site(&headers(list)).is_ok(), *allowed, "{list:?}");
        }
    }
}
