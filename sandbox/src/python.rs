//! Installs Python packages (every one pinned) once for each machine, into an environment of their own in a cache folder.
//! Test processes that start together wait for one of them; a folder counts only when its marker says that it is whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use md5::{Digest, Md5};

const VERSION: &str = "import sys; print('%d.%d' % sys.version_info[:2])";
const MARKER: &str = "complete";
const WHAT_TO_INSTALL: &str =
    "the tests need python3 (3.11 or newer) with venv; on Debian: apt-get install python3 python3-venv";
const TAIL: usize = 2000;

/// Why there is no environment to run in.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("{WHAT_TO_INSTALL} ({0})")]
    Python(String),
    #[error("no cache folder: set DRAYAGE_CACHE, XDG_CACHE_HOME or HOME")]
    NoCacheFolder,
    #[error("cannot write {path}: {source}", path = path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("cannot install {name}: {step} failed:\n{output}")]
    Step { name: &'static str, step: &'static str, output: String },
}

/// What is to be there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packages {
    /// The name of its folder in the cache, followed there by a hash of what it holds.
    pub(crate) name: &'static str,
    /// A requirements file that names all packages, with their versions.
    pub(crate) requirements: &'static str,
    /// A program that runs once in the environment, with the home folder in which it will be used.
    pub(crate) finish: Option<&'static str>,
}

/// Where the environment lies.
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    /// The interpreter of its own environment.
    pub(crate) python: PathBuf,
    /// The home folder of the programs that run in it.
    pub(crate) home: PathBuf,
}

impl Packages {
    /// Finds the environment, and installs it first where it is not there yet (about a minute, over the network).
    ///
    /// # Errors
    /// When there is no fitting python3, no cache folder, or a step of the installation fails.
    pub(crate) fn install(&self) -> Result<Installed, InstallError> {
        let version = python_version()?;
        let mut hash = Md5::new();
        for part in [self.requirements, self.finish.unwrap_or_default(), &version] {
            hash.update(part.as_bytes());
        }
        let digest: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        self.install_into(&cache_folder()?.join(format!("{}-{digest}", self.name)))
    }

    fn install_into(&self, folder: &Path) -> Result<Installed, InstallError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| InstallError::Folder { path, source }
        };
        let (venv, home, marker) = (folder.join("venv"), folder.join("home"), folder.join(MARKER));
        let installed = Installed { python: venv.join("bin/python"), home };
        if marker.exists() {
            return Ok(installed);
        }
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let lock = File::create(folder.join("lock")).map_err(failed(folder))?;
        lock.lock().map_err(failed(folder))?;
        // Another process may have been faster while this one waited.
        if marker.exists() {
            return Ok(installed);
        }
        for leftover in [&venv, &installed.home] {
            match fs::remove_dir_all(leftover) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(leftover)(error)),
                _ => {}
            }
        }
        fs::create_dir_all(&installed.home).map_err(failed(&installed.home))?;
        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, self.requirements).map_err(failed(&requirements))?;
        self.step("python3 -m venv", Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "-r"];
        self.step("pip install", clean(&installed.python).args(pip).arg(&requirements))?;
        if let Some(program) = self.finish {
            let mut command = clean(&installed.python);
            self.step("the last step", command.args(["-c", program]).env("HOME", &installed.home))?;
        }
        File::create(&marker).and_then(|file| file.sync_all()).map_err(failed(&marker))?;
        Ok(installed)
    }

    fn step(&self, step: &'static str, command: &mut Command) -> Result<(), InstallError> {
        let failed = |output| InstallError::Step { name: self.name, step, output };
        let output = command.output().map_err(|error| failed(error.to_string()))?;
        if output.status.success() { Ok(()) } else { Err(failed(tail(&output))) }
    }
}

/// A command that does not look into the caller's Python packages.
pub(crate) fn clean(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
    command
}

fn python_version() -> Result<String, InstallError> {
    let output = Command::new("python3").args(["-c", VERSION]).output();
    let output = output.map_err(|error| InstallError::Python(format!("python3: {error}")))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let parts: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    match parts.as_slice() {
        [major, minor] if (*major, *minor) >= (3, 11) => Ok(version),
        [_, _] => Err(InstallError::Python(format!("python3 is {version}"))),
        _ => Err(InstallError::Python(format!("python3 does not run: {}", tail(&output)))),
    }
}

fn tail(output: &Output) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let start = text.char_indices().rev().nth(TAIL).map_or(0, |(at, _)| at);
    text.get(start..).unwrap_or_default().trim().to_owned()
}

fn cache_folder() -> Result<PathBuf, InstallError> {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("DRAYAGE_CACHE")
        .or_else(|| folder("XDG_CACHE_HOME").map(|home| home.join("drayage")))
        .or_else(|| folder("HOME").map(|home| home.join(".cache/drayage")))
        .ok_or(InstallError::NoCacheFolder)
}
