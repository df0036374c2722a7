//! Serves a stand-in until it is stopped, and prints what to put into a pipeline file to use it.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use sandbox::servicetitan::{self, Options, ServiceTitan, Tenant};

/// Local stand-ins for the APIs that Drayage reads.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A stand-in of ServiceTitan. Enter on standard input serves the next generation of the data.
    Servicetitan(ServicetitanArguments),
}

#[derive(Debug, clap::Args)]
struct ServicetitanArguments {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The same seed makes the same records
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Scale: so many jobs, invoices, pay items, activities and timesheets
    #[arg(long, default_value_t = 2000)]
    records: usize,
    /// Records of one resource, as jobs=200000; may be repeated
    #[arg(long = "override", value_name = "RESOURCE=N", value_parser = parse_override)]
    overrides: Vec<(String, usize)>,
    /// How many tenants, with ids from 900100 on
    #[arg(long, default_value_t = 1)]
    tenants: u32,
    /// Wait before every answer
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Limit for each tenant; 0 for none
    #[arg(long, default_value_t = 60)]
    requests_per_second: u32,
    /// How long a token is good
    #[arg(long, default_value_t = 900)]
    token_seconds: u64,
    /// Largest page size
    #[arg(long, default_value_t = 5000)]
    max_page_size: usize,
    /// Generation to begin with
    #[arg(long, default_value_t = 1)]
    generation: u32,
    /// A few gross pay items without an id
    #[arg(long)]
    null_ids: bool,
}

fn parse_override(text: &str) -> Result<(String, usize), String> {
    let (name, count) = text.split_once('=').ok_or("expected RESOURCE=N")?;
    let count = count.parse().map_err(|_| format!("'{count}' is no number"))?;
    Ok((name.to_owned(), count))
}

impl ServicetitanArguments {
    fn options(&self) -> Options {
        let tenant = |number: u32| Tenant {
            id: (900_100 + number).to_string(),
            client_id: format!("cid.sandbox-{number}"),
            client_secret: format!("cs1.sandbox-secret-{number}"),
        };
        Options {
            port: self.port,
            seed: self.seed,
            tenants: (0..self.tenants.max(1)).map(tenant).collect(),
            records: self.records,
            overrides: self.overrides.iter().cloned().collect::<BTreeMap<_, _>>(),
            latency: Duration::from_millis(self.latency_ms),
            requests_per_second: (self.requests_per_second > 0).then_some(self.requests_per_second),
            token_lifetime: Duration::from_secs(self.token_seconds),
            max_page_size: self.max_page_size,
            null_ids: self.null_ids,
            ..Options::default()
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Command::Servicetitan(arguments) = Arguments::parse().command;
    match serve(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

async fn serve(arguments: &ServicetitanArguments) -> Result<(), servicetitan::StartError> {
    let server = servicetitan::start(arguments.options()).await?;
    server.set_generation(arguments.generation);
    println!("ServiceTitan stand-in at {}\n\n{}", server.url(), pipeline(&server));
    // The server has threads of its own, so this one may block.
    for line in std::io::stdin().lock().lines() {
        if line.is_err() {
            break;
        }
        server.set_generation(server.generation() + 1);
        println!("generation {}", server.generation());
    }
    // Standard input has ended; only a signal stops the server now.
    loop {
        std::thread::park();
    }
}

/// The `sources` part of a pipeline file for this server. The credentials are made up, so they may be shown.
fn pipeline(server: &ServiceTitan) -> String {
    let (url, options) = (server.url(), server.options());
    let mut text = String::from("sources:\n  - connector: servicetitan\n    accounts:\n");
    for tenant in &options.tenants {
        text.push_str(&format!(
            "      - id: tenant-{id}\n        config: {{tenant_id: \"{id}\", client_id: \"{client}\", client_secret: \"{secret}\", \
             app_key: \"{key}\", api_url: \"{url}\", auth_url: \"{url}\"}}\n",
            id = tenant.id,
            client = tenant.client_id,
            secret = tenant.client_secret,
            key = options.app_key,
        ));
    }
    text
}
