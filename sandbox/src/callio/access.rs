//! Which tokens are good, whose they are and until when. Every login gives a new one; the earlier ones stay good.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::servicetitan::dice::mix;

#[derive(Debug)]
pub(crate) struct Tokens {
    seed: u64,
    lifetime: Duration,
    issued: u64,
    good: HashMap<String, (usize, Instant)>,
}

impl Tokens {
    pub(crate) fn new(seed: u64, lifetime: Duration) -> Self {
        Self { seed, lifetime, issued: 0, good: HashMap::new() }
    }

    pub(crate) fn issue(&mut self, account: usize) -> String {
        let now = Instant::now();
        self.good.retain(|_, (_, until)| *until > now);
        self.issued += 1;
        let token = format!("sandbox.{}.{:016x}", self.issued, mix(self.seed, self.issued));
        self.good.insert(token.clone(), (account, now + self.lifetime));
        token
    }

    /// The account that a token opens.
    pub(crate) fn account(&self, token: &str) -> Option<usize> {
        self.good.get(token).filter(|(_, until)| *until > Instant::now()).map(|(account, _)| *account)
    }

    pub(crate) fn drop_token(&mut self, token: &str) {
        self.good.remove(token);
    }

    pub(crate) fn drop_all(&mut self) {
        self.good.clear();
    }
}
