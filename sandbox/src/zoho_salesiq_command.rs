//! The command line of Zoho SalesIQ's stand-in, and the `sources` part of a pipeline file for it.
//! Its credentials are made up, so they may be shown.

use std::io;
use std::time::Duration;

use sandbox::zoho_salesiq::{self, Options, ZohoSalesiq};

#[derive(Debug, clap::Args)]
pub(crate) struct ZohoSalesiqArguments {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8085)]
    port: u16,
    /// The same seed makes the same records
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many conversations
    #[arg(long, default_value_t = 300)]
    conversations: usize,
    /// Wait before every answer
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Limit for all requests together; 0 for none
    #[arg(long, default_value_t = 0)]
    requests_per_second: u32,
    /// How long a token is good
    #[arg(long, default_value_t = 3600)]
    token_seconds: u64,
    /// Generation to begin with
    #[arg(long, default_value_t = 1)]
    generation: u32,
}

impl ZohoSalesiqArguments {
    pub(crate) async fn start(&self) -> io::Result<ZohoSalesiq> {
        let server = zoho_salesiq::start(Options {
            port: self.port,
            seed: self.seed,
            conversations: self.conversations,
            latency: Duration::from_millis(self.latency_ms),
            requests_per_second: (self.requests_per_second > 0).then_some(self.requests_per_second),
            token_lifetime: Duration::from_secs(self.token_seconds),
            ..Options::default()
        })
        .await?;
        server.set_generation(self.generation);
        Ok(server)
    }
}

pub(crate) fn pipeline(server: &ZohoSalesiq) -> String {
    let (url, options) = (server.url(), server.options());
    format!(
        "sources:\n  - connector: zoho_salesiq\n    accounts:\n      - id: {name}\n        config: {{screen_name: {name}, \
         client_id: \"{id}\", client_secret: \"{secret}\", refresh_token: \"{token}\", api_url: \"{url}\", auth_url: \"{url}\"}}\n",
        name = options.screen_name,
        id = options.client_id,
        secret = options.client_secret,
        token = options.refresh_token,
    )
}
