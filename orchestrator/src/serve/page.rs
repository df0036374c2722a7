//! The page to look at: one HTML text without anything from elsewhere, fresh every few seconds.
//! Everything that is not written here goes through [`escape`].

use super::book::{Ended, Running};
use chrono::{DateTime, SecondsFormat, Utc};
use contract::lease::LeaseFile;
use contract::stored::Latest;

/// What is on it.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) pipeline: &'a str,
    pub(super) running: Option<&'a Running>,
    /// The lease, if somebody holds it.
    pub(super) lease: Option<&'a LeaseFile>,
    pub(super) ended: &'a [Ended],
    pub(super) latest: Option<&'a Latest>,
    /// Whether runs can be started and seen only with a token.
    pub(super) asks_for_token: bool,
    /// Whether the runs may be shown to whoever asks.
    pub(super) shows_runs: bool,
    /// Allows the page's own script, and no other.
    pub(super) nonce: &'a str,
}

/// The header that keeps everything out that is not on the page.
pub(super) fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    )
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2733}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #d5dce3;\
vertical-align:top}code{font-size:.9em}button,input{font:inherit;padding:.3rem .8rem}.done{color:#176b3a}.partly_failed{color:#9a5b00}\
.failed,.interrupted{color:#b3261e}#said{white-space:pre-wrap}";

const SCRIPT: &str = r#"
const at = id => document.getElementById(id);
const headers = () => { const t = at('token'); return t && t.value ? {authorization: 'Bearer ' + t.value} : {}; };
const say = text => { at('said').textContent = text; };
async function look() {
  try {
    const answer = await fetch('/', {headers: headers()});
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    at('state').replaceWith(document.importNode(page.getElementById('state'), true));
  } catch { say('This server does not answer.'); }
}
at('run').addEventListener('click', async () => {
  at('run').disabled = true;
  try {
    const answer = await fetch('/run', {method: 'POST', headers: headers()});
    const told = await answer.json();
    say(answer.status === 202 ? 'Run ' + told.run_id + ' has begun.' : told.message);
    await look();
  } catch { say('This server does not answer.'); }
  at('run').disabled = false;
});
setInterval(look, 5000);
"#;

impl Page<'_> {
    /// The page.
    pub(super) fn html(&self) -> String {
        let (pipeline, nonce) = (escape(self.pipeline), escape(self.nonce));
        let token = if self.asks_for_token {
            "<label>Token: <input id=\"token\" type=\"password\" autocomplete=\"off\"></label> "
        } else {
            ""
        };
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{pipeline} - Drayage</title>\
             <meta name=\"viewport\" content=\"width=device-width\"><style nonce=\"{nonce}\">{STYLE}</style></head>\n\
             <body><h1>{pipeline}</h1>\n<p>{token}<button id=\"run\">Run now</button> <span id=\"said\" role=\"status\"></span></p>\n\
             {}<script nonce=\"{nonce}\">{SCRIPT}</script></body></html>\n",
            self.state()
        )
    }

    /// The part that changes.
    fn state(&self) -> String {
        let running = match (self.running, self.lease) {
            (Some(_), _) if !self.shows_runs => "<p>A run is going on.</p>".to_owned(),
            (Some(run), _) => {
                format!("<p>Run {} is going on since {}.</p>", link(run.run_id.as_str()), time(run.started_at))
            }
            (None, Some(lease)) => format!(
                "<p>Run {} was started elsewhere ({} on {}) and holds the lease; its last sign of life was at {}.</p>",
                link(lease.run_id.as_str()),
                escape(&lease.holder.program),
                escape(&lease.holder.host),
                time(lease.renewed_at)
            ),
            (None, None) => "<p>No run is going on.</p>".to_owned(),
        };
        let runs = if self.shows_runs { self.runs() } else { String::new() };
        format!("<div id=\"state\">{running}\n{runs}</div>\n")
    }

    fn runs(&self) -> String {
        let row = |run: &Ended| {
            let status = escape(&status(run));
            format!(
                "<tr><td>{}</td><td class=\"{status}\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                link(run.run_id.as_str()),
                status.replace('_', " "),
                time(run.started_at),
                time(run.finished_at),
                escape(&run.told)
            )
        };
        let rows: String = self.ended.iter().map(row).collect();
        let table = format!(
            "<h2>Last runs of this server</h2>\n<table><tr><th>run<th>status<th>start<th>end<th></tr>\n{rows}</table>\n"
        );
        let table = if self.ended.is_empty() { String::new() } else { table };
        let latest = self.latest.map_or_else(String::new, |latest| {
            let (run, time) = (link(latest.run_id.as_str()), time(latest.finished_at));
            format!("<p>The newest run whose extract has finished: {run}, {time}.</p>\n")
        });
        format!("{table}{latest}")
    }
}

fn status(run: &Ended) -> String {
    // The word in reports.
    run.report["status"].as_str().unwrap_or_default().to_owned()
}

fn link(run_id: &str) -> String {
    let run_id = escape(run_id);
    format!("<a href=\"/runs/{run_id}\"><code>{run_id}</code></a>")
}

fn time(at: DateTime<Utc>) -> String {
    escape(&at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// A text as the content of an element or of a quoted attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::RunError;
    use contract::run_id::RunId;

    fn html(shows_runs: bool) -> String {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let run_id: RunId = "20260131T235900Z-a1b2c3".parse().unwrap();
        let running = Running { run_id: run_id.clone(), started_at: at("2026-01-31T23:59:00Z"), only: None };
        let ended = [Ended::of(&running, &Err(RunError::Usage("<script>alert('x')</script>".into())))];
        let latest = Latest { run_id, finished_at: at("2026-01-31T23:59:30Z"), durations_ms: Default::default() };
        let page = Page {
            pipeline: "<b>\"p\" & q.yaml",
            running: Some(&running),
            lease: None,
            ended: &ended,
            latest: Some(&latest),
            asks_for_token: !shows_runs,
            shows_runs,
            nonce: "n0nce",
        };
        page.html()
    }

    #[test]
    fn everything_is_escaped_and_nothing_comes_from_elsewhere() {
        let html = html(true);
        assert!(html.contains("<h1>&lt;b&gt;&quot;p&quot; &amp; q.yaml</h1>"), "{html}");
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"), "{html}");
        assert!(html.contains("<td class=\"failed\">failed</td>"), "{html}");
        assert_eq!(html.matches("<script").count(), 1);
        assert_eq!(html.matches("nonce=\"n0nce\"").count(), 2);
        for elsewhere in ["http:", "https:", "src=", "@import", "url("] {
            assert!(!html.contains(elsewhere), "{elsewhere}");
        }
        assert!(html.contains("is going on since 2026-01-31T23:59:00Z") && !html.contains("id=\"token\""));
    }

    #[test]
    fn who_is_not_known_sees_no_runs() {
        let html = html(false);
        assert!(html.contains("A run is going on.") && html.contains("id=\"token\""), "{html}");
        assert!(!html.contains("a1b2c3"), "{html}");
    }
}
