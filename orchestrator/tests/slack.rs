//! What people are told when a run ends, and that a webhook which fails changes nothing else.
//! The texts themselves are tested where they are written.

use crate::serving::Served;
use crate::world::{Ended, LOAD_WELL, World, wait_until};
use sandbox::slack::{FaultAction, Slack};
use serde_json::Value;

const NOTIFY: &str = "notify: {slack_webhook: \"${env:HOOK}\"}\n";

fn run(world: &World, hook: Option<&str>, arguments: &[&str]) -> Ended {
    world.pipeline(NOTIFY);
    let mut command = world.command(&[&["run", "--pipeline", "pipeline.yaml", "--output", "json"], arguments].concat());
    command.env("DRAYAGE_WAIT_FACTOR", "0.01").env_remove("HOOK");
    command.envs(hook.map(|hook| ("HOOK", hook)));
    command.output().unwrap().into()
}

/// The lines of a message's blocks.
fn lines(body: &Value) -> Vec<String> {
    let blocks = body["blocks"].as_array().unwrap().iter();
    blocks.flat_map(|block| block["text"]["text"].as_str().unwrap().lines()).map(str::to_owned).collect()
}

#[test]
fn a_run_tells_what_it_did() {
    let (world, slack) = (World::new(), Slack::start().unwrap());
    let ended = run(&world, Some(&slack.webhook()), &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let messages = slack.messages();
    assert_eq!(messages.len(), 1);
    assert!(messages[0].path.starts_with("/services/T"));
    let lines = lines(&messages[0].body);
    assert_eq!(lines[0], ":white_check_mark: *pipeline.yaml*: done");
    let run_id = ended.json()["run_id"].as_str().unwrap().to_owned();
    assert!(lines[1].starts_with(&format!("run `{run_id}`, 1 unit, ")), "{lines:?}");
    assert!(lines[2].starts_with("• *s* (1 account): 5 inserted, 0 unchanged in "), "{lines:?}");
}

#[test]
fn a_run_tells_what_failed_without_secrets() {
    let slack = Slack::start().unwrap();
    let world = World::with(
        "plan; report finished failed \"<!channel> $HOOK says no\"; exit 1",
        "report finished skipped; exit 0",
    );
    let ended = run(&world, Some(&slack.webhook()), &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let lines = lines(&slack.messages()[0].body);
    assert_eq!(lines[0], ":x: *pipeline.yaml*: nothing is well");
    assert!(lines.contains(&"• `s/a0/jobs` (extract): &lt;!channel&gt; *** says no".to_owned()), "{lines:?}");
}

#[test]
fn a_run_that_could_not_begin_is_told() {
    let (world, slack) = (World::new(), Slack::start().unwrap());
    std::fs::remove_file(world.path("bin/load-job")).unwrap();
    assert_eq!(run(&world, Some(&slack.webhook()), &[]).code, Some(3));
    let lines = lines(&slack.messages()[0].body);
    assert_eq!(lines[0], ":x: *pipeline.yaml*: there was no run");
    assert!(lines[1].starts_with("the program load-job is not in "), "{lines:?}");
}

#[test]
fn a_webhook_that_fails_changes_nothing() {
    let slack = Slack::start().unwrap();
    slack.fault(FaultAction::Status(500, "server_error".into()), 3);
    slack.fault(FaultAction::Status(403, "action_prohibited".into()), 1);
    let gone = Slack::start().unwrap().webhook();
    for (hook, says) in [
        (Some(slack.webhook()), "Slack answered 500 Internal Server Error: server_error"),
        (Some(slack.webhook()), "Slack answered 403 Forbidden: action_prohibited"),
        (Some(gone), "no answer from Slack"),
        (Some("http://hooks.example.com/services/T0/B0/sandboxsandbox".into()), "is no https address"),
        (None, "the environment variable HOOK is not set"),
    ] {
        let world = World::new();
        let ended = run(&world, hook.as_deref(), &[]);
        assert_eq!(ended.code, Some(0), "{says}: {ended:?}");
        assert_eq!(ended.json()["status"], "done");
        assert!(ended.err.contains("failed to tell Slack") && ended.err.contains(says), "{says}: {ended:?}");
        assert!(!format!("{ended:?}").contains("sandboxsandbox"), "the address is a secret: {ended:?}");
    }
    assert_eq!((slack.requests(), slack.messages().len()), (4, 0));
}

#[test]
fn a_server_tells_as_well_but_not_of_requests_that_cannot_be() {
    let (world, slack) = (World::new(), Slack::start().unwrap());
    world.pipeline(NOTIFY);
    let server = Served::start(&world, &[], &[("HOOK", &slack.webhook())]);
    assert_eq!(server.run(r#"{"accounts":["a7"]}"#).status, 400);
    assert_eq!(server.run_to_its_end("")["status"], "done");
    wait_until("the message", || !slack.messages().is_empty());
    assert_eq!(server.stop().code, Some(0));
    let messages = slack.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].body["text"], ":white_check_mark: *pipeline.yaml*: done");
}

#[test]
fn a_run_that_another_one_has_kept_out_is_told() {
    let (world, slack) =
        (World::with("plan; touch \"$here/../up\"; wait_for go; exit 1", LOAD_WELL), Slack::start().unwrap());
    let first = world.start(&[]);
    world.wait_for("up");
    assert_eq!(run(&world, Some(&slack.webhook()), &[]).code, Some(3));
    let lines = lines(&slack.messages()[0].body);
    assert_eq!(lines[0], ":x: *pipeline.yaml*: there was no run");
    assert!(lines[1].contains("is going on: its lease is held by orchestrator"), "{lines:?}");
    world.touch("go");
    assert_eq!(Ended::of(first).code, Some(3));
}
