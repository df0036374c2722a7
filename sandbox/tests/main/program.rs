//! The program `sandbox`: which port it takes, what it says when that is taken, and when it ends.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

const STAND_INS: [&str; 5] = ["servicetitan", "callio", "gaio-social", "gong", "zoho-salesiq"];

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for name in STAND_INS {
        let output = start(&[name, "--port", &port]).wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let says = format!("error: cannot listen on port {port}: ");
        assert!(said.starts_with(&says) && said.trim_end().ends_with("name another one with --port"), "{name}: {said}");
        assert!(!said.contains("panicked"), "{name}: {said}");
        assert_eq!(output.status.code(), Some(2), "{name}");
    }
}

#[test]
fn it_ends_with_its_input() {
    for name in STAND_INS {
        let mut child = start(&[name, "--port", "0"]);
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"\n").unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "generation 2"), "{name}");
        drop(input);
        assert!(child.wait().unwrap().success(), "{name}");
    }
}

#[test]
fn every_stand_in_has_a_port_of_its_own() {
    let port = |name: &str| {
        let output = start(&[name, "--help"]).wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split_once("0 takes a free one [default: ").unwrap().1.split(']').next().unwrap().to_owned()
    };
    let mut ports: Vec<String> = STAND_INS.iter().map(|name| port(name)).collect();
    // That of `drayage serve`.
    ports.push("8080".to_owned());
    ports.sort();
    ports.dedup();
    assert_eq!(ports.len(), STAND_INS.len() + 1, "{ports:?}");
}
