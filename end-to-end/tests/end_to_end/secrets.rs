//! No secret anywhere: not in what the programs say, not in what they store; in a run that does well and in runs that fail.

use crate::programs::Ended;
use crate::world::{ACCOUNTS, APP_KEY, World, files};
use flate2::read::MultiGzDecoder;
use sandbox::fault::FaultAction;
use std::fs;
use std::io::Read;

/// What must be found nowhere: the secrets, and the forms that they take in a request's body and header.
fn forbidden() -> Vec<String> {
    let mut all = vec![APP_KEY.to_owned()];
    for account in &ACCOUNTS {
        let encoded = account.secret.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        all.extend([account.secret.to_owned(), encoded, account.secret.replace('/', "\\/")]);
    }
    all
}

/// The access tokens look like `sandbox.7.00c0ffee00c0ffee`.
fn has_token(text: &str) -> bool {
    text.match_indices("sandbox.").any(|(at, word)| {
        let rest = text[at + word.len()..].trim_start_matches(|c: char| c.is_ascii_digit());
        let hex = rest.strip_prefix('.').unwrap_or_default();
        hex.bytes().take_while(u8::is_ascii_hexdigit).count() >= 16
    })
}

#[track_caller]
fn assert_clean(place: &str, text: &str) {
    for secret in forbidden() {
        assert!(!text.contains(&secret), "{place} holds the secret {secret}");
    }
    assert!(!has_token(text), "{place} holds an access token");
    assert!(!text.contains("Bearer "), "{place} holds a header");
}

/// What was said and all that is stored, batches unpacked and the tables read.
fn assert_all_clean(world: &World, said: &[Ended]) {
    said.iter().for_each(|ended| assert_clean("the output", &ended.text()));
    let mut batches = 0;
    for file in files(&world.path("landing")) {
        let bytes = fs::read(&file).unwrap();
        let mut text = Vec::new();
        if file.extension().is_some_and(|extension| extension == "gz") {
            MultiGzDecoder::new(&bytes[..]).read_to_end(&mut text).unwrap();
            batches += 1;
        } else {
            text = bytes;
        }
        assert_clean(&file.display().to_string(), &String::from_utf8_lossy(&text));
    }
    assert!(batches > 10);
    let warehouse = world.warehouse();
    for table in ["etl_logs", "schema_changes"] {
        assert_clean(table, &format!("{:?}", warehouse.rows("management", table, &[]).rows));
    }
    assert!(!warehouse.rows("management", "etl_logs", &[]).rows.is_empty());
    assert_clean("the DuckDB file", &String::from_utf8_lossy(&fs::read(world.path("w.duckdb")).unwrap()));
}

#[test]
fn no_secret_is_said_or_stored() {
    assert!(has_token("x sandbox.12.0123456789abcdef y") && !has_token("cid.sandbox and sandbox.x"));
    let world = World::new(60, 20);
    let loud = |arguments: &[&str]| {
        Ended::of(world.command("orchestrator", arguments).env("DRAYAGE_LOG", "debug").output().unwrap())
    };
    let mut said = vec![loud(&["run"]).expect(0)];

    // An API that gives secrets back: in the refusal of the login, in errors, and in a redirect.
    let echo = format!("{{\"title\":\"{} {}\"}}", ACCOUNTS[0].secret, APP_KEY);
    let away = format!("http://127.0.0.1:9/elsewhere?key={APP_KEY}");
    let faults = [
        ("/connect/token", FaultAction::StatusWithBody(400, echo.clone())),
        ("/connect/token", FaultAction::Status(500)),
        ("/campaigns", FaultAction::StatusWithBody(400, echo.clone())),
        ("/campaigns", FaultAction::StatusWithBody(200, echo)),
        ("/campaigns", FaultAction::Unauthorized),
        ("/campaigns", FaultAction::Redirect(away)),
        ("/campaigns", FaultAction::CutBody { after_bytes: 200 }),
    ];
    for (path, action) in faults {
        world.api.clear_script();
        world.script(&ACCOUNTS[0], path, None, usize::MAX, action);
        let arguments = ["run", "--stream", "campaigns,employees", "--output", "json"];
        let ended = loud(&arguments);
        // An object without records is an empty page, whatever else it says: the snapshot is then not stable, and deletes nothing.
        let code = if ended.text().contains("deletes are held back") { 0 } else { 1 };
        said.push(ended.expect(code));
    }
    world.api.clear_script();
    said.push(Ended::of(world.command("extract-job", &["check", "--connect"]).output().unwrap()).expect(0));
    said.push(Ended::of(world.command("extract-job", &["--dry-run"]).output().unwrap()).expect(0));
    assert_all_clean(&world, &said);
}
