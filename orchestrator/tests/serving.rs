//! A server of the program, and requests to it as any caller would send them.
//! Everything blocks: the tests around it do too.

use crate::world::{Ended, World, signal, wait_until};
use reqwest::{Client, Method};
use rustix::process::Signal;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command};
use tokio::runtime::{Builder, Runtime};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The run that the answer is about.
    pub(crate) fn run_id(&self) -> String {
        self.json()["run_id"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

/// `orchestrator serve`, left running. What it logs goes to the file `log`.
pub(crate) struct Served<'a> {
    world: &'a World,
    process: Option<Child>,
    out: BufReader<ChildStdout>,
    url: String,
    runtime: Runtime,
    client: Client,
}

impl<'a> Served<'a> {
    pub(crate) fn start(world: &'a World, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::started(world, arguments, environment, |command| command)
    }

    /// With so few file handles.
    pub(crate) fn start_limited(world: &'a World, handles: u64) -> Self {
        Self::started(world, &[], &[], |command| {
            let mut limited = world.shell(&format!("ulimit -n {handles} && exec \"$0\" \"$@\""));
            limited.arg(command.get_program()).args(command.get_args());
            limited
        })
    }

    fn started(
        world: &'a World,
        arguments: &[&str],
        environment: &[(&str, &str)],
        wrap: impl FnOnce(Command) -> Command,
    ) -> Self {
        let fixed = ["serve", "--pipeline", "pipeline.yaml", "--listen", "127.0.0.1:0"];
        let all: Vec<&str> = fixed.into_iter().chain(arguments.iter().copied()).collect();
        let mut command = wrap(world.command(&all));
        command.envs(environment.iter().copied()).stderr(File::create(world.path("log")).unwrap());
        let mut process = command.spawn().unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
        // A server may cut a connection that is kept for later.
        let client = Client::builder().pool_max_idle_per_host(0).build().unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { world, process: Some(process), out, url, runtime, client }
    }

    pub(crate) fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            Answer { status: answer.status().as_u16(), text: answer.text().await.unwrap() }
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], "")
    }

    /// `POST /run`.
    pub(crate) fn run(&self, body: &str) -> Answer {
        self.ask(Method::POST, "/run", &[], body)
    }

    /// Starts a run and waits until it has ended; its report.
    pub(crate) fn run_to_its_end(&self, body: &str) -> Value {
        let begun = self.run(body);
        assert_eq!(begun.status, 202, "{begun:?}");
        self.end_of(&begun.run_id())
    }

    /// The report of a run once it has ended.
    pub(crate) fn end_of(&self, run_id: &str) -> Value {
        let path = format!("/runs/{run_id}");
        wait_until("the end of the run", || self.get(&path).json()["status"] != "running");
        self.get(&path).json()
    }

    /// Sends the signal, which the program need not survive.
    pub(crate) fn signal(&self, how: Signal) {
        signal(self.process.as_ref().unwrap(), how);
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ended {
        let code = self.process.take().unwrap().wait().unwrap().code();
        let mut out = String::new();
        self.out.read_to_string(&mut out).unwrap();
        Ended { code, out, err: std::fs::read_to_string(self.world.path("log")).unwrap() }
    }

    /// Tells it to stop, and waits for its end.
    pub(crate) fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.ended()
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        // A test that fails leaves no server behind.
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
