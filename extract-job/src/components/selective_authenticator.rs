//! SelectiveAuthenticator: one of several authenticators, by a value in the settings. A value that names none of them is an error.

use super::authenticator::Authenticator;
use super::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::template::Names;

#[derive(Debug)]
pub(crate) struct SelectiveAuthenticator {
    /// The setting at the path, as a template.
    selection: Expression,
    path: String,
    authenticators: Vec<(String, Authenticator)>,
}

impl SelectiveAuthenticator {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        let path: Option<Vec<&str>> = reader.required("authenticator_selection_path").map(|node| {
            let segments: Vec<&str> = node.items().iter().filter_map(|item| item.as_str()).collect();
            if segments.is_empty() || segments.len() < node.items().len() {
                reader.error_at("authenticator_selection_path", "must be a list of texts");
            }
            segments
        });
        reader.required("authenticators");
        let children = reader.named_children("authenticators");
        let count = children.len();
        let authenticators: Vec<_> =
            children.iter().filter_map(|(name, child)| Some((name.clone(), Authenticator::read(child)?))).collect();
        if reader.has("authenticators") && count == 0 {
            reader.error_at("authenticators", "must name at least one authenticator");
        }
        reader.finish();
        let path = path?;
        if path.iter().any(|segment| segment.contains(['\'', '\\', '{', '}'])) {
            reader.error_at("authenticator_selection_path", "must hold names of settings");
            return None;
        }
        let steps: String = path.iter().map(|segment| format!("['{segment}']")).collect();
        let line = reader.get("authenticator_selection_path").map_or(0, |node| node.line);
        let text = format!("{{{{ config{steps} }}}}");
        let selection = reader.parse("authenticator_selection_path", &text, Names::ANYWHERE, line)?;
        (authenticators.len() == count).then(|| Self { selection, path: path.join("."), authenticators })
    }

    /// The authenticator that the settings choose.
    pub(crate) fn select(&self, scope: &Scope) -> Result<&Authenticator, String> {
        let chosen = self.selection.text(scope).ok().filter(|chosen| !chosen.is_empty());
        let Some(chosen) = chosen else {
            return Err(format!("`authenticator_selection_path`: there is no setting `{}`", self.path));
        };
        let found = self.authenticators.iter().find(|(name, _)| *name == chosen);
        found.map(|(_, authenticator)| authenticator).ok_or_else(|| {
            let names: Vec<&str> = self.authenticators.iter().map(|(name, _)| name.as_str()).collect();
            // Not the value itself: a path that is wrong may lead to a secret.
            format!("the setting `{}` names none of the authenticators ({})", self.path, names.join(", "))
        })
    }
}
