//! The hosts that belong to a source: only they may see its credentials, headers, parameters and bodies.
//! They follow from the manifest and the settings alone; nothing that an API answers can add one.

use super::client::same_host;
use reqwest::Url;

/// The hosts of one account, each with its scheme and port.
#[derive(Debug, Clone, Default)]
pub(crate) struct Homes {
    known: Vec<Url>,
}

impl Homes {
    /// Takes a host in.
    pub(crate) fn add(&mut self, home: Url) {
        if !self.contain(&home) {
            self.known.push(home);
        }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Url> {
        self.known.iter()
    }

    /// Whether the address is on one of them.
    pub(crate) fn contain(&self, url: &Url) -> bool {
        self.known.iter().any(|home| same_host(url, home))
    }
}

/// The address as a home: nothing but http and https with a host that is written out.
pub(crate) fn home_of(text: &str) -> Option<Url> {
    // A template without its value can leave `https:///path` or `https://.example.com`, which parsers read in their own way.
    let (_, rest) = text.split_once("://")?;
    if rest.starts_with(['/', '\\', '.', ':', '@', '?', '#']) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.host_str().is_some()).then_some(url)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_a_scheme_a_host_and_a_port() {
        let mut homes = Homes::default();
        homes.add(home_of("https://api.example.com/v2").unwrap());
        let on = |text: &str| homes.contain(&Url::parse(text).unwrap());
        assert!(on("https://api.example.com/other") && on("https://api.example.com:443"));
        assert!(
            !on("http://api.example.com/") && !on("https://eu.api.example.com") && !on("https://api.example.com:1")
        );
    }

    #[test]
    fn an_address_with_a_hole_is_no_home() {
        for text in ["https:///v2", "https://.example.com", "https://:80/", "/v2", "", "ftp://a.example", "https://"] {
            assert!(home_of(text).is_none(), "{text}");
        }
    }
}
