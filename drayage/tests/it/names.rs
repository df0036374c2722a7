//! Called by the name of one of the three programs, as packages and images link it, `drayage` is that program.

use crate::world::{Ended, World};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

const PROGRAM: &str = env!("CARGO_BIN_EXE_drayage");

/// A link to the program, in a folder with nothing else in it.
fn link(world: &World, name: &str) -> PathBuf {
    let folder = world.path("links");
    fs::create_dir_all(&folder).unwrap();
    let link = folder.join(name);
    symlink(PROGRAM, &link).unwrap();
    link
}

#[test]
fn a_link_is_the_program_that_it_is_called_by() {
    let world = World::new();
    for (name, has, has_not) in [
        ("extract-job", "--full-refresh", "--allow-mass-delete"),
        ("load-job", "--allow-mass-delete", "--full-refresh"),
        ("orchestrator", "schedule", "completions"),
    ] {
        let link = link(&world, name);
        let version = Ended::of(world.program(&link, &["--version"]).output().unwrap()).expect(0);
        assert!(version.out.starts_with(&format!("{name} ")), "{}", version.out);
        let help = Ended::of(world.program(&link, &["--help"]).output().unwrap()).expect(0);
        assert!(help.out.contains(&format!("Usage: {name} ")), "{}", help.out);
        assert!(help.out.contains(has) && !help.out.contains(has_not), "{name}: {}", help.out);
        let wrong = Ended::of(world.program(&link, &["--nonsense"]).output().unwrap()).expect(2);
        wrong.says_all(&[&format!("Usage: {name}")]);
    }
    let version = world.drayage(&["--version"]).expect(0);
    assert!(version.out.starts_with("drayage "), "{}", version.out);
}

#[test]
fn an_orchestrator_that_is_a_link_starts_the_jobs_as_itself() {
    let world = World::new();
    world.init(&["--stream=campaigns", "--no-connect"]).expect(0);
    // Nothing lies beside the program: neither a job nor a link to one.
    let alone = world.path("alone");
    fs::create_dir(&alone).unwrap();
    let program = alone.join("drayage");
    if fs::hard_link(PROGRAM, &program).is_err() {
        fs::copy(PROGRAM, &program).unwrap();
    }
    let link = world.path("bin-orchestrator");
    fs::create_dir(&link).unwrap();
    let link = link.join("orchestrator");
    symlink(&program, &link).unwrap();
    let run = Ended::of(world.program(&link, &["run", "--pipeline", "pipeline.yaml"]).output().unwrap());
    run.expect(0);
    assert_eq!(world.rows("data/warehouse.duckdb", "campaigns"), world.records("campaigns"));
    // A copy by that name cannot be told from it.
    let copy = alone.join("orchestrator");
    fs::rename(&program, &copy).unwrap();
    let run = Ended::of(world.program(&copy, &["run", "--pipeline", "pipeline.yaml"]).output().unwrap());
    run.expect(0);
}
