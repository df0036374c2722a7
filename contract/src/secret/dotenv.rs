//! `.env`: values for `${env:NAME}` that lie in a file beside the pipeline file. They feed references alone: they are neither flags of a
//! program (`DRAYAGE_…`) nor variables of a child. Nothing of the file's content is ever shown, not even of a line that cannot be read.

use super::Secret;
use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

/// The name of the file.
pub const FILE_NAME: &str = ".env";
/// What a line has to look like.
const FORM: &str = "expected NAME=value; a value with spaces, quotes, `#`, `$` or `\\` goes into single quotes";

/// The entries of a `.env`; none if there is no such file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Dotenv {
    /// The file as the user would name it; nothing where there is none.
    place: Option<String>,
    entries: BTreeMap<String, Secret>,
}

/// Why a `.env` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", self.place())]
pub struct DotenvError {
    /// The file as the user would name it.
    pub file: String,
    /// Line from 1; 0 where the whole file is meant.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

impl DotenvError {
    fn place(&self) -> String {
        if self.line > 0 { format!("{}:{}", self.file, self.line) } else { self.file.clone() }
    }
}

impl Dotenv {
    /// Reads `<folder>/.env`. No such file, or a folder of this name, as Python's virtual environments may have, is no entries.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else than entries.
    pub fn beside(folder: &Path) -> Result<Self, DotenvError> {
        let path = folder.join(FILE_NAME);
        let place = path.strip_prefix(".").unwrap_or(&path).display().to_string();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if is_absent(error.kind()) || path.is_dir() => return Ok(Self::default()),
            Err(error) => {
                return Err(DotenvError { file: place, line: 0, message: format!("the file cannot be read: {error}") });
            }
        };
        let message = "the file is not UTF-8";
        let text = String::from_utf8(bytes).map_err(|_| DotenvError {
            file: place.clone(),
            line: 0,
            message: message.into(),
        })?;
        Self::parse(&place, &text)
    }

    /// Reads entries from a text; `file` is its name for messages. Of two entries with one name the later one counts, as in a shell.
    ///
    /// # Errors
    /// A line that is no entry.
    pub fn parse(file: &str, text: &str) -> Result<Self, DotenvError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut entries = BTreeMap::new();
        let mut last: Option<String> = None;
        for entry in read(text) {
            // dotenvy's own text quotes the line.
            let Ok((name, value)) = entry else {
                let after = last.map_or_else(String::new, |name| format!("what follows the entry {name} "));
                let subject = if after.is_empty() { "the first entry ".to_owned() } else { after };
                let message = format!("{subject}cannot be read: {FORM}");
                return Err(DotenvError { file: file.to_owned(), line: first_bad_line(text), message });
            };
            entries.insert(name.clone(), Secret::new(value));
            last = Some(name);
        }
        Ok(Self { place: Some(file.to_owned()), entries })
    }

    /// The value of an entry.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.entries.get(name)
    }

    /// The file as the user would name it, if there is one.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }
}

impl fmt::Debug for Dotenv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dotenv({} entries)", self.entries.len())
    }
}

fn is_absent(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The entries up to the first that cannot be read.
fn read(text: &str) -> impl Iterator<Item = dotenvy::Result<(String, String)>> {
    // Without the end of its line, a blank after the last value would be an error.
    let text = std::io::Cursor::new(format!("{text}\n"));
    let mut failed = false;
    dotenvy::from_read_iter(text).take_while(move |entry| !std::mem::replace(&mut failed, entry.is_err()))
}

/// The line that the first entry begins at which cannot be read: dotenvy does not tell.
fn first_bad_line(text: &str) -> usize {
    let good = |text: &str| read(text).filter(Result::is_ok).count();
    let all = good(text);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // So many lines hold all entries that can be read; blank lines and comments after them are none.
    let held = (0..=lines.len()).find(|count| good(&lines[..*count].concat()) == all).unwrap_or_default();
    let is_entry = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    held + lines[held..].iter().position(is_entry).unwrap_or_default() + 1
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn value(text: &str, name: &str) -> Option<String> {
        Dotenv::parse(".env", text).unwrap().get(name).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn entries_are_read_as_dotenvy_reads_them() {
        for (text, expected) in [
            ("A=1", "1"),
            ("# a comment\n\nexport A = 1 # another\n", "1"),
            ("A='$B \"c\" #d'", "$B \"c\" #d"),
            ("A=\"a\\\"b\\\\c\\$d\\ne\"", "a\"b\\c$d\ne"),
            ("A=\"two\nlines\"\nB=1", "two\nlines"),
            ("\u{feff}A=1\r\n", "1"),
            ("A=1 ", "1"),
            ("A=", ""),
            ("A=1\nA=2\n", "2"),
            // Why values with a dollar go into single quotes.
            ("B=b\nA=a$B", "ab"),
        ] {
            assert_eq!(value(text, "A").as_deref(), Some(expected), "{text:?}");
        }
        assert_eq!(value("", "A"), None);
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_line_and_never_shown() {
        for (text, line, after) in [
            ("hush hush\n", 1, "the first entry"),
            ("A=1\n\n# c\nB='hush\nhush\n", 4, "what follows the entry A"),
            ("A='two\nlines'\nB=hush hush\nC=3\n", 3, "what follows the entry A"),
            ("A=1\nB=2\nhush\n", 3, "what follows the entry B"),
            ("A=1\r\n\r\nB=\"hush\\q\"", 3, "what follows the entry A"),
        ] {
            let error = Dotenv::parse("conf/.env", text).unwrap_err();
            assert_eq!((error.line, error.file.as_str()), (line, "conf/.env"), "{text:?}");
            assert!(error.message.contains(after), "{text:?}: {error}");
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
    }

    #[test]
    fn a_missing_file_is_no_entries_and_an_unreadable_one_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Dotenv::beside(folder.path()).unwrap(), Dotenv::default());
        assert_eq!(Dotenv::beside(folder.path()).unwrap().place(), None);
        let file = folder.path().join(".env");
        std::fs::create_dir(&file).unwrap();
        assert_eq!(Dotenv::beside(folder.path()).unwrap(), Dotenv::default());
        std::fs::remove_dir(&file).unwrap();
        std::fs::write(&file, b"A=\xff\n").unwrap();
        assert!(Dotenv::beside(folder.path()).unwrap_err().to_string().contains("not UTF-8"));
        std::fs::write(&file, "A=k-123\n").unwrap();
        let read = Dotenv::beside(folder.path()).unwrap();
        assert_eq!(read.get("A").unwrap().expose(), "k-123");
        assert_eq!(read.place(), Some(&*file.display().to_string()));
        assert!(!format!("{read:?}").contains("k-123"));
        // A name that leads to itself can be opened by nobody, root included.
        std::fs::remove_file(&file).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(".env", &file).unwrap();
            let error = Dotenv::beside(folder.path()).unwrap_err();
            assert!(error.message.starts_with("the file cannot be read: "), "{error}");
        }
    }
}
