//! Where something lies: on this machine or in Cloud Storage. A text is parsed once, and a scheme that is neither is refused by name, for
//! a path would make a folder of that name.

use std::fmt;
use std::path::Path;

/// The scheme of Cloud Storage.
const CLOUD_STORAGE: &str = "gs";

/// A location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A path of this machine.
    Folder(String),
    /// `gs://bucket/prefix`, as it was written.
    CloudStorage(String),
}

/// A scheme that no part of this program knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: the scheme `{scheme}` is not supported{hint}; give a path or gs://bucket/prefix")]
pub struct UnknownScheme {
    text: String,
    scheme: String,
    hint: &'static str,
}

impl Location {
    /// Reads a text.
    ///
    /// # Errors
    /// It begins with a scheme other than `gs`.
    pub fn parse(text: &str) -> Result<Self, UnknownScheme> {
        let is_scheme = |scheme: &str| {
            scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        };
        match text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
            None => Ok(Self::Folder(text.to_owned())),
            Some((CLOUD_STORAGE, _)) => Ok(Self::CloudStorage(text.to_owned())),
            Some((scheme, _)) => {
                let means_it = ["gs", "gcs"].contains(&scheme.to_lowercase().as_str());
                let hint = if means_it { "; did you mean `gs`?" } else { "" };
                Err(UnknownScheme { text: text.to_owned(), scheme: scheme.to_owned(), hint })
            }
        }
    }

    /// The path; `None` for what is not on this machine.
    pub fn path(&self) -> Option<&str> {
        if let Self::Folder(path) = self { Some(path) } else { None }
    }

    /// A relative path as one below a folder; anything else as it is.
    pub(crate) fn below(self, folder: &Path) -> Self {
        match self {
            Self::Folder(path) => Self::Folder(folder.join(path).to_string_lossy().into_owned()),
            other => other,
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Folder(text) | Self::CloudStorage(text) => text,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_path_and_an_unknown_scheme_is_refused_by_name() {
        for text in ["data/landing", "/data", "./a:b", "C:\\data", "://x", "1x://y", ""] {
            assert_eq!(Location::parse(text), Ok(Location::Folder(text.to_owned())), "{text}");
        }
        assert_eq!(Location::parse("gs://b/x"), Ok(Location::CloudStorage("gs://b/x".to_owned())));
        for (text, scheme, hint) in [
            ("s3://bucket/x", "s3", false),
            ("az://container", "az", false),
            ("file:///data", "file", false),
            ("gcs://bucket", "gcs", true),
            ("GS://bucket", "GS", true),
        ] {
            let refused = Location::parse(text).unwrap_err().to_string();
            assert!(refused.contains(&format!("the scheme `{scheme}` is not supported")), "{refused}");
            assert_eq!(refused.contains("did you mean `gs`?"), hint, "{refused}");
        }
    }
}
