//! The request budget against a stand-in that keeps no limit of its own: never more than is allowed, and hardly less.

use crate::support::{APP_KEY, Bench, SECRET};
use contract::exit::Exit;
use sandbox::servicetitan::{self, Tenant};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the connector allows itself, for each account.
const LIMIT: usize = 60;
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_accounts_use_their_budgets_to_the_full_and_never_more() {
    let tenants: Vec<Tenant> = (1..=4)
        .map(|number| Tenant {
            id: format!("90010{number}"),
            client_id: format!("cid.{number}"),
            client_secret: SECRET.into(),
        })
        .collect();
    let options = servicetitan::Options {
        records: 2100,
        tenants: tenants.clone(),
        latency: Duration::from_millis(200),
        requests_per_second: None,
        ..servicetitan::Options::default()
    };
    let bench = Bench::with(options, 10).await;
    write_pipeline(&bench, &tenants);
    let stalls = Stalls::watch();
    let report = bench.extract(&["jobs", "activities"]).await;
    let stalls = stalls.end();
    assert_eq!(report.exit(), Exit::Done, "{report:?}");
    let mut all = Vec::new();
    for tenant in &tenants {
        let arrivals = arrivals(&bench, &tenant.id);
        assert!(arrivals.len() >= 420, "{} requests of {}", arrivals.len(), tenant.id);
        let most = most_within(&arrivals, SECOND - 2 * stalls.worst);
        assert!(most <= LIMIT, "{most} requests of {} within a second ({stalls:?})", tenant.id);
        let rate = steady_rate(&arrivals, LIMIT);
        assert!(rate >= 0.9 * stalls.left * LIMIT as f64, "{rate:.1} requests of {} a second", tenant.id);
        all.extend(arrivals);
    }
    all.sort();
    let rate = steady_rate(&all, LIMIT * tenants.len());
    let allowed = (LIMIT * tenants.len()) as f64;
    assert!(rate >= 0.9 * stalls.left * allowed, "{rate:.1} requests a second in all ({stalls:?})");
}

fn write_pipeline(bench: &Bench, tenants: &[Tenant]) {
    let url = bench.server.url();
    let account = |tenant: &Tenant| {
        format!(
            "      - id: t{id}\n        config: {{tenant_id: \"{id}\", client_id: {client}, client_secret: \"${{env:ST_CLIENT_SECRET}}\", app_key: {APP_KEY}, api_url: {url}, auth_url: {url}, page_size: 10}}\n",
            id = tenant.id,
            client = tenant.client_id,
        )
    };
    let accounts: String = tenants.iter().map(account).collect();
    let text = format!(
        "landing: ./landing\nconcurrency: 8\nwarehouse: {{type: duckdb, path: ./w.duckdb}}\nsources:\n  - connector: servicetitan\n    accounts:\n{accounts}"
    );
    std::fs::write(bench.pipeline(), text).unwrap();
}

/// When the requests of a tenant arrived, logins aside.
fn arrivals(bench: &Bench, tenant: &str) -> Vec<Instant> {
    let requests = bench.server.requests();
    let of_tenant = |path: &str| path.contains(&format!("/tenant/{tenant}/"));
    requests.iter().filter(|request| of_tenant(&request.path)).map(|request| request.at).collect()
}

fn most_within(arrivals: &[Instant], span: Duration) -> usize {
    let within = |from: &Instant| arrivals.iter().filter(|at| *at >= from && **at < *from + span).count();
    arrivals.iter().map(within).max().unwrap_or_default()
}

/// Requests a second in the middle of a run: between two that are a multiple of the limit apart, so that it does not matter
/// where in its window a request stands.
fn steady_rate(arrivals: &[Instant], limit: usize) -> f64 {
    let windows = arrivals.len() / limit - 3;
    let (first, last) = (arrivals[limit], arrivals[limit + windows * limit]);
    (windows * limit) as f64 / (last - first).as_secs_f64()
}

/// How much this machine, busy with other things, held up the threads of this test: what it delays or takes away is no fault
/// of the budget. Where nothing else runs it is next to nothing. A request can be held up where it leaves and where it arrives.
#[derive(Debug, Clone, Copy)]
struct Stalls {
    /// The longest time that a timer came too late, but no more than a quarter of a second.
    worst: Duration,
    /// The share of the time that was left.
    left: f64,
}

/// A timer that goes off all the time, and what it has seen.
struct Watch {
    started: Instant,
    /// The longest delay, and all of them together.
    seen: Arc<Mutex<(Duration, Duration)>>,
    task: tokio::task::JoinHandle<()>,
}

impl Stalls {
    fn watch() -> Watch {
        const EVERY: Duration = Duration::from_millis(5);
        let seen = Arc::new(Mutex::new((Duration::ZERO, Duration::ZERO)));
        let task = tokio::spawn({
            let seen = seen.clone();
            async move {
                loop {
                    let from = Instant::now();
                    tokio::time::sleep(EVERY).await;
                    // Timers count whole milliseconds.
                    let late = from.elapsed().saturating_sub(EVERY + Duration::from_millis(1));
                    let mut seen = seen.lock().unwrap();
                    *seen = (seen.0.max(late), seen.1 + late);
                }
            }
        });
        Watch { started: Instant::now(), seen, task }
    }
}

impl Watch {
    fn end(self) -> Stalls {
        self.task.abort();
        let (worst, all) = *self.seen.lock().unwrap();
        let left = 1.0 - all.as_secs_f64() / self.started.elapsed().as_secs_f64();
        Stalls { worst: worst.min(SECOND / 4), left: left.max(0.5) }
    }
}
