//! One HTTP exchange: timeouts, a cap on the body's size, and the rule that credentials go to the API's own host alone.
//! Redirects are followed here: within the host as they are, to another host without anything of ours.

use super::buffers::{Buffer, Buffers};
use super::homes::Homes;
use super::kept_room::Room;
use super::reach::{Guard, Internal, Reach};
use super::response_cache::Life;
use super::trace::Trace;
use super::unpack::{self, Most, Unpacker};
use crate::read::cpu::Cpu;
use crate::redactor::Redactor;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, Url};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// ServiceTitan cuts requests after 100 s and asks its clients for the same limit.
const READ_TIMEOUT: Duration = Duration::from_secs(100);
/// For one answer, however slowly its bytes drip in.
const WHOLE_ANSWER: Duration = Duration::from_secs(600);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// An error says what it has to say in so many bytes; what follows is not read.
pub(super) const LARGEST_ERROR: usize = 1 << 20;
const MAX_REDIRECTS: usize = 5;

/// What a request carries in its body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    Json(serde_json::Value),
    Form(Vec<(String, String)>),
    /// Sent as it is, without a content type of its own.
    Text(String),
}

/// A request, ready to go.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// The host that may see headers, body and credentials; none where no host may.
    pub(crate) home: Option<Url>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Body>,
    /// It asks for a token: neither its body nor the answer's may be shown.
    pub(crate) login: bool,
    /// The longest silence of the API, where the manifest tells one.
    pub(crate) patience: Option<Duration>,
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Buffer,
    /// The host that answered is not the API's own, so that it got no credentials.
    pub(crate) foreign: bool,
    /// The manifest's error handler names this answer, and lets it pass.
    pub(crate) named: bool,
    /// It was kept from an earlier request, of this slice: to ask again would bring the same.
    pub(crate) kept: Option<Arc<Life>>,
    /// Of an error, only the beginning of the body is here, or what could be unpacked of it.
    pub(crate) cut: bool,
}

/// Why there is no complete answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// Worth another try: connection, DNS, timeout, a body that was cut.
    #[error("{0}")]
    Transport(String),
    /// The request cannot be sent as it is.
    #[error("{0}")]
    Refused(String),
}

/// The HTTP client of one process; cheap to clone, keeps connections open.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    inner: reqwest::Client,
    /// For hosts that are not the source's own: one for each reach, made when it is needed.
    foreign: Arc<[OnceLock<reqwest::Client>; Reach::ALL]>,
    pub(crate) buffers: Buffers,
    /// Where bodies are looked into.
    pub(super) cpu: Cpu,
    /// Whose turn it is to make a tree of a large body.
    pub(super) trees: Arc<Semaphore>,
    /// What keeps answers that are asked for again has so much room, over all accounts.
    pub(super) kept: Room,
    /// The most bytes of one page.
    largest: usize,
}

impl Client {
    /// A client that takes pages of so many MiB, and looks into them on these threads.
    pub(crate) fn new(cpu: Cpu, max_page_mib: u32) -> Result<Self, ExchangeError> {
        let largest = usize::try_from(u64::from(max_page_mib) << 20).unwrap_or(usize::MAX);
        let (foreign, buffers, trees) = (Arc::default(), Buffers::default(), Arc::new(Semaphore::new(1)));
        Ok(Self { inner: build(builder())?, foreign, buffers, cpu, trees, kept: Room::default(), largest })
    }

    /// What connects to hosts of others: to no internal address but of this reach.
    fn foreign(&self, reach: Reach) -> Result<&reqwest::Client, ExchangeError> {
        let Some(place) = self.foreign.get(reach.index()) else { return Ok(&self.inner) };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        let client = build(builder().dns_resolver(Arc::new(Guard(reach))))?;
        Ok(place.get_or_init(|| client))
    }

    /// Sends a request and reads the whole answer. `expected` is the size the body will probably have, `homes` are the source's own hosts.
    pub(crate) async fn exchange(
        &self,
        outgoing: &Outgoing,
        expected: usize,
        homes: &Homes,
        redactor: &Redactor,
        trace: Option<&Trace>,
    ) -> Result<Answer, ExchangeError> {
        let mut url = outgoing.url.clone();
        let mut method = outgoing.method.clone();
        for _ in 0..=MAX_REDIRECTS {
            let home = outgoing.home.as_ref().is_some_and(|home| same_host(&url, home));
            if !home && redactor.clean(url.as_str()) != url.as_str() {
                let host = url.host_str().unwrap_or_default();
                let why = format!("the address on another host ({host}) carries credentials; it is not followed");
                return Err(ExchangeError::Refused(why));
            }
            let client = if home || homes.contain(&url) {
                &self.inner
            } else {
                let reach = Reach::of(homes, outgoing.home.as_ref()).await;
                reach.admit(&url).await.map_err(|internal| ExchangeError::Refused(internal.to_string()))?;
                self.foreign(reach)?
            };
            let request = self.request(outgoing, &method, &url, home)?;
            let traced = trace.map(|trace| trace.request(&request, outgoing, home, redactor));
            let patience = outgoing.patience.unwrap_or(READ_TIMEOUT);
            let response = in_time(patience, client.execute(request)).await;
            let response = response.inspect_err(|error| traced.iter().for_each(|traced| traced.failure(error)))?;
            let status = response.status().as_u16();
            let target = match status {
                301 | 302 | 303 | 307 | 308 => response.headers().get(LOCATION),
                _ => None,
            };
            let Some(target) = target else {
                let whole = tokio::time::timeout(WHOLE_ANSWER, self.read(response, patience, expected, !home)).await;
                let whole = whole
                    .unwrap_or_else(|_| Err(ExchangeError::Transport("the answer took more than 10 minutes".into())));
                if let Some(traced) = &traced {
                    match &whole {
                        Ok(answer) => traced.answer(answer),
                        Err(error) => traced.failure(error),
                    }
                }
                return whole;
            };
            if let Some(traced) = &traced {
                traced.redirect(status, response.headers());
            }
            url = redirect_target(&url, target)?;
            if method != Method::GET {
                if status != 303 {
                    return Err(ExchangeError::Refused(format!("the API redirects a {method} request ({status})")));
                }
                method = Method::GET;
            }
        }
        Err(ExchangeError::Refused(format!("more than {MAX_REDIRECTS} redirects in a row")))
    }

    /// Reads the body: of a page all of it, up to the bound; of an error the beginning.
    async fn read(
        &self,
        mut response: reqwest::Response,
        patience: Duration,
        expected: usize,
        foreign: bool,
    ) -> Result<Answer, ExchangeError> {
        let largest = self.largest;
        let status = response.status().as_u16();
        let mut headers = response.headers().clone();
        let announced = response.content_length().filter(|_| !headers.contains_key(CONTENT_ENCODING));
        let announced = announced.and_then(|length| usize::try_from(length).ok());
        let is_success = (200..300).contains(&status);
        let is_error = status >= 400;
        if !is_error && announced.is_some_and(|announced| announced > largest) {
            return Err(ExchangeError::Refused(too_large(largest)));
        }
        let room = announced.unwrap_or(if is_success { expected } else { 0 });
        let most = if is_error { Most::Shown(LARGEST_ERROR) } else { Most::Allowed(largest) };
        let mut unpacker = Unpacker::new(&mut headers, is_success, &self.buffers, room.min(most.bytes()), most)?;
        while !unpacker.is_cut()
            && let Some(chunk) = in_time(patience, response.chunk()).await?
        {
            unpacker.push(&chunk)?;
        }
        let (body, cut) = unpacker.finish()?;
        Ok(Answer { status, headers, body, foreign, named: false, kept: None, cut })
    }

    fn request(
        &self,
        outgoing: &Outgoing,
        method: &Method,
        url: &Url,
        home: bool,
    ) -> Result<reqwest::Request, ExchangeError> {
        let mut request = self.inner.request(method.clone(), url.clone());
        if !home {
            return request.build().map_err(transport);
        }
        for (name, value) in &outgoing.headers {
            let header = HeaderName::try_from(name.as_str());
            let value = HeaderValue::try_from(value.as_str());
            let (Ok(header), Ok(mut value)) = (header, value) else {
                return Err(ExchangeError::Refused(format!("the header `{name}` cannot be sent as it is")));
            };
            value.set_sensitive(true);
            request = request.header(header, value);
        }
        let typed = outgoing.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()));
        let request = match &outgoing.body {
            Some(Body::Json(value)) if *method == outgoing.method => {
                let request = if typed { request } else { request.header(CONTENT_TYPE, "application/json") };
                request.body(value.to_string())
            }
            Some(Body::Form(pairs)) if *method == outgoing.method => request.form(pairs),
            Some(Body::Text(text)) if *method == outgoing.method => request.body(text.clone()),
            _ => request,
        };
        request.build().map_err(transport)
    }
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("drayage/", env!("CARGO_PKG_VERSION")))
        .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(unpack::ACCEPTED))]))
        .no_gzip()
        .tcp_nodelay(true)
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, ExchangeError> {
    let built = builder.build();
    built.map_err(|error| ExchangeError::Refused(format!("set up the HTTP client: {}", describe(&error))))
}

/// Waits so long for the next sign of life.
async fn in_time<T>(patience: Duration, next: impl Future<Output = reqwest::Result<T>>) -> Result<T, ExchangeError> {
    match tokio::time::timeout(patience, next).await {
        Ok(result) => result.map_err(transport),
        Err(_) => Err(ExchangeError::Transport(format!("no answer in time ({} s)", patience.as_secs_f64()))),
    }
}

pub(super) fn too_large(largest: usize) -> String {
    format!(
        "the answer is larger than {} MiB, uncompressed: ask for smaller pages, or set `max_page_mib` in the pipeline file \
         (`--max-page-mib` of `read`)",
        largest >> 20
    )
}

pub(super) fn memory(error: &std::io::Error) -> ExchangeError {
    ExchangeError::Refused(format!("no memory for the answer: {error}"))
}

fn redirect_target(from: &Url, location: &HeaderValue) -> Result<Url, ExchangeError> {
    let target = location.to_str().ok().and_then(|text| from.join(text).ok());
    match target {
        Some(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(ExchangeError::Refused("the API redirects to an address that is no URL".into())),
    }
}

/// The same host and port, and no step down from https to http.
pub(crate) fn same_host(url: &Url, home: &Url) -> bool {
    url.host_str() == home.host_str()
        && url.port_or_known_default() == home.port_or_known_default()
        && url.scheme() == home.scheme()
}

fn transport(error: reqwest::Error) -> ExchangeError {
    let causes = std::iter::successors(Some(&error as &(dyn std::error::Error + 'static)), |error| error.source());
    if let Some(internal) = causes.filter_map(|cause| cause.downcast_ref::<Internal>()).next() {
        return ExchangeError::Refused(internal.to_string());
    }
    let what = if error.is_connect() {
        format!("cannot connect: {}", describe(&error))
    } else if error.is_body() || error.is_decode() {
        "the answer broke off".to_owned()
    } else {
        describe(&error)
    };
    if error.is_builder() { ExchangeError::Refused(what) } else { ExchangeError::Transport(what) }
}

/// The innermost cause, without the URL (it may hold secrets).
fn describe(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let text = cause.to_string();
    if text.contains("://") { "the request failed".to_owned() } else { text }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn another_host_port_or_a_step_down_is_foreign() {
        let home = Url::parse("https://api.example.com/v2").unwrap();
        let cases = [
            ("https://api.example.com/other?x=1", true),
            ("https://api.example.com:443/", true),
            ("https://api.example.com:8443/", false),
            ("http://api.example.com/", false),
            ("https://api.example.com.evil.org/", false),
            ("https://evil.org/api.example.com", false),
        ];
        for (url, expected) in cases {
            assert_eq!(same_host(&Url::parse(url).unwrap(), &home), expected, "{url}");
        }
    }

    #[test]
    fn redirects_stay_on_http() {
        let from = Url::parse("https://a.example/x/y").unwrap();
        let target = |text: &str| redirect_target(&from, &HeaderValue::from_str(text).unwrap());
        assert_eq!(target("../z").unwrap().as_str(), "https://a.example/z");
        assert!(target("file:///etc/passwd").is_err());
    }
}
