//! The text of `.env`: new entries below what is there, written so that they read back exactly. In single quotes nothing has a meaning;
//! only a value that holds such a quote or a backslash needs double quotes, where four characters are escaped.

use super::secrets::Entry;
use anyhow::ensure;
use contract::secret::{DOTENV, Dotenv};

/// What is there, with new entries below it.
///
/// # Errors
/// An entry would not read back as it is.
pub(crate) fn extended(before: &str, account: &str, entries: &[Entry]) -> anyhow::Result<String> {
    let mut text = before.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if text.is_empty() {
        text.push_str("# Secrets of the pipeline file beside this one. The environment wins over them. Keep this file out of git.\n");
    }
    text.push_str(&format!("# {account}\n"));
    for Entry { name, value } in entries {
        text.push_str(&format!("{name}={}\n", quoted(value.expose())));
    }
    let read = Dotenv::parse(DOTENV, &text)?;
    for Entry { name, value } in entries {
        ensure!(
            read.get(name) == Some(value),
            "{name} cannot be written into {DOTENV}: it would read back differently"
        );
    }
    Ok(text)
}

fn quoted(value: &str) -> String {
    if !value.contains(['\'', '\\']) {
        return format!("'{value}'");
    }
    let mut text = String::from('"');
    for c in value.chars() {
        match c {
            '"' | '\\' | '$' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use contract::secret::Secret;
    use proptest::prelude::*;

    fn entry(name: &str, value: &str) -> Entry {
        Entry { name: name.into(), value: Secret::new(value) }
    }

    #[test]
    fn awkward_values_read_back_exactly() {
        for value in [
            "plain",
            "$HOME and ${HOME} and $",
            "it's",
            "\"quoted\"",
            "it's \"both\" $x",
            " spaces ",
            "#no comment",
            "a # b",
            "back\\slash",
            "end\\",
            "'",
            "\\n is no line",
            "two\nlines",
            "it's\ntwo\nlines\n",
            "-----BEGIN KEY-----\nabc/+=\n-----END KEY-----\n",
            "tab\tand\rreturn",
            "`date` $(date) !",
            "ünïcode ✓",
            "=",
        ] {
            let text = extended("", "acme", &[entry("A", value), entry("B", "after")]).unwrap();
            assert_eq!(Dotenv::parse(".env", &text).unwrap().get("A").unwrap().expose(), value, "{text}");
        }
    }

    #[test]
    fn what_is_there_stays() {
        let before = "# mine\nX=1\nY='$Z'";
        let text = extended(before, "acme", &[entry("A", "hush")]).unwrap();
        assert_eq!(text, "# mine\nX=1\nY='$Z'\n# acme\nA='hush'\n");
    }

    proptest! {
        #[test]
        fn every_value_reads_back_exactly(value in "[ -~\n\r\t'\"\\\\$#{}éß]{0,40}", before in "(X=1\n)?") {
            let text = extended(&before, "acme", &[entry("A", &value), entry("B", "after")]);
            prop_assert!(text.is_ok(), "{:?}", text);
        }
    }
}
