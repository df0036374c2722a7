//! HTTPAPIBudget: how many requests an API takes; shared by all streams of an account. The first policy that matches applies.
//!
//! What the API says of its own count is heeded: a status of `status_codes_for_ratelimit_hit`, or a
//! `ratelimit_remaining_header` of 0, pauses the whole account until the time in `ratelimit_reset_header`, but no longer
//! than an hour. (The reference engine has only fixed windows heed it.) Without that time a status alone changes
//! nothing here: the error handler's waits pause the account anyway. The reset header holds seconds since 1970, or
//! milliseconds, or (below a thousand million) seconds from now, or an HTTP date.

use super::call_rate_policy::{CallRatePolicy, OpenPolicy};
use super::expression::Scope;
use crate::http::budget::{Pause, Told};
use crate::http::client::Outgoing;
use crate::http::http_date;
use crate::manifest::reader::Reader;
use contract::yaml::Kind;
use reqwest::header::HeaderMap;
use std::collections::BTreeSet;
use std::time::Duration;

/// After so long a request is risked: it learns from the answer whether the pause is over.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

#[derive(Debug, Default)]
pub(crate) struct HttpApiBudget {
    policies: Vec<CallRatePolicy>,
    reset_header: String,
    remaining_header: String,
    hit: BTreeSet<u16>,
}

/// The budget of one account at work.
#[derive(Debug)]
pub(crate) struct OpenBudget {
    policies: Result<Vec<OpenPolicy>, String>,
}

impl HttpApiBudget {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "HTTPAPIBudget" {
            reader.unsupported("HTTPAPIBudget");
            return None;
        }
        reader.required("policies");
        let policies = reader.children("policies").iter().filter_map(CallRatePolicy::read).collect();
        let header = |key: &str, default: &str| reader.text(key).unwrap_or_else(|| default.to_owned());
        let budget = Self {
            policies,
            reset_header: header("ratelimit_reset_header", "ratelimit-reset"),
            remaining_header: header("ratelimit_remaining_header", "ratelimit-remaining"),
            hit: read_statuses(reader),
        };
        reader.finish();
        Some(budget)
    }

    /// The budget for one account, whose settings the scope holds.
    pub(crate) fn open(&self, scope: &Scope) -> OpenBudget {
        OpenBudget { policies: self.policies.iter().map(|policy| policy.open(scope)).collect() }
    }

    /// Waits until the account may send this request: no pause is on, and the policy that applies has a slot for it.
    ///
    /// # Errors
    /// A setting that the budget is made of is no number.
    pub(crate) async fn take(&self, open: &OpenBudget, request: &Outgoing, pause: &Pause) -> Result<(), String> {
        match self.applying(open, request)? {
            Some((policy, open)) => policy.take(open, request, pause).await,
            None => pause.wait().await,
        }
        Ok(())
    }

    /// Takes in what an answer says of the API's own count; gives the pause that it asks of the account.
    pub(crate) fn heed(
        &self,
        open: &OpenBudget,
        request: &Outgoing,
        status: u16,
        headers: &HeaderMap,
    ) -> Option<Duration> {
        let (_, open) = self.applying(open, request).ok().flatten()?;
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let reset = text(&self.reset_header).and_then(|text| time_until(text, headers));
        let told = Told { remaining: text(&self.remaining_header).and_then(whole_number), reset };
        let is_spent = told.remaining == Some(0) || self.hit.contains(&status);
        (open.heed(told) && is_spent).then_some(reset?.min(LONGEST_PAUSE))
    }

    fn applying<'a>(
        &'a self,
        open: &'a OpenBudget,
        request: &Outgoing,
    ) -> Result<Option<(&'a CallRatePolicy, &'a OpenPolicy)>, String> {
        let open = open.policies.as_ref().map_err(|why| format!("`api_budget`: {why}"))?;
        Ok(self.policies.iter().zip(open).find(|(policy, _)| policy.applies(request)))
    }
}

fn read_statuses(reader: &Reader<'_>) -> BTreeSet<u16> {
    let key = "status_codes_for_ratelimit_hit";
    let Some(node) = reader.get(key) else { return BTreeSet::from([429]) };
    let code = |code: u64| u16::try_from(code).ok();
    let codes: Option<BTreeSet<u16>> = node.items().iter().map(|item| item.to_json().as_u64().and_then(code)).collect();
    match codes {
        Some(codes) if matches!(node.kind, Kind::Seq(_)) => codes,
        _ => {
            reader.error_at(key, "must be a list of status codes");
            BTreeSet::new()
        }
    }
}

/// The number that a text starts with: some APIs add the window to it (`0, 60;w=1`).
fn whole_number(text: &str) -> Option<usize> {
    text.trim().split([',', ';', '.', ' ']).next()?.parse().ok()
}

fn time_until(text: &str, headers: &HeaderMap) -> Option<Duration> {
    let Ok(number) = text.trim().parse::<f64>() else { return http_date::until(text, headers) };
    let since = (http_date::now(headers) - chrono::DateTime::UNIX_EPOCH).to_std().ok()?.as_secs_f64();
    let wait = match number {
        ..1e9 => number,
        ..1e12 => number - since,
        _ => number / 1000.0 - since,
    };
    Some(Duration::try_from_secs_f64(wait).unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
