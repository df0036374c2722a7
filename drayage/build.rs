//! Tells the linker where DuckDB's library lies, and the program which commit it was built from.

#[path = "../xtask/link_duckdb.rs"]
mod link_duckdb;

use std::env;
use std::process::Command;

fn main() {
    link_duckdb::main();
    println!("cargo::rerun-if-env-changed=DRAYAGE_COMMIT");
    let named = env::var("DRAYAGE_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = named.or_else(|| git(&["rev-parse", "--short=10", "HEAD"]));
    // The log of HEAD grows with every commit and every change of branch.
    if let Some(log) = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = commit.map_or(version.clone(), |commit| format!("{version} ({commit})"));
    println!("cargo::rustc-env=DRAYAGE_VERSION={version}");
}

/// What git says, where there is a clone and git.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}
