//! The command line of `load-job adopt`, and what its result looks like on standard output.

use crate::cli::{Failure, Output, exit_of, open_landing, read_pipeline};
use crate::run::{AdoptOrder, Adoptee, adopt};
use clap::Args;
use contract::exit::Exit;
use contract::lease::{Lease, LeaseError};
use contract::program;
use contract::run_id::RunId;
use contract::shutdown::Shutdown;
use contract::telemetry;
use serde_json::json;

/// What `adopt` can be told.
#[derive(Debug, Clone, Args)]
pub struct AdoptArgs {
    /// The pipeline file.
    #[arg(long, env = "DRAYAGE_PIPELINE", value_name = "FILE")]
    pub pipeline: String,
    /// The table that another ETL has made, in the schema (dataset) that the pipeline file has for the account.
    #[arg(long, value_name = "T")]
    pub table: String,
    /// The account whose rows it holds.
    #[arg(long, env = "DRAYAGE_ACCOUNT", value_name = "A")]
    pub account: String,
    /// The source that writes them from now on, where several could.
    #[arg(long, env = "DRAYAGE_SOURCE", value_name = "S")]
    pub source: Option<String>,
    /// The stream that writes them from now on (default: the one whose table it is by the pipeline file).
    #[arg(long, env = "DRAYAGE_STREAM", value_name = "T")]
    pub stream: Option<String>,
    /// Wait for a run that is going on instead of stopping.
    #[arg(long, env = "DRAYAGE_WAIT")]
    pub wait: bool,
    /// What goes to standard output.
    #[arg(long, env = "DRAYAGE_OUTPUT", value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// Runs the command.
pub(crate) async fn run(cli: &AdoptArgs) -> Exit {
    match execute(cli).await {
        Ok(adoptee) => {
            print(&adoptee, cli.output);
            Exit::Done
        }
        Err((exit, message)) => {
            tracing::error!("{message}");
            exit
        }
    }
}

async fn execute(cli: &AdoptArgs) -> Result<Adoptee, Failure> {
    let unreachable = |message: String| (Exit::Unreachable, message);
    let pipeline = read_pipeline(&cli.pipeline).await?;
    let landing = open_landing(&pipeline)?;
    let named = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    let asked = AdoptOrder {
        table: cli.table.clone(),
        account: cli.account.clone(),
        source: named(&cli.source),
        stream: named(&cli.stream),
        bigquery: None,
    };
    let shutdown = Shutdown::on_signals().map_err(|error| unreachable(error.to_string()))?;
    let run_id = RunId::new(chrono::Utc::now());
    // As a load does: the table must not change under its hands.
    let lease = Lease::take(landing.clone(), &run_id, "load-job", cli.wait, &shutdown).await;
    let lease = lease.map_err(|error: LeaseError| unreachable(error.to_string()))?;
    let runtime = tokio::runtime::Handle::current();
    let work =
        tokio::task::spawn_blocking(move || adopt(&pipeline, &landing, &asked, &run_id, &shutdown, &runtime)).await;
    if let Err(error) = lease.release().await {
        tracing::warn!(%error, "failed to give the lease back; it expires by itself");
    }
    match work {
        Ok(adopted) => adopted.map_err(|error| (exit_of(&error), error.to_string())),
        Err(error) => Err(unreachable(format!("the adoption broke off: {error}"))),
    }
}

fn print(adoptee: &Adoptee, output: Output) {
    let Adoptee { table, unit, adopted, keys_checked } = adoptee;
    if output == Output::Json {
        let object = json!({
            "table": table.to_string(), "source": unit.source, "account": unit.account, "stream": unit.stream, "rows": adopted.rows,
            "columns_added": adopted.added, "columns_of_other_types": adopted.foreign, "keys_checked": keys_checked,
        });
        telemetry::print(&object.to_string());
        return;
    }
    let added = if adopted.added.is_empty() { "nothing".into() } else { adopted.added.join(", ") };
    telemetry::print(&format!("{table}: {} rows belong to {unit} now; added: {added}", adopted.rows));
    for column in &adopted.foreign {
        telemetry::print(&format!(
            "{table}: column {column} is of a type that Drayage does not write; new values go beside it"
        ));
    }
    if !keys_checked {
        telemetry::print(&format!(
            "{table}: whether its rows have keys of their own was not checked, since nothing of {unit} was extracted yet; run `{}` first, and this again",
            program::extract_job()
        ));
    }
}
