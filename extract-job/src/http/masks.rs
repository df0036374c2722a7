//! What has to be blotted out by its name, because nobody knows its value: headers, parameters and fields that carry credentials.
//! The redactor knows the values of secrets; this knows where the others stand. In doubt a value is blotted out.

use regex::{Captures, Regex};
use reqwest::Url;
use serde_json::Value;
use std::sync::LazyLock;

/// What stands in place of a secret.
pub(crate) const MASK: &str = "***";

/// A word of a name that means a credential.
const WORDS: [&str; 19] = [
    "authorization",
    "auth",
    "bearer",
    "cookie",
    "secret",
    "password",
    "passwd",
    "pwd",
    "key",
    "apikey",
    "appkey",
    "token",
    "signature",
    "session",
    "credential",
    "credentials",
    "jwt",
    "sid",
    "assertion",
];
/// Tokens and keys with one of these beside them are for paging or sorting.
const HARMLESS: [&str; 8] = ["page", "next", "continuation", "continue", "sync", "sort", "partition", "cursor"];

/// Fields of answers that hold a credential whatever the API; others may be data.
static FIELDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let names = "access_?token|refresh_?token|id_?token|session_?token|client_?secret|api_?key|password|jwt";
    Regex::new(&format!(r#"(?i)("(?:{names})"\s*:\s*)"(?:[^"\\]|\\.)*""#)).ok()
});

/// Parameters of an address inside a text.
static PARAMETERS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r##"([?&])([^=&?\s<>"]+)=([^&\s<>"#]*)"##).ok());

/// Whether a header, parameter or field of this name carries a credential.
pub(crate) fn is_secret(name: &str) -> bool {
    let words = words(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    has(&WORDS) && !has(&HARMLESS)
}

/// `X-Api-Key`, `nextPageToken`, `app_key` → their words in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for character in name.chars() {
        if !character.is_alphanumeric() || (character.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = character.is_lowercase();
        if let (true, Some(word)) = (character.is_alphanumeric(), words.last_mut()) {
            word.extend(character.to_lowercase());
        }
    }
    words
}

/// The address without user name, password and the values of parameters that carry credentials.
pub(crate) fn masked_url(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() || !url.username().is_empty() {
        // Only addresses without a host refuse this, and those are never requested.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
    }
    if url.query_pairs().any(|(name, _)| is_secret(&name)) {
        let pairs: Vec<_> = url.query_pairs().map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
        url.query_pairs_mut().clear().extend_pairs(masked_pairs(&pairs));
    }
    url.to_string()
}

/// The pairs of a query or a form.
pub(crate) fn masked_pairs(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    let masked = |name: &str| is_secret(name);
    pairs.iter().map(|(name, value)| (name.as_str(), if masked(name) { MASK } else { value })).collect()
}

/// A JSON body without the texts and numbers under names that mean a credential.
pub(crate) fn masked_json(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let entries = map.iter().map(|(name, value)| match value {
                Value::String(_) | Value::Number(_) if is_secret(name) => (name.clone(), Value::from(MASK)),
                _ => (name.clone(), masked_json(value)),
            });
            Value::Object(entries.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(masked_json).collect()),
        other => other.clone(),
    }
}

/// A text, such as a Location or Link header, without the values of parameters that carry credentials.
pub(crate) fn masked_addresses(text: &str) -> String {
    let Some(parameters) = &*PARAMETERS else { return MASK.to_owned() };
    let masked = parameters.replace_all(text, |found: &Captures<'_>| {
        let value = if is_secret(&found[2]) { MASK } else { &found[3] };
        format!("{}{}={value}", &found[1], &found[2])
    });
    masked.into_owned()
}

/// The text of an answer without the fields that hold a credential whatever the API.
pub(crate) fn masked_text(text: &str) -> String {
    match &*FIELDS {
        Some(fields) => fields.replace_all(text, format!("${{1}}\"{MASK}\"")).into_owned(),
        None => MASK.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_that_carry_credentials() {
        for name in [
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "Set-Cookie",
            "X-API-Key",
            "ST-App-Key",
            "apiKey",
            "api_key",
            "key",
            "access_token",
            "X-Auth-Token",
            "client_secret",
            "sessionToken",
            "X-Signature",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["accept", "page", "nextPageToken", "page_token", "sort_key", "monkey", "author", "If-None-Match"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn values_are_blotted_out_where_they_stand() {
        let url = Url::parse("https://me:pw@a.example/x?api_key=abc&q=1+2&pageToken=t").unwrap();
        assert_eq!(masked_url(&url), "https://a.example/x?api_key=***&q=1+2&pageToken=t");
        let link = "</x?token=abc&page=2>; rel=\"next\", </y?q=1&sid=d>";
        assert_eq!(masked_addresses(link), "</x?token=***&page=2>; rel=\"next\", </y?q=1&sid=***>");
        let body = json!({"a": {"password": "p", "keys": [{"key": 1}]}, "page": 2});
        assert_eq!(masked_json(&body), json!({"a": {"password": "***", "keys": [{"key": "***"}]}, "page": 2}));
        let text = r#"{"access_token": "a\"b", "apiKey":"x", "token_type": "bearer"}"#;
        assert_eq!(masked_text(text), r#"{"access_token": "***", "apiKey":"***", "token_type": "bearer"}"#);
    }
}
