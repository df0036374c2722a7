//! Which program this process is, and how commands are told to the person who has started it: of the one program `drayage`, or of the three
//! programs of the image. A text that tells a command names a program that its reader has.

use std::sync::OnceLock;

/// The one program.
struct Drayage {
    version: &'static str,
    /// Not by the name of one of the three programs, as a link gives it.
    by_its_name: bool,
}

static DRAYAGE: OnceLock<Drayage> = OnceLock::new();

/// Tells that this process is the one program `drayage`, of this version, and whether it was called by that name. To be called once, before
/// anything is printed.
pub fn is_drayage(version: &'static str, by_its_name: bool) {
    let _ = DRAYAGE.set(Drayage { version, by_its_name });
}

/// Whether this process is the one program, under whatever name: it can do each job itself.
pub fn does_all() -> bool {
    DRAYAGE.get().is_some()
}

/// What `--version` says: the version and, where the build knows it, the commit.
pub fn version() -> &'static str {
    static OWN: OnceLock<String> = OnceLock::new();
    let own = || match option_env!("DRAYAGE_COMMIT").filter(|commit| !commit.is_empty()) {
        Some(commit) => format!("{} ({commit})", crate::TOOL_VERSION),
        None => crate::TOOL_VERSION.to_owned(),
    };
    DRAYAGE.get().map_or_else(|| OWN.get_or_init(own).as_str(), |drayage| drayage.version)
}

/// How commands of the orchestrator begin.
pub fn orchestrator() -> &'static str {
    if is_called_drayage() { "drayage" } else { "orchestrator" }
}

/// How a command that extracts begins.
pub fn extract_job() -> &'static str {
    if is_called_drayage() { "drayage extract" } else { "extract-job" }
}

/// How a command that loads begins.
pub fn load_job() -> &'static str {
    if is_called_drayage() { "drayage load" } else { "load-job" }
}

fn is_called_drayage() -> bool {
    DRAYAGE.get().is_some_and(|drayage| drayage.by_its_name)
}
