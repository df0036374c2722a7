//! KeysToSnakeCase: all keys, nested ones included, in snake_case: words are runs of capitals, capitalised words and digits.

use super::transformation::rename;
use crate::record::tree::Tree;
use regex::Regex;
use std::sync::LazyLock;

/// A run of capitals before a capitalised word, a word, digits, or what stands between words.
#[allow(clippy::unwrap_used, reason = "a constant expression")]
static TOKENS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d*[A-Z]+[a-z]*\d*|\d*[a-z]+\d*|\d+|[^A-Za-z0-9]").unwrap());

pub(crate) fn apply(tree: &mut Tree) {
    match tree {
        Tree::Map(entries) => {
            rename(entries, snake_case);
            entries.iter_mut().for_each(|(_, value)| apply(value));
        }
        Tree::List(items) => items.iter_mut().for_each(apply),
        Tree::Scalar(_) => {}
    }
}

fn snake_case(name: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for token in TOKENS.find_iter(name) {
        let text = token.as_str();
        if text.chars().all(|c| !c.is_ascii_alphanumeric()) {
            continue;
        }
        words.extend(split_capitals(text));
    }
    let mut name = words.join("_").to_lowercase();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

/// `HTTPServer` is two words, `iD` is two, `userId` is two.
fn split_capitals(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let mut words = vec![String::new()];
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(index + 1);
        let starts = letter.is_ascii_uppercase()
            && (before.is_some_and(char::is_ascii_lowercase)
                || (before.is_some_and(char::is_ascii_uppercase) && after.is_some_and(char::is_ascii_lowercase)));
        if starts {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(*letter);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words() {
        let cases = [
            ("userId", "user_id"),
            ("HTTPServer", "http_server"),
            ("already_snake", "already_snake"),
            ("With Space-and.dots", "with_space_and_dots"),
            ("1st", "_1st"),
        ];
        for (name, expected) in cases {
            assert_eq!(snake_case(name), expected, "{name}");
        }
    }
}
