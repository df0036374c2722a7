//! The SQL templates of a warehouse's folder in `sql/`, rendered. What differs between warehouses is how names and texts are quoted.

use super::WarehouseError;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value;

/// How a warehouse quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quoting {
    /// An identifier.
    pub(super) identifier: fn(&str) -> String,
    /// A text literal.
    pub(super) literal: fn(&str) -> String,
}

/// A warehouse's templates, each by its file's name without `.sql`.
pub(super) struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// `files` are names and texts. Values never go into the text, but for the few places that take no parameter.
    ///
    /// `{{ name | id }}` quotes an identifier, `{{ names | path }}` a list of them, `{{ text | lit }}` a text, `{{ text | lit_timestamp }}` an
    /// instant. A name that is not given is an error.
    pub(super) fn new(files: &[(&'static str, &'static str)], quoting: Quoting) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        // Block tags stand on lines of their own and leave none behind. The default delimiters always build.
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        let Quoting { identifier, literal } = quoting;
        environment.add_filter("id", move |text: String| identifier(&text));
        environment.add_filter("path", move |parts: Vec<String>| {
            parts.iter().map(|part| identifier(part)).collect::<Vec<_>>().join(".")
        });
        environment.add_filter("lit", move |text: String| literal(&text));
        environment.add_filter("lit_timestamp", move |text: String| format!("TIMESTAMP {}", literal(&text)));
        for (name, text) in files {
            // A template that does not parse shows at its first use, and in a test.
            let _ = environment.add_template(name, text);
        }
        Self { environment }
    }

    /// Renders a template.
    pub(super) fn render(&self, name: &str, context: &Value) -> Result<String, WarehouseError> {
        let failed = |error: minijinja::Error| WarehouseError::Statement {
            what: format!("render the statement {name}.sql"),
            message: format!("{error:#}"),
        };
        self.environment
            .get_template(name)
            .and_then(|template| template.render(minijinja::Value::from(Serde(context))))
            .map_err(failed)
    }
}

/// One context and what is added to it.
pub(super) fn with(names: &Value, more: Value) -> Value {
    let mut all = names.clone();
    if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
        all.extend(more);
    }
    all
}

/// Whether the templates are those of a folder, and whether all of them parse.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) fn check_folder(folder: &str, files: &[(&str, &str)]) {
    let folder = format!("{}/../sql/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    found.sort();
    let mut names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(found, names);
    for (name, text) in files {
        Environment::new().add_template(name, text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
