//! `sandbox gaio-social`: its arguments, and the part of a pipeline file that uses it.

use std::error::Error;
use std::time::Duration;

use chrono::NaiveDate;
use sandbox::gaio_social::{self, Account, GaioSocial, Options};

use crate::callio_command::first_day;

#[derive(Debug, clap::Args)]
pub(crate) struct GaioSocialArguments {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8082)]
    port: u16,
    /// The same seed makes the same records
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many posts for each account
    #[arg(long, default_value_t = 500)]
    records: usize,
    /// How many accounts, each with a token and data of its own
    #[arg(long, default_value_t = 1)]
    accounts: u32,
    /// First day of the data; 40 days ago if not given
    #[arg(long, value_name = "YYYY-MM-DD")]
    first_day: Option<NaiveDate>,
    /// Days of data in the first generation
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// The until parameter leaves out the day that it names
    #[arg(long)]
    exclusive: bool,
    /// Wait before every answer
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Limit for each account; 0 for none
    #[arg(long, default_value_t = 10)]
    requests_per_second: u32,
}

impl GaioSocialArguments {
    pub(crate) async fn start(&self) -> Result<GaioSocial, Box<dyn Error>> {
        let account = |number: u32| Account { id: format!("brand-{number}"), token: format!("sandbox-token-{number}") };
        Ok(gaio_social::start(Options {
            port: self.port,
            seed: self.seed,
            accounts: (0..self.accounts.max(1)).map(account).collect(),
            records: self.records,
            first_day: first_day(self.first_day),
            days: self.days,
            until_is_exclusive: self.exclusive,
            latency: Duration::from_millis(self.latency_ms),
            requests_per_second: (self.requests_per_second > 0).then_some(self.requests_per_second),
            ..Options::default()
        })
        .await?)
    }
}

/// The `sources` part of a pipeline file for this server. The credentials are made up, so they may be shown.
pub(crate) fn pipeline(server: &GaioSocial) -> String {
    let (url, options) = (server.url(), server.options());
    let mut text = String::from("sources:\n  - connector: gaio_social\n    accounts:\n");
    for account in &options.accounts {
        text.push_str(&format!(
            "      - id: {}\n        config: {{token: \"{}\", start_date: \"{}\", api_url: \"{url}\"}}\n",
            account.id,
            account.token,
            options.first_day.date_naive(),
        ));
    }
    text
}
