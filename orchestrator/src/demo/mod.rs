//! `orchestrator demo`: the whole path against a stand-in of ServiceTitan, twice, with changes in between.
//! The runs are ordinary runs of an ordinary pipeline file; only the API behind them is made up.

mod folder;
mod report;

use crate::arguments::shell_word;
use crate::error::RunError;
use crate::launcher::Launcher;
use crate::launcher::local::LocalLauncher;
use crate::run::{RunOptions, run};
use crate::stage::Stage;
use crate::summary::{RunSummary, text};
use contract::exit::Exit;
use contract::pipeline::Pipeline;
use contract::secret::Machine;
use contract::shutdown::Shutdown;
use folder::DemoFolder;
use report::per_stream;
use sandbox::servicetitan::{self, Options, Tenant};
use serde::Serialize;
use std::path::Path;

/// About so many jobs, invoices and pay items for each account; the other streams in proportion.
const RECORDS: usize = 2000;
/// Account, tenant, and the variable of its secret.
const ACCOUNTS: [(&str, &str, &str); 2] = [
    ("acme-hvac", "900100", "DEMO_ACME_CLIENT_SECRET"),
    ("bluebird-plumbing", "900101", "DEMO_BLUEBIRD_CLIENT_SECRET"),
];
const APP_KEY: &str = "DEMO_APP_KEY";
/// The connector has many more; these are enough to look at.
const STREAMS: [&str; 13] = [
    "business_units",
    "job_types",
    "technicians",
    "employees",
    "campaigns",
    "activities",
    "timesheets",
    "jobs",
    "customers",
    "invoices",
    "locations",
    "gross_pay_items",
    "jobs_export",
];

/// What `--output json` prints of the demo.
#[derive(Debug, Serialize)]
pub(crate) struct DemoReport {
    /// The DuckDB file.
    warehouse: String,
    exit_code: u8,
    /// What the demo promises and did not show.
    errors: Vec<String>,
    runs: Vec<RunSummary>,
    #[serde(skip)]
    exit: Exit,
}

impl DemoReport {
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

/// Runs the demo in a folder; `tell` gets the text for a person, piece by piece.
pub(crate) async fn demo(
    dir: &Path,
    tell: &(dyn Fn(&str) + Sync),
    shutdown: &Shutdown,
) -> Result<DemoReport, RunError> {
    let tenants = tenants();
    let launcher = LocalLauncher::from_environment(secrets(&tenants))?;
    launcher.prepare(&Stage::FIRST).await?;
    let folder = DemoFolder::prepare(dir, shutdown).await?;
    let options = Options { tenants, app_key: app_key(), records: RECORDS, ..Options::default() };
    let api = servicetitan::start(options).await.map_err(|error| RunError::StandIn(error.to_string()))?;
    let file = folder.write_pipeline(&pipeline_text(&api.url()))?;
    let pipeline = Pipeline::read(&file, &Machine)?;
    tell(&format!(
        "A stand-in of ServiceTitan with {} accounts answers at {}. Pipeline file, landing zone and warehouse are in {}.",
        ACCOUNTS.len(),
        api.url(),
        dir.display()
    ));

    let mut runs = Vec::new();
    let stories = [
        "First run: everything is new.",
        "Second run: about 5 % of the records have changed, 1 % are gone, 1 % are new, and there is a new field.",
    ];
    for (generation, story) in (1..).zip(stories) {
        api.set_generation(generation);
        let summary = run(&pipeline, &RunOptions::default(), &launcher, shutdown).await?;
        let well = summary.exit() == Exit::Done;
        tell(&format!("\n{story}\n\n{}", if well { per_stream(&summary.rows) } else { text::render(&summary) }));
        runs.push(summary);
        if !well {
            break;
        }
    }
    let errors = report::broken_promises(&runs);
    let worst = runs.iter().map(RunSummary::exit).max().unwrap_or(Exit::Unreachable);
    let exit = if errors.is_empty() { worst } else { worst.max(Exit::SomeFailed) };
    let warehouse = folder.warehouse();
    if exit == Exit::Done {
        tell(&look(&warehouse, &runs));
    }
    for error in &errors {
        tell(&format!("not as it should be: {error}"));
    }
    Ok(DemoReport { warehouse, exit_code: exit.code(), errors, runs, exit })
}

fn tenants() -> Vec<Tenant> {
    let tenant = |(account, id, _): &(&str, &str, &str)| Tenant {
        id: (*id).to_owned(),
        client_id: format!("cid.{account}"),
        client_secret: format!("cs1.demo-{account}-{id}"),
    };
    ACCOUNTS.iter().map(tenant).collect()
}

fn app_key() -> String {
    "ak1.demo-drayage".to_owned()
}

/// The children's environment: they read these secrets as they would read real ones.
fn secrets(tenants: &[Tenant]) -> Vec<(String, String)> {
    let of_tenant = ACCOUNTS.iter().zip(tenants);
    let of_tenant = of_tenant.map(|((_, _, name), tenant)| ((*name).to_owned(), tenant.client_secret.clone()));
    of_tenant.chain([(APP_KEY.to_owned(), app_key())]).collect()
}

fn pipeline_text(url: &str) -> String {
    let mut text = format!(
        "{}\n# The API in it ended with the demo. To serve one again: sandbox servicetitan\n\
         landing: ./landing\nwarehouse: {{type: duckdb, path: ./{}}}\n\
         sources:\n  - connector: servicetitan\n    accounts:\n",
        folder::MARK,
        folder::WAREHOUSE,
    );
    for (account, tenant, secret) in ACCOUNTS {
        text.push_str(&format!(
            "      - id: {account}\n        config:\n          tenant_id: \"{tenant}\"\n          client_id: \"cid.{account}\"\n\
             \x20         client_secret: \"${{env:{secret}}}\"\n          app_key: \"${{env:{APP_KEY}}}\"\n\
             \x20         api_url: \"{url}\"\n          auth_url: \"{url}\"\n",
        ));
    }
    text.push_str(&format!("    streams: [{}]\n", STREAMS.join(", ")));
    text
}

/// The commands that look at the result.
fn look(warehouse: &str, runs: &[RunSummary]) -> String {
    let rows = runs.last().map(|run| run.rows.as_slice()).unwrap_or_default();
    let deleted = rows.iter().find(|row| row.deleted > 0).map_or("campaigns", |row| row.table.as_str());
    let queries = [
        "SELECT _etl_account, count(*) AS live FROM bronze.customers WHERE _etl_operation <> 'DELETE' GROUP BY ALL".to_owned(),
        format!("SELECT _etl_account, id, name, _etl_synced FROM bronze.{deleted} WHERE _etl_operation = 'DELETE'"),
        "SELECT run_id, stage, stream, status, rows_inserted, rows_updated, rows_deleted FROM management.etl_logs ORDER BY started_at"
            .to_owned(),
    ];
    let file = shell_word(warehouse);
    let commands: Vec<String> = queries.iter().map(|query| format!("  duckdb {file} \"{query}\"")).collect();
    format!(
        "\nLook at it with the DuckDB command line: live rows, what was deleted, what the runs did.\n\n{}",
        commands.join("\n")
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use contract::secret::SecretSource;

    struct Children(Vec<(String, String)>);

    impl SecretSource for Children {
        fn env(&self, name: &str) -> Option<String> {
            self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        }

        fn file(&self, _: &Path) -> std::io::Result<String> {
            Err(std::io::ErrorKind::NotFound.into())
        }
    }

    #[test]
    fn the_pipeline_file_is_valid_and_holds_no_secret() {
        let text = pipeline_text("http://127.0.0.1:1");
        let children = Children(secrets(&tenants()));
        for (_, secret) in &children.0 {
            assert!(!text.contains(secret.as_str()));
        }
        let pipeline = Pipeline::parse("pipeline.yaml", &text, Path::new("."), &children).unwrap();
        let source = &pipeline.sources[0];
        for (tenant, account) in tenants().iter().zip(&source.accounts) {
            let (config, secrets) = pipeline.resolve_config(source, &account.id, &children).unwrap();
            assert_eq!(config["client_secret"], tenant.client_secret.as_str());
            assert_eq!(config["client_id"], tenant.client_id.as_str());
            assert_eq!(config["app_key"], app_key().as_str());
            assert_eq!(secrets.len(), 2);
        }
    }
}
