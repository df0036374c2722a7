//! HTTPAPIBudget: how many requests an API takes; shared by all streams of an account. The first policy that matches applies.

use super::moving_window_call_rate_policy::MovingWindowCallRatePolicy;
use crate::http::budget::MovingWindows;
use crate::manifest::reader::Reader;
use reqwest::{Method, Url};

#[derive(Debug, Default)]
pub(crate) struct HttpApiBudget {
    policies: Vec<MovingWindowCallRatePolicy>,
}

impl HttpApiBudget {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "HTTPAPIBudget" {
            reader.unsupported("HTTPAPIBudget");
            return None;
        }
        reader.required("policies");
        let policies = reader.children("policies").iter().filter_map(MovingWindowCallRatePolicy::read).collect();
        // The sender pauses the whole account after a 429 anyway, whatever these headers say.
        reader.accept(&["ratelimit_reset_header", "ratelimit_remaining_header", "status_codes_for_ratelimit_hit"]);
        reader.finish();
        Some(Self { policies })
    }

    /// The state of the budget for one account.
    pub(crate) fn open(&self) -> Vec<MovingWindows> {
        self.policies.iter().map(|policy| MovingWindows::new(&policy.rates)).collect()
    }

    /// Waits for a slot of the policy that applies to the request.
    pub(crate) async fn take(&self, windows: &[MovingWindows], method: &Method, url: &Url) {
        let found = self.policies.iter().zip(windows).find(|(policy, _)| policy.applies(method, url));
        if let Some((_, windows)) = found {
            windows.take().await;
        }
    }
}
