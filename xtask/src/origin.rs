//! The folders of the machine that builds a package. The compiler puts them into the texts of panics, where nobody needs them: they tell who
//! built it, and make two builds differ. In a package they have other names.

use crate::build::Workspace;
use anyhow::{Context, Result, bail};
use memchr::memmem;
use std::fs;
use std::path::{Path, PathBuf};

/// Between two flags in cargo's variable, so that a flag may hold a space.
const SEPARATOR: char = '\u{1f}';

/// Folders of this machine, and what they are called in a package.
#[derive(Debug)]
pub(crate) struct Origin(Vec<(PathBuf, &'static str)>);

impl Origin {
    /// The folders whose files are compiled.
    ///
    /// # Errors
    /// Cargo's own folder is unknown.
    pub(crate) fn find(workspace: &Workspace) -> Result<Self> {
        let named = std::env::var_os("CARGO_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let cargo = named.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
        let cargo = cargo.context("cargo's folder is unknown: set CARGO_HOME")?;
        // The later one counts where one lies in the other.
        Ok(Self(vec![
            (workspace.root().to_owned(), "/drayage"),
            (workspace.target(), "/drayage/target"),
            (cargo, "/cargo"),
        ]))
    }

    /// `CARGO_ENCODED_RUSTFLAGS` for a build that does not tell them: the flags of the caller, which that variable would hide, then `more`.
    pub(crate) fn rustflags(&self, more: &[&str]) -> Result<String> {
        let set = |name| std::env::var(name).ok().filter(|flags: &String| !flags.is_empty());
        let encoded = set("CARGO_ENCODED_RUSTFLAGS").map(|flags| flags.split(SEPARATOR).map(str::to_owned).collect());
        let plain = || set("RUSTFLAGS").map(|flags| flags.split_whitespace().map(str::to_owned).collect());
        let mut flags: Vec<String> = encoded.or_else(plain).unwrap_or_default();
        flags.extend(more.iter().map(|flag| (*flag).to_owned()));
        flags.extend(self.flags()?);
        Ok(flags.join(&SEPARATOR.to_string()))
    }

    fn flags(&self) -> Result<Vec<String>> {
        let flag = |(folder, name): &(PathBuf, &str)| {
            let folder = folder.to_str().with_context(|| format!("{} is no UTF-8", folder.display()))?;
            Ok(format!("--remap-path-prefix={folder}={name}"))
        };
        self.0.iter().map(flag).collect()
    }

    /// Looks for the folders in every file below `tree`.
    ///
    /// # Errors
    /// A file that names one, or that cannot be read.
    pub(crate) fn ensure_untold(&self, tree: &Path) -> Result<()> {
        for entry in fs::read_dir(tree).with_context(|| format!("failed to read {}", tree.display()))? {
            let path = entry.with_context(|| format!("failed to read {}", tree.display()))?.path();
            if path.is_dir() {
                self.ensure_untold(&path)?;
                continue;
            }
            let bytes = fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
            for (folder, _) in &self.0 {
                // With what follows it: the name of a folder alone may be part of another word.
                let told = format!("{}/", folder.display());
                if memmem::find(&bytes, told.as_bytes()).is_some() {
                    bail!("{} names {told}, a folder of this machine", path.display());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_program_names_the_folders_of_its_build_only_without_the_flags() {
        let root = tempfile::tempdir().unwrap();
        let cargo = root.path().join("home of mine/.cargo");
        let source = cargo.join("registry/src/crate-1.0/src/main.rs");
        fs::create_dir_all(source.parent().unwrap()).unwrap();
        fs::write(&source, "fn main() { std::env::args().nth(7).unwrap(); }").unwrap();
        let origin = Origin(vec![(root.path().to_owned(), "/root-of-all"), (cargo, "/cargo")]);
        let flags = origin.rustflags(&["-Copt-level=1"]).unwrap();
        for (name, flags) in [("told", Vec::new()), ("untold", flags.split(SEPARATOR).collect())] {
            let folder = root.path().join(name);
            fs::create_dir(&folder).unwrap();
            let mut rustc = Command::new("rustc");
            rustc.args(flags).arg("-Cstrip=symbols").arg(&source).arg("-o").arg(folder.join("program"));
            assert!(rustc.status().unwrap().success());
            let looked = origin.ensure_untold(&folder).map_err(|error| error.to_string());
            let output = Command::new(folder.join("program")).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            if name == "told" {
                assert!(looked.unwrap_err().ends_with("a folder of this machine"));
                assert!(said.contains("home of mine"), "{said}");
            } else {
                looked.unwrap();
                assert!(said.contains("panicked at /cargo/registry/src/crate-1.0/src/main.rs:1:"), "{said}");
            }
        }
    }
}
