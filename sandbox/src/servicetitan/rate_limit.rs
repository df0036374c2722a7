//! So many requests in any second for one application of one tenant; what comes too early is refused.
//! Refused requests do not count against the limit.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct RateLimit {
    per_second: Option<u32>,
    served: HashMap<String, VecDeque<Instant>>,
}

impl RateLimit {
    pub(crate) fn new(per_second: Option<u32>) -> Self {
        Self { per_second, served: HashMap::new() }
    }

    /// Lets a request pass, or says how many whole seconds to wait.
    pub(crate) fn admit(&mut self, tenant: &str, now: Instant) -> Result<(), u64> {
        let Some(limit) = self.per_second else { return Ok(()) };
        let served = self.served.entry(tenant.to_owned()).or_default();
        while served.front().is_some_and(|first| now.duration_since(*first) >= WINDOW) {
            served.pop_front();
        }
        if served.len() >= limit as usize {
            return Err(1);
        }
        served.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() {
        let mut limit = RateLimit::new(Some(2));
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        // milliseconds, tenant, admitted
        let cases = [
            (0, "a", true),
            (500, "a", true),
            (900, "a", false),
            (900, "b", true),
            (1000, "a", true),
            (1400, "a", false),
            (1500, "a", true),
        ];
        for (ms, tenant, admitted) in cases {
            assert_eq!(limit.admit(tenant, after(ms)).is_ok(), admitted, "{tenant} at {ms} ms");
        }
        assert!((0..1000).all(|_| RateLimit::new(None).admit("a", start).is_ok()));
    }
}
