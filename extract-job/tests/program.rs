//! The program itself: exit codes, output, signals, and that no secret shows anywhere.

use crate::support::{APP_KEY, Bench, SECRET, TENANT, contains};
use contract::landing::paths;
use contract::report::{RunReport, TaskStatus};
use contract::run_id::RunId;
use sandbox::fault::{Fault, FaultAction};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

fn command(bench: &Bench, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_extract-job"));
    command
        .args(args)
        .env("DRAYAGE_PIPELINE", bench.pipeline())
        .env("DRAYAGE_WAIT_FACTOR", "0.002")
        .env("DRAYAGE_LOG", "debug,hyper=info,h2=info,reqwest=info")
        .env("ST_CLIENT_SECRET", SECRET)
        .env("ST_APP_KEY", APP_KEY)
        .stdin(Stdio::null());
    command
}

async fn run(bench: &Bench, args: &[&str]) -> Output {
    let mut command = command(bench, args);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn start(bench: &Bench, args: &[&str]) -> Child {
    command(bench, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

async fn end(child: Child) -> Output {
    tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_codes_and_the_report() {
    let bench = Bench::new(60).await;
    let output = run(&bench, &["--stream", "campaigns,employees", "--output", "json"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: RunReport = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report.units.len(), 2);

    bench.server.script(Fault::once("/campaigns", FaultAction::Status(404)));
    let output = run(&bench, &["--stream", "campaigns,employees"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("1 done, 0 skipped, 1 failed"), "{}", text(&output.stdout));

    for (args, part) in [
        (vec!["--stream", "nope"], "no selected source has such a stream"),
        (vec!["--nonsense"], "--nonsense"),
        (vec!["--from", "2026-01-01"], "--to"),
        (vec!["--from", "2026-02-01", "--to", "2026-01-01"], "later than"),
        (vec!["--pipeline", "none.yaml"], "cannot be read"),
        (vec!["check", "--manifest", "none.yaml"], "cannot be read"),
        (vec!["--run-id", "../x"], "no run id"),
    ] {
        let output = run(&bench, &args).await;
        assert_eq!(output.status.code(), Some(2), "{args:?} {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(part), "{args:?} {}", text(&output.stderr));
    }

    let blocked = bench.folder.path().join("landing");
    std::fs::remove_dir_all(&blocked).unwrap();
    std::fs::write(&blocked, "a file").unwrap();
    assert_eq!(run(&bench, &["--stream", "campaigns"]).await.status.code(), Some(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_commands_work() {
    let bench = Bench::new(60).await;
    let output = run(&bench, &["check", "--connect"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("connected"), "{}", text(&output.stdout));
    let output = run(&bench, &["streams"]).await;
    let names = text(&output.stdout);
    assert!(
        ["jobs", "jobs_export", "zones"].iter().all(|name| names.lines().any(|line| line.contains(name))),
        "{names}"
    );
    let output = run(&bench, &["--dry-run"]).await;
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text(&output.stdout).contains("servicetitan/acme/jobs (incremental): GET http"),
        "{}",
        text(&output.stdout)
    );
}

/// The program without the secrets in its environment, in the bench's folder.
async fn without_secrets(bench: &Bench, args: &[&str]) -> Output {
    let mut command = command(bench, args);
    command.env_remove("ST_CLIENT_SECRET").env("ST_APP_KEY", "").current_dir(bench.folder.path());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_come_from_dotenv_beside_the_files() {
    let bench = Bench::new(60).await;
    let (folder, url) = (bench.folder.path(), bench.server.url());
    std::fs::create_dir(folder.join("settings")).unwrap();
    let settings = format!(
        "{{tenant_id: \"{TENANT}\", client_id: cid.sandbox, client_secret: \"${{env:ST_CLIENT_SECRET}}\", \
         app_key: \"${{env:ST_APP_KEY}}\", api_url: \"{url}\", auth_url: \"{url}\"}}"
    );
    std::fs::write(folder.join("settings/st.yaml"), settings).unwrap();
    let read =
        ["read", "--manifest", "servicetitan", "--config", "settings/st.yaml", "--stream", "campaigns", "--limit", "1"];
    let (extract, check) = (["--stream", "campaigns"], ["check", "--connect"]);

    for args in [&read[..], &extract, &check] {
        let output = without_secrets(&bench, args).await;
        assert_eq!(output.status.code(), Some(2), "{args:?} {}", text(&output.stderr));
        let said = text(&output.stderr);
        assert!(said.contains("ST_CLIENT_SECRET is not set") && said.contains("ST_APP_KEY is empty"), "{said}");
        assert!(!said.contains(".env"), "{said}");
    }
    // It holds no settings of the program, whatever it says.
    let good = format!("ST_CLIENT_SECRET='{SECRET}'\nST_APP_KEY=\"{APP_KEY}\"\nDRAYAGE_LIMIT=none\nDRAYAGE_RUN_ID=x\n");
    std::fs::write(folder.join(".env"), &good).unwrap();
    for args in [&read[..], &extract, &check] {
        let output = without_secrets(&bench, args).await;
        assert_eq!(output.status.code(), Some(0), "{args:?} {}", text(&output.stderr));
        for bytes in [&output.stdout, &output.stderr] {
            assert!(!contains(bytes, SECRET) && !contains(bytes, APP_KEY), "{args:?} {}", text(bytes));
        }
    }
    // The file beside the settings counts alone.
    std::fs::write(folder.join("settings/.env"), "OTHER=1\n").unwrap();
    let output = without_secrets(&bench, &read).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("settings/.env has no ST_APP_KEY"), "{}", text(&output.stderr));
    std::fs::write(folder.join("settings/.env"), good).unwrap();
    assert_eq!(without_secrets(&bench, &read).await.status.code(), Some(0));

    std::fs::write(folder.join(".env"), format!("A=1\n{SECRET} {APP_KEY}\n")).unwrap();
    let output = without_secrets(&bench, &extract).await;
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains(".env:2: what follows the entry A cannot be read"), "{said}");
    assert!(!said.contains(SECRET) && !said.contains(APP_KEY), "{said}");
    // Nobody looks into a broken file for what the environment has.
    let output = run(&bench, &extract).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_shows_in_any_output() {
    let bench = Bench::new(60).await;
    bench.server.script(Fault::once(
        "/campaigns",
        FaultAction::StatusWithBody(400, format!("{{\"title\": \"key {APP_KEY} and {SECRET} refused\"}}")),
    ));
    bench.server.script(Fault::once("/employees", FaultAction::Status(500)));
    for args in [vec!["--stream", "campaigns,employees,jobs"], vec!["check", "--connect"], vec!["--dry-run"]] {
        let output = run(&bench, &args).await;
        for bytes in [&output.stdout, &output.stderr] {
            assert!(
                !contains(bytes, SECRET) && !contains(bytes, APP_KEY) && !contains(bytes, "Bearer "),
                "{}",
                text(bytes)
            );
        }
    }
    let everything = bench.everything_stored();
    assert!(!contains(&everything, SECRET) && !contains(&everything, APP_KEY));
    assert!(contains(&everything, "key *** and *** refused"));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_extract_leaves_no_batch_and_the_next_one_goes_on() {
    let bench = Bench::new(100).await;
    bench.write_pipeline(7, "");
    let run_id = "20260101T000000Z-aaaaaa";
    let hang = Fault {
        query_contains: Some("page=3&".into()),
        ..Fault::once("/campaigns", FaultAction::Hang(Duration::from_secs(60)))
    };
    bench.server.script(hang);
    let mut child = start(&bench, &["--stream", "campaigns,employees", "--run-id", run_id]);
    wait_for(&bench, "page=3&").await;
    child.kill().unwrap();
    child.wait().unwrap();
    let run_id_parsed = run_id.parse().unwrap();
    assert!(bench.batch(&run_id_parsed, "campaigns").await.is_none());
    let output = run(&bench, &["--stream", "campaigns,employees", "--run-id", run_id]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let (_, lines) = bench.records(&run_id_parsed, "campaigns").await;
    assert_eq!(lines.len(), bench.server.truth(crate::support::TENANT, "campaigns").len());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_cleanly_with_a_report() {
    let bench = Bench::new(100).await;
    bench.write_pipeline(7, "");
    let run_id = "20260101T000000Z-bbbbbb";
    let hang = Fault {
        query_contains: Some("page=3&".into()),
        ..Fault::once("/campaigns", FaultAction::Hang(Duration::from_secs(60)))
    };
    bench.server.script(hang);
    let child = start(&bench, &["--stream", "campaigns", "--run-id", run_id]);
    wait_for(&bench, "page=3&").await;
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = end(child).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let path = paths::report(&run_id.parse::<RunId>().unwrap(), "extract", contract::unit::Task::ONLY);
    let object = bench.landing().get(&path).await.unwrap().unwrap();
    let report: RunReport = serde_json::from_slice(&object.bytes).unwrap();
    assert_eq!(report.status, TaskStatus::Interrupted);
    assert!(report.units[0].error.as_ref().unwrap().contains("stopped by SIGTERM"), "{report:?}");
    assert!(bench.batch(&run_id.parse().unwrap(), "campaigns").await.is_none());
    assert!(bench.landing().get(paths::LEASE).await.unwrap().is_none());
}

#[cfg(unix)]
async fn wait_for(bench: &Bench, query: &str) {
    for _ in 0..600 {
        if bench.server.requests().iter().any(|request| request.query.contains(query)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the request with {query} never came");
}
