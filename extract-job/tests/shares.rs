//! Several tasks of one run: each resolves the secrets of its own accounts, and all of them plan the whole run.

use crate::support::{APP_KEY, Bench, SECRET, Secrets, TENANT};
use contract::landing::paths;
use contract::report::Plan;
use contract::secret::{Secret, SecretSource};
use contract::shutdown::Shutdown;
use contract::stored;
use contract::unit::Task;
use extract_job::extract;
use std::path::Path;
use std::sync::Mutex;

/// Has fetched one secret of Secret Manager, and notes which are asked for.
#[derive(Default)]
struct Fetched {
    asked: Mutex<Vec<String>>,
}

impl SecretSource for Fetched {
    fn env(&self, name: &str) -> Option<String> {
        Secrets.env(name)
    }

    fn file(&self, path: &Path) -> std::io::Result<String> {
        Secrets.file(path)
    }

    fn secret(&self, name: &str) -> Option<Result<Secret, String>> {
        self.asked.lock().unwrap().push(name.to_owned());
        Some(if name.contains("/acme/") { Ok(Secret::new(SECRET)) } else { Err(format!("the secret {name} is none")) })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_needs_only_the_secrets_of_its_own_accounts() {
    let bench = Bench::new(100).await;
    let url = bench.server.url();
    let account = |id: &str| {
        format!(
            "      - id: {id}\n        config: {{tenant_id: \"{TENANT}\", client_id: cid.sandbox, app_key: {APP_KEY}, api_url: \"{url}\", auth_url: \
             \"{url}\", client_secret: \"${{secret:projects/p/secrets/{id}/versions/latest}}\"}}\n"
        )
    };
    let text = format!(
        "landing: ./landing\nwarehouse: {{type: duckdb, path: ./w.duckdb}}\nsources:\n  - connector: servicetitan\n    accounts:\n{}{}",
        account("acme"),
        account("beta")
    );
    std::fs::write(bench.pipeline(), text).unwrap();
    let mut options = bench.options(&["campaigns"]);
    options.run_id = Some("20260101T000000Z-aaaaaa".parse().unwrap());
    let task = |index| Task { index, count: 2 };

    options.task = task(0);
    let from = Fetched::default();
    let report = extract(&options, &from, &Shutdown::new()).await.unwrap();
    let units: Vec<String> = report.units.iter().map(|unit| unit.unit().to_string()).collect();
    assert_eq!(units, ["servicetitan/acme/campaigns"]);
    assert!(from.asked.lock().unwrap().iter().all(|name| name.contains("acme")), "{:?}", from.asked);
    let plan: Option<Plan> = stored::read(bench.landing().as_ref(), &paths::plan(&report.run_id)).await.unwrap();
    assert_eq!(plan.unwrap().units.len(), 2, "the other task's account is planned, too");

    // Whose account it is, to that task the missing secret is an error before anything is started.
    options.task = task(1);
    let error = extract(&options, &Fetched::default(), &Shutdown::new()).await.unwrap_err();
    assert_eq!(error.exit().code(), 2);
    let expected = "pipeline.yaml:9: sources[0].accounts[1].config.client_secret: the secret projects/p/secrets/beta/versions/latest is none";
    assert!(error.to_string().contains(expected), "{error}");
}
