//! A case: a manifest, the settings it is read with, and the script of the server that it talks to.
//! `$URL` stands for the server's address, which is another one for each engine.

use sandbox::scripted::{Route, URL};
use serde::Deserialize;
use serde_json::{Map, Value};

/// One file of `cases/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    #[serde(skip)]
    text: String,
    /// What the case is there for.
    pub(super) about: String,
    /// The script.
    pub(super) server: Vec<Route>,
    manifest: Value,
    #[serde(default = "empty")]
    config: Value,
    /// {stream: state} of the first run.
    #[serde(default = "empty")]
    pub(super) state: Value,
    /// Which streams are read; all if none are named.
    #[serde(default)]
    pub(super) streams: Vec<String>,
    /// How often it is read; each run starts with the state that the one before has left.
    #[serde(default = "once")]
    pub(super) runs: usize,
    /// The order of requests counts too.
    #[serde(default)]
    pub(super) ordered: bool,
    /// The waits before further tries count too.
    #[serde(default)]
    pub(super) waits: bool,
    /// Paths whose answers may be kept or asked for again (parents): the same request counts once, however often it comes.
    #[serde(default)]
    pub(super) once: Vec<String>,
    /// Some requests are meant to find no route.
    #[serde(default)]
    pub(super) holes: bool,
    /// Also compare these headers, which requests have on their own.
    #[serde(default)]
    pub(super) headers: Vec<String>,
}

fn empty() -> Value {
    Value::Object(Map::new())
}

fn once() -> usize {
    1
}

impl Case {
    /// Reads `cases/<name>.yaml`.
    pub(super) fn load(name: &str) -> Self {
        let path = super::folder().join("cases").join(format!("{name}.yaml"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::of(name, &text)
    }

    pub(super) fn of(name: &str, text: &str) -> Self {
        let node = contract::yaml::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let case: Self = serde_json::from_value(node.to_json()).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { text: text.to_owned(), ..case }
    }

    /// The whole file as text, for the reference engine, which has a YAML reader of its own.
    pub(super) fn text(&self, url: &str) -> String {
        self.text.replace(URL, url)
    }

    pub(super) fn manifest(&self, url: &str) -> String {
        // One key a line, so that our messages name lines that help.
        format!("{:#}", self.manifest).replace(URL, url)
    }

    pub(super) fn config(&self, url: &str) -> String {
        self.config.to_string().replace(URL, url)
    }
}
