//! A source of one's own: a scripted API, a manifest and a pipeline file for it in an empty folder, and the program in it.

use crate::world::{Ended, clean};
use sandbox::scripted::Scripted;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

pub(crate) struct OwnSource {
    folder: TempDir,
    _api: Scripted,
}

impl OwnSource {
    /// Streams that read `/<name>`, their records under `data` and their key `id`; `fields` go over a stream's own.
    pub(crate) fn new(streams: &[(&str, Value)], routes: Value) -> Self {
        let api = Scripted::start(serde_json::from_value(routes).unwrap()).unwrap();
        let stream = |(name, fields): &(&str, Value)| {
            let mut stream = json!({
                "type": "DeclarativeStream", "name": name, "primary_key": "id",
                "retriever": {
                    "type": "SimpleRetriever",
                    "requester": {"type": "HttpRequester", "url_base": api.url(), "path": name},
                    "record_selector": {
                        "type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["data"]},
                    },
                },
            });
            stream.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            stream
        };
        let manifest = json!({
            "version": "6.0.0", "type": "DeclarativeSource",
            "check": {"type": "CheckStream", "stream_names": [streams[0].0]},
            "streams": streams.iter().map(stream).collect::<Vec<_>>(),
        });
        let pipeline = json!({
            "landing": "./landing", "warehouse": {"type": "duckdb", "path": "./w.duckdb"},
            "sources": [{"connector": "./manifest.yaml", "name": "src", "accounts": [{"id": "acme", "config": {}}]}],
        });
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("manifest.yaml"), manifest.to_string()).unwrap();
        fs::write(folder.path().join("pipeline.yaml"), pipeline.to_string()).unwrap();
        Self { folder, _api: api }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command as a person types it.
    pub(crate) fn types(&self, command: &str) -> Ended {
        types(self.folder(), command)
    }

    /// The first column of a query's rows.
    pub(crate) fn column(&self, query: &str) -> Vec<String> {
        let connection = duckdb::Connection::open(self.folder().join("w.duckdb")).unwrap();
        let mut statement = connection.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

/// Runs a command line in a folder, where `drayage` is the program under test.
pub(crate) fn types(folder: &Path, command: &str) -> Ended {
    let programs = Path::new(env!("CARGO_BIN_EXE_drayage")).parent().unwrap().display().to_string();
    let mut shell = Command::new("sh");
    clean(&mut shell);
    shell.args(["-c", command]).current_dir(folder);
    shell.env("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap_or_default()));
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ended::of(shell.output().unwrap())
}
