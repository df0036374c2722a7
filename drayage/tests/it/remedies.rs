//! What a run or a page of the docs tells to do is done: the command that is shown, as it is shown.

use crate::own_source::{OwnSource, types};
use sandbox::callio;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn records(count: u32) -> Vec<Value> {
    (1..=count).map(|id| json!({"id": id, "updated_at": format!("2026-01-{:02}", id % 28 + 1)})).collect()
}

/// The command of the only line that begins so.
#[track_caller]
fn told<'a>(text: &'a str, beginning: &str) -> &'a str {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(beginning));
    let command = lines.next().unwrap_or_else(|| panic!("no line begins with `{beginning}`:\n{text}"));
    assert!(lines.next().is_none() && command.starts_with("drayage "), "{text}");
    command
}

const RUN: &str = "drayage run --pipeline pipeline.yaml";

#[test]
fn a_mass_delete_that_is_right_is_done_by_the_command_that_is_told() {
    let routes = json!([
        {"path": "/things", "times": 1, "body": {"data": records(30)}},
        {"path": "/things", "body": {"data": records(3)}},
    ]);
    let source = OwnSource::new(&[("things", json!({}))], routes);
    source.types(RUN).expect(0);
    let refused = source.types(RUN).expect(1);
    assert!(!refused.text().contains("to load again without extracting"), "{}", refused.text());
    source.types(told(&refused.out, "if that is right: ")).expect(0);
    // Once allowed, the next run takes its own reading for the confirmation.
    source.types(RUN).expect(0);
    let live = source.column("SELECT count(*)::VARCHAR FROM bronze.things WHERE _etl_operation <> 'DELETE'");
    assert_eq!(live, ["3"]);
}

#[test]
fn an_older_run_is_loaded_by_the_command_that_is_told() {
    let routes = json!([
        {"path": "/things", "times": 1, "body": {"data": records(3)}},
        {"path": "/things", "body": {"data": records(4)}},
    ]);
    let source = OwnSource::new(&[("things", json!({}))], routes);
    source.types(RUN).expect(0);
    let first = source.column("SELECT run_id FROM management.etl_logs LIMIT 1").remove(0);
    std::thread::sleep(std::time::Duration::from_millis(1100)); // ids of one second have no order
    source.types(RUN).expect(0);
    let refused = source.types(&format!("{RUN} --only load --run-id {first}")).expect(1);
    source.types(told(&refused.out, "if that is right: ")).expect(0);
    // An older batch cannot have the rows of a later one: it deletes none.
    assert_eq!(source.column("SELECT count(*)::VARCHAR FROM bronze.things WHERE _etl_operation <> 'DELETE'"), ["4"]);
}

#[test]
fn a_warehouse_that_was_lost_is_filled_by_the_command_that_is_told() {
    let cursor = json!({
        "type": "DatetimeBasedCursor", "cursor_field": "updated_at", "datetime_format": "%Y-%m-%d", "start_datetime": "2026-01-01",
        "start_time_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "since"},
    });
    let routes = json!([
        {"path": "/things", "when": {"parameter": {"since": "2026-01-01"}}, "body": {"data": records(27)}},
        {"path": "/things", "body": {"data": []}},
    ]);
    let source = OwnSource::new(&[("things", json!({"incremental_sync": cursor}))], routes);
    source.types(RUN).expect(0);
    fs::remove_file(source.folder().join("w.duckdb")).unwrap();
    let refused = source.types(RUN).expect(1);
    source.types(told(&refused.out, "to extract from the start: ")).expect(0);
    assert_eq!(source.column("SELECT count(*)::VARCHAR FROM bronze.things"), ["27"]);
}

fn page(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path)).unwrap()
}

/// What the docs tell to do about rows that a run has missed, or that somebody else wrote: by a page's words, a command of this test's source.
#[test]
fn what_the_docs_tell_about_missed_rows_brings_them() {
    // The page, its words, and how much of the API's 27 rows it brings.
    let cases = [
        ("README.md", "drayage run --pipeline pipeline.yaml --stream jobs --from 2026-01-01 --to 2026-02-01", "27"),
        ("README.md", "drayage run --pipeline pipeline.yaml --full-refresh", "27"),
        ("docs/connectors/gong.md", "--full-refresh --stream calls", "27"),
        ("docs/connectors/README.md", "--full-refresh --stream users", "27"),
        ("docs/connectors/README.md", "--from 2026-01-01 --to 2026-02-01", "27"),
        // It reads nothing anew: what was read of the run is loaded again.
        ("README.md", "drayage run --pipeline pipeline.yaml --only load --run-id 20260131T235900Z-a1b2c3", "3"),
    ];
    let cursor = json!({
        "type": "DatetimeBasedCursor", "cursor_field": "updated_at", "datetime_format": "%Y-%m-%d", "start_datetime": "2026-01-01",
        "start_time_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "since"},
    });
    for (at, words, rows) in cases {
        assert!(page(at).contains(words), "{at} says nothing of `{words}`");
        let stream = words.split_whitespace().skip_while(|word| *word != "--stream").nth(1).unwrap_or("jobs");
        let path = format!("/{stream}");
        // The first run gets the newest rows alone; from then on nothing is new.
        let routes = json!([
            {"path": path, "times": 1, "body": {"data": records(27)[24..]}},
            {"path": path, "when": {"parameter": {"since": "2026-01-01"}}, "body": {"data": records(27)}},
            {"path": path, "body": {"data": []}},
        ]);
        let source = OwnSource::new(&[(stream, json!({"incremental_sync": cursor}))], routes);
        source.types(&format!("{RUN} --run-id 20260131T235900Z-a1b2c3")).expect(0);
        source.types(RUN).expect(0);
        let count = format!("SELECT count(*)::VARCHAR FROM bronze.{stream}");
        assert_eq!(source.column(&count), ["3"], "{words}");
        let command = if words.starts_with("drayage ") { words.to_owned() } else { format!("{RUN} {words}") };
        // The run that it names is not the newest any more.
        let command = if words.contains("--only load") { format!("{command} --force") } else { command };
        source.types(&command).expect(0);
        assert_eq!(source.column(&count), [rows], "{words}");
    }
}

#[test]
fn rows_of_another_writer_are_taken_over_by_the_option_that_is_told() {
    assert!(page("README.md").contains("--take-over"));
    let routes = json!([{"path": "/things", "body": {"data": records(5)}}]);
    let source = OwnSource::new(&[("things", json!({}))], routes);
    source.types(RUN).expect(0);
    let file = source.folder().join("pipeline.yaml");
    let renamed = fs::read_to_string(&file).unwrap().replace("\"src\"", "\"renamed\"");
    fs::write(&file, renamed).unwrap();
    let refused = source.types(RUN).expect(1);
    assert!(refused.out.contains("--take-over"), "{}", refused.text());
    let command = refused
        .out
        .lines()
        .find_map(|line| Some(&line[line.find("drayage ")?..]))
        .filter(|line| line.contains("--take-over"));
    source.types(command.unwrap_or(&format!("{RUN} --take-over"))).expect(0);
    assert_eq!(source.column("SELECT count(*)::VARCHAR FROM bronze.things"), ["5"]);
    source.types(RUN).expect(0);
}

/// The commands of a page's text that are more than a name.
fn commands(name: &str) -> Vec<String> {
    let text = page(&format!("docs/connectors/{name}"));
    let spans = text.split('`').skip(1).step_by(2).filter(|span| span.starts_with("drayage ") && span.contains("--"));
    spans.map(str::to_owned).collect()
}

#[test]
fn the_commands_of_callios_page_read_the_days_again() {
    let options = callio::Options { records: 200, ..callio::Options::default() };
    let account = options.accounts[0].clone();
    let api = futures::executor::block_on(callio::start(options)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = json!({
        "email": account.email, "password": account.password, "start_date": "2026-01-01", "api_url": api.url(),
    });
    let pipeline = json!({
        "landing": "./landing", "warehouse": {"type": "duckdb", "path": "./w.duckdb"},
        "sources": [{"connector": "callio", "accounts": [{"id": "a", "config": config}]}],
    });
    fs::write(folder.path().join("pipeline.yaml"), pipeline.to_string()).unwrap();
    let commands = commands("callio.md");
    assert!(commands.len() >= 3, "{commands:?}");
    for command in &commands {
        types(folder.path(), command).expect(0);
    }
    // The stand-in's days are those of January, which one of the commands reads.
    let connection = duckdb::Connection::open(folder.path().join("w.duckdb")).unwrap();
    let query = "SELECT count(*) FROM bronze.customers WHERE _etl_operation <> 'DELETE'";
    let rows: i64 = connection.query_row(query, [], |row| row.get(0)).unwrap();
    assert!(rows > 50, "{rows}");
}
