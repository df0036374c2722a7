//! A stand-in, a pipeline file that points at it and a landing folder, each test its own.

use contract::batch::Batch;
use contract::landing::Landing;
use contract::report::{RunReport, UnitReport};
use contract::run_id::RunId;
use contract::secret::SecretSource;
use contract::shutdown::Shutdown;
use contract::stored;
use contract::unit::{Task, Unit};
use extract_job::{ExtractError, Options, Selection, extract};
use sandbox::servicetitan::{self, ServiceTitan};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) const SECRET: &str = "cs1.sandbox-secret";
pub(crate) const APP_KEY: &str = "ak1.sandbox";
pub(crate) const TENANT: &str = "900100";

/// The secrets of the stand-in's only tenant.
pub(crate) struct Secrets;

impl SecretSource for Secrets {
    fn env(&self, name: &str) -> Option<String> {
        match name {
            "ST_CLIENT_SECRET" => Some(SECRET.into()),
            "ST_APP_KEY" => Some(APP_KEY.into()),
            _ => None,
        }
    }

    fn file(&self, _path: &Path) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

pub(crate) struct Bench {
    pub(crate) server: ServiceTitan,
    pub(crate) folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn new(records: usize) -> Self {
        let options = servicetitan::Options { records, requests_per_second: None, ..servicetitan::Options::default() };
        Self::with(options, 100).await
    }

    /// A stand-in with a pipeline file `pipeline.yaml` that reads all streams with pages of this size.
    pub(crate) async fn with(options: servicetitan::Options, page_size: usize) -> Self {
        let server = servicetitan::start(options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let bench = Self { server, folder };
        bench.write_pipeline(page_size, "");
        bench
    }

    /// `extra` goes into the source.
    pub(crate) fn write_pipeline(&self, page_size: usize, extra: &str) {
        let url = self.server.url();
        let text = format!(
            "landing: ./landing\nwarehouse: {{type: duckdb, path: ./w.duckdb}}\nsources:\n  - connector: servicetitan\n    accounts:\n      - id: acme\n        config:\n          tenant_id: \"{TENANT}\"\n          client_id: cid.sandbox\n          client_secret: \"${{env:ST_CLIENT_SECRET}}\"\n          app_key: \"${{env:ST_APP_KEY}}\"\n          api_url: {url}\n          auth_url: {url}\n          page_size: {page_size}\n{extra}"
        );
        std::fs::write(self.pipeline(), text).unwrap();
    }

    pub(crate) fn pipeline(&self) -> PathBuf {
        self.folder.path().join("pipeline.yaml")
    }

    pub(crate) fn options(&self, streams: &[&str]) -> Options {
        Options {
            pipeline: self.pipeline().to_string_lossy().into_owned(),
            run_id: None,
            selection: Selection { streams: streams.iter().map(|s| (*s).to_owned()).collect(), ..Selection::default() },
            full_refresh: false,
            range: None,
            limit: None,
            confirm: false,
            task: Task::ONLY,
            wait: false,
            wait_factor: 0.002,
        }
    }

    pub(crate) async fn extract(&self, streams: &[&str]) -> RunReport {
        self.try_extract(self.options(streams)).await.unwrap()
    }

    pub(crate) async fn try_extract(&self, options: Options) -> Result<RunReport, ExtractError> {
        extract(&options, &Secrets, &Shutdown::new()).await
    }

    pub(crate) fn landing(&self) -> Arc<dyn Landing> {
        contract::landing::open_folder(&self.folder.path().join("landing")).unwrap()
    }

    pub(crate) async fn batch(&self, run: &RunId, stream: &str) -> Option<Batch> {
        stored::read_batch(self.landing().as_ref(), &unit(stream), run).await.unwrap()
    }

    /// The batch of a stream and its records, one line each; everything about its parts is checked.
    pub(crate) async fn records(&self, run: &RunId, stream: &str) -> (Batch, Vec<String>) {
        let batch = self.batch(run, stream).await.expect("the batch is complete");
        let landing = self.landing();
        let mut lines = Vec::new();
        for part in &batch.parts {
            let object = landing.get(&part.path).await.unwrap().expect("the part is there");
            assert_eq!(object.bytes.len() as u64, part.bytes);
            assert_eq!(crc32c::crc32c(&object.bytes), part.crc32c);
            let mut text = String::new();
            flate2::read::MultiGzDecoder::new(&object.bytes[..]).read_to_string(&mut text).unwrap();
            assert!(text.is_empty() || text.ends_with('\n'));
            let before = lines.len();
            lines.extend(text.lines().map(str::to_owned));
            assert_eq!((lines.len() - before) as u64, part.records);
        }
        assert_eq!(lines.len() as u64, batch.records);
        assert_eq!(lines.iter().map(|line| line.len() as u64 + 1).sum::<u64>(), batch.bytes);
        (batch, lines)
    }

    /// Everything that lies in the landing folder and is no secret store: for searching it.
    pub(crate) fn everything_stored(&self) -> Vec<u8> {
        fn walk(folder: &Path, into: &mut Vec<u8>) {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    walk(&path, into);
                } else {
                    let bytes = std::fs::read(&path).unwrap();
                    if path.extension().is_some_and(|extension| extension == "gz") {
                        flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(into).unwrap();
                    } else {
                        into.extend(bytes);
                    }
                }
            }
        }
        let mut all = Vec::new();
        walk(&self.folder.path().join("landing"), &mut all);
        all
    }
}

pub(crate) fn unit(stream: &str) -> Unit {
    Unit::new("servicetitan", "acme", stream).unwrap()
}

pub(crate) fn of<'a>(report: &'a RunReport, stream: &str) -> &'a UnitReport {
    report.units.iter().find(|unit| unit.stream == stream).expect("the unit is in the report")
}

pub(crate) fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// Whether a text occurs in bytes.
pub(crate) fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
