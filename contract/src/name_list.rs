//! Names in one argument of the command line, or in one variable: `a,b`. A stream's name may hold a comma, which is written `\,`.

use std::convert::Infallible;
use std::str::FromStr;

/// The names of one argument; empty ones are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameList(Vec<String>);

impl NameList {
    /// All names of an argument that may be repeated.
    #[must_use]
    pub fn names(lists: &[Self]) -> Vec<String> {
        lists.iter().flat_map(|list| list.0.iter().cloned()).collect()
    }
}

impl FromStr for NameList {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let mut names = vec![String::new()];
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            let escaped = rest.next_if(|next| c == '\\' && matches!(next, ',' | '\\'));
            match (names.last_mut(), escaped) {
                (_, None) if c == ',' => names.push(String::new()),
                (Some(name), escaped) => name.push(escaped.unwrap_or(c)),
                (None, _) => {}
            }
        }
        names.retain(|name| !name.is_empty());
        Ok(Self(names))
    }
}

/// A name as a list holds it.
#[must_use]
pub fn escaped(name: &str) -> String {
    name.replace('\\', r"\\").replace(',', r"\,")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_separate_names_unless_they_are_escaped() {
        for (text, names) in [
            ("", &[][..]),
            ("jobs", &["jobs"]),
            ("jobs,calls", &["jobs", "calls"]),
            (",jobs,,", &["jobs"]),
            (r"Leads\, new,jobs", &["Leads, new", "jobs"]),
            (r"a\b", &[r"a\b"]),
            (r"a\\,b", &[r"a\", "b"]),
            (r"a\", &[r"a\"]),
        ] {
            let list: NameList = text.parse().unwrap();
            assert_eq!(list.0, names, "{text}");
        }
    }

    #[test]
    fn an_escaped_name_is_read_as_it_was() {
        for name in ["jobs", "Leads, new", r"a\b", r"\,", r"\", r"a,\,b\\"] {
            assert_eq!(escaped(name).parse::<NameList>().unwrap().0, [name]);
        }
    }
}
