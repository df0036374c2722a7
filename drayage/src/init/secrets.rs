//! Takes the secrets out of settings: a reference takes the place of each, and its value becomes an entry of `.env`.

use super::setting::branches;
use contract::secret::{Dotenv, Secret, holds_reference};
use serde_json::Value;

/// An entry for `.env`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) value: Secret,
}

/// The names of variables: which are taken, and which are new.
pub(crate) struct Variables<'a> {
    account: &'a str,
    dotenv: &'a Dotenv,
    environment: &'a dyn Fn(&str) -> Option<String>,
    /// Entries that `.env` does not have yet.
    pub(crate) new: Vec<Entry>,
    /// Secrets that cannot be references, with the reason.
    pub(crate) wrong: Vec<String>,
}

impl<'a> Variables<'a> {
    /// The variables of an account, beside those of `.env` and of the environment, which would win.
    pub(crate) fn new(account: &'a str, dotenv: &'a Dotenv, environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { account, dotenv, environment, new: Vec::new(), wrong: Vec::new() }
    }

    /// Replaces every secret in `value` by a reference: what its schema marks, and texts under keys that the schema does not describe, for
    /// nobody can tell that these are none. What is a reference already stays.
    pub(crate) fn hide(&mut self, schema: &Value, value: &mut Value, path: &[&str]) {
        self.hide_by(&[schema], value, path);
    }

    /// By several schemas, all of which describe the same place. What one of them marks is a secret.
    fn hide_by(&mut self, schemas: &[&Value], value: &mut Value, path: &[&str]) {
        let schemas: Vec<&Value> = schemas.iter().copied().flat_map(with_branches).collect();
        if schemas.iter().any(|schema| schema["airbyte_secret"] == true) {
            self.hide_secret(value, path);
            return;
        }
        match value {
            Value::Object(map) => {
                for (key, item) in map.iter_mut() {
                    let path = [path, &[key.as_str()]].concat();
                    let named = schemas.iter().filter_map(|schema| schema["properties"].get(key.as_str()));
                    let mut known: Vec<&Value> = named.collect();
                    if known.is_empty() {
                        let others = schemas.iter().map(|schema| &schema["additionalProperties"]);
                        known = others.filter(|schema| schema.as_object().is_some_and(|map| !map.is_empty())).collect();
                    }
                    if known.is_empty() { self.hide_unknown(item, &path) } else { self.hide_by(&known, item, &path) }
                }
            }
            Value::Array(items) => {
                let of_items: Vec<&Value> = schemas.iter().map(|schema| &schema["items"]).collect();
                for (index, item) in items.iter_mut().enumerate() {
                    self.hide_by(&of_items, item, &[path, &[&(index + 1).to_string()]].concat());
                }
            }
            _ => {}
        }
    }

    fn hide_secret(&mut self, value: &mut Value, path: &[&str]) {
        match value {
            Value::String(text) if text.is_empty() || holds_reference(text) => {}
            Value::String(text) => *value = Value::String(format!("${{env:{}}}", self.name(path, text))),
            Value::Null => {}
            _ => self.wrong.push(format!(
                "{}: a secret that is no text cannot be a reference, and would stand in the pipeline file",
                path.join(".")
            )),
        }
    }

    /// What no schema describes: every text may be a secret. A number is taken for one if a key on its way is called like one.
    fn hide_unknown(&mut self, value: &mut Value, path: &[&str]) {
        match value {
            Value::String(_) => self.hide_secret(value, path),
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.hide_unknown(item, &[path, &[&(index + 1).to_string()]].concat());
                }
            }
            Value::Object(map) => {
                for (key, item) in map.iter_mut() {
                    self.hide_unknown(item, &[path, &[key.as_str()]].concat());
                }
            }
            Value::Number(_) if path.iter().any(|key| is_called_secret(key)) => self.hide_secret(value, path),
            _ => {}
        }
    }

    /// The variable that has this value, or a new one. One that is taken by another value is followed by a number.
    fn name(&mut self, path: &[&str], value: &str) -> String {
        let wanted = variable(&std::iter::once(&self.account).chain(path).copied().collect::<Vec<_>>());
        let mut name = wanted.clone();
        let mut number = 1;
        loop {
            let entry = self.dotenv.get(&name).map(|known| known.expose().to_owned());
            let new = self.new.iter().find(|entry| entry.name == name).map(|entry| entry.value.expose().to_owned());
            let is_there = entry.is_some() || new.is_some();
            let set = (self.environment)(&name).filter(|text| !text.is_empty());
            if [entry, new, set].iter().flatten().all(|known| known == value) {
                if !is_there {
                    self.new.push(Entry { name: name.clone(), value: Secret::new(value) });
                }
                return name;
            }
            number += 1;
            name = format!("{wanted}_{number}");
        }
    }
}

/// A schema with its alternatives and parts, theirs too.
fn with_branches(schema: &Value) -> Vec<&Value> {
    let parts = branches(schema).chain(schema["allOf"].as_array().into_iter().flatten());
    std::iter::once(schema).chain(parts.flat_map(with_branches)).collect()
}

/// Whether a key's name is one that secrets have.
fn is_called_secret(key: &str) -> bool {
    let letters = key.replace(|c: char| !c.is_ascii_alphabetic(), "").to_lowercase();
    let words =
        ["secret", "password", "passwd", "passcode", "token", "credential", "apikey", "accesskey", "privatekey"];
    words.iter().any(|word| letters.contains(word))
}

/// Words as one name of a variable: `acme-hvac`, `client_secret` → `ACME_HVAC_CLIENT_SECRET`.
fn variable(words: &[&str]) -> String {
    let name: String =
        words.join("_").chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hide(
        schema: &Value,
        value: Value,
        dotenv: &str,
        environment: &[(&str, &str)],
    ) -> (Value, Vec<(String, String)>) {
        let dotenv = Dotenv::parse(".env", dotenv).unwrap();
        let environment =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let mut variables = Variables::new("acme-hvac", &dotenv, &environment);
        let mut value = value;
        variables.hide(schema, &mut value, &[]);
        let new = variables.new.iter().map(|entry| (entry.name.clone(), entry.value.expose().to_owned()));
        (value, new.collect())
    }

    fn flat() -> Value {
        json!({"properties": {"id": {"type": "string"}, "client_secret": {"type": "string", "airbyte_secret": true}}})
    }

    #[test]
    fn secrets_become_references_and_everything_else_stays() {
        let (value, new) = hide(&flat(), json!({"id": "x", "client_secret": "hush"}), "", &[]);
        assert_eq!(value, json!({"id": "x", "client_secret": "${env:ACME_HVAC_CLIENT_SECRET}"}));
        assert_eq!(new, [("ACME_HVAC_CLIENT_SECRET".into(), "hush".into())]);
        for given in ["${env:MINE}", "${file:key.pem}", "x-${secret:projects/p/secrets/s/versions/1}", ""] {
            let (value, new) = hide(&flat(), json!({"client_secret": given}), "", &[]);
            assert_eq!((value["client_secret"].as_str(), new.len()), (Some(given), 0), "{given}");
        }
    }

    #[test]
    fn a_name_that_is_taken_is_followed_by_a_number() {
        const NAME: &str = "ACME_HVAC_CLIENT_SECRET";
        for (dotenv, environment, name, is_new) in [
            (&*format!("{NAME}=hush"), &[][..], NAME.to_owned(), false),
            (&*format!("{NAME}=other"), &[], format!("{NAME}_2"), true),
            (&*format!("{NAME}=other\n{NAME}_2=another"), &[], format!("{NAME}_3"), true),
            (&*format!("{NAME}=other\n{NAME}_2=hush"), &[], format!("{NAME}_2"), false),
            // The environment wins over .env.
            ("", &[(NAME, "other")], format!("{NAME}_2"), true),
            ("", &[(NAME, "hush")], NAME.to_owned(), true),
            (&*format!("{NAME}=hush"), &[(NAME, "other")], format!("{NAME}_2"), true),
            ("", &[(NAME, "")], NAME.to_owned(), true),
        ] {
            let (value, new) = hide(&flat(), json!({"client_secret": "hush"}), dotenv, environment);
            assert_eq!(value["client_secret"], format!("${{env:{name}}}"), "{dotenv} {environment:?}");
            assert_eq!(!new.is_empty(), is_new, "{dotenv} {environment:?}");
        }
    }

    #[test]
    fn secrets_inside_are_found() {
        let secret = json!({"type": "string", "airbyte_secret": true});
        let schema = json!({"properties": {
            "login": {"oneOf": [{"properties": {"user": {}}}, {"properties": {"token": secret}}]},
            "keys": {"type": "array", "items": secret},
            "deep": {"properties": {"er": {"properties": {"pass-word": secret}}}},
            "number": {"type": "integer", "airbyte_secret": true},
        }});
        let given =
            json!({"login": {"user": "u", "token": "t"}, "keys": ["a", "b"], "deep": {"er": {"pass-word": "p"}}});
        let (value, new) = hide(&schema, given, "", &[]);
        let names: Vec<&str> = new.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["ACME_HVAC_LOGIN_TOKEN", "ACME_HVAC_KEYS_1", "ACME_HVAC_KEYS_2", "ACME_HVAC_DEEP_ER_PASS_WORD"]
        );
        assert_eq!(value["login"]["user"], "u");
        let dotenv = Dotenv::default();
        let mut variables = Variables::new("a", &dotenv, &|_| None);
        variables.hide(&schema, &mut json!({"number": 7}), &[]);
        assert!(
            variables.wrong[0].starts_with("number: ") && !variables.wrong[0].contains('7'),
            "{:?}",
            variables.wrong
        );
        assert_eq!(variable(&["1st", "x.y"]), "_1ST_X_Y");
    }

    #[test]
    fn texts_that_no_schema_describes_are_taken_for_secrets() {
        let schema = json!({"properties": {
            "known": {"type": "string"},
            "login": {"oneOf": [{"properties": {"user": {}}}, {"allOf": [{"properties": {"name": {}}}]}]},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "headers": {"type": "object", "additionalProperties": true},
        }});
        let given = json!({
            "known": "plain", "token": "t", "region": "eu", "reference": "${env:MINE}", "empty": "", "size": 7, "on": true,
            "login": {"user": "u", "name": "n", "pat": "p"}, "labels": {"team": "x"}, "headers": {"X-Auth": "h", "list": ["a"]},
        });
        let (value, new) = hide(&schema, given, "", &[]);
        let mut names: Vec<&str> = new.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let expected = ["HEADERS_LIST_1", "HEADERS_X_AUTH", "LOGIN_PAT", "REGION", "TOKEN"];
        assert_eq!(names, expected.map(|name| format!("ACME_HVAC_{name}")));
        assert_eq!(value["token"], "${env:ACME_HVAC_TOKEN}");
        let stays = json!({"known": "plain", "reference": "${env:MINE}", "empty": "", "size": 7, "on": true, "labels": {"team": "x"}});
        for (key, text) in stays.as_object().unwrap() {
            assert_eq!(&value[key], text, "{key}");
        }
        // A number cannot become a reference; where it is called a secret it is refused.
        let dotenv = Dotenv::default();
        let mut variables = Variables::new("a", &dotenv, &|_| None);
        variables.hide(&schema, &mut json!({"extra": {"user_password": 12345}}), &[]);
        assert_eq!(variables.wrong.len(), 1);
        assert!(variables.wrong[0].starts_with("extra.user_password: ") && !variables.wrong[0].contains("12345"));
    }
}
