//! What `drayage` prints about itself: its version, completions that shells accept, manual pages, and commands that name it.

use crate::world::World;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn the_version_has_the_commit_that_it_was_built_from() {
    let version = World::new().drayage(&["--version"]).expect(0).out;
    let commit = version
        .trim()
        .strip_prefix(concat!("drayage ", env!("CARGO_PKG_VERSION"), " ("))
        .unwrap_or_else(|| panic!("{version}"));
    let commit = commit.strip_suffix(')').unwrap();
    assert!(commit.len() >= 10 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{version}");
    let known = Command::new("git").args(["cat-file", "-t", commit]).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    if let Ok(known) = known.as_ref().map(|known| String::from_utf8_lossy(&known.stdout)) {
        assert!(known.trim() == "commit" || known.is_empty(), "{known}");
    }
}

#[test]
fn completions_are_scripts_that_their_shells_accept() {
    let world = World::new();
    for (shell, names) in [("bash", "_drayage"), ("zsh", "#compdef drayage"), ("fish", "complete -c drayage")] {
        let script = world.drayage(&["completions", shell]).expect(0).out;
        assert!(script.contains(names) && script.contains("init") && script.contains("no-connect"), "{shell}");
        let check = if shell == "fish" { "--no-execute" } else { "-n" };
        let started = Command::new(shell).arg(check).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        // A shell that is not installed judges nothing.
        let Ok(mut started) = started else { continue };
        started.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = started.wait_with_output().unwrap();
        assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
    }
    world.drayage(&["completions", "cmd"]).expect(2).says_all(&["possible values"]);
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let world = World::new();
    world.drayage(&["manual", "."]).expect(0);
    for name in ["drayage", "drayage-init", "drayage-run", "drayage-extract", "drayage-load"] {
        let page =
            fs::read_to_string(world.path(&format!("{name}.1"))).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(page.contains(".SH NAME") && page.contains(".SH OPTIONS"), "{name}: {page}");
    }
    world.drayage(&["manual", "none"]).expect(3).says_all(&["failed to write the manual pages to none"]);
}

#[test]
fn texts_of_the_one_program_name_it() {
    let world = World::new();
    world.init(&["--stream=campaigns", "--no-connect"]).expect(0);
    let no_file = world.drayage(&["extract"]).expect(2);
    no_file.says_all(&["Usage: drayage extract"]);
    // The load has nothing to write to, so that the extract is kept and the way on is told.
    fs::create_dir_all(world.path("data/warehouse.duckdb")).unwrap();
    let run = world.drayage(&["run", "--pipeline", "pipeline.yaml"]).expect(3);
    run.says_all(&["drayage run --pipeline pipeline.yaml --only load --run-id "]);
    for name in ["orchestrator run", "extract-job ", "load-job "] {
        assert!(!run.text().contains(name), "{name}: {}", run.text());
    }
}
