//! Where the files go: the pipeline file, which must not be there yet, and its folder.

use super::stop::Stop;
use anyhow::Context;
use contract::secret::Dotenv;
use std::path::{Path, PathBuf};

/// The pipeline file that is to be written.
#[derive(Debug)]
pub(crate) struct Place {
    /// The file as the user named it.
    pub(crate) file: String,
    /// Its folder; `.` for the working directory.
    pub(crate) folder: PathBuf,
    /// The `.env` that is in the folder already.
    pub(crate) dotenv: Dotenv,
}

impl Place {
    /// The place of a pipeline file that is not there yet.
    ///
    /// # Errors
    /// It is there, or cannot be written to; or its folder has a `.env` that cannot be read.
    pub(crate) fn of(file: &str) -> Result<Self, Stop> {
        if file.contains("://") {
            return Err(Stop::wrong(format!("--pipeline {file}: init writes files of this machine; name a path")));
        }
        let path = Path::new(file);
        if path.symlink_metadata().is_ok() {
            return Err(Stop::wrong(format!(
                "{file} is there already, and is not touched: name another file with --pipeline"
            )));
        }
        if path.file_name().is_none() || file.ends_with(['/', '\\']) {
            return Err(Stop::wrong(format!("--pipeline {file}: name a file, not a folder")));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let dotenv = Dotenv::beside(&folder)
            .map_err(|error| Stop::wrong(contract::pipeline::Problems::from(error).to_string()))?;
        Ok(Self { file: file.to_owned(), folder, dotenv })
    }

    /// A file of the folder.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.strip_prefix(".").unwrap_or(&self.folder).join(name)
    }

    /// A path that starts at the working directory, as the pipeline file has to name it.
    ///
    /// # Errors
    /// The working directory is unknown.
    pub(crate) fn seen_from_file(&self, path: &str) -> Result<String, Stop> {
        let is_here = self.folder == Path::new(".");
        let is_name = !path.contains(['/', '\\']) && !path.ends_with(".yaml") && !path.ends_with(".yml");
        if is_here || is_name || Path::new(path).is_absolute() {
            return Ok(path.to_owned());
        }
        let absolute = std::path::absolute(path).context("find the working directory")?;
        Ok(absolute.display().to_string())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_refused_and_paths_start_at_the_file() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name).display().to_string();
        std::fs::write(path("there.yaml"), "mine").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("nowhere", path("link.yaml")).unwrap();
        for (file, says) in [
            (path("there.yaml"), "is there already"),
            #[cfg(unix)]
            (path("link.yaml"), "is there already"),
            (root.path().display().to_string(), "is there already"),
            (format!("{}/", path("new")), "name a file"),
            ("gs://bucket/p.yaml".into(), "files of this machine"),
        ] {
            let stop = Place::of(&file).unwrap_err().to_string();
            assert!(stop.contains(says), "{file}: {stop}");
        }
        let below = Place::of(&path("new/p.yaml")).unwrap();
        assert_eq!(below.seen_from_file("/m.yaml").unwrap(), "/m.yaml");
        assert_eq!(below.seen_from_file("servicetitan").unwrap(), "servicetitan");
        assert!(Path::new(&below.seen_from_file("m.yaml").unwrap()).is_absolute());
        let here = Place::of("no-such-file.yaml").unwrap();
        assert_eq!((here.seen_from_file("./m.yaml").unwrap(), here.beside(".env")), ("./m.yaml".into(), ".env".into()));
    }
}
