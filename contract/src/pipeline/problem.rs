//! What is wrong with a user's YAML file: all of it in one report, each with file, line, key and the nearest valid key.
//! Pipeline files and manifests report through the same type.

use crate::secret::DotenvError;
use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Line from 1; 0 where there is none.
    pub line: usize,
    /// Where, as a path of keys (`sources[0].accounts`); empty for the whole file.
    pub key: String,
    /// What.
    pub message: String,
}

/// All that is wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The file, as the user named it.
    pub file: String,
    /// At least one.
    pub list: Vec<Problem>,
}

impl Problems {
    /// A report of a single problem.
    pub fn one(file: &str, line: usize, key: &str, message: impl Into<String>) -> Self {
        Self { file: file.into(), list: vec![Problem { line, key: key.into(), message: message.into() }] }
    }
}

impl std::error::Error for Problems {}

impl From<DotenvError> for Problems {
    fn from(error: DotenvError) -> Self {
        Self::one(&error.file, error.line, "", error.message)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.list.len();
        write!(f, "{} has {count} problem{}", self.file, if count == 1 { "" } else { "s" })?;
        for problem in &self.list {
            write!(f, "\n  {}", self.file)?;
            if problem.line > 0 {
                write!(f, ":{}", problem.line)?;
            }
            f.write_str(": ")?;
            if !problem.key.is_empty() {
                write!(f, "{}: ", problem.key)?;
            }
            f.write_str(&problem.message)?;
        }
        Ok(())
    }
}

/// `; did you mean …?` where one of the names is close to what was written.
pub fn did_you_mean<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let close = names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&written.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= (name.len().max(written.len()) / 3).max(1))
        .min();
    close.map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}

/// A JSON pointer as the user would write the place: `/sources/0/id` → `sources[0].id`.
pub fn key_path(pointer: &str) -> String {
    let mut out = String::new();
    for segment in pointer.split('/').skip(1) {
        if segment.bytes().all(|b| b.is_ascii_digit()) && !segment.is_empty() {
            out.push_str(&format!("[{segment}]"));
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&segment.replace("~1", "/").replace("~0", "~"));
        }
    }
    out
}
