//! What comes in from outside: every crate is from crates.io, under a licence that deny.toml allows.
//!
//! `cargo deny` checks this too, and known vulnerabilities with it, but has to be installed first; it runs once a week. These two rules
//! can be broken by any change of Cargo.lock, so they are tested with everything else.

use serde_json::Value;
use std::collections::BTreeSet;
use std::iter::Peekable;
use std::path::Path;
use std::process::Command;
use std::str::SplitWhitespace;

/// What Cargo.lock calls crates.io, also on a machine that downloads from a mirror of it.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What cargo prints on its standard output.
fn cargo(arguments: &[&str]) -> String {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program).current_dir(root()).args(arguments).output().unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The packages that this platform needs, as `cargo metadata` describes them.
///
/// Packages of other platforms are left out: a licence is read from a crate's own manifest, and cargo has not downloaded those crates.
/// `--offline` is left out for the same reason: after a test of a single package, some of the others are still missing.
fn packages() -> Vec<Value> {
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo -vV names the host");
    let metadata = cargo(&["metadata", "--locked", "--format-version", "1", "--filter-platform", host]);
    let mut metadata: Value = serde_json::from_str(&metadata).unwrap();
    serde_json::from_value(metadata["packages"].take()).unwrap()
}

/// The licences that deny.toml allows. They stand one a line there, so that reading them takes no crate for TOML.
fn allowed_licences() -> BTreeSet<String> {
    let text = read("deny.toml");
    let section = text.lines().map(str::trim).skip_while(|line| *line != "[licenses]");
    let list = section.skip_while(|line| *line != "allow = [").skip(1).take_while(|line| *line != "]");
    let licences: BTreeSet<String> = list
        .map(|line| {
            let name = line.strip_prefix('"').and_then(|rest| rest.strip_suffix("\","));
            name.unwrap_or_else(|| panic!("deny.toml: `{line}` is not one licence, quoted and with a comma")).to_owned()
        })
        .collect();
    assert!(!licences.is_empty(), "deny.toml has no `allow = [` below `[licenses]`");
    licences
}

/// Whether the allowed licences are enough for an expression: SPDX's, or the older form with `/` for OR.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any_of(&mut words, allowed) && words.next().is_none()
}

type Words<'a> = Peekable<SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut holds = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        // `||` would leave the words of the second half unread.
        holds |= all_of(words, allowed);
    }
    holds
}

fn all_of(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut holds = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        holds &= one(words, allowed);
    }
    holds
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let holds = any_of(words, allowed);
        return words.next_if_eq(&")").is_some() && holds;
    }
    let Some(licence) = words.next() else { return false };
    if words.next_if_eq(&"WITH").is_none() {
        return allowed.contains(licence);
    }
    words.next().is_some_and(|exception| allowed.contains(&format!("{licence} WITH {exception}")))
}

#[test]
fn every_crate_comes_from_crates_io() {
    // Cargo.lock, not `cargo metadata`: it knows the crates of all platforms.
    let lock = read("Cargo.lock");
    let foreign: BTreeSet<&str> = lock
        .lines()
        .filter_map(|line| line.strip_prefix("source = "))
        .map(|source| source.trim_matches('"'))
        .filter(|source| *source != CRATES_IO)
        .collect();
    assert!(
        foreign.is_empty(),
        "Cargo.lock has crates from {foreign:?}; they must be on crates.io (deny.toml says why)"
    );
}

#[test]
fn every_crate_has_an_allowed_licence() {
    let allowed = allowed_licences();
    let packages = packages();
    let refused: Vec<String> = packages
        .iter()
        .map(|package| ["name", "version", "license"].map(|key| package[key].as_str().unwrap_or_default()))
        .filter(|[_, _, licence]| !is_allowed(licence, &allowed))
        .map(|[name, version, licence]| format!("{name} {version}: {licence}"))
        .collect();
    assert!(refused.is_empty(), "licences that deny.toml does not allow:\n{}", refused.join("\n"));
}

#[test]
fn a_licence_expression_is_read_as_spdx_means_it() {
    let allowed = BTreeSet::from(["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned));
    for expression in [
        "MIT",
        "GPL-3.0 OR MIT",
        "GPL-3.0/MIT",
        "MIT / GPL-3.0",
        "MIT AND ISC",
        "(GPL-3.0 OR MIT) AND ISC",
        "GPL-3.0 AND EPL-2.0 OR MIT",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(is_allowed(expression, &allowed), "{expression}");
    }
    for expression in [
        "",
        "GPL-3.0",
        "GPL-3.0 OR EPL-2.0",
        "MIT AND GPL-3.0",
        "MIT AND (GPL-3.0 OR EPL-2.0)",
        "Apache-2.0",
        "MIT WITH LLVM-exception",
        "MIT AND",
        "MIT ISC",
        "MIT WITH",
        "(MIT",
        "MIT)",
    ] {
        assert!(!is_allowed(expression, &allowed), "{expression}");
    }
}
