//! A call rate policy: one of three kinds, and the matchers that say which requests it is about.
//! No matchers at all: every request. The first matcher that fits a request says its weight.

use super::expression::Scope;
use super::fixed_window_call_rate_policy::FixedWindowCallRatePolicy;
use super::http_request_regex_matcher::HttpRequestRegexMatcher;
use super::moving_window_call_rate_policy::MovingWindowCallRatePolicy;
use super::unlimited_call_rate_policy::UnlimitedCallRatePolicy;
use crate::http::budget::{Gate, Pause, Told};
use crate::http::client::Outgoing;
use crate::manifest::reader::Reader;

#[derive(Debug)]
pub(crate) struct CallRatePolicy {
    kind: Kind,
    matchers: Vec<HttpRequestRegexMatcher>,
}

#[derive(Debug)]
enum Kind {
    Moving(MovingWindowCallRatePolicy),
    Fixed(FixedWindowCallRatePolicy),
    Unlimited,
}

/// A policy at work for one account: nothing to count where it is unlimited.
#[derive(Debug)]
pub(crate) struct OpenPolicy {
    gate: Option<Gate>,
    /// One for each matcher.
    weights: Vec<usize>,
}

impl CallRatePolicy {
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        let kind = match reader.kind() {
            "MovingWindowCallRatePolicy" => MovingWindowCallRatePolicy::read(reader).map(Kind::Moving),
            "FixedWindowCallRatePolicy" => FixedWindowCallRatePolicy::read(reader).map(Kind::Fixed),
            "UnlimitedCallRatePolicy" => UnlimitedCallRatePolicy::read(reader).map(|_| Kind::Unlimited),
            _ => {
                reader.unsupported("MovingWindowCallRatePolicy, FixedWindowCallRatePolicy, UnlimitedCallRatePolicy");
                return None;
            }
        };
        let matchers = reader.children("matchers").iter().filter_map(HttpRequestRegexMatcher::read).collect();
        reader.finish();
        Some(Self { kind: kind?, matchers })
    }

    /// The policy for one account, whose settings the scope holds.
    pub(super) fn open(&self, scope: &Scope) -> Result<OpenPolicy, String> {
        let (gate, lowest) = match &self.kind {
            Kind::Moving(policy) => policy.open(scope)?,
            Kind::Fixed(policy) => policy.open(scope)?,
            Kind::Unlimited => return Ok(OpenPolicy { gate: None, weights: Vec::new() }),
        };
        let weights = self.matchers.iter().map(|matcher| matcher.weight(scope)).collect::<Result<Vec<_>, _>>()?;
        match weights.iter().find(|weight| **weight > lowest) {
            Some(weight) => {
                Err(format!("`weight` is {weight}: more than the limit of {lowest}, so it would never fit"))
            }
            None => Ok(OpenPolicy { gate: Some(gate), weights }),
        }
    }

    pub(super) fn applies(&self, request: &Outgoing) -> bool {
        self.matchers.is_empty() || self.matchers.iter().any(|matcher| matcher.matches(request))
    }

    /// Waits for the slots that a request takes, and until no pause is on.
    pub(super) async fn take(&self, open: &OpenPolicy, request: &Outgoing, pause: &Pause) {
        let Some(gate) = &open.gate else { return pause.wait().await };
        let mut weights = self.matchers.iter().zip(&open.weights);
        let weight = weights.find(|(matcher, _)| matcher.matches(request)).map_or(1, |(_, weight)| *weight);
        gate.take(weight, pause).await;
    }
}

impl OpenPolicy {
    /// Corrects the count by what the API says; an unlimited policy has nothing to correct.
    pub(super) fn heed(&self, told: Told) -> bool {
        if let Some(gate) = &self.gate {
            gate.heed(told);
        }
        self.gate.is_some()
    }
}
