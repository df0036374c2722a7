//! Writes down every request and answer, for authors of connectors, without secrets: known values and everything that stands
//! under the name of a credential is blotted out, and the bodies of logins are not shown at all.

use super::client::{Answer, Body, ExchangeError, Outgoing};
use super::masks::{MASK, is_secret, masked_addresses, masked_json, masked_pairs, masked_text, masked_url};
use crate::redactor::Redactor;
use contract::telemetry::harmless;
use reqwest::header::HeaderMap;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// So many characters of a body are shown.
const SHOWN: usize = 2000;
/// So many bytes of a body are searched for secrets before it is cut, so that no half of one is left at the end.
const SEARCHED: usize = 64 * 1024;

/// Where exchanges are written down; clones share it.
#[derive(Clone)]
pub(crate) struct Trace {
    out: Arc<Mutex<dyn Write + Send>>,
    count: Arc<AtomicU64>,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trace")
    }
}

/// A request that has been written down and whose answer has not.
pub(crate) struct Traced {
    trace: Trace,
    number: u64,
    redactor: Redactor,
    login: bool,
    sent: Instant,
}

impl Trace {
    /// To standard error.
    pub(crate) fn to_stderr() -> Self {
        Self::new(Arc::new(Mutex::new(std::io::stderr())))
    }

    pub(crate) fn new(out: Arc<Mutex<dyn Write + Send>>) -> Self {
        Self { out, count: Arc::default() }
    }

    /// Writes down what is about to be sent: `request` as it goes over the network, which `outgoing` has led to.
    /// On a host that is no `home`, it says that nothing of ours goes there.
    pub(crate) fn request(
        &self,
        request: &reqwest::Request,
        outgoing: &Outgoing,
        home: bool,
        redactor: &Redactor,
    ) -> Traced {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let mut text = format!("→ {number} {} {}\n", request.method(), masked_url(request.url()));
        if !home {
            paragraph(&mut text, "(another host than the source's own: sent without credentials)");
        }
        headers(&mut text, request.headers());
        if let (Some(_), Some(body)) = (request.body(), &outgoing.body) {
            let shown =
                if outgoing.login { "(a login: not shown)".to_owned() } else { cut(&redactor.clean(&body_text(body))) };
            paragraph(&mut text, &shown);
        }
        self.write(&redactor.clean(&text));
        Traced { trace: self.clone(), number, redactor: redactor.clone(), login: outgoing.login, sent: Instant::now() }
    }

    fn write(&self, text: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // What cannot be written down is no reason to stop reading.
        let _ = out.write_all(harmless(text).as_bytes()).and_then(|()| out.flush());
    }
}

impl Traced {
    /// Writes down the answer.
    pub(crate) fn answer(&self, answer: &Answer) {
        let mut text = self.status(answer.status, &answer.headers);
        let body = &*answer.body;
        if self.login && !body.is_empty() {
            paragraph(&mut text, &format!("(the answer to a login, {} bytes: not shown)", body.len()));
        } else if !body.is_empty() {
            let searched = String::from_utf8_lossy(body.get(..SEARCHED).unwrap_or(body));
            let clean = masked_text(&self.redactor.clean(&searched));
            let mut shown: String = clean.chars().take(SHOWN).collect();
            if shown.len() < clean.len() || body.len() > SEARCHED {
                let _ = write!(shown, "… ({} bytes in all)", body.len());
            }
            paragraph(&mut text, &shown);
        }
        self.trace.write(&self.redactor.clean(&text));
    }

    /// Writes down an answer that leads elsewhere.
    pub(crate) fn redirect(&self, status: u16, headers: &HeaderMap) {
        self.trace.write(&self.redactor.clean(&self.status(status, headers)));
    }

    /// Writes down that no answer has come.
    pub(crate) fn failure(&self, error: &ExchangeError) {
        let text = format!("← {} failed after {} ms: {error}\n", self.number, self.sent.elapsed().as_millis());
        self.trace.write(&self.redactor.clean(&text));
    }

    fn status(&self, status: u16, map: &HeaderMap) -> String {
        let mut text = format!("← {} {status} in {} ms\n", self.number, self.sent.elapsed().as_millis());
        headers(&mut text, map);
        text
    }
}

fn headers(text: &mut String, map: &HeaderMap) {
    for (name, value) in map {
        let shown = String::from_utf8_lossy(value.as_bytes());
        let value = if is_secret(name.as_str()) { MASK.to_owned() } else { masked_addresses(&shown) };
        let _ = writeln!(text, "    {name}: {value}");
    }
}

fn body_text(body: &Body) -> String {
    match body {
        Body::Json(value) => masked_json(value).to_string(),
        Body::Form(pairs) => {
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(masked_pairs(pairs)).finish()
        }
        Body::Text(text) => masked_text(text),
    }
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(SEARCHED).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Indents a text, so that the next request stands out.
fn paragraph(text: &mut String, content: &str) {
    for line in content.lines() {
        let _ = writeln!(text, "    {line}");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
