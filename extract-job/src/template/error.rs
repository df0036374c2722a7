//! What can be wrong with a template, when it is loaded and when it is rendered.
//! Guarantees: messages name the template, which is the manifest author's text, and never a value of a record.

use std::error::Error as _;

use minijinja::ErrorKind;
use thiserror::Error;

use super::engine::Reason;

/// The longest piece of a template that a message shows, in characters.
const SHOWN: usize = 120;

/// A template that cannot be used, or not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the template `{template}` {fault}")]
pub(crate) struct TemplateError {
    template: String,
    fault: Fault,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Fault {
    #[error("is not valid: {0}")]
    Syntax(String),
    #[error("uses the unknown {what} `{name}`{}", near.as_ref().map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default())]
    Unknown { what: &'static str, name: String, near: Option<String> },
    #[error("uses `{name}`, which is not available here (available: {available})")]
    NotHere { name: String, available: String },
    #[error("uses {0}, which is not supported")]
    Unsupported(String),
    #[error("uses a value that is not defined")]
    Undefined,
    #[error("cannot be evaluated: {0}")]
    Failed(String),
}

impl TemplateError {
    pub(super) fn new(template: &str, fault: Fault) -> TemplateError {
        let mut shown: String = template.chars().take(SHOWN).collect();
        if shown.len() < template.len() {
            shown.push('…');
        }
        TemplateError { template: shown, fault }
    }
}

impl From<minijinja::Error> for Fault {
    fn from(error: minijinja::Error) -> Fault {
        // Known methods alone pass the check, so an unknown one is an attribute that this value does not have: undefined.
        if matches!(error.kind(), ErrorKind::UndefinedError | ErrorKind::UnknownMethod) {
            return Fault::Undefined;
        }
        let mut source = error.source();
        while let Some(inner) = source {
            if let Some(Reason(reason)) = inner.downcast_ref() {
                return Fault::Failed(reason.clone());
            }
            if let Some(inner) = inner.downcast_ref::<minijinja::Error>()
                && matches!(inner.kind(), ErrorKind::UndefinedError | ErrorKind::UnknownMethod)
            {
                return Fault::Undefined;
            }
            source = inner.source();
        }
        // The engine's own detail could show a value; its kind cannot.
        Fault::Failed(match error.kind() {
            ErrorKind::OutOfFuel => "it needs too many steps".to_owned(),
            kind => kind.to_string(),
        })
    }
}
