//! One stand-in with two tenants, a folder with a pipeline file for them, a landing zone and a DuckDB file.
//! Secrets reach the programs through the environment alone.

use crate::model::Model;
use crate::oracle::STREAMS;
use crate::programs::{self, Ended, Running};
use crate::tables::Warehouse;
use sandbox::fault::{Fault, FaultAction};
use sandbox::servicetitan::{self, Options, ServiceTitan, Tenant};
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// An account of the pipeline file and its tenant.
pub(crate) struct Account {
    pub(crate) id: &'static str,
    pub(crate) tenant: &'static str,
    pub(crate) client_id: &'static str,
    pub(crate) secret: &'static str,
    variable: &'static str,
}

pub(crate) const ACCOUNTS: [Account; 2] = [
    Account {
        id: "acme",
        tenant: "900100",
        client_id: "cid.acme",
        secret: "cs1.Gq7-acme+hush/hush=",
        variable: "E2E_ACME_SECRET",
    },
    Account {
        id: "bluebird",
        tenant: "900200",
        client_id: "cid.bluebird",
        secret: "cs1.Zt4-bluebird+hush/hush=",
        variable: "E2E_BLUEBIRD_SECRET",
    },
];
pub(crate) const APP_KEY: &str = "ak1.4f0c9d-hush";

/// The `streams` of the source in the pipeline file: the connector has many more than the oracle reads.
pub(crate) fn streams_line(names: &[&str]) -> String {
    format!("    streams: [{}]\n", names.join(", "))
}

pub(crate) struct World {
    pub(crate) api: ServiceTitan,
    dir: TempDir,
    runs: Cell<u32>,
}

impl World {
    /// A stand-in of this scale; pages are so small that every list has several.
    pub(crate) fn new(records: usize, page_size: usize) -> Self {
        Self::with(Options { records, ..Options::default() }, page_size)
    }

    pub(crate) fn with(options: Options, page_size: usize) -> Self {
        let tenant = |account: &Account| Tenant {
            id: account.tenant.to_owned(),
            client_id: account.client_id.to_owned(),
            client_secret: account.secret.to_owned(),
        };
        let options = Options {
            tenants: ACCOUNTS.iter().map(tenant).collect(),
            app_key: APP_KEY.to_owned(),
            requests_per_second: None,
            export_page_size: page_size,
            ..options
        };
        let api = futures::executor::block_on(servicetitan::start(options)).unwrap();
        let world = Self { api, dir: tempfile::tempdir().unwrap(), runs: Cell::new(0) };
        world.pipeline(page_size, |text| text);
        world
    }

    /// Writes the pipeline file anew, after a change of its text.
    pub(crate) fn pipeline(&self, page_size: usize, change: impl FnOnce(String) -> String) {
        let url = self.api.url();
        let mut text = "landing: ./landing\nwarehouse: {type: duckdb, path: ./w.duckdb}\nsources:\n  - connector: servicetitan\n    accounts:\n"
            .to_owned();
        for Account { id, tenant, client_id, variable, .. } in &ACCOUNTS {
            text.push_str(&format!(
                "      - id: {id}\n        config:\n          tenant_id: \"{tenant}\"\n          client_id: {client_id}\n          \
                 client_secret: \"${{env:{variable}}}\"\n          app_key: \"${{env:E2E_APP_KEY}}\"\n          api_url: {url}\n          \
                 auth_url: {url}\n          page_size: {page_size}\n"
            ));
        }
        text.push_str(&streams_line(&STREAMS.each_ref().map(|stream| stream.name)));
        fs::write(self.path("pipeline.yaml"), change(text)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A program with the pipeline file and the secrets.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = programs::program(program);
        command.args(arguments);
        self.settle(&mut command);
        command
    }

    /// The world's folder and secrets for a command.
    pub(crate) fn settle(&self, command: &mut Command) {
        command.current_dir(self.dir.path()).env("DRAYAGE_PIPELINE", "pipeline.yaml").envs(secrets());
    }

    pub(crate) fn call(&self, program: &str, arguments: &[&str]) -> Ended {
        Ended::of(self.command(program, arguments).output().unwrap())
    }

    /// `orchestrator run` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let all: Vec<&str> = ["run"].into_iter().chain(arguments.iter().copied()).collect();
        self.call("orchestrator", &all)
    }

    /// The same with a run id of its own, each later than the one before: a run that makes its id itself waits for the next second.
    /// Not to be mixed with runs that do, which would be later than all of these.
    pub(crate) fn quick_run(&self, arguments: &[&str]) -> Ended {
        self.runs.set(self.runs.get() + 1);
        let run_id = format!("20260131T00{:02}{:02}Z-a1b2c3", self.runs.get() / 60, self.runs.get() % 60);
        self.run(&[&["--run-id", &run_id], arguments].concat())
    }

    /// A program left running, with its output in a file of this name.
    pub(crate) fn start(&self, program: &str, arguments: &[&str], log: &str) -> Running {
        Running::start(self.command(program, arguments), self.path(log))
    }

    /// The DuckDB file as it is now.
    pub(crate) fn warehouse(&self) -> Warehouse {
        Warehouse::open(&self.path("w.duckdb"))
    }

    /// Serves a generation, runs the pipeline, which must do well, and compares everything.
    pub(crate) fn run_and_check(&self, generation: u32, model: &mut Model, arguments: &[&str]) {
        self.api.set_generation(generation);
        self.run(arguments).expect(0);
        model.observe(self, |_, _| true);
        model.check(&self.warehouse());
    }

    /// Adds a fault of one account's stream to the script, by a part of its path and of its query.
    pub(crate) fn script(&self, account: &Account, path: &str, query: Option<&str>, times: usize, action: FaultAction) {
        self.api.script(Fault {
            query_contains: query.map(str::to_owned),
            tenant: Some(account.tenant.to_owned()),
            times,
            ..Fault::once(path, action)
        });
    }

    /// Keeps a copy of landing zone and warehouse, to go back to; an earlier one of that name is forgotten.
    pub(crate) fn save(&self, name: &str) {
        remove(&self.path(name));
        copy(&self.path("landing"), &self.path(name).join("landing"));
        copy(&self.path("w.duckdb"), &self.path(name).join("w.duckdb"));
        copy(&self.path("w.duckdb.wal"), &self.path(name).join("w.duckdb.wal"));
    }

    /// Goes back to a copy.
    pub(crate) fn restore(&self, name: &str) {
        for place in ["landing", "w.duckdb", "w.duckdb.wal"] {
            remove(&self.path(place));
            copy(&self.path(name).join(place), &self.path(place));
        }
    }
}

/// The variables that the pipeline file refers to.
pub(crate) fn secrets() -> Vec<(String, String)> {
    let of_accounts = ACCOUNTS.iter().map(|account| (account.variable.to_owned(), account.secret.to_owned()));
    of_accounts.chain([("E2E_APP_KEY".to_owned(), APP_KEY.to_owned())]).collect()
}

/// Removes a file or folder, if it is there.
pub(crate) fn remove(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else if path.exists() {
        fs::remove_file(path).unwrap();
    }
}

/// Copies a file or folder, if it is there.
pub(crate) fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().flatten() {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else if from.exists() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}

/// All files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
