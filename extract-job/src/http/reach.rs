//! Where an answer may lead: a next link, a redirect or an address in a record that is not on one of the source's own hosts must not
//! reach into this machine, its network, or a cloud's metadata, whatever form the address has, and whatever its name resolves to. Only a
//! source that is itself at such a place may lead to others of the same kind.
//!
//! Names are judged by the addresses that the connection is made to, not by an earlier look-up, which could have been another.

use super::homes::Homes;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;
use url::Host;

/// A kind of addresses that outsiders do not reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inner {
    /// This machine.
    Loopback,
    /// The link, where clouds have their metadata.
    LinkLocal,
    /// A private network, and whatever else is not of the public one.
    Private,
}

/// The kinds that a source may lead to; none for one on public hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Reach {
    loopback: bool,
    link_local: bool,
    private: bool,
}

/// A foreign address that is not asked.
#[derive(Debug, thiserror::Error)]
#[error(
    "the address leads to an internal host ({host} is {kind}), and the source is not at such a place; it is not followed"
)]
pub(crate) struct Internal {
    host: String,
    kind: &'static str,
}

impl Reach {
    /// How many there are.
    pub(super) const ALL: usize = 8;

    /// Tells one from another.
    pub(super) fn index(self) -> usize {
        usize::from(self.loopback) | usize::from(self.link_local) << 1 | usize::from(self.private) << 2
    }

    fn add(&mut self, kind: Inner) {
        match kind {
            Inner::Loopback => self.loopback = true,
            Inner::LinkLocal => self.link_local = true,
            Inner::Private => self.private = true,
        }
    }

    /// Where hosts of a source are; those of `homes`, and the one that the request is for.
    pub(super) async fn of(homes: &Homes, home: Option<&Url>) -> Self {
        let mut reach = Self::default();
        for home in homes.iter().chain(home) {
            let addresses = match home.host() {
                Some(Host::Ipv4(address)) => vec![IpAddr::V4(address)],
                Some(Host::Ipv6(address)) => vec![IpAddr::V6(address)],
                Some(Host::Domain(name)) => look_up(name).await.unwrap_or_default(),
                None => Vec::new(),
            };
            addresses.into_iter().filter_map(kind_of).for_each(|kind| reach.add(kind));
        }
        reach
    }

    fn judge(self, host: &str, address: IpAddr) -> Result<(), Internal> {
        let (kind, may) = match kind_of(address) {
            None => return Ok(()),
            Some(Inner::Loopback) => ("this machine", self.loopback),
            Some(Inner::LinkLocal) => ("on the local link", self.link_local),
            Some(Inner::Private) => ("in a private network", self.private),
        };
        if may { Ok(()) } else { Err(Internal { host: host.to_owned(), kind }) }
    }

    /// Judges an address that is written as numbers. Names are judged when they are looked up; where a proxy does that, as they look
    /// from here.
    ///
    /// # Errors
    /// It is internal.
    pub(super) async fn admit(self, url: &Url) -> Result<(), Internal> {
        let host = url.host_str().unwrap_or_default();
        match url.host() {
            Some(Host::Ipv4(address)) => self.judge(host, address.into()),
            Some(Host::Ipv6(address)) => self.judge(host, address.into()),
            Some(Host::Domain(name)) if !proxies().is_empty() => {
                let found = look_up(name).await.unwrap_or_default();
                found.into_iter().try_for_each(|address| self.judge(host, address))
            }
            _ => Ok(()),
        }
    }
}

/// The hosts of the proxies that the environment names: connections go to them, wherever they are.
fn proxies() -> &'static [String] {
    static PROXIES: OnceLock<Vec<String>> = OnceLock::new();
    PROXIES.get_or_init(|| {
        let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
        let set = names.iter().filter_map(|name| std::env::var(name).ok()).filter(|text| !text.is_empty());
        let url = |text: String| {
            Url::parse(&text).ok().filter(Url::has_host).or_else(|| Url::parse(&format!("http://{text}")).ok())
        };
        set.filter_map(|text| url(text)?.host_str().map(str::to_owned)).collect()
    })
}

/// Looks names up for connections to foreign hosts.
pub(super) struct Guard(pub(super) Reach);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = look_up(name.as_str()).await?;
            // One address of several is enough to refuse: which of them is taken is the connection's choice.
            if !proxies().iter().any(|proxy| proxy == name.as_str()) {
                found.iter().try_for_each(|address| reach.judge(name.as_str(), *address))?;
            }
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

async fn look_up(name: &str) -> std::io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
}

/// Whether an address is on this machine, by how it is written.
pub(crate) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => kind_of(address.into()) == Some(Inner::Loopback),
        Some(Host::Ipv6(address)) => kind_of(address.into()) == Some(Inner::Loopback),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// The kind of an address; nothing for one of the public network.
fn kind_of(address: IpAddr) -> Option<Inner> {
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => kind_of_v6(address),
    }
}

fn kind_of_v4(address: Ipv4Addr) -> Option<Inner> {
    match address.octets() {
        [0 | 127, ..] => Some(Inner::Loopback),
        [169, 254, ..] => Some(Inner::LinkLocal),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some(Inner::Private),
        // Shared by a provider's customers, for protocols, for benchmarks, multicast, and what nobody has.
        [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18 | 19, ..] | [224..=255, ..] => Some(Inner::Private),
        _ => None,
    }
}

fn kind_of_v6(address: Ipv6Addr) -> Option<Inner> {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        kind_of_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Some(Inner::Loopback),
        // An address of the older kind, mapped, compatible, translated, or tunnelled.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0, 0, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0, 0, 0, 0, 0xffff, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] => Some(Inner::Private),
        [0xfe80..=0xfebf, ..] => Some(Inner::LinkLocal),
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] | [0xff00..=0xffff, ..] => Some(Inner::Private),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn url(host: &str) -> Url {
        Url::parse(&format!("http://{host}/x")).unwrap()
    }

    #[tokio::test]
    async fn no_form_of_an_internal_address_passes_and_every_public_one_does() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "0",
            "0.0.0.0",
            "127.255.0.9",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[::ffff:0:7f00:1]",
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "[::ffff:169.254.169.254]",
            "[fe80::1]",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.0.8",
            "224.0.0.1",
            "255.255.255.255",
            "[fd00::1]",
            "[fc00::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[2001::1]",
            "[64:ff9b:1::1]",
            "１２７.0.0.1",
        ] {
            assert!(Reach::default().admit(&url(host)).await.is_err(), "{host}");
        }
        for host in
            ["8.8.8.8", "172.32.0.1", "192.169.0.1", "100.128.0.1", "[2606:4700::1]", "[::ffff:8.8.8.8]", "example.com"]
        {
            assert!(Reach::default().admit(&url(host)).await.is_ok(), "{host}");
        }
    }

    #[tokio::test]
    async fn a_local_source_leads_to_its_own_kind_alone() {
        let reach = |home: &'static str| async move { Reach::of(&Homes::default(), Some(&url(home))).await };
        for (home, there, may) in [
            ("127.0.0.1:8080", "127.0.0.1:9090", true),
            ("localhost", "127.0.0.1", true),
            ("127.0.0.1", "10.0.0.1", false),
            ("127.0.0.1", "169.254.169.254", false),
            ("10.1.2.3", "192.168.0.1", true),
            ("10.1.2.3", "127.0.0.1", false),
            ("10.1.2.3", "169.254.169.254", false),
            ("8.8.8.8", "10.0.0.1", false),
        ] {
            assert_eq!(reach(home).await.admit(&url(there)).await.is_ok(), may, "{home} {there}");
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_resolves_to() {
        let resolve = |reach: Reach| Guard(reach).resolve("localhost".parse().unwrap());
        let error = resolve(Reach::default()).await.err().unwrap();
        assert!(error.downcast_ref::<Internal>().is_some(), "{error}");
        let loopback = Reach { loopback: true, ..Reach::default() };
        assert!(resolve(loopback).await.is_ok());
    }

    #[test]
    fn this_machine_is_told_by_how_it_is_written() {
        for (host, expected) in
            [("127.0.0.1:80", true), ("localhost", true), ("[::1]", true), ("10.0.0.1", false), ("a.io", false)]
        {
            assert_eq!(is_this_machine(&url(host)), expected, "{host}");
        }
    }
}
