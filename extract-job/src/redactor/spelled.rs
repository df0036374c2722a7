//! For tests: secrets, and every spelling that an API, a proxy or a log may give one back in.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::fmt::Write as _;

/// Percent-encoded but for letters, digits, `-._~` and what is named.
fn percent(text: &str, kept: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let is_kept = byte.is_ascii_alphanumeric() || "-._~".contains(char::from(byte));
        if is_kept || (byte.is_ascii() && kept.contains(char::from(byte))) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn form(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted[1..quoted.len() - 1].to_owned()
}

/// JSON of bare ASCII, as Python writes it.
fn ascii_json(text: &str) -> String {
    let mut out = String::new();
    for character in json(text).chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#x27;")
}

fn numbered_html(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("&#{};", c as u32) }).collect()
}

fn debug(text: &str) -> String {
    let quoted = format!("{text:?}");
    quoted[1..quoted.len() - 1].to_owned()
}

/// Name, and the spelling of a secret.
pub(crate) fn spellings(secret: &str) -> Vec<(&'static str, String)> {
    vec![
        ("as it is", secret.to_owned()),
        ("as a form", form(secret)),
        ("percent-encoded", percent(secret, "")),
        ("percent-encoded but for slashes", percent(secret, "/")),
        ("percent-encoded in lower case", percent(secret, "").to_ascii_lowercase()),
        ("as a URL's path", percent(secret, "/+=:@&$,;!'()*")),
        ("percent-encoded twice", percent(&percent(secret, ""), "")),
        ("JSON", json(secret)),
        ("JSON of ASCII", ascii_json(secret)),
        ("JSON with slashes escaped", json(secret).replace('/', "\\/")),
        ("JSON within JSON", json(&json(secret))),
        ("JSON within a form", form(&json(secret))),
        ("HTML", html(secret)),
        ("HTML by numbers", numbered_html(secret)),
        ("HTML within JSON", json(&html(secret))),
        ("debug text", debug(secret)),
        ("Base64", STANDARD.encode(secret)),
        ("Base64 for URLs", URL_SAFE_NO_PAD.encode(secret)),
        ("Basic", STANDARD.encode(format!("me:{secret}"))),
        ("Basic of a longer user", STANDARD.encode(format!("user:{secret}"))),
        ("Basic of the longest user", STANDARD.encode(format!("admin:{secret}"))),
        ("Basic, percent-encoded", percent(&STANDARD.encode(format!("user:{secret}")), "")),
        ("Basic in JSON", json(&STANDARD.encode(format!("me:{secret}"))).replace('/', "\\/")),
    ]
}
