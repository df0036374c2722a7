//! A DuckDB file that another program has open: it is waited for, and the program is named.
#![cfg(all(feature = "duckdb", unix))]

use crate::world::{World, snapshot};
use contract::report::UnitStatus;
use load_job::run::Options;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A program that locks the file as one does that reads it, for so many seconds.
fn hold(file: &Path, seconds: &str) -> Child {
    let script = "import fcntl, sys, time\nf = open(sys.argv[1], 'rb')\nfcntl.lockf(f, fcntl.LOCK_SH)\nprint('held', flush=True)\n\
                  time.sleep(float(sys.argv[2]))";
    let mut command = Command::new("python3");
    let mut child = command.args(["-c", script]).arg(file).arg(seconds).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    child
}

#[test]
fn a_file_that_is_open_elsewhere_is_waited_for_and_who_has_it_is_named() {
    let mut world = World::duckdb();
    let records = [json!({"id": 1, "v": "x"})];
    world.run(&[snapshot("a", &records)]);
    let file = world.dir.path().join("w.duckdb");

    // In time: the load waits.
    let run = world.extract(&[snapshot("a", &[json!({"id": 1, "v": "y"})])]);
    let (begun, mut reader) = (Instant::now(), hold(&file, "1.5"));
    let units = world.load_with(&run, &Options::default());
    assert!(begun.elapsed() >= Duration::from_millis(1400));
    assert_eq!((units[0].status, units[0].rows_updated), (UnitStatus::Done, 1));
    reader.wait().unwrap();

    // Not in time: the message names the program, and what to do.
    world.warehouse = ", wait: 1s".into();
    let mut reader = hold(&file, "60");
    let error = world.try_load(&run, &Options::default()).unwrap_err().to_string();
    let pid = format!("(process {})", reader.id());
    reader.kill().unwrap();
    reader.wait().unwrap();
    assert!(error.contains("w.duckdb is open in /") && error.contains("python3") && error.contains(&pid), "{error}");
    assert!(error.contains("`wait`"), "{error}");
    assert_eq!(world.load_with(&run, &Options::default())[0].rows_unchanged, 1);
}
