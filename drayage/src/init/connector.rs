//! Which connector: one that is built in, or a manifest of the user's own.

use super::ask::{Ask, Question};
use super::place::Place;
use super::stop::Stop;
use contract::landing::paths::is_safe_segment;
use extract_job::{Manifest, built_in};
use std::path::Path;
use std::rc::Rc;

/// Characters that a summary may take beside a connector's name.
const SUMMARY: usize = 60;

/// A connector as the pipeline file names it, and its manifest.
#[derive(Debug)]
pub(crate) struct Connector {
    /// Its built-in name, or a path that starts at the pipeline file.
    pub(crate) name: String,
    /// What the source is called, where the connector's own name cannot stand in a path.
    pub(crate) source: Option<String>,
    pub(crate) manifest: Manifest,
}

impl Connector {
    /// The connector of this name or path, which starts at the working directory.
    ///
    /// # Errors
    /// There is none, or its manifest cannot be used.
    pub(crate) fn open(written: &str, place: &Place) -> Result<Self, Stop> {
        let is_built_in = built_in().any(|connector| connector.name == written);
        let name = if is_built_in { written.to_owned() } else { place.seen_from_file(written)? };
        let manifest = Manifest::load(&name, &place.folder).map_err(|problems| Stop::wrong(problems.to_string()))?;
        let stem = Path::new(&name).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let source = (!is_safe_segment(&stem)).then(|| safe(&stem));
        Ok(Self { name, source, manifest })
    }

    /// Lets a person choose.
    ///
    /// # Errors
    /// The person has given up, or the manifest cannot be used.
    pub(crate) fn choose(ask: &mut dyn Ask, place: &Place) -> Result<Self, Stop> {
        let width = built_in().map(|connector| connector.name.len()).max().unwrap_or_default();
        let mut options: Vec<String> =
            built_in().map(|connector| format!("{:width$}  {}", connector.name, brief(connector.summary))).collect();
        options.push(format!("{:width$}  a manifest of my own", "other"));
        let chosen = ask.choose(&Question::new("What do you want to read?", ""), &options, 0)?;
        if let Some(connector) = built_in().nth(chosen) {
            return Self::open(connector.name, place);
        }
        let question = Question::new("Its path", "A YAML file; docs/connectors/writing.md shows how to write one.");
        let there = |text: &str| match std::fs::metadata(text.trim()) {
            Ok(found) if found.is_file() => Ok(()),
            Ok(_) => Err("this is not a file".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let path = ask.text(&question, None, Rc::new(there))?;
        Self::open(path.trim(), place)
    }
}

/// A summary on the rest of a line.
fn brief(summary: &str) -> String {
    let mut text = String::new();
    // Which version of an API it is chooses nothing.
    for word in summary.replace(" (API v2)", "").replace(" (REST API v2)", "").split_whitespace() {
        if text.chars().count() + word.chars().count() + 2 > SUMMARY {
            return text + " …";
        }
        text.push_str(if text.is_empty() { "" } else { " " });
        text.push_str(word);
    }
    text
}

/// A name that can stand in a path.
fn safe(stem: &str) -> String {
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' }).collect();
    let name: String = name.trim_start_matches('.').chars().take(128).collect();
    if name.is_empty() { "source".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_fit_on_a_line() {
        let summary = "ServiceTitan (API v2): every list and every export feed of one tenant, and reports of its own";
        assert_eq!(brief(summary), "ServiceTitan: every list and every export feed of one …");
        assert_eq!(brief("Short: all of it"), "Short: all of it");
    }

    #[test]
    fn a_name_for_paths_is_made_of_any_other() {
        for (stem, expected) in [("my api", "my_api"), (".x", "x"), ("", "source"), ("é", "_"), ("..", "source")] {
            assert_eq!(safe(stem), expected, "{stem}");
            assert!(is_safe_segment(&safe(stem)), "{stem}");
        }
    }
}
