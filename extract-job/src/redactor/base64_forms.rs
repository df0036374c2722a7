//! A secret inside a Base64 text: where it begins decides on how its bits fall into characters, so that there are three ways, in two
//! alphabets. Only the characters that the secret alone decides on are looked for; the text around them goes with them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter pieces stand in many a text by chance.
const SHORTEST: usize = 6;

/// What every Base64 text with this inside holds, each way once.
pub(super) fn inside(secret: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let bytes: Vec<u8> = std::iter::repeat_n(0, before).chain(secret.iter().copied()).collect();
        // The characters whose six bits are all the secret's.
        let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for text in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            let Some(form) = text.get(first..last).filter(|form| form.len() >= SHORTEST) else { continue };
            if !forms.iter().any(|have| have == form) {
                forms.push(form.to_owned());
            }
        }
    }
    forms
}

/// Whether a character can be part of a Base64 text.
pub(super) fn is_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}
