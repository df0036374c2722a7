//! A stand-in with so many jobs, a pipeline file that reads them as one snapshot, and the programs that are measured against it.
//! The stand-in runs in this process and shares the machine with what is measured, for the floors as for the jobs.

use crate::measure::{self, Measured};
use sandbox::servicetitan::{self, Options, ServiceTitan};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(crate) struct Scene {
    server: ServiceTitan,
    folder: tempfile::TempDir,
    records: usize,
    page_size: usize,
}

impl Scene {
    pub(crate) fn new(records: usize, page_size: usize, latency: Duration) -> Self {
        let options = Options {
            overrides: [("jobs".to_owned(), records)].into(),
            records: 10,
            latency,
            requests_per_second: None,
            ..Options::default()
        };
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let server = runtime.block_on(servicetitan::start(options)).expect("the stand-in starts");
        let scene = Self { server, folder: tempfile::tempdir().expect("a folder"), records, page_size };
        std::fs::write(scene.path("pipeline.yaml"), scene.pipeline()).expect("the pipeline file is written");
        scene
    }

    /// The fastest of several rounds, and the highest memory of them all.
    pub(crate) fn best(&self, rounds: usize, measure: impl Fn() -> Measured) -> Measured {
        let all: Vec<Measured> = (0..rounds.max(1)).map(|_| measure()).collect();
        Measured {
            seconds: all.iter().map(|measured| measured.seconds).fold(f64::INFINITY, f64::min),
            peak_mib: all.iter().map(|measured| measured.peak_mib).fold(0.0, f64::max),
        }
    }

    pub(crate) fn extract(&self) -> Measured {
        let _ = std::fs::remove_dir_all(self.path("landing"));
        measure::run(&mut self.job("extract-job"))
    }

    /// Loads the last extract, into a new file or again into the one that has it.
    pub(crate) fn load(&self, anew: bool) -> Measured {
        if anew {
            let _ = std::fs::remove_file(self.path("warehouse.duckdb"));
        }
        measure::run(&mut self.job("load-job"))
    }

    pub(crate) fn floor_download(&self) -> Measured {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let pages = self.records.div_ceil(self.page_size);
        command.arg("download").arg(self.server.url());
        command.arg(pages.to_string()).arg(self.page_size.to_string()).arg(self.path("floor.gz"));
        measure::run(&mut command)
    }

    pub(crate) fn floor_duckdb(&self) -> Measured {
        let database = self.path("floor.duckdb");
        let _ = std::fs::remove_file(&database);
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg("duckdb").arg(database).args(self.parts());
        measure::run(&mut command)
    }

    /// Size of all records before compression, from the batch's description.
    pub(crate) fn record_bytes(&self) -> u64 {
        let folder = self.parts().first().and_then(|part| part.parent().map(Path::to_owned)).expect("a batch");
        let text = std::fs::read_to_string(folder.join("batch.json")).expect("batch.json");
        let batch: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        batch["bytes"].as_u64().expect("bytes")
    }

    fn parts(&self) -> Vec<PathBuf> {
        let stream = self.path("landing/batches/servicetitan/bench/jobs");
        let run = std::fs::read_dir(stream).expect("a batch").flatten().next().expect("a run").path();
        let files = std::fs::read_dir(run).expect("a run").flatten().map(|entry| entry.path());
        let mut parts: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|end| end == "gz")).collect();
        parts.sort();
        parts
    }

    fn job(&self, program: &str) -> Command {
        let own = std::env::current_exe().expect("this program");
        let program = own.with_file_name(program);
        assert!(program.exists(), "{} is missing: run `cargo build` first", program.display());
        let mut command = Command::new(program);
        command.arg("--pipeline").arg(self.path("pipeline.yaml"));
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn pipeline(&self) -> String {
        let tenant = &self.server.options().tenants[0];
        format!(
            "landing: landing\nwarehouse: {{type: duckdb, path: warehouse.duckdb}}\nsources:\n  - connector: servicetitan\n    accounts:\n      - id: bench\n        config: {{tenant_id: \"{}\", client_id: \"{}\", client_secret: \"{}\", app_key: \"{}\", api_url: \"{url}\", auth_url: \"{url}\", page_size: {}}}\n    streams: [{{name: jobs, mode: snapshot}}]\n",
            tenant.id,
            tenant.client_id,
            tenant.client_secret,
            self.server.options().app_key,
            self.page_size,
            url = self.server.url(),
        )
    }
}
