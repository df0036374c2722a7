//! `drayage init` with everything on its command line, as a script calls it: a pipeline that runs, and secrets in `.env` alone.

use crate::world::{APP_KEY, SECRET, World};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

#[test]
fn flags_alone_make_a_pipeline_that_runs() {
    let world = World::new();
    let set_up = world.init(&["--stream", "business_units,campaigns", "--load", "business_units"]).expect(0);
    set_up.says_all(&[
        "Written: .gitignore, .env, pipeline.schema.json, pipeline.yaml",
        ".env holds the 2 secrets",
        "$ drayage check --connect --pipeline pipeline.yaml",
        "connected",
        "$ drayage run --pipeline pipeline.yaml --stream business_units",
        "drayage run --pipeline pipeline.yaml ",
        "duckdb data/warehouse.duckdb \"SELECT * FROM bronze.business_units LIMIT 10\"",
    ]);
    assert_eq!(world.rows("data/warehouse.duckdb", "business_units"), world.records("business_units"));
    assert_eq!(world.names(), [".env", ".gitignore", "data", "pipeline.schema.json", "pipeline.yaml"]);

    let file = world.text("pipeline.yaml");
    assert_eq!(file.lines().next(), Some("# yaml-language-server: $schema=./pipeline.schema.json"));
    for part in [
        "client_secret: \"${env:ACME_HVAC_CLIENT_SECRET}\"",
        "app_key: \"${env:ACME_HVAC_APP_KEY}\"",
        "tenant_id: \"900100\"",
        "# Not set: environment, page_size",
        "- business_units  # snapshot, key id",
        "- campaigns       # snapshot, key id",
    ] {
        assert!(file.contains(part), "{part}:\n{file}");
    }
    assert_eq!(world.text("pipeline.schema.json"), schema());
    assert_eq!(world.text(".gitignore"), ".env\n.drayage-*\n/data/\n");
    assert_eq!(world.mode(".env"), 0o600);
    assert_eq!(world.mode("pipeline.yaml") & 0o044, world.mode(".gitignore") & 0o044);

    // What the texts tell is what works, from the files alone.
    let check = world.drayage(&["check", "--connect", "--pipeline", "pipeline.yaml"]).expect(0);
    let run = world.drayage(&["run", "--pipeline", "pipeline.yaml"]).expect(0);
    assert_eq!(world.rows("data/warehouse.duckdb", "campaigns"), world.records("campaigns"));
    world.assert_secrets_only_in_dotenv(&[&set_up.text(), &check.text(), &run.text()]);
}

/// The schema as it is shipped.
fn schema() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pipeline.schema.json")).unwrap()
}

#[test]
fn an_env_file_that_is_there_keeps_its_entries_and_is_closed() {
    let world = World::new();
    let before = "# mine\nOTHER=1\nACME_HVAC_CLIENT_SECRET=another\nACME_HVAC_APP_KEY='ak1.4f0c9d $Zt4'\n";
    fs::write(world.path(".env"), before).unwrap();
    fs::set_permissions(world.path(".env"), Permissions::from_mode(0o644)).unwrap();
    fs::write(world.path(".gitignore"), "target/\n.env").unwrap();
    world.init(&["--stream", "campaigns"]).expect(0).says_all(&["connected", ".env holds the secret"]);
    let text = world.text(".env");
    let new = text.strip_prefix(before).unwrap();
    assert!(new.starts_with("# acme-hvac\nACME_HVAC_CLIENT_SECRET_2=\"cs1.\\$HOME it's"), "{new}");
    assert!(!new.contains("APP_KEY"), "the entry with this value is used: {new}");
    assert_eq!(world.mode(".env"), 0o600);
    assert_eq!(world.text(".gitignore"), "target/\n.env\n.drayage-*\n/data/\n");
    let file = world.text("pipeline.yaml");
    assert!(file.contains("${env:ACME_HVAC_CLIENT_SECRET_2}") && file.contains("${env:ACME_HVAC_APP_KEY}"), "{file}");
}

#[test]
fn a_variable_of_another_value_would_win_and_is_not_used() {
    let world = World::new();
    let settings = world.settings();
    let mut arguments = vec!["init", "servicetitan", "--account", "acme-hvac", "--stream", "campaigns", "--no-input"];
    arguments.extend(settings.iter().map(String::as_str));
    let mut command = world.program(env!("CARGO_BIN_EXE_drayage"), &arguments);
    command.env("ACME_HVAC_APP_KEY", "another").env("DRAYAGE_NO_CONNECT", "0");
    crate::world::Ended::of(command.output().unwrap()).expect(0).says_all(&["connected"]);
    assert!(world.text("pipeline.yaml").contains("${env:ACME_HVAC_APP_KEY_2}"));
}

#[test]
fn references_and_places_are_written_as_they_are_given() {
    let world = World::new();
    fs::create_dir(world.path("conf")).unwrap();
    fs::write(world.path("conf/key"), format!("{APP_KEY}\n")).unwrap();
    let url = world.api.url();
    let set_up = world.drayage(&[
        "init",
        "servicetitan",
        "--pipeline",
        "conf/st.yaml",
        "--account=acme",
        "--set=tenant_id=900100",
        "--set=client_id=cid.acme",
        "--set=client_secret=${env:ST_SECRET}",
        "--set=app_key=${file:key}",
        &format!("--set=api_url={url}"),
        &format!("--set=auth_url={url}"),
        "--set=page_size=50",
        "--set=reports=[{\"id\": 7, \"category\": \"operations\", \"name\": \"mine\"}]",
        "--stream=campaigns",
        "--stream=report_mine",
        "--landing=./land",
        "--warehouse=./wh/w.duckdb",
        "--no-connect",
    ]);
    set_up.expect(0).says_all(&["duckdb conf/wh/w.duckdb", "drayage run --pipeline conf/st.yaml"]);
    let mut names: Vec<String> =
        fs::read_dir(world.path("conf")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, [".gitignore", "key", "pipeline.schema.json", "st.yaml"], "no secret, no .env");
    assert_eq!(world.text("conf/.gitignore"), ".env\n.drayage-*\n");
    let file = world.text("conf/st.yaml");
    for part in [
        "client_secret: \"${env:ST_SECRET}\"",
        "app_key: \"${file:key}\"",
        "page_size: 50",
        "- {id: 7, category: operations, name: mine}",
        "- report_mine  # incremental, without a key",
    ] {
        assert!(file.contains(part), "{part}:\n{file}");
    }
    let mut run =
        world.program(env!("CARGO_BIN_EXE_drayage"), &["run", "--pipeline", "conf/st.yaml", "--stream=campaigns"]);
    crate::world::Ended::of(run.env("ST_SECRET", SECRET).output().unwrap()).expect(0);
    assert_eq!(world.rows("conf/wh/w.duckdb", "campaigns"), world.records("campaigns"));
}

#[test]
fn a_manifest_of_ones_own_is_found_from_the_pipeline_file() {
    let world = World::new();
    let manifest = format!(
        "type: DeclarativeSource\ncheck: {{type: CheckStream, stream_names: [things]}}\nstreams:\n  - type: DeclarativeStream\n    \
         name: things\n    primary_key: [id]\n    retriever:\n      requester: {{url_base: \"{}\", path: /nothing}}\n      \
         record_selector: {{extractor: {{field_path: []}}}}\n",
        world.api.url()
    );
    fs::write(world.path("my api.yaml"), manifest).unwrap();
    let init = ["init", "./my api.yaml", "--account", "a", "--stream", "things", "--no-connect", "--pipeline"];
    for file in ["p.yaml", "sub/p.yaml"] {
        world.drayage(&[&init[..], &[file]].concat()).expect(0);
        assert!(world.text(file).contains("    name: my_api\n"), "{}", world.text(file));
        world.drayage(&["check", "--pipeline", file]).expect(0).says_all(&["my_api/a: 1 streams"]);
    }
}

#[test]
fn a_key_that_the_connector_does_not_describe_is_taken_for_a_secret() {
    let world = World::new();
    let manifest = format!(
        "type: DeclarativeSource\ncheck: {{type: CheckStream, stream_names: [things]}}\nspec:\n  type: Spec\n  connection_specification:\n    \
         type: object\n    properties: {{page_size: {{type: integer}}}}\nstreams:\n  - type: DeclarativeStream\n    name: things\n    \
         primary_key: [id]\n    retriever:\n      requester: {{url_base: \"{}\", path: /nothing}}\n      \
         record_selector: {{extractor: {{field_path: []}}}}\n",
        world.api.url()
    );
    fs::write(world.path("open.yaml"), manifest).unwrap();
    let init = ["init", "./open.yaml", "--account", "acme-hvac", "--stream", "things", "--no-connect"];
    let secret = format!("--set=api_token={APP_KEY}");
    let ended =
        world.drayage(&[&init[..], &[&secret, "--set=page_size=7", "--set=login={\"pass\": \"Gq7\"}"]].concat());
    ended.expect(0).says_all(&[".env holds the 2 secrets"]);
    let file = world.text("pipeline.yaml");
    assert!(file.contains("api_token: \"${env:ACME_HVAC_API_TOKEN}\"") && file.contains("page_size: 7"), "{file}");
    world.assert_secrets_only_in_dotenv(&[]);
    world.drayage(&["check", "--pipeline", "pipeline.yaml"]).expect(0);
}

#[test]
fn a_list_and_its_feed_are_warned_about() {
    let world = World::new();
    let ended = world.init(&["--stream", "jobs,jobs_export", "--no-connect"]).expect(0);
    ended.says_all(&["warning: `jobs` and `jobs_export` are a list and the feed of its changes"]);
}
