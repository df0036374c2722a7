//! DuckDB's library, ready-made: looked for, downloaded and checked. Compiling DuckDB's C++ takes 20 to 40 minutes and is the last resort.

use crate::build::Workspace;
use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use sha2::{Digest, Sha512};
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The release of the npm packages `@duckdb/node-bindings-<platform>`, each of which holds DuckDB's library beside a module of Node.js.
/// DuckDB's version in it must be that of the crate `libduckdb-sys`: 1.10505 is DuckDB 1.5.5.
const RELEASE: &str = "1.5.5-r.5";

/// Platform, and SHA-512 of its package's archive in base64, as the registry tells it.
const ARCHIVES: [(&str, &str); 5] = [
    ("linux-x64", "kCyq6BXhn6QXfwF8yVdVKriSSHP+rfVWcJ56cG8qZzlOZpxyvT5WGm6jMshxg4ditLlOsHsIN/D47RYrcjXuHQ=="),
    ("linux-x64-musl", "S5qEc7F+GjXt85T2xArjjvN5oc/IjtH6zsLJsuo8N3fQolheBCefemIMdZoK2Jik8a0sBxidiS6Ld4qprMPPDw=="),
    ("linux-arm64", "CafH2AIvXtpwDynG3KB/4uEOHRGlFoB7auCRMIwH3BKNIobsANV5LSpDJ3tfyRCFIsK6e8AT1eseWVnu2Dv3cw=="),
    ("darwin-arm64", "WJdeLTFy4pRg60rkbp9smtlP1iIQ8ErtIJkxS+2LQtM1ZZMSByyW+3WPpNoKe7IwPtVl2fLlPw7tDmQW4Z974g=="),
    ("darwin-x64", "rN0KjX13MwVQ5V5ufykolty/tf4SaafOpGWcUA1Cegf98jPeRdsJsEE1IMXn8n3u6WvMSZEVJmHJ3ma4Hr7Vzg=="),
];

/// Where DuckDB comes from in this build.
pub(crate) enum Library {
    /// A folder that holds the library.
    Ready(PathBuf),
    /// Its C++.
    Source,
}

impl Library {
    /// What cargo is told of it.
    pub(crate) fn features(&self) -> &'static [&'static str] {
        match self {
            Self::Ready(_) => &[],
            Self::Source => &["--features", "duckdb-from-source"],
        }
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(folder) => write!(f, "{}", folder.join(file_name()).display()),
            Self::Source => f.write_str("none: DuckDB is compiled from source, by `--features duckdb-from-source`"),
        }
    }
}

/// Makes sure that there is a library: the one that `DUCKDB_LIB_DIR` names; what an earlier call has left; npm's package; the download
/// that the crate `libduckdb-sys` offers; else DuckDB's C++.
///
/// # Errors
/// `DUCKDB_LIB_DIR` names a folder without it, an archive has another checksum, or a file cannot be written.
pub(crate) fn ensure(workspace: &Workspace) -> Result<Library> {
    let folder = workspace.root().join("target").join("duckdb");
    // Cargo sets the variable too, to the folder above, from `.cargo/config.toml`.
    let named = std::env::var_os("DUCKDB_LIB_DIR").filter(|named| !named.is_empty()).map(PathBuf::from);
    if let Some(named) = named.filter(|named| *named != folder) {
        ensure!(
            named.join(file_name()).is_file(),
            "DUCKDB_LIB_DIR is {}, which holds no {}",
            named.display(),
            file_name()
        );
        return Ok(Library::Ready(named));
    }
    if folder.join(file_name()).is_file() && fs::read_to_string(folder.join(MARK)).is_ok_and(|mark| mark == RELEASE) {
        return Ok(Library::Ready(folder));
    }
    let Some((platform, checksum)) = platform().and_then(|name| ARCHIVES.into_iter().find(|(of, _)| *of == name))
    else {
        return Ok(from_source("there is no ready-made library for this platform"));
    };
    if is_installed("npm") {
        if let Some(archive) = pack(platform)? {
            unpack(&archive, checksum, &folder)?;
            return Ok(Library::Ready(folder));
        }
    } else {
        eprintln!("npm is not installed; trying the download that the crate libduckdb-sys offers");
    }
    if download(workspace, &folder)? {
        return Ok(Library::Ready(folder));
    }
    Ok(from_source("it cannot be downloaded (install npm, or name a folder that holds it in DUCKDB_LIB_DIR)"))
}

/// The release that lies in the folder.
const MARK: &str = "release";

/// What the library is called on this system.
pub(crate) fn file_name() -> &'static str {
    if cfg!(target_os = "macos") { "libduckdb.dylib" } else { "libduckdb.so" }
}

/// This machine, in npm's words.
fn platform() -> Option<String> {
    let system = match std::env::consts::OS {
        "linux" => "linux",
        "macos" => "darwin",
        _ => return None,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        _ => return None,
    };
    let libc = if cfg!(target_env = "musl") { "-musl" } else { "" };
    Some(format!("{system}-{processor}{libc}"))
}

fn from_source(why: &str) -> Library {
    eprintln!(
        "DuckDB is compiled from source, because {why}. That is half a million lines of C++: 20 to 40 minutes on two cores, once."
    );
    Library::Source
}

fn is_installed(program: &str) -> bool {
    let quiet = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

/// npm's archive of the package; `None` if npm cannot get it, which it has then said.
fn pack(platform: &str) -> Result<Option<Vec<u8>>> {
    let package = format!("@duckdb/node-bindings-{platform}@{RELEASE}");
    eprintln!("downloading DuckDB's library (24 MB): npm pack {package}");
    let folder = tempfile::tempdir().context("failed to make a temporary folder")?;
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", "--pack-destination"]).arg(folder.path()).arg(&package);
    // Its output, the archive's name, is not this program's.
    let status = npm
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context("failed to start npm")?;
    if !status.success() {
        eprintln!("npm failed to get {package}");
        return Ok(None);
    }
    let files = fs::read_dir(folder.path()).context("failed to read npm's folder")?;
    let archive = files.flatten().map(|file| file.path()).find(|path| path.extension() == Some(OsStr::new("tgz")));
    let archive = archive.with_context(|| format!("npm has written no archive of {package}"))?;
    fs::read(&archive).map(Some).with_context(|| format!("failed to read {}", archive.display()))
}

/// Puts the library and its licence into the folder, if the archive is what it should be.
fn unpack(archive: &[u8], checksum: &str, folder: &Path) -> Result<()> {
    let found = STANDARD.encode(Sha512::digest(archive));
    if found != checksum {
        bail!(
            "the archive of DuckDB's library is not the one that was expected: its SHA-512 is {found}, not {checksum}. \
             Nothing was unpacked."
        );
    }
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    let mut kept = Vec::new();
    for entry in archive.entries().context("failed to read the archive")? {
        let mut entry = entry.context("failed to read the archive")?;
        let path = entry.path().context("failed to read the archive")?.into_owned();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default().to_owned();
        if name == file_name() || name == "LICENSE" {
            let mut bytes = Vec::new();
            std::io::copy(&mut entry, &mut bytes).with_context(|| format!("failed to unpack {name}"))?;
            kept.push((name, bytes));
        }
    }
    ensure!(kept.iter().any(|(name, _)| name == file_name()), "the archive holds no {}", file_name());
    store(folder, &kept)
}

/// Writes the files, each whole or not at all; the mark comes last.
fn store(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
    let mark = (MARK.to_owned(), RELEASE.as_bytes().to_vec());
    for (name, bytes) in files.iter().chain([&mark]) {
        let mut file = tempfile::NamedTempFile::new_in(folder).context("failed to make a temporary file")?;
        std::io::Write::write_all(&mut file, bytes).with_context(|| format!("failed to write {name}"))?;
        file.persist(folder.join(name)).with_context(|| format!("failed to write {}", folder.join(name).display()))?;
    }
    Ok(())
}

/// The download of the crate `libduckdb-sys`: DuckDB's own release. Its checksum is not known here; that it comes over TLS must do.
/// False if it fails; why is then told.
fn download(workspace: &Workspace, folder: &Path) -> Result<bool> {
    let target = workspace.target().join("duckdb-download-build");
    let elsewhere = tempfile::tempdir().context("failed to make a temporary folder")?;
    let mut cargo = workspace.cargo();
    // From a folder outside of the workspace: `.cargo/config.toml`, which names DUCKDB_LIB_DIR, is not read there.
    cargo.current_dir(elsewhere.path()).env_remove("DUCKDB_LIB_DIR").env("DUCKDB_DOWNLOAD_LIB", "1");
    cargo.env("CARGO_TARGET_DIR", &target).args(["build", "--quiet", "--package", "libduckdb-sys", "--manifest-path"]);
    let output = cargo.arg(workspace.root().join("Cargo.toml")).output().context("failed to start cargo")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        // The build script panics; of its report one line tells why.
        let why = said.lines().map(str::trim).find(|line| line.starts_with("Failed to download"));
        eprintln!("{}", why.unwrap_or(&said));
        return Ok(false);
    }
    let found = find(&target.join("duckdb-download"))?;
    let path = found.with_context(|| format!("cargo has downloaded no {}", file_name()))?;
    let bytes = fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
    store(folder, &[(file_name().to_owned(), bytes)])?;
    Ok(true)
}

/// The library in a folder or below it.
fn find(folder: &Path) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder).with_context(|| format!("failed to read {}", folder.display()))? {
        let path = entry.with_context(|| format!("failed to read {}", folder.display()))?.path();
        if path.is_dir() {
            if let Some(found) = find(&path)? {
                return Ok(Some(found));
            }
        } else if path.file_name() == Some(OsStr::new(file_name())) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn archive_of(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (path, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_cksum();
            builder.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn an_archive_with_another_checksum_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let archive = archive_of(&[("package/libduckdb.so", "library")]);
        let (_, expected) = ARCHIVES[0];
        let error = unpack(&archive, expected, &folder.path().join("duckdb")).unwrap_err().to_string();
        assert!(error.contains("is not the one that was expected") && error.contains(expected), "{error}");
        assert!(!folder.path().join("duckdb").exists());
    }

    #[test]
    fn the_library_and_its_licence_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let library = format!("package/{}", file_name());
        let archive =
            archive_of(&[("package/duckdb.node", "module"), (&library, "library"), ("package/LICENSE", "MIT")]);
        let checksum = STANDARD.encode(Sha512::digest(&archive));
        unpack(&archive, &checksum, folder.path()).unwrap();
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["LICENSE", file_name(), MARK]);
        assert_eq!(fs::read_to_string(folder.path().join(file_name())).unwrap(), "library");
    }

    #[test]
    fn an_archive_without_the_library_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let archive = archive_of(&[("package/duckdb.node", "module")]);
        let checksum = STANDARD.encode(Sha512::digest(&archive));
        assert!(unpack(&archive, &checksum, folder.path()).unwrap_err().to_string().contains("holds no"));
    }
}
