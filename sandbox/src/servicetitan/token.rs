//! The token endpoint's memory: who may log in, which tokens are good and until when.
//! Every token is unique and belongs to one application of one or more tenants.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Tenant;
use super::dice::mix;

#[derive(Debug)]
pub(crate) struct Tokens {
    seed: u64,
    lifetime: Duration,
    issued: u64,
    good: HashMap<String, Grant>,
}

#[derive(Debug)]
struct Grant {
    client_id: String,
    until: Instant,
}

impl Tokens {
    pub(crate) fn new(seed: u64, lifetime: Duration) -> Self {
        Self { seed, lifetime, issued: 0, good: HashMap::new() }
    }

    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    pub(crate) fn issue(&mut self, client_id: &str) -> String {
        let now = Instant::now();
        self.good.retain(|_, grant| grant.until > now);
        self.issued += 1;
        let token = format!("sandbox.{}.{:016x}", self.issued, mix(self.seed, self.issued));
        let grant = Grant { client_id: client_id.to_owned(), until: now + self.lifetime };
        self.good.insert(token.clone(), grant);
        token
    }

    /// Whether the value of an `Authorization` header lets its sender read this tenant.
    pub(crate) fn allows(&self, authorization: Option<&str>, tenant: &Tenant) -> bool {
        let token = authorization.and_then(|value| value.strip_prefix("Bearer "));
        token
            .and_then(|token| self.good.get(token))
            .is_some_and(|grant| grant.client_id == tenant.client_id && grant.until > Instant::now())
    }

    /// Forgets one token, or all of them.
    pub(crate) fn drop_token(&mut self, authorization: Option<&str>) {
        match authorization.and_then(|value| value.strip_prefix("Bearer ")) {
            Some(token) => drop(self.good.remove(token)),
            None => self.good.clear(),
        }
    }

    pub(crate) fn drop_all(&mut self) {
        self.good.clear();
    }
}
