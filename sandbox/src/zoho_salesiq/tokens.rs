//! The login's memory: which tokens are good and until when, and how many were asked for lately.
//! At most so many tokens in a window, and at most fifteen live ones: the sixteenth ends the oldest.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::servicetitan::dice::mix;

const LIVE: usize = 15;

#[derive(Debug)]
pub(crate) struct Tokens {
    seed: u64,
    lifetime: Duration,
    per_window: usize,
    window: Duration,
    issued: u64,
    /// When tokens were given out, oldest first; only the current window is kept.
    recent: VecDeque<Instant>,
    live: VecDeque<(String, Instant)>,
}

impl Tokens {
    pub(crate) fn new(seed: u64, lifetime: Duration, per_window: usize, window: Duration) -> Self {
        let (recent, live) = (VecDeque::new(), VecDeque::new());
        Self { seed, lifetime, per_window, window, issued: 0, recent, live }
    }

    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A new token, or nothing when too many were asked for.
    pub(crate) fn issue(&mut self, now: Instant) -> Option<String> {
        while self.recent.front().is_some_and(|first| now.duration_since(*first) >= self.window) {
            self.recent.pop_front();
        }
        if self.recent.len() >= self.per_window {
            return None;
        }
        self.recent.push_back(now);
        self.issued += 1;
        let token = format!("1000.{:016x}.{}", mix(self.seed, self.issued), self.issued);
        if self.live.len() == LIVE {
            self.live.pop_front();
        }
        self.live.push_back((token.clone(), now + self.lifetime));
        Some(token)
    }

    pub(crate) fn is_good(&self, token: &str, now: Instant) -> bool {
        self.live.iter().any(|(other, until)| other == token && *until > now)
    }

    pub(crate) fn drop_token(&mut self, token: &str) {
        self.live.retain(|(other, _)| other != token);
    }

    pub(crate) fn drop_all(&mut self) {
        self.live.clear();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ten_in_ten_minutes_and_fifteen_live() {
        let minute = Duration::from_secs(60);
        let start = Instant::now();
        let mut tokens = Tokens::new(1, 60 * minute, 10, 10 * minute);
        let first: Vec<_> = (0..10).map(|_| tokens.issue(start).unwrap()).collect();
        assert_eq!(tokens.issue(start + 9 * minute), None);
        let later = start + 10 * minute;
        let next: Vec<_> = (0..6).map(|_| tokens.issue(later).unwrap()).collect();
        assert!(!tokens.is_good(&first[0], later), "the sixteenth ends the first");
        assert!(first[1..].iter().chain(&next).all(|token| tokens.is_good(token, later)));
        assert!(!tokens.is_good(&first[1], start + 60 * minute));
        assert!(tokens.is_good(&next[0], start + 60 * minute));
        tokens.drop_token(&next[0]);
        assert!(!tokens.is_good(&next[0], later) && tokens.is_good(&next[1], later));
        tokens.drop_all();
        assert!(!tokens.is_good(&next[1], later));
    }
}
