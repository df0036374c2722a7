//! `orchestrator demo` around scripts: two runs of one pipeline file, the tables, and the check that there was something to see.
//! What the real jobs make of the stand-in is tested where all programs are.

use crate::world::{Ended, World};
use std::fs;

const HERE: &str = "landing=$here/../demo/landing; runs=$landing/runs/$run; case \" $* \" in *\" --confirm \"*) round=confirm; runs=$runs/confirm ;; esac; mkdir -p \"$runs\"; ";
const EXTRACT: &str = "env | grep ^DEMO_ | sort >> \"$here/../env\"; plan; report finished done; latest; exit 0";
/// The second run's load finds rows missing, and the confirming one marks them.
const LOAD: &str = "if [ \"$round\" = confirm ]; then inserted=0 deleted=3; elif [ -e \"$here/../again\" ]; then inserted=1 updated=2 suspected=3; fi; \
    touch \"$here/../again\"; report finished done; exit 0";

fn demo(load: &str, arguments: &[&str]) -> (World, Ended) {
    let world = World::with(&format!("{HERE}{EXTRACT}"), &format!("{HERE}{load}"));
    let all: Vec<&str> = ["demo", "--dir", "demo"].into_iter().chain(arguments.iter().copied()).collect();
    let ended = world.command(&all).output().unwrap().into();
    (world, ended)
}

#[test]
fn two_runs_and_their_tables() {
    let (world, ended) = demo(LOAD, &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.stages(), ["extract", "load", "extract", "load", "extract", "load"]);
    let confirms: Vec<bool> = world.calls().iter().map(|call| call.contains("--confirm")).collect();
    assert_eq!(confirms, [false, false, false, false, true, true], "what the second run misses is confirmed");
    let tables: Vec<&str> = ended.out.lines().filter(|line| line.starts_with("all streams")).collect();
    let cells = |line: &str| line.split_whitespace().skip(2).take(5).collect::<Vec<_>>().join(" ");
    assert_eq!(tables.iter().map(|line| cells(line)).collect::<Vec<_>>(), ["7 5 0 0 0", "7 1 2 3 0"]);
    assert!(ended.out.contains("duckdb demo/warehouse.duckdb \"SELECT "), "{}", ended.out);
    let env = fs::read_to_string(world.path("env")).unwrap();
    let names: Vec<&str> = env.lines().filter_map(|line| line.split('=').next()).collect();
    assert_eq!(names[..3], ["DEMO_ACME_CLIENT_SECRET", "DEMO_APP_KEY", "DEMO_BLUEBIRD_CLIENT_SECRET"]);
    let file = fs::read_to_string(world.path("demo/pipeline.yaml")).unwrap();
    for secret in env.lines().filter_map(|line| line.split('=').nth(1)) {
        assert!(!format!("{file}{ended:?}").contains(secret));
    }

    // An earlier demo is wiped, anything else is left alone.
    fs::remove_file(world.path("again")).unwrap();
    let again: Ended = world.command(&["demo", "--dir", "demo", "--output", "json"]).output().unwrap().into();
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(again.json()["runs"].as_array().unwrap().len(), 2);
    assert_eq!(fs::read_dir(world.path("demo/landing/runs")).unwrap().count(), 3);
    world.touch("demo/mine");
    let refused: Ended = world.command(&["demo", "--dir", "demo"]).output().unwrap().into();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("`mine`, which no demo has written") && world.path("demo/landing").exists());
}

#[test]
fn a_demo_that_shows_nothing_fails() {
    let (_, ended) = demo("report finished done; exit 0", &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("not as it should be: the second run shows no soft delete"), "{ended:?}");
}

#[test]
fn a_demo_ends_with_a_run_that_fails() {
    let (world, ended) = demo("exit 3", &["--output", "json"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(ended.json()["runs"].as_array().unwrap().len(), 1);
    assert_eq!(world.stages(), ["extract", "load"]);
}
