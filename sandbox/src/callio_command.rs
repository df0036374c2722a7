//! `sandbox callio`: its arguments, and the part of a pipeline file that uses it.

use std::error::Error;
use std::time::Duration;

use chrono::{Days, NaiveDate, Utc};
use sandbox::callio::{self, Account, Callio, Lists, Options};

#[derive(Debug, clap::Args)]
pub(crate) struct CallioArguments {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8081)]
    port: u16,
    /// The same seed makes the same records
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many customers and calls for each account
    #[arg(long, default_value_t = 2000)]
    records: usize,
    /// How many accounts, each with a login and data of its own
    #[arg(long, default_value_t = 1)]
    accounts: u32,
    /// First day of the data; 40 days ago if not given
    #[arg(long, value_name = "YYYY-MM-DD")]
    first_day: Option<NaiveDate>,
    /// Days of data in the first generation
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// Users and groups as a bare array instead of a page object
    #[arg(long)]
    bare_arrays: bool,
    /// Wait before every answer
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Limit for each account; 0 for none
    #[arg(long, default_value_t = 0)]
    requests_per_second: u32,
    /// How long a token is good
    #[arg(long, default_value_t = 1800)]
    token_seconds: u64,
}

impl CallioArguments {
    pub(crate) async fn start(&self) -> Result<Callio, Box<dyn Error>> {
        let account = |number: u32| Account {
            id: format!("company-{number}"),
            email: format!("etl@company-{number}.example"),
            password: format!("sandbox-password-{number}"),
        };
        Ok(callio::start(Options {
            port: self.port,
            seed: self.seed,
            accounts: (0..self.accounts.max(1)).map(account).collect(),
            records: self.records,
            first_day: first_day(self.first_day),
            days: self.days,
            users_as: if self.bare_arrays { Lists::BareArray } else { Lists::PageObject },
            latency: Duration::from_millis(self.latency_ms),
            requests_per_second: (self.requests_per_second > 0).then_some(self.requests_per_second),
            token_lifetime: Duration::from_secs(self.token_seconds),
            ..Options::default()
        })
        .await?)
    }
}

/// Midnight of the day that was given, or of a day so long ago that ten generations lie in the past.
pub(crate) fn first_day(given: Option<NaiveDate>) -> chrono::DateTime<Utc> {
    let day = given.unwrap_or_else(|| Utc::now().date_naive() - Days::new(40));
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}

/// The `sources` part of a pipeline file for this server. The credentials are made up, so they may be shown.
pub(crate) fn pipeline(server: &Callio) -> String {
    let (url, options) = (server.url(), server.options());
    let mut text = String::from("sources:\n  - connector: callio\n    accounts:\n");
    for account in &options.accounts {
        text.push_str(&format!(
            "      - id: {}\n        config: {{email: \"{}\", password: \"{}\", start_date: \"{}\", api_url: \"{url}\"}}\n",
            account.id,
            account.email,
            account.password,
            options.first_day.date_naive(),
        ));
    }
    text
}
