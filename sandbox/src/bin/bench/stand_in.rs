//! ServiceTitan's stand-in with so many records, and the part of a pipeline file that reads them as snapshots.
//! It runs in this process and shares the machine with what is measured, for the floors as for the jobs.

use crate::measure::{self, Measured};
use crate::place::{Place, own_program};
use sandbox::servicetitan::{self, Options, ServiceTitan, Tenant};
use std::time::Duration;

/// A stream of the connector, and the stand-in's name of its resource.
pub(crate) type Stream = (&'static str, &'static str);

pub(crate) const JOBS: Stream = ("jobs", "jobs");

/// A company by its number.
pub(crate) fn tenant(number: usize) -> Tenant {
    Tenant {
        id: (900_100 + number).to_string(),
        client_id: format!("cid.sandbox-{number}"),
        client_secret: format!("cs1.sandbox-secret-{number}"),
    }
}

pub(crate) struct StandIn {
    server: ServiceTitan,
    streams: Vec<Stream>,
    page_size: usize,
}

impl StandIn {
    /// So many tenants with so many records of each of the streams.
    pub(crate) fn new(tenants: usize, streams: &[Stream], records: usize, page_size: usize, latency: Duration) -> Self {
        let options = Options {
            tenants: (0..tenants).map(tenant).collect(),
            overrides: streams.iter().map(|(_, resource)| ((*resource).to_owned(), records)).collect(),
            records: 10,
            latency,
            requests_per_second: None,
            ..Options::default()
        };
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let server = runtime.block_on(servicetitan::start(options)).expect("the stand-in starts");
        Self { server, streams: streams.to_vec(), page_size }
    }

    /// The source, as it stands in a pipeline file.
    pub(crate) fn source(&self) -> String {
        let (url, options) = (self.server.url(), self.server.options());
        let account = |(number, tenant): (usize, &Tenant)| {
            format!(
                "      - id: a{number}\n        config: {{tenant_id: \"{}\", client_id: \"{}\", client_secret: \"{}\", app_key: \"{}\", api_url: \"{url}\", auth_url: \"{url}\", page_size: {}}}\n",
                tenant.id, tenant.client_id, tenant.client_secret, options.app_key, self.page_size,
            )
        };
        let accounts: String = options.tenants.iter().enumerate().map(account).collect();
        let streams: Vec<String> =
            self.streams.iter().map(|(name, _)| format!("{{name: {name}, mode: snapshot}}")).collect();
        format!("  - connector: servicetitan\n    accounts:\n{accounts}    streams: [{}]\n", streams.join(", "))
    }

    /// The floor of an extract of jobs.
    pub(crate) fn download(&self, place: &Place, records: usize) -> Measured {
        let mut command = own_program();
        command.arg("download").arg(self.server.url()).arg(records.div_ceil(self.page_size).to_string());
        command.arg(self.page_size.to_string()).arg(place.path("floor.gz"));
        measure::run(&mut command)
    }
}
