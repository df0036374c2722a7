//! KeysToSnakeCase: keys in snake_case, nested ones included, but not those inside of lists. Words are capitals with the small letters
//! after them, small letters, and numbers; letters outside of ASCII are spelled in it first.

use super::transformation::rename;
use crate::record::tree::Tree;
use deunicode::deunicode;
use regex::Regex;
use std::sync::LazyLock;

#[allow(clippy::unwrap_used, reason = "a constant expression")]
static TOKENS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[A-Z]+[a-z]*|[a-z]+|[0-9]+|([^a-zA-Z0-9]+)").unwrap());

pub(crate) fn apply(tree: &mut Tree) {
    if let Tree::Map(entries) = tree {
        rename(entries, snake_case);
        entries.iter_mut().for_each(|(_, value)| apply(value));
    }
}

fn snake_case(name: &str) -> String {
    let name = deunicode(name);
    // What stands between words counts only at the ends, where it leaves an underscore.
    let tokens: Vec<&str> = TOKENS
        .captures_iter(&name)
        .map(|found| if found.get(1).is_some() { "" } else { found.get(0).map_or("", |token| token.as_str()) })
        .collect();
    let last = tokens.len().saturating_sub(1);
    let kept = tokens.iter().enumerate().filter(|(at, token)| *at == 0 || *at == last || !token.is_empty());
    let mut words: Vec<&str> = kept.map(|(_, token)| *token).collect();
    if words.first().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit())) {
        words.insert(0, "");
    }
    words.join("_").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words() {
        let cases = [
            ("userId", "user_id"),
            ("HTTPServer", "httpserver"),
            ("already_snake", "already_snake"),
            ("With Space-and.dots", "with_space_and_dots"),
            ("9Lives", "_9_lives"),
            ("num1Key", "num_1_key"),
            ("été", "ete"),
        ];
        for (name, expected) in cases {
            assert_eq!(snake_case(name), expected, "{name}");
        }
    }
}
