//! The two engines under one shape: a case is read, and what came out is taken apart.
//! Ours is the program itself (`extract-job read`); the reference is the process that `sandbox::reference` keeps.

use super::case::Case;
use sandbox::scripted::{Request, URL};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::process::{Command, Stdio};

/// Waits are kept in hundredths of their length: short enough for a test, long enough to be told apart.
const WAIT_FACTOR: f64 = 0.01;

/// What one engine did with a case.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) runs: Vec<Run>,
    /// The requests of each run.
    pub(super) requests: Vec<Vec<Request>>,
}

/// One reading of all streams.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Why nothing was started.
    pub(super) refused: Option<String>,
    pub(super) streams: BTreeMap<String, Stream>,
    /// The waits before further tries, in seconds.
    pub(super) waits: Vec<f64>,
}

/// What came of one stream.
#[derive(Debug, Default, Clone)]
pub(super) struct Stream {
    pub(super) records: Vec<Value>,
    /// None for a stream without a cursor.
    pub(super) state: Option<Value>,
    pub(super) error: Option<String>,
}

impl Stream {
    pub(super) fn new(records: Value, state: Value, error: Option<&str>) -> Self {
        let records = records.as_array().cloned().unwrap_or_default();
        Self { records, state: Some(state).filter(|state| !state.is_null()), error: error.map(str::to_owned) }
    }
}

impl Run {
    /// {stream: state} as the next run takes it.
    pub(super) fn states(&self) -> Value {
        let states = self.streams.iter().filter_map(|(name, stream)| Some((name.clone(), stream.state.clone()?)));
        Value::Object(states.collect())
    }
}

/// Reads a case with the reference engine.
pub(super) fn reference(case: &Case, url: &str, state: &Value) -> Run {
    let config: Value = serde_json::from_str(&case.config(url)).unwrap();
    let streams = if case.streams.is_empty() { Value::Null } else { json!(case.streams) };
    let job = json!({"do": "read", "case": case.text(url), "config": config, "state": state, "streams": streams});
    let answer = super::ask(&job);
    let mut run = Run { refused: answer["refused"].as_str().map(str::to_owned), ..Run::default() };
    for (name, stream) in answer["streams"].as_object().into_iter().flatten() {
        // A stream without a cursor has a marker in the place of a state.
        let is_marker =
            |state: &Value| state.as_object().is_some_and(|keys| keys.keys().any(|key| key.starts_with("__")));
        let state = Some(stream["state"].clone()).filter(|state| !is_marker(state)).unwrap_or_default();
        run.streams.insert(name.clone(), Stream::new(stream["records"].clone(), state, stream["error"].as_str()));
    }
    run.waits = answer["waits"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    run
}

/// Reads a case with our program.
pub(super) fn ours(case: &Case, url: &str, state: &Value) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("manifest.yaml"), case.manifest(url)).unwrap();
    std::fs::write(path("config.json"), case.config(url)).unwrap();
    std::fs::write(path("state.json"), state.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_extract-job"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DRAYAGE_") {
            command.env_remove(name);
        }
    }
    command.arg("read").arg("--manifest").arg(path("manifest.yaml")).arg("--config").arg(path("config.json"));
    command.arg("--state").arg(path("state.json")).arg("--state-output").arg(path("after.json"));
    command.args(["--output", "json", "--wait-factor", &WAIT_FACTOR.to_string()]);
    for stream in &case.streams {
        command.args(["--stream", stream]);
    }
    let output = command.env("DRAYAGE_LOG_FORMAT", "json").env("TZ", "UTC").stdin(Stdio::null()).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code();
    if !matches!(code, Some(0 | 1)) {
        return Run { refused: Some(format!("exit code {code:?}\n{log}")), ..Run::default() };
    }
    let mut run = Run::default();
    for name in names(case) {
        run.streams.insert(name, Stream::default());
    }
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let stream = run.streams.entry(line["stream"].as_str().unwrap_or_default().to_owned()).or_default();
        stream.records.push(line["record"].clone());
    }
    let after = std::fs::read(path("after.json")).unwrap_or_else(|error| panic!("no file of states: {error}\n{log}"));
    let after: Map<String, Value> = serde_json::from_slice(&after).unwrap();
    for (name, state) in after {
        run.streams.entry(name).or_default().state = Some(state).filter(|state| !state.is_null());
    }
    for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if let Some(wait) = line["wait_ms"].as_f64() {
            run.waits.push(wait / 1000.0 / WAIT_FACTOR);
        }
        if let (Some("ERROR"), Some(name)) = (line["severity"].as_str(), line["stream"].as_str()) {
            run.streams.entry(name.to_owned()).or_default().error = line["message"].as_str().map(str::to_owned);
        }
    }
    run.waits.sort_by(f64::total_cmp);
    run
}

/// The streams that are read.
fn names(case: &Case) -> Vec<String> {
    if !case.streams.is_empty() {
        return case.streams.clone();
    }
    let manifest: Value = serde_json::from_str(&case.manifest("")).unwrap();
    let named = |stream: &Value| {
        let by_reference = stream["$ref"].as_str().or(stream.as_str()).and_then(|path| path.strip_prefix('#'));
        let target = by_reference.and_then(|pointer| manifest.pointer(pointer)).unwrap_or(&Value::Null);
        let places = [&stream["name"], &stream["$parameters"]["name"], &target["name"], &target["$parameters"]["name"]];
        places.into_iter().find_map(|name| name.as_str().map(str::to_owned))
    };
    manifest["streams"].as_array().into_iter().flatten().filter_map(named).collect()
}

impl Side {
    /// Puts `$URL` in the place of the server's address, which differs between the engines.
    pub(super) fn without_address(&mut self, url: &str) {
        let host = url.trim_start_matches("http://");
        let clean = |text: &mut String| *text = text.replace(url, URL).replace(host, "$HOST");
        for request in self.requests.iter_mut().flatten() {
            request.parameters.iter_mut().for_each(|(_, value)| clean(value));
            request.headers.iter_mut().for_each(|(_, value)| clean(value));
            clean(&mut request.body);
        }
        for stream in self.runs.iter_mut().flat_map(|run| run.streams.values_mut()) {
            for value in stream.records.iter_mut().chain(&mut stream.state) {
                let mut text = value.to_string();
                clean(&mut text);
                *value = serde_json::from_str(&text).unwrap();
            }
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (run, requests)) in self.runs.iter().zip(&self.requests).enumerate() {
            writeln!(f, "-- run {}", index + 1)?;
            for request in requests {
                writeln!(f, "{}", super::compare::line(request, &[]))?;
            }
            run.refused.iter().try_for_each(|why| writeln!(f, "refused: {why}"))?;
            for (name, stream) in &run.streams {
                writeln!(f, "stream {name}: {} records", stream.records.len())?;
                stream.records.iter().try_for_each(|record| writeln!(f, "  {record}"))?;
                stream.state.iter().try_for_each(|state| writeln!(f, "  state {state}"))?;
                stream.error.iter().try_for_each(|error| writeln!(f, "  error {error}"))?;
            }
            writeln!(f, "waits {:?}", run.waits)?;
        }
        Ok(())
    }
}
