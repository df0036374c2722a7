//! What is handed to others: a wheel for pip, and an archive for who has no Python. Both hold the one program and DuckDB's library, which the
//! program finds in `../lib`.

use crate::build::{Workspace, wait};
use crate::library::{self, Library};
use crate::origin::Origin;
use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest glibc that a Linux wheel runs with: that of Debian 10, RHEL 8 and Ubuntu 20.04. DuckDB's library needs 2.25.
const GLIBC: &str = "manylinux_2_28";
/// The oldest musl that a wheel built with musl (on Alpine) runs with.
const MUSL: &str = "musllinux_1_2";

/// What builds wheels; zig is the C compiler and linker that makes programs for an older glibc than this machine's.
const BUILDERS: [&str; 2] = ["maturin[zig]>=1.9,<2", "maturin>=1.9,<2"];

/// Builds the wheel into `dist/`; returns its path.
///
/// # Errors
/// No Python, no library, a build that fails, or one that names folders of this machine.
pub(crate) fn wheel(workspace: &Workspace, library: &Library) -> Result<PathBuf> {
    let Library::Ready(folder) = library else {
        bail!("a wheel holds DuckDB's ready-made library, and there is none for this platform");
    };
    let work = workspace.root().join("target").join("package");
    let data = work.join("drayage.data").join("data");
    if data.exists() {
        fs::remove_dir_all(&data).with_context(|| format!("failed to empty {}", data.display()))?;
    }
    copy(&folder.join(library::file_name()), &data.join("lib"))?;
    let licence = folder.join("LICENSE");
    ensure!(licence.is_file(), "DuckDB's licence is not beside its library in {}", folder.display());
    copy_as(&licence, &data.join("share/licenses/drayage/LICENSE-DUCKDB"))?;

    let musl = cfg!(target_env = "musl");
    let glibc = cfg!(target_os = "linux") && !musl;
    let venv = work.join("venv");
    if !venv.join("bin").join("pip").is_file() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    let builder = if glibc { BUILDERS[0] } else { BUILDERS[1] };
    run(Command::new(venv.join("bin").join("pip")).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        builder,
    ]))?;
    let dist = workspace.root().join("dist");
    let mut maturin = Command::new(venv.join("bin").join("maturin"));
    maturin.current_dir(workspace.root()).args(["build", "--locked", "--out"]).arg(&dist);
    // A static program could not load DuckDB's library.
    let dynamic: &[&str] = if musl { &["-Ctarget-feature=-crt-static"] } else { &[] };
    let origin = Origin::find(workspace)?;
    maturin.env("CARGO_ENCODED_RUSTFLAGS", origin.rustflags(dynamic)?).env_remove("RUSTFLAGS");
    // maturin would put libraries that it finds into a place of its own, where the program does not look for them.
    maturin.args(["--auditwheel", "skip"]);
    if glibc {
        maturin.args(["--zig", "--compatibility", GLIBC]);
    } else if musl {
        maturin.args(["--compatibility", MUSL]);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(venv.join("bin")).chain(std::env::split_paths(&path));
    maturin.env("PATH", std::env::join_paths(folders).context("failed to set PATH")?);
    maturin.env("VIRTUAL_ENV", &venv).env("DRAYAGE_PORTABLE", "1").env("DUCKDB_LIB_DIR", folder);
    let before = wheels(&dist)?;
    for old in &before {
        fs::remove_file(old).with_context(|| format!("failed to remove {}", old.display()))?;
    }
    run(&mut maturin)?;
    let built = wheels(&dist)?;
    let [wheel] = built.as_slice() else { bail!("maturin has written {} wheels to {}", built.len(), dist.display()) };
    let unpacked = work.join("unpacked");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked).with_context(|| format!("failed to empty {}", unpacked.display()))?;
    }
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&unpacked))?;
    origin.ensure_untold(&unpacked)?;
    Ok(wheel.clone())
}

/// Builds an archive into `dist/`, from the wheel: `bin/drayage`, `lib/libduckdb.so`, manual pages, completions and licences. A checksum
/// lies beside it.
///
/// # Errors
/// As [`wheel`], or the program in it does not start.
pub(crate) fn archive(workspace: &Workspace, library: &Library) -> Result<PathBuf> {
    let wheel = wheel(workspace, library)?;
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("drayage-{version}-{}", platform()?);
    let work = workspace.root().join("target").join("package");
    let (venv, tree) = (work.join("installed"), work.join(&name));
    for folder in [&venv, &tree] {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("failed to empty {}", folder.display()))?;
        }
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let mut pip = Command::new(venv.join("bin").join("pip"));
    run(pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-index"]).arg(&wheel))?;

    copy(&venv.join("bin").join("drayage"), &tree.join("bin"))?;
    copy(&venv.join("lib").join(library::file_name()), &tree.join("lib"))?;
    copy(&venv.join("share/licenses/drayage/LICENSE-DUCKDB"), &tree)?;
    for file in ["LICENSE-MIT", "LICENSE-APACHE", "README.md", "CHANGELOG.md"] {
        copy(&workspace.root().join(file), &tree)?;
    }
    let program = tree.join("bin").join("drayage");
    let manual = tree.join("share/man/man1");
    fs::create_dir_all(&manual).with_context(|| format!("failed to make {}", manual.display()))?;
    run(Command::new(&program).arg("manual").arg(&manual))?;
    for (shell, file) in [
        ("bash", "share/bash-completion/completions/drayage"),
        ("zsh", "share/zsh/site-functions/_drayage"),
        ("fish", "share/fish/vendor_completions.d/drayage.fish"),
    ] {
        let output = Command::new(&program).args(["completions", shell]).output();
        let output = output.with_context(|| format!("failed to start {}", program.display()))?;
        ensure!(output.status.success(), "`drayage completions {shell}` has failed");
        write(&tree.join(file), &output.stdout)?;
    }

    let bytes = pack(&tree, &name)?;
    let dist = workspace.root().join("dist");
    let path = dist.join(format!("{name}.tar.gz"));
    write(&path, &bytes)?;
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    write(&dist.join(format!("{name}.tar.gz.sha256")), format!("{digest}  {name}.tar.gz\n").as_bytes())?;
    Ok(path)
}

/// This machine, in the words of Rust's target triples.
fn platform() -> Result<String> {
    let rest = match (std::env::consts::OS, cfg!(target_env = "musl")) {
        ("linux", false) => "unknown-linux-gnu",
        ("linux", true) => "unknown-linux-musl",
        ("macos", _) => "apple-darwin",
        (other, _) => bail!("there are no archives for {other}"),
    };
    Ok(format!("{}-{rest}", std::env::consts::ARCH))
}

fn wheels(dist: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(dist).with_context(|| format!("failed to make {}", dist.display()))?;
    let files = fs::read_dir(dist).with_context(|| format!("failed to read {}", dist.display()))?;
    let paths = files.flatten().map(|file| file.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == "whl")).collect())
}

/// A folder as a compressed tar archive, below `name`.
fn pack(tree: &Path, name: &str) -> Result<Vec<u8>> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    let packed = builder.append_dir_all(name, tree).and_then(|()| builder.into_inner()).and_then(GzEncoder::finish);
    packed.context("failed to write the archive")
}

fn run(command: &mut Command) -> Result<()> {
    let status = wait(command)?;
    ensure!(status.success(), "{} has failed ({status})", command.get_program().to_string_lossy());
    Ok(())
}

/// Copies a file into a folder, which is made.
fn copy(file: &Path, folder: &Path) -> Result<()> {
    let name = file.file_name().with_context(|| format!("{} has no name", file.display()))?;
    copy_as(file, &folder.join(name))
}

fn copy_as(file: &Path, to: &Path) -> Result<()> {
    make_folder_of(to)?;
    fs::copy(file, to).with_context(|| format!("failed to copy {} to {}", file.display(), to.display()))?;
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    make_folder_of(path)?;
    fs::write(path, bytes).with_context(|| format!("failed to write {}", path.display()))
}

fn make_folder_of(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))
}
