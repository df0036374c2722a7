//! References to secrets in the pipeline file: `${env:NAME}`, `${file:PATH}` and `${secret:…}` (Secret Manager). They are resolved
//! late, and what they resolve to is kept in a type that neither prints nor serialises. Behind the environment stands a `.env`.

mod dotenv;
mod store;

pub use dotenv::{Dotenv, DotenvError, FILE_NAME as DOTENV};
pub use store::{SecretStore, fetch, names};

use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// A text that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Where references are looked up; a value so that tests need no environment.
pub trait SecretSource {
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;
    /// A file's content.
    ///
    /// # Errors
    /// What the system said.
    fn file(&self, path: &Path) -> std::io::Result<String>;
    /// A secret of Secret Manager, by its version's full name, or why it cannot be had; `None` if it was never asked for. Only a
    /// [`SecretStore`] has any: they are fetched beforehand, by [`fetch`].
    fn secret(&self, _name: &str) -> Option<Result<Secret, String>> {
        None
    }
    /// The `.env` that stands behind the environment: what is not set there, or empty, is looked for in it. One that cannot be used is an
    /// error of the references that would be looked for in it, and of no others.
    fn dotenv(&self) -> Option<Result<&Dotenv, &DotenvError>> {
        None
    }
}

/// A source with a `.env` behind its environment.
pub struct WithDotenv<'a> {
    from: &'a dyn SecretSource,
    dotenv: Result<&'a Dotenv, &'a DotenvError>,
}

impl<'a> WithDotenv<'a> {
    /// A source that looks into `from` first.
    pub fn new(from: &'a dyn SecretSource, dotenv: Result<&'a Dotenv, &'a DotenvError>) -> Self {
        Self { from, dotenv }
    }
}

impl SecretSource for WithDotenv<'_> {
    fn env(&self, name: &str) -> Option<String> {
        self.from.env(name)
    }

    fn file(&self, path: &Path) -> std::io::Result<String> {
        self.from.file(path)
    }

    fn secret(&self, name: &str) -> Option<Result<Secret, String>> {
        self.from.secret(name)
    }

    fn dotenv(&self) -> Option<Result<&Dotenv, &DotenvError>> {
        Some(self.dotenv)
    }
}

impl fmt::Debug for WithDotenv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WithDotenv({:?})", self.dotenv)
    }
}

/// The process's environment and the machine's files.
#[derive(Debug, Clone, Copy)]
pub struct Machine;

impl SecretSource for Machine {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> std::io::Result<String> {
        std::fs::read_to_string(path)
    }
}

/// A reference that cannot be resolved: where it stands (JSON pointer) and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unresolved {
    /// JSON pointer below the value that was given.
    pub pointer: String,
    /// What is wrong, with the reference's name.
    pub message: String,
}

/// Replaces every reference in the strings of `value`; returns it with the secrets it now holds.
/// Relative `${file:…}` paths start at `base`.
///
/// # Errors
/// All references that cannot be resolved.
pub fn resolve(value: &Value, base: &Path, from: &dyn SecretSource) -> Result<(Value, Vec<Secret>), Vec<Unresolved>> {
    let mut walk = Walk { base, from, secrets: Vec::new(), unresolved: Vec::new() };
    let resolved = walk.value(value, String::new());
    if walk.unresolved.is_empty() { Ok((resolved, walk.secrets)) } else { Err(walk.unresolved) }
}

struct Walk<'a> {
    base: &'a Path,
    from: &'a dyn SecretSource,
    secrets: Vec<Secret>,
    unresolved: Vec<Unresolved>,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value, pointer: String) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text, &pointer)),
            Value::Array(items) => {
                items.iter().enumerate().map(|(index, item)| self.value(item, format!("{pointer}/{index}"))).collect()
            }
            Value::Object(map) => Value::Object(
                map.iter().map(|(key, item)| (key.clone(), self.value(item, format!("{pointer}/{key}")))).collect(),
            ),
            other => other.clone(),
        }
    }

    fn text(&mut self, text: &str, pointer: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let after = &rest[start + 2..];
            let Some(end) = after.find('}') else {
                self.refuse(pointer, format!("the reference `{}` has no closing brace", &rest[start..]));
                return out;
            };
            match self.lookup(&after[..end]) {
                Ok(found) => {
                    out.push_str(&found);
                    self.secrets.push(Secret::new(found));
                }
                Err(message) => self.refuse(pointer, message),
            }
            rest = &after[end + 1..];
        }
        out.push_str(rest);
        out
    }

    fn lookup(&self, reference: &str) -> Result<String, String> {
        match reference.split_once(':') {
            Some(("env", name)) => self.variable(name),
            Some(("file", path)) => match self.from.file(&self.base.join(path)) {
                Ok(text) => Ok(text.trim_end_matches(['\n', '\r']).to_owned()),
                Err(error) => Err(format!("the file {path} cannot be read: {error}")),
            },
            Some(("secret", name)) => match self.from.secret(name) {
                Some(found) => found.map(|secret| secret.expose().trim_end_matches(['\n', '\r']).to_owned()),
                None => Err(format!("the secret {name} was not fetched: `${{secret:…}}` cannot stand here")),
            },
            _ => Err(format!(
                "`${{{reference}}}` is no reference; use ${{env:NAME}}, ${{file:PATH}} or ${{secret:NAME}}"
            )),
        }
    }

    /// The environment wins, unless it says nothing.
    fn variable(&self, name: &str) -> Result<String, String> {
        let set = self.from.env(name);
        if let Some(found) = set.as_ref().filter(|found| !found.is_empty()) {
            return Ok(found.clone());
        }
        let state = if set.is_some() { "is empty" } else { "is not set" };
        let dotenv = self.from.dotenv().transpose().map_err(|error| {
            format!("the environment variable {name} {state}, and the file that may hold it cannot be used: {error}")
        })?;
        let entry = dotenv.and_then(|dotenv| dotenv.get(name)).map(Secret::expose);
        match (entry, dotenv.and_then(Dotenv::place)) {
            (Some(found), _) if !found.is_empty() => Ok(found.to_owned()),
            (Some(_), Some(place)) => {
                Err(format!("the environment variable {name} {state}, and it is empty in {place}"))
            }
            (None, Some(place)) => Err(format!("the environment variable {name} {state}, and {place} has no {name}")),
            (_, None) => Err(format!("the environment variable {name} {state}")),
        }
    }

    fn refuse(&mut self, pointer: &str, message: String) {
        self.unresolved.push(Unresolved { pointer: pointer.to_owned(), message });
    }
}

/// Whether a text holds a reference to a secret, which a program resolves when it needs it.
pub fn holds_reference(text: &str) -> bool {
    let kinds = ["env", "file", "secret"];
    references(&Value::from(text)).iter().any(|reference| kinds.contains(&reference.kind.as_str()))
}

/// The names of all environment variables that the strings of a value refer to.
pub fn variables(value: &Value) -> BTreeSet<String> {
    let all = references(value).into_iter();
    all.filter(|reference| reference.kind == "env").map(|reference| reference.name).collect()
}

/// The places of all texts with references, as JSON pointers below the value.
pub fn referring(value: &Value) -> Vec<String> {
    fn walk(value: &Value, pointer: &str, found: &mut Vec<String>) {
        match value {
            Value::String(text) if holds_reference(text) => found.push(pointer.to_owned()),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| walk(item, &format!("{pointer}/{index}"), found));
            }
            Value::Object(map) => map.iter().for_each(|(key, item)| {
                walk(item, &format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

/// A reference as it stands in a text, taken apart: `${kind:name}`.
pub(crate) struct Reference {
    pub(crate) kind: String,
    pub(crate) name: String,
}

/// The references in the strings of `value`.
pub(crate) fn references(value: &Value) -> Vec<Reference> {
    match value {
        Value::String(text) => {
            let inner = text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
            let parts = inner.filter_map(|reference| reference.split_once(':'));
            parts.map(|(kind, name)| Reference { kind: kind.to_owned(), name: name.to_owned() }).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(map) => map.values().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Fixed;

    impl SecretSource for Fixed {
        fn env(&self, name: &str) -> Option<String> {
            (name == "KEY").then(|| "k-123".to_owned())
        }

        fn file(&self, path: &Path) -> std::io::Result<String> {
            if path == Path::new("/base/token") {
                Ok("t-456\n".into())
            } else {
                Err(std::io::ErrorKind::NotFound.into())
            }
        }
    }

    #[test]
    fn references_resolve_inside_texts() {
        let value = json!({"a": "${env:KEY}", "b": ["x-${file:token}-y"], "c": 3, "d": "$5"});
        let (resolved, secrets) = resolve(&value, Path::new("/base"), &Fixed).unwrap();
        assert_eq!(resolved, json!({"a": "k-123", "b": ["x-t-456-y"], "c": 3, "d": "$5"}));
        assert_eq!(secrets.iter().map(Secret::expose).collect::<Vec<_>>(), ["k-123", "t-456"]);
        assert!(!format!("{secrets:?}").contains("k-123"));
    }

    #[test]
    fn references_are_told_from_other_text() {
        for (text, expected) in [
            ("${env:X}", true),
            ("x-${file:a/b}-y", true),
            ("${secret:projects/p/secrets/s/versions/1}", true),
            ("${env:X", false),
            ("${x}", false),
            ("$env:X", false),
            ("pa$${word:x}", false),
        ] {
            assert_eq!(holds_reference(text), expected, "{text}");
        }
    }

    #[test]
    fn the_environment_wins_over_dotenv() {
        struct Set(Option<&'static str>);
        impl SecretSource for Set {
            fn env(&self, _: &str) -> Option<String> {
                self.0.map(str::to_owned)
            }
            fn file(&self, _: &Path) -> std::io::Result<String> {
                Err(std::io::ErrorKind::NotFound.into())
            }
        }
        let here = |text: &str| Dotenv::parse(".env", text).unwrap();
        let nowhere = Dotenv::default();
        for (set, dotenv, expected) in [
            (Some("set"), &here("X=entry"), Ok("set")),
            (None, &here("X=entry"), Ok("entry")),
            (Some(""), &here("X=entry"), Ok("entry")),
            (None, &nowhere, Err("the environment variable X is not set")),
            (Some(""), &nowhere, Err("the environment variable X is empty")),
            (None, &here("Y=1"), Err("the environment variable X is not set, and .env has no X")),
            (Some(""), &here("Y=1"), Err("the environment variable X is empty, and .env has no X")),
            (None, &here("X="), Err("the environment variable X is not set, and it is empty in .env")),
        ] {
            let from = Set(set);
            let resolved = resolve(&json!("${env:X}"), Path::new("."), &WithDotenv::new(&from, Ok(dotenv)));
            let found = match &resolved {
                Ok((value, _)) => Ok(value.as_str().unwrap()),
                Err(unresolved) => Err(unresolved[0].message.as_str()),
            };
            assert_eq!(found, expected, "{set:?} {:?}", dotenv.get("X").map(Secret::expose));
        }
        // One that cannot be used matters to nothing that the environment has.
        let broken = Dotenv::parse(".env", "A=1\nhush hush\n").unwrap_err();
        for (set, expected) in [(Some("set"), Ok("set")), (None, Err("is not set")), (Some(""), Err("is empty"))] {
            let from = Set(set);
            let resolved = resolve(&json!("${env:X}"), Path::new("."), &WithDotenv::new(&from, Err(&broken)));
            let found = resolved.map(|(value, _)| value).map_err(|unresolved| unresolved[0].message.clone());
            let place =
                "the file that may hold it cannot be used: .env:2: what follows the entry A cannot be read: expected";
            match expected {
                Ok(value) => assert_eq!(found, Ok(json!(value))),
                Err(state) => {
                    let message = found.unwrap_err();
                    assert!(
                        message.starts_with(&format!("the environment variable X {state}, and {place}")),
                        "{message}"
                    );
                    assert!(!message.contains("hush"), "{message}");
                }
            }
        }
    }

    #[test]
    fn all_that_is_missing_is_named() {
        let value = json!({"a": "${env:NO}", "b": ["${file:none}"], "c": "${secret:projects/p}", "d": "${x}", "e": "${env:KEY"});
        let unresolved = resolve(&value, Path::new("/base"), &Fixed).unwrap_err();
        let found: Vec<String> = unresolved.iter().map(|u| format!("{} {}", u.pointer, u.message)).collect();
        assert_eq!(found.len(), 5);
        assert_eq!(found[0], "/a the environment variable NO is not set");
        assert!(found[1].starts_with("/b/0 the file none cannot be read"));
        assert_eq!(found[2], "/c the secret projects/p was not fetched: `${secret:…}` cannot stand here");
    }
}
