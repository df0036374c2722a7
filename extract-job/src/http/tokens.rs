//! The logins of one account: one token per token request, one login at a time, renewed before it expires.
//! A login that was refused is not tried again: the credentials do not get better within a run.

use super::send::SendError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A token is renewed so long before it expires, or a tenth of its life before where that is shorter.
const MARGIN: Duration = Duration::from_secs(60);

/// A token and when it stops being used.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    fresh_until: Instant,
}

impl Token {
    pub(crate) fn new(text: String, lifetime: Duration) -> Self {
        let margin = MARGIN.min(lifetime / 10);
        Self { text, fresh_until: Instant::now() + (lifetime - margin) }
    }

    /// How long it will still be used.
    #[cfg(test)]
    pub(crate) fn left(&self) -> Duration {
        self.fresh_until.saturating_duration_since(Instant::now())
    }
}

#[derive(Default)]
struct Slot {
    token: Option<Token>,
    seeded: bool,
    refused: Option<String>,
}

/// What became of a token that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forgot {
    /// There will be a new login.
    Dropped,
    /// Another request has brought a newer one already.
    Replaced,
    /// There is no login that could be renewed.
    Fixed,
}

/// The tokens of one account.
#[derive(Default)]
pub(crate) struct Tokens {
    slots: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Slot>>>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    fn slot(&self, key: &str) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(key.to_owned()).or_default().clone()
    }

    /// Puts the token under `key` that the settings bring along; only the first time, for it may have been dropped since.
    pub(crate) async fn seed(&self, key: &str, token: Token) {
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        if !slot.seeded && slot.token.is_none() {
            slot.token = Some(token);
        }
        slot.seeded = true;
    }

    /// The fresh token under `key`, after a login if need be. Who comes while a login is going on waits for it.
    pub(crate) async fn get<F>(&self, key: &str, login: impl FnOnce() -> F) -> Result<String, SendError>
    where
        F: Future<Output = Result<Token, SendError>>,
    {
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        if let Some(refused) = &slot.refused {
            return Err(SendError::Login(refused.clone()));
        }
        if let Some(token) = slot.token.as_ref().filter(|token| token.fresh_until > Instant::now()) {
            return Ok(token.text.clone());
        }
        match login().await {
            Ok(token) => Ok(slot.token.insert(token).text.clone()),
            Err(error) => {
                if let SendError::Login(refused) = &error {
                    slot.refused = Some(refused.clone());
                }
                Err(error)
            }
        }
    }

    /// Drops the token under `key` if it is the one that `is_it` knows.
    pub(crate) async fn forget(&self, key: &str, is_it: impl FnOnce(&str) -> bool) -> Forgot {
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        match &slot.token {
            Some(token) if is_it(&token.text) => {
                slot.token = None;
                Forgot::Dropped
            }
            Some(_) => Forgot::Replaced,
            // Without a duration no token is kept; or another has dropped it a moment ago.
            None => Forgot::Dropped,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    async fn log_in(count: &AtomicU32, lifetime: u64) -> Result<Token, SendError> {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
        Ok(Token::new(format!("t{number}"), Duration::from_secs(lifetime)))
    }

    #[tokio::test(start_paused = true)]
    async fn one_login_serves_all_until_it_expires() {
        let (tokens, count) = (Tokens::default(), AtomicU32::new(0));
        let all = futures::future::join_all((0..10).map(|_| tokens.get("k", || log_in(&count, 900)))).await;
        assert!(all.iter().all(|token| token.as_deref().unwrap() == "t1"));
        tokio::time::advance(Duration::from_secs(839)).await;
        assert_eq!(tokens.get("k", || log_in(&count, 900)).await.unwrap(), "t1");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(tokens.get("k", || log_in(&count, 900)).await.unwrap(), "t2", "a minute before its end");
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_token_that_failed_is_dropped() {
        let (tokens, count) = (Tokens::default(), AtomicU32::new(0));
        tokens.get("k", || log_in(&count, 900)).await.unwrap();
        tokens.forget("k", |token| token == "t0").await;
        assert_eq!(tokens.get("k", || log_in(&count, 900)).await.unwrap(), "t1");
        tokens.forget("k", |token| token == "t1").await;
        assert_eq!(tokens.get("k", || log_in(&count, 900)).await.unwrap(), "t2");
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_of_the_settings_is_used_until_it_ends_or_is_refused() {
        let (tokens, count) = (Tokens::default(), AtomicU32::new(0));
        let own = || Token::new("own".into(), Duration::from_secs(900));
        tokens.seed("k", own()).await;
        assert_eq!(tokens.get("k", || log_in(&count, 900)).await.unwrap(), "own");
        tokens.forget("k", |token| token == "own").await;
        tokens.seed("k", own()).await;
        assert_eq!(tokens.get("k", || log_in(&count, 900)).await.unwrap(), "t1");
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_without_any_time_is_used_once() {
        let (tokens, count) = (Tokens::default(), AtomicU32::new(0));
        for expected in ["t1", "t2", "t3"] {
            assert_eq!(tokens.get("k", || log_in(&count, 0)).await.unwrap(), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_remembered() {
        let (tokens, count) = (Tokens::default(), AtomicU32::new(0));
        let refuse = || async {
            count.fetch_add(1, Ordering::SeqCst);
            Err(SendError::Login("no".into()))
        };
        assert!(tokens.get("k", refuse).await.is_err());
        assert!(tokens.get("k", refuse).await.is_err());
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}
