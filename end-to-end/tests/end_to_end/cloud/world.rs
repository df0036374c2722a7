//! The stand-ins of a Google Cloud project around the ServiceTitan one, and a pipeline file in the bucket that names them all.
//! Every call of a Google API needs the metadata server's token.

use crate::model::Model;
use crate::oracle::STREAMS;
use crate::programs::{self, Ended, Running};
use crate::tables::Warehouse;
use crate::world::{ACCOUNTS, Account, World, streams_line};
use sandbox::bigquery::{self, BigQuery, Seat};
use sandbox::cloud_run::{self, CloudRun, Job};
use sandbox::cloud_storage::{self, CloudStorage};
use sandbox::metadata::{self, Metadata};
use sandbox::slack::Slack;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const TOKEN: &str = "ya29.a-token-of-the-sandbox";
/// Fast, but not so fast that polling is all that happens.
const WAIT_FACTOR: &str = "0.02";

pub(crate) struct Cloud {
    pub(crate) world: World,
    pub(crate) storage: CloudStorage,
    pub(crate) bigquery: BigQuery,
    pub(crate) run: CloudRun,
    pub(crate) slack: Slack,
    metadata: Metadata,
    runtime: tokio::runtime::Runtime,
    root: TempDir,
    /// Its number among the clouds that share the emulators.
    number: u32,
    _seat: Seat,
}

impl Cloud {
    /// `streams`: of the source; empty for all that the oracle reads.
    pub(crate) fn new(records: usize, page_size: usize, streams: &[&str]) -> Self {
        let world = World::new(records, page_size);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let seat = runtime.block_on(Seat::take()).unwrap();
        let emulator = Arc::clone(seat.emulator());
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Each cloud has a Cloud Storage of its own. The emulator finds its bucket by a link, which may not lead out of the emulator's folder.
        let root = tempfile::tempdir_in(emulator.gcs_root()).unwrap();
        let (buckets, bucket) = (root.path().join("buckets"), bucket(number));
        symlink(buckets.join(&bucket), emulator.gcs_root().join(&bucket)).unwrap();
        let options = cloud_storage::Options {
            root: buckets,
            buckets: vec![bucket],
            token: Some(TOKEN.into()),
            ..Default::default()
        };
        let storage = runtime.block_on(CloudStorage::start(options)).unwrap();
        let options = bigquery::Options { token: Some(TOKEN.into()), polls_until_done: 1, ..Default::default() };
        let bigquery = BigQuery::over(emulator, options).unwrap();
        let metadata = Metadata::start(metadata::Options { token: TOKEN.into(), ..Default::default() }).unwrap();
        let slack = Slack::start().unwrap();
        let job = |name: &str, max_retries| Job {
            env: environment(&storage, &bigquery, &metadata),
            max_retries,
            ..Job::new(name, programs::folder().join(name))
        };
        let run = CloudRun::start(cloud_run::Options {
            jobs: vec![job("extract-job", 1), job("load-job", 1)],
            token: Some(TOKEN.into()),
            grace: Duration::from_secs(5),
            ..cloud_run::Options::new(root.path().join("logs"))
        })
        .unwrap();
        let cloud = Self { world, storage, bigquery, run, slack, metadata, runtime, root, number, _seat: seat };
        cloud.pipeline(page_size, streams);
        cloud
    }

    fn pipeline(&self, page_size: usize, streams: &[&str]) {
        self.world.pipeline(page_size, |text| {
            let mut text = text
                .replace("landing: ./landing", &format!("landing: gs://{}/zone", bucket(self.number)))
                .replace(
                    "{type: duckdb, path: ./w.duckdb}",
                    &format!("{{type: bigquery, project: {}, location: EU}}", self.project("main")),
                );
            for Account { id, .. } in &ACCOUNTS {
                let own = format!("      - id: {id}\n        warehouse: {{project: {}}}\n", self.project(id));
                text = text.replace(&format!("      - id: {id}\n"), &own);
            }
            if !streams.is_empty() {
                let all = streams_line(&STREAMS.each_ref().map(|stream| stream.name));
                text = text.replace(&all, &streams_line(streams));
            }
            text.push_str(&format!(
                "orchestrator:\n  launcher:\n    cloud_run:\n      project: sandbox-project\n      region: us-central1\n      \
                 extract_job: extract-job\n      load_job: load-job\n      extract_tasks: 4\n      load_tasks: 4\n\
                 notify:\n  slack_webhook: \"{}\"\n",
                self.slack.webhook()
            ));
            text
        });
        let object = self.storage.object_path(&bucket(self.number), "pipeline.yaml");
        fs::create_dir_all(object.parent().unwrap()).unwrap();
        fs::rename(self.world.path("pipeline.yaml"), object).unwrap();
    }

    /// The orchestrator with the environment of a container.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = programs::program("orchestrator");
        let pipeline = format!("gs://{}/pipeline.yaml", bucket(self.number));
        command.args(["run", "--pipeline", &pipeline]).args(arguments);
        command.env("DRAYAGE_RUN_ENDPOINT", self.run.url());
        command.envs(environment(&self.storage, &self.bigquery, &self.metadata));
        command
    }

    pub(crate) fn orchestrate(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }

    /// The orchestrator left running, as a task of a Cloud Run execution.
    pub(crate) fn start(&self, log: &str, execution: &str, attempt: u32) -> Running {
        let mut command = self.command(&[]);
        command.env("CLOUD_RUN_EXECUTION", execution).env("CLOUD_RUN_TASK_ATTEMPT", attempt.to_string());
        command.env("CLOUD_RUN_JOB", "orchestrator").env("CLOUD_RUN_TASK_INDEX", "0").env("CLOUD_RUN_TASK_COUNT", "1");
        Running::start(command, self.root.path().join(log))
    }

    /// The project of a company, or of none.
    fn project(&self, of: &str) -> String {
        format!("{of}-project-{}", self.number)
    }

    /// How many executions there were of each job.
    pub(crate) fn executions(&self) -> BTreeMap<String, usize> {
        let mut count = BTreeMap::new();
        for execution in self.run.executions() {
            *count.entry(execution.job).or_default() += 1;
        }
        count
    }

    /// The processes of a job's tasks that run now: children of this process, where the stand-ins of Cloud Run live. Another cloud's know
    /// another storage.
    pub(crate) fn tasks(&self, job: &str) -> Vec<u32> {
        let mine = format!("DRAYAGE_STORAGE_ENDPOINT={}\0", self.storage.url());
        let is_mine = |id: &u32| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            String::from_utf8_lossy(&environment).contains(&mine)
        };
        programs::children_named(job).into_iter().filter(is_mine).collect()
    }

    /// The file of an object of the landing zone.
    pub(crate) fn object(&self, path: &str) -> PathBuf {
        self.storage.object_path(&bucket(self.number), &format!("zone/{path}"))
    }

    /// The tables of both companies, copied where the oracle can read them.
    pub(crate) fn warehouse(&self) -> Warehouse {
        let warehouse = Warehouse::empty();
        for account in &ACCOUNTS {
            let project = self.project(account.id);
            for name in self.tables(&project) {
                let table = self.get(&format!("projects/{project}/datasets/bronze/tables/{name}"));
                let fields = table["schema"]["fields"].as_array().unwrap();
                let text = |field: &Value, key: &str| field[key].as_str().unwrap().to_owned();
                let columns: Vec<(String, String)> =
                    fields.iter().map(|field| (text(field, "name"), text(field, "type"))).collect();
                let names: Vec<String> = columns.iter().map(|(name, _)| format!("`{name}`")).collect();
                let sql = format!("SELECT {} FROM `{project}`.bronze.{name}", names.join(", "));
                let rows = self.runtime.block_on(self.bigquery.rows(&project, &sql)).unwrap();
                warehouse.add_bigquery_rows(&name, &columns, &rows);
            }
        }
        warehouse
    }

    fn tables(&self, project: &str) -> Vec<String> {
        let list = self.get(&format!("projects/{project}/datasets/bronze/tables?maxResults=1000"));
        let tables = list["tables"].as_array().cloned().unwrap_or_default();
        tables.iter().map(|table| table["tableReference"]["tableId"].as_str().unwrap().to_owned()).collect()
    }

    fn get(&self, path: &str) -> Value {
        let url = format!("{}/bigquery/v2/{path}", self.bigquery.url());
        self.runtime.block_on(async {
            let answer = reqwest::Client::new().get(url).bearer_auth(TOKEN).send().await.unwrap();
            serde_json::from_str(&answer.text().await.unwrap()).unwrap()
        })
    }

    /// Serves a generation, runs the pipeline, which must do well, and compares everything.
    pub(crate) fn run_and_check(&self, generation: u32, model: &mut Model) {
        self.world.api.set_generation(generation);
        self.orchestrate(&[]).expect(0);
        model.observe(&self.world, |_, _| true);
        model.check(&self.warehouse());
    }
}

/// The bucket of a cloud's landing zone: the emulator's loads read from the buckets of all clouds.
fn bucket(number: u32) -> String {
    format!("landing-{number}")
}

/// What the programs need to know of the cloud, beside the secrets.
fn environment(storage: &CloudStorage, bigquery: &BigQuery, metadata: &Metadata) -> Vec<(String, String)> {
    let mut environment = crate::world::secrets();
    let host = metadata.host();
    let pairs = [
        ("DRAYAGE_STORAGE_ENDPOINT", storage.url()),
        ("DRAYAGE_BIGQUERY_ENDPOINT", bigquery.url()),
        ("GCE_METADATA_HOST", host),
        ("DRAYAGE_WAIT_FACTOR", WAIT_FACTOR),
    ];
    environment.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    environment
}
