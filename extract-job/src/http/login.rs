//! The exchange with a token endpoint: what is worth another try is tried again, what is refused is not.
//! Of an answer's body no message shows more than the two fields that the standard gives errors: it may repeat what was sent.

use super::account::Account;
use super::client::{Answer, ExchangeError, Outgoing};
use super::retry::{Tries, retry_after_of};
use super::send::SendError;
use super::tokens::Token;
use serde_json::Value;

const RETRIES: u32 = 5;

/// Sends the request for a token until there is an answer that counts. `read` finds the token in it; `expected` names what it looks for.
///
/// # Errors
/// [`SendError::Login`] if the credentials are refused, [`SendError::LoginUnavailable`] if no try has come to an answer.
pub(crate) async fn log_in(
    account: &Account,
    outgoing: &Outgoing,
    expected: &str,
    read: impl Fn(&Answer) -> Option<Token>,
) -> Result<Token, SendError> {
    let mut tries = Tries::new(account.waits, RETRIES);
    loop {
        let (why, retry_after) = match account.exchange(outgoing, 0).await {
            Ok(answer) if (200..300).contains(&answer.status) => match read(&answer) {
                Some(token) => {
                    account.redactor.add(&token.text);
                    tracing::debug!(account = %account.label, "logged in");
                    return Ok(token);
                }
                None => match error_words(&answer.body) {
                    words if words.is_empty() => (format!("the answer holds no `{expected}`"), None),
                    // Some APIs refuse with a 200.
                    words => {
                        let why = format!("the answer holds no `{expected}`: {words}");
                        return Err(SendError::Login(account.redactor.clean(&why)));
                    }
                },
            },
            Ok(answer) if matches!(answer.status, 408 | 429 | 500..) => {
                (format!("the token endpoint answered {}", answer.status), retry_after_of(&answer.headers))
            }
            Ok(answer) => return Err(SendError::Login(refusal(account, &answer))),
            Err(ExchangeError::Refused(why)) => return Err(SendError::Login(account.redactor.clean(&why))),
            Err(ExchangeError::Transport(why)) => (why, None),
        };
        // Without its query, where the credentials may be.
        let mut endpoint = outgoing.url.clone();
        endpoint.set_query(None);
        let why = account.redactor.clean(&format!("{endpoint}: {why}"));
        tries.again(None, retry_after, &why).await.map_err(SendError::LoginUnavailable)?;
        tracing::warn!(account = %account.label, reason = %why, "login failed, trying again");
    }
}

fn refusal(account: &Account, answer: &Answer) -> String {
    let words = error_words(&answer.body);
    let words = if words.is_empty() { words } else { format!(": {words}") };
    account.redactor.clean(&format!("the token endpoint refused the credentials ({}{words})", answer.status))
}

/// What the two fields for errors say; empty if there are none.
pub(crate) fn error_words(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let words: Vec<&str> =
        ["error", "error_description"].iter().filter_map(|field| body.get(field)?.as_str()).collect();
    words.join(", ")
}
