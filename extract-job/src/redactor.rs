//! The last defence against secrets in logs and errors: known secret values are blotted out of any text that leaves the program.
//! The first defence is that nothing puts them there.

use std::sync::{Arc, PoisonError, RwLock};

/// Shorter values would blot out half of every text, and guard nothing.
const SHORTEST: usize = 5;

/// The secrets of one account; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    secrets: Arc<RwLock<Vec<String>>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// Learns a secret, and the form it takes inside a URL.
    pub(crate) fn add(&self, secret: &str) {
        if secret.len() < SHORTEST {
            return;
        }
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        for form in [secret.to_owned(), encoded] {
            if !secrets.contains(&form) {
                secrets.push(form);
            }
        }
        // Longest first, so that a secret inside another leaves no rest behind.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// The text without any secret.
    pub(crate) fn clean(&self, text: &str) -> String {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), "***") } else { text }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_in_every_form() {
        let redactor = Redactor::default();
        redactor.add("s3cret&more");
        redactor.add("s3cret");
        redactor.add("abc");
        assert_eq!(redactor.clean("a=s3cret%26more b=s3cret&more c=s3cret d=abc"), "a=*** b=*** c=*** d=abc");
    }
}
