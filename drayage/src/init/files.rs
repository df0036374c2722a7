//! The files, each written whole or not at all, by a temporary file that takes its place. The pipeline file comes last: where it is, all is.

use super::place::Place;
use anyhow::{Context, Result, anyhow};
use contract::secret::DOTENV;
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile};

/// How the names of files begin that are there only while others are written.
pub(crate) const TEMPORARY: &str = ".drayage-";
/// The same for git: they may hold secrets.
pub(crate) const TEMPORARIES: &str = ".drayage-*";

/// What is to be written.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    pub(crate) pipeline: String,
    /// The name and the text of the schema.
    pub(crate) schema: (&'a str, String),
    /// The whole `.env`, if it changes.
    pub(crate) dotenv: Option<String>,
    /// What git must not see.
    pub(crate) ignored: Vec<&'static str>,
}

impl Files<'_> {
    /// Writes them; returns the names of those that are new or changed.
    ///
    /// # Errors
    /// The first that cannot be written; those after it are not there then.
    pub(crate) fn write(&self, place: &Place) -> Result<Vec<String>> {
        fs::create_dir_all(&place.folder).with_context(|| format!("make the folder {}", place.folder.display()))?;
        let mut written = Vec::new();
        // First of all, so that git never sees the secrets.
        let ignore = place.beside(".gitignore");
        if let Some(text) = ignoring(&read(&ignore)?, &self.ignored) {
            replace(&ignore, &text)?;
            written.push(ignore);
        }
        let dotenv = place.beside(DOTENV);
        if let Some(text) = &self.dotenv {
            replace_secret(&dotenv, text)?;
            written.push(dotenv);
        }
        let (name, text) = &self.schema;
        let schema = place.beside(name);
        if read(&schema)? != *text {
            replace(&schema, text)?;
            written.push(schema);
        }
        let pipeline = PathBuf::from(&place.file);
        // Never over a file that has appeared meanwhile.
        let file = temporary(&pipeline, &self.pipeline, 0o666)?;
        file.persist_noclobber(&pipeline).map_err(|error| failed(&pipeline, error.error))?;
        written.push(pipeline);
        Ok(written.iter().map(|path| path.display().to_string()).collect())
    }
}

/// A file's text; nothing where there is none.
pub(crate) fn read(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(String::new()),
        Err(error) => Err(anyhow!(error).context(format!("read {}", path.display()))),
    }
}

fn failed(path: &Path, error: std::io::Error) -> anyhow::Error {
    anyhow!(error).context(format!("write {}", path.display()))
}

/// A file beside `path` that holds the text, with this mode where the system has modes (less the umask).
fn temporary(path: &Path, text: &str, mode: u32) -> Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let mut builder = Builder::new();
        #[cfg(unix)]
        builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(mode));
        #[cfg(not(unix))]
        let _ = (mode, None::<Permissions>);
        let mut file = builder.prefix(TEMPORARY).tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    write().map_err(|error| failed(path, error))
}

/// Puts a text in the place of a file's; the file keeps its mode.
fn replace(path: &Path, text: &str) -> Result<()> {
    let path = &real(path);
    let file = temporary(path, text, 0o666)?;
    if let Ok(before) = fs::metadata(path) {
        fs::set_permissions(file.path(), before.permissions()).map_err(|error| failed(path, error))?;
    }
    file.persist(path).map_err(|error| failed(path, error.error))?;
    Ok(())
}

/// Puts a text in the place of a file's, so that nobody but its owner can read it.
fn replace_secret(path: &Path, text: &str) -> Result<()> {
    let path = &real(path);
    let file = temporary(path, text, 0o600)?;
    #[cfg(unix)]
    if let Ok(before) = fs::metadata(path) {
        use std::os::unix::fs::{MetadataExt, chown};
        let now = file.as_file().metadata().map_err(|error| failed(path, error))?;
        if now.uid() != before.uid() {
            // Only root may give it back; to anybody else it is not theirs to change.
            chown(file.path(), Some(before.uid()), Some(before.gid()))
                .with_context(|| format!("write {}, which belongs to another user", path.display()))?;
        }
    }
    file.persist(path).map_err(|error| failed(path, error.error))?;
    Ok(())
}

/// The file itself, where the path is a link to it.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The text of `.gitignore` with these lines; nothing where it has them all.
fn ignoring(before: &str, wanted: &[&str]) -> Option<String> {
    let bare = |line: &str| line.trim().trim_matches('/').trim_end_matches('*').to_owned();
    let has = |wanted: &str| before.lines().any(|line| bare(line) == bare(wanted));
    let missing: Vec<&str> = wanted.iter().copied().filter(|line| !has(line)).collect();
    if missing.is_empty() {
        return None;
    }
    let newline = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    Some(format!("{before}{newline}{}\n", missing.join("\n")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn git_is_told_what_it_does_not_know() {
        for (before, expected) in [
            ("", Some(".env\n/data/\n")),
            ("target", Some("target\n.env\n/data/\n")),
            (".env\n", Some(".env\n/data/\n")),
            ("/.env\ndata\n", None),
            (".env*\n/data/\n", None),
            ("!.env.example\n", Some("!.env.example\n.env\n/data/\n")),
        ] {
            assert_eq!(ignoring(before, &[".env", "/data/"]).as_deref(), expected, "{before:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn secrets_are_for_their_owner_alone_and_nothing_is_left_behind() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        let root = tempfile::tempdir().unwrap();
        let place = Place::of(&root.path().join("sub/p.yaml").display().to_string()).unwrap();
        let files = |pipeline: &str, dotenv: Option<&str>| Files {
            pipeline: pipeline.into(),
            schema: ("s.json", "{}".into()),
            dotenv: dotenv.map(Into::into),
            ignored: vec![".env"],
        };
        let written = files("a", Some("X=1\n")).write(&place).unwrap();
        assert_eq!(written.len(), 4, "{written:?}");
        let (dotenv, pipeline) = (place.beside(".env"), PathBuf::from(&place.file));
        assert_eq!((mode(&dotenv), mode(&pipeline) & 0o400), (0o600, 0o400));

        // One that others could read is closed; its content is what it is told to be. Behind a link it stays where it is.
        let elsewhere = root.path().join("elsewhere");
        fs::rename(&dotenv, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &dotenv).unwrap();
        fs::set_permissions(&elsewhere, Permissions::from_mode(0o644)).unwrap();
        fs::remove_file(&pipeline).unwrap();
        let written = files("b", Some("X=1\nY=2\n")).write(&place).unwrap();
        assert_eq!(written.len(), 2, "{written:?}");
        assert_eq!((fs::read_to_string(&elsewhere).unwrap().as_str(), mode(&elsewhere)), ("X=1\nY=2\n", 0o600));
        assert!(dotenv.symlink_metadata().unwrap().is_symlink());

        // A pipeline file that has appeared stays as it is.
        let error = files("c", None).write(&place).unwrap_err();
        assert!(format!("{error:#}").contains("p.yaml"), "{error:#}");
        assert_eq!(fs::read_to_string(&pipeline).unwrap(), "b");
        let names: Vec<String> =
            fs::read_dir(&place.folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(names.len(), 4, "{names:?}");
    }
}
