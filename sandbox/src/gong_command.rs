//! The command line of Gong's stand-in, and the `sources` part of a pipeline file for it.
//! Its credentials are made up, so they may be shown.

use std::io;
use std::time::Duration;

use sandbox::gong::{self, Gong, Options};

#[derive(Debug, clap::Args)]
pub(crate) struct GongArguments {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8083)]
    port: u16,
    /// The same seed makes the same records
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many calls
    #[arg(long, default_value_t = 400)]
    calls: usize,
    /// Wait before every answer
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Limit for the whole company; 0 for none
    #[arg(long, default_value_t = 3)]
    requests_per_second: u32,
    /// Generation to begin with
    #[arg(long, default_value_t = 1)]
    generation: u32,
}

impl GongArguments {
    pub(crate) async fn start(&self) -> io::Result<Gong> {
        let server = gong::start(Options {
            port: self.port,
            seed: self.seed,
            calls: self.calls,
            latency: Duration::from_millis(self.latency_ms),
            requests_per_second: (self.requests_per_second > 0).then_some(self.requests_per_second),
            ..Options::default()
        })
        .await?;
        server.set_generation(self.generation);
        Ok(server)
    }
}

pub(crate) fn pipeline(server: &Gong) -> String {
    let (url, options) = (server.url(), server.options());
    format!(
        "sources:\n  - connector: gong\n    accounts:\n      - id: acme\n        config: {{access_key: \"{key}\", \
         access_key_secret: \"{secret}\", start_date: \"2024-08-01\", api_url: \"{url}\"}}\n",
        key = options.access_key,
        secret = options.access_key_secret,
    )
}
