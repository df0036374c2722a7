//! Serves a stand-in until it is stopped, and prints what to put into a pipeline file to use it.

mod callio_command;
mod gaio_social_command;
mod gong_command;
mod zoho_salesiq_command;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;

use callio_command::CallioArguments;
use clap::{Parser, Subcommand};
use gaio_social_command::GaioSocialArguments;
use gong_command::GongArguments;
use sandbox::servicetitan::{self, Options, ServiceTitan, Tenant};
use zoho_salesiq_command::ZohoSalesiqArguments;

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
    /// A stand-in of Callio. Enter on standard input serves the next generation of the data.
    Callio(CallioArguments),
    /// A stand-in of Gaio Social. Enter on standard input serves the next generation of the data.
    GaioSocial(GaioSocialArguments),
    /// A stand-in of Gong. Enter on standard input serves the next generation of the data.
    Gong(GongArguments),
    /// A stand-in of Zoho SalesIQ. Enter on standard input serves the next generation of the data.
    ZohoSalesiq(ZohoSalesiqArguments),
}

#[derive(Debug, clap::Args)]
struct ServicetitanArguments {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8084)]
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
    /// The same report runs once in this span; 0 for as often as one likes
    #[arg(long, default_value_t = 60)]
    report_seconds: u64,
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
            report_interval: Duration::from_secs(self.report_seconds),
            max_page_size: self.max_page_size,
            null_ids: self.null_ids,
            ..Options::default()
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let served = match Arguments::parse().command {
        Command::Servicetitan(arguments) => serve_servicetitan(&arguments).await,
        Command::Callio(arguments) => serve_callio(&arguments).await,
        Command::GaioSocial(arguments) => serve_gaio_social(&arguments).await,
        Command::Gong(arguments) => serve_gong(&arguments).await,
        Command::ZohoSalesiq(arguments) => serve_zoho_salesiq(&arguments).await,
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let taken = error.to_string().contains("cannot listen on port");
            eprintln!("error: {error}{}", if taken { "; name another one with --port" } else { "" });
            ExitCode::from(2)
        }
    }
}

async fn serve_servicetitan(arguments: &ServicetitanArguments) -> Result<(), Box<dyn Error>> {
    let server = servicetitan::start(arguments.options()).await?;
    server.set_generation(arguments.generation);
    println!("ServiceTitan stand-in at {}\n\n{}", server.url(), pipeline(&server));
    serve_generations(|| {
        server.set_generation(server.generation() + 1);
        server.generation()
    })
}

async fn serve_callio(arguments: &CallioArguments) -> Result<(), Box<dyn Error>> {
    let server = arguments.start().await?;
    println!("Callio stand-in at {}\n\n{}", server.url(), callio_command::pipeline(&server));
    serve_generations(|| {
        server.set_generation(server.generation() + 1);
        server.generation()
    })
}

async fn serve_gong(arguments: &GongArguments) -> Result<(), Box<dyn Error>> {
    let server = arguments.start().await?;
    println!("Gong stand-in at {}\n\n{}", server.url(), gong_command::pipeline(&server));
    serve_generations(|| {
        server.set_generation(server.generation() + 1);
        server.generation()
    })
}

async fn serve_gaio_social(arguments: &GaioSocialArguments) -> Result<(), Box<dyn Error>> {
    let server = arguments.start().await?;
    println!("Gaio Social stand-in at {}\n\n{}", server.url(), gaio_social_command::pipeline(&server));
    serve_generations(|| {
        server.set_generation(server.generation() + 1);
        server.generation()
    })
}

async fn serve_zoho_salesiq(arguments: &ZohoSalesiqArguments) -> Result<(), Box<dyn Error>> {
    let server = arguments.start().await?;
    println!("Zoho SalesIQ stand-in at {}\n\n{}", server.url(), zoho_salesiq_command::pipeline(&server));
    serve_generations(|| {
        server.set_generation(server.generation() + 1);
        server.generation()
    })
}

/// Serves the next generation at every line of standard input, until it ends: whoever has started the stand-in has gone then.
fn serve_generations(next: impl Fn() -> u32) -> Result<(), Box<dyn Error>> {
    // The server has threads of its own, so this one may block.
    for line in std::io::stdin().lock().lines() {
        if line.is_err() {
            break;
        }
        // Nobody need read what it says.
        let _ = writeln!(std::io::stdout(), "generation {}", next());
    }
    Ok(())
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
