//! Old batches leave the landing folder: by hand, and after each run where the pipeline file says how long they are kept.

use crate::world::{Ended, LOAD_WELL, World};
use serde_json::json;
use std::fs;

const OLD: [&str; 3] = ["20250101T023000Z-aaaaaa", "20250102T023000Z-aaaaaa", "20250103T023000Z-aaaaaa"];

/// Old batches of one stream, all loaded; with some settings of the landing folder.
fn world(settings: &str) -> World {
    let world = World::new();
    world.pipeline("");
    let text = fs::read_to_string(world.path("pipeline.yaml")).unwrap();
    fs::write(world.path("pipeline.yaml"), text.replace("landing: ./landing", &format!("landing: {settings}")))
        .unwrap();
    for run in OLD {
        let folder = world.path("landing/batches/s/a0/jobs").join(run);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("part-00000.ndjson.gz"), [0; 2048]).unwrap();
        let batch = json!({"mode": "incremental", "source": "s", "account": "a0", "stream": "jobs"});
        fs::write(folder.join("batch.json"), batch.to_string()).unwrap();
    }
    fs::create_dir_all(world.path("landing/checkpoints/s/a0")).unwrap();
    let checkpoint = json!({"run_id": OLD[2], "state": null, "updated_at": "2025-01-03T02:40:00Z"});
    fs::write(world.path("landing/checkpoints/s/a0/jobs.json"), checkpoint.to_string()).unwrap();
    world
}

fn left(world: &World) -> Vec<String> {
    let entries = fs::read_dir(world.path("landing/batches/s/a0/jobs")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn prune(world: &World, arguments: &[&str]) -> Ended {
    world.command(&[&["prune", "--pipeline", "pipeline.yaml"], arguments].concat()).output().unwrap().into()
}

#[test]
fn by_hand_what_is_old_goes_and_what_is_needed_stays() {
    let world = world("./landing");
    let counted = prune(&world, &["--keep", "30d", "--dry-run"]);
    assert_eq!((counted.code, left(&world).len()), (Some(0), 3), "{counted:?}");
    assert!(
        counted.out.starts_with("would be removed: 2 batches and 0 files of rejected records, 0.0 MiB; 1 more"),
        "{counted:?}"
    );
    let pruned = prune(&world, &["--keep", "30d", "--output", "json"]);
    assert_eq!((pruned.code, &pruned.json()["batches"]), (Some(0), &2.into()), "{pruned:?}");
    assert_eq!(left(&world), OLD[2..]);
    assert!(world.lease_is_free());
}

#[test]
fn it_is_refused_where_it_makes_no_sense() {
    let world = world("./landing");
    let without = prune(&world, &[]);
    assert!(
        without.code == Some(2) && without.err.contains("--keep 30d, or `landing: {path: …, keep: 30d}`"),
        "{without:?}"
    );
    let wrong = prune(&world, &["--keep", "30"]);
    assert!(wrong.code == Some(2) && wrong.err.contains("expected a number and a unit"), "{wrong:?}");
    for (landing, says) in [
        ("gs://bucket/prefix", "is a bucket: give it a lifecycle rule"),
        ("{path: 'gs://bucket/prefix', keep: 30d}", "landing.keep: is for folders; give the bucket a lifecycle rule"),
        ("{path: ./landing, keep: a month}", "landing.keep: expected a number and a unit"),
    ] {
        let text = fs::read_to_string(world.path("pipeline.yaml")).unwrap();
        let (_, rest) = text.split_once('\n').unwrap();
        fs::write(world.path("pipeline.yaml"), format!("landing: {landing}\n{rest}")).unwrap();
        let refused = prune(&world, &["--keep", "30d"]);
        assert!(refused.code == Some(2) && refused.err.contains(says), "{says}: {refused:?}");
    }
    assert_eq!(left(&world), OLD);
}

#[test]
fn a_run_that_is_going_on_is_left_alone() {
    let world = world("./landing");
    world.job("extract-job", "plan; touch \"$here/../up\"; wait_for go; report finished done; latest; exit 0");
    let first = world.start(&[]);
    world.wait_for("up");
    let refused = prune(&world, &["--keep", "30d"]);
    assert!(refused.code == Some(3) && refused.err.contains("is going on"), "{refused:?}");
    assert_eq!(left(&world), OLD);
    world.touch("go");
    assert_eq!(Ended::of(first).code, Some(0));
}

#[test]
fn a_run_prunes_when_it_is_finished() {
    let world = world("{path: ./landing, keep: 30d}");
    world.job("load-job", "exit 3");
    assert_eq!(world.run(&[]).code, Some(3));
    assert_eq!(left(&world), OLD, "a run that came to nothing removes nothing");
    world.job("load-job", LOAD_WELL);
    let ended = world.run(&[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("removed: 2 batches and 0 files"), "{ended:?}");
    assert_eq!(left(&world), OLD[2..]);
    assert!(world.lease_is_free());
}
