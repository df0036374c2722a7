//! What `drayage init` refuses: all of it at once, with exit code 2 and nothing written; and a connection that fails, which keeps the files.

use crate::world::{APP_KEY, Ended, SECRET, World};
use std::fs;

#[test]
fn what_is_missing_is_named_all_at_once() {
    let world = World::new();
    let nothing = world.drayage(&["init"]).expect(2);
    nothing.says_all(&["CONNECTOR", "--account ID", "--set KEY=VALUE", "--stream NAME"]);
    let settings = world.drayage(&["init", "servicetitan", "--set", "client_id=x"]).expect(2);
    settings.says_all(&[
        "--account ID",
        "--set tenant_id=VALUE",
        "Tenant ID: The tenant's number, as text.",
        "--set client_secret='${env:NAME}'",
        "--set app_key='${env:NAME}'",
        "--stream NAME",
        "and 164 more",
    ]);
    assert!(!settings.text().contains("--set client_id"), "{}", settings.text());
    assert_eq!(world.names(), Vec::<String>::new());
}

#[test]
fn what_is_wrong_is_named_all_at_once_and_no_value_is_shown() {
    let world = World::new();
    let ended = world.init(&[
        "--set=page_size=many",
        "--set=first_day=Gq7",
        "--set=enviroment=x",
        "--set=Gq7",
        "--set=client_id=again",
        "--stream=campagns",
        "--load=jobs",
    ]);
    let ended = ended.expect(2);
    ended.says_all(&[
        "--set page_size: expected an integer, found text",
        "--set first_day: it must have the form ^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        "unknown key `enviroment`; did you mean `environment`?",
        "--set: expected KEY=VALUE",
        "--set client_id: given twice",
        "--stream campagns: the connector has no such stream; did you mean `campaigns`?",
        "--load jobs: this stream is not among those of --stream",
    ]);
    for secret in [SECRET, APP_KEY, "Gq7"] {
        assert!(!ended.text().contains(secret), "{}", ended.text());
    }
    assert_eq!(world.names(), Vec::<String>::new());
    world.drayage(&["init", "servicetitn"]).expect(2).says_all(&["did you mean `servicetitan`?"]);
    world.drayage(&["init", "none.yaml"]).expect(2).says_all(&["the manifest none.yaml cannot be read"]);
    world.drayage(&["init", "gong", "--account", "a b"]).expect(2).says_all(&["--account a b: use letters, digits"]);
    let place = world.init(&["--stream=campaigns", "--landing=${env:NO_SUCH_LANDING}"]);
    place.expect(2).says_all(&["the environment variable NO_SUCH_LANDING is not set"]);
    assert_eq!(world.names(), Vec::<String>::new());
}

#[test]
fn a_file_that_is_there_is_never_touched() {
    let world = World::new();
    fs::write(world.path("pipeline.yaml"), "mine\n").unwrap();
    world.init(&["--stream=campaigns"]).expect(2).says_all(&["pipeline.yaml is there already", "--pipeline"]);
    assert_eq!((world.names(), world.text("pipeline.yaml")), (vec!["pipeline.yaml".to_owned()], "mine\n".to_owned()));
    world.init(&["--stream=campaigns", "--pipeline=gs://b/p.yaml"]).expect(2).says_all(&["files of this machine"]);
    fs::write(world.path(".env"), "no entry Gq7\n").unwrap();
    let ended = world.init(&["--stream=campaigns", "--pipeline=other.yaml"]).expect(2);
    ended.says_all(&[".env:1: the first entry cannot be read"]);
    assert!(!ended.text().contains("Gq7"), "{}", ended.text());
    assert_eq!(world.names(), [".env", "pipeline.yaml"]);
}

#[test]
fn a_connection_that_fails_keeps_the_files_and_says_how_to_go_on() {
    let world = World::new();
    let settings: Vec<String> = world.settings().iter().map(|flag| flag.replace(APP_KEY, "ak1.wrong-Gq7")).collect();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let flags = ["init", "servicetitan", "--account", "acme-hvac", "--stream", "campaigns", "--load", "campaigns"];
    let ended = world.drayage(&[&flags[..], &settings].concat()).expect(1);
    ended.says_all(&[
        "failed: servicetitan/acme-hvac/",
        "The files are written, but this failed. Correct pipeline.yaml or .env",
        "drayage check --connect --pipeline pipeline.yaml",
    ]);
    assert!(!ended.out.contains("drayage run"), "nothing is loaded: {}", ended.text());
    world.assert_secrets_only_in_dotenv(&[&ended.text()]);
    // Corrected as it says, it runs.
    let corrected = world.text(".env").replace("ak1.wrong-Gq7", APP_KEY);
    fs::write(world.path(".env"), corrected).unwrap();
    world.drayage(&["run", "--pipeline", "pipeline.yaml"]).expect(0);
    assert_eq!(world.rows("data/warehouse.duckdb", "campaigns"), world.records("campaigns"));
}

#[test]
fn a_folder_that_cannot_be_written_to_is_an_error_of_the_machine() {
    let world = World::new();
    fs::write(world.path("file"), "").unwrap();
    let ended: Ended = world.init(&["--stream=campaigns", "--pipeline=file/p.yaml"]);
    ended.expect(3).says_all(&["error: make the folder file"]);
    assert_eq!(world.names(), ["file"]);
}
