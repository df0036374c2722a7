//! Under which name a person has started what is running: the one program `drayage`, or one of the three programs of the image.
//! Texts that tell a command name a program that the reader has.

use std::sync::OnceLock;

static DRAYAGE: OnceLock<()> = OnceLock::new();

/// Tells that this process is the one program `drayage`. To be called once, before anything is printed.
pub fn is_drayage() {
    let _ = DRAYAGE.set(());
}

/// Whether this process is the one program `drayage`, which then starts the jobs as itself.
pub fn runs_as_drayage() -> bool {
    DRAYAGE.get().is_some()
}

/// How commands of the orchestrator begin.
pub fn orchestrator() -> &'static str {
    if runs_as_drayage() { "drayage" } else { "orchestrator" }
}

/// How a command that extracts begins.
pub fn extract_job() -> &'static str {
    if runs_as_drayage() { "drayage extract" } else { "extract-job" }
}

/// How a command that loads begins.
pub fn load_job() -> &'static str {
    if runs_as_drayage() { "drayage load" } else { "load-job" }
}
