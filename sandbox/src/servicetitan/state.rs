//! The stand-in's state behind all requests, and the handle by which a test or the demo steers it.
//! One lock each for tokens, limit, script, log and lists; none is held while a page is written.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::ads;
use super::dice::key_of;
use super::rate_limit::RateLimit;
use super::records::References;
use super::reporting;
use super::resources::{self, Dates, Resource};
use super::token::Tokens;
use super::world::{Filter, Shift, ShiftKind, World};
use super::{Options, StartError, Tenant};
use crate::fault::{Fault, FaultAction, Script, Seen};
use crate::request_log::{RequestLog, RequestSeen};

/// Steers a running stand-in and tells what it saw. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    url: String,
    options: Options,
    references: Arc<References>,
    tokens: Mutex<Tokens>,
    limit: Mutex<RateLimit>,
    script: Mutex<Script>,
    log: Mutex<RequestLog>,
    lists: Mutex<Lists>,
    /// When a tenant last ran a report.
    reports: Mutex<HashMap<(usize, u64), Instant>>,
}

/// The lists as they stand: the worlds that were asked for, and the shifts that formed them.
#[derive(Debug)]
struct Lists {
    generation: u32,
    shifts: HashMap<(usize, usize), Vec<Shift>>,
    worlds: HashMap<(usize, usize), Arc<World>>,
}

impl Handle {
    pub(crate) fn new(options: Options, url: String) -> Result<Self, StartError> {
        let mut counts: Vec<usize> =
            resources::all().iter().map(|resource| (resource.count)(options.records)).collect();
        for (name, count) in &options.overrides {
            let resource = resources::find(name).ok_or_else(|| StartError::UnknownResource(name.clone()))?;
            counts[resource.index] = *count;
        }
        let inner = Inner {
            url,
            references: Arc::new(References::new(counts)),
            tokens: Mutex::new(Tokens::new(options.seed, options.token_lifetime)),
            limit: Mutex::new(RateLimit::new(options.requests_per_second)),
            script: Mutex::default(),
            log: Mutex::default(),
            lists: Mutex::new(Lists { generation: 1, shifts: HashMap::new(), worlds: HashMap::new() }),
            reports: Mutex::default(),
            options,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// `http://127.0.0.1:<port>`: API and token endpoint alike.
    pub fn url(&self) -> String {
        self.inner.url.clone()
    }

    /// What the stand-in was started with.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// The generation that is served; 1 at the start.
    pub fn generation(&self) -> u32 {
        lock(&self.inner.lists).generation
    }

    /// Serves another generation from the next request on (0 counts as 1).
    pub fn set_generation(&self, generation: u32) {
        let mut lists = lock(&self.inner.lists);
        lists.generation = generation.max(1);
        lists.worlds.clear();
    }

    /// Adds a fault to the script.
    pub fn script(&self, fault: Fault) {
        lock(&self.inner.script).add(fault);
    }

    /// Forgets the faults that have not struck.
    pub fn clear_script(&self) {
        lock(&self.inner.script).clear();
    }

    /// The requests seen, oldest first.
    pub fn requests(&self) -> Vec<RequestSeen> {
        lock(&self.inner.log).all()
    }

    /// Forgets the requests seen.
    pub fn clear_requests(&self) {
        lock(&self.inner.log).clear();
    }

    /// Makes every token that was given out invalid.
    pub fn expire_tokens(&self) {
        lock(&self.inner.tokens).drop_all();
    }

    /// The JSON text of every record that exists now, active or not, as lists give it and in the order of lists. The resource is a
    /// path (`jobs/timesheets`) or a stream's name; with `_export` behind it, the rows of the whole feed, removed ones included.
    /// Empty for an unknown tenant or resource.
    pub fn truth(&self, tenant: &str, resource: &str) -> Vec<String> {
        let feed = resource.strip_suffix("_export");
        let found = resources::find(feed.unwrap_or(resource)).filter(|found| feed.is_none() || found.feed.is_some());
        let found = found.filter(|found| found.dates != Dates::Window);
        let (Some(tenant), Some(resource)) = (self.tenant_index(tenant), found) else {
            return Vec::new();
        };
        let world = self.world(tenant, resource);
        if feed.is_some() {
            return world.whole_feed();
        }
        let text = |slot: &u32| {
            let mut out = Vec::new();
            world.write(*slot, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        world.view(&Filter::default()).iter().map(text).collect()
    }

    /// The rows that a report gives for a range of days (`YYYY-MM-DD`, both ends in) as JSON objects; empty where there is none.
    pub fn report_truth(&self, tenant: &str, report: u64, from: &str, to: &str) -> Vec<String> {
        reporting::truth(self, tenant, report, from, to)
    }

    /// What marketing's `attributed-leads`, or `performance` by a segment, gives for a range of days; empty where there is none.
    pub fn ads_truth(&self, tenant: &str, path: &str, segment: Option<&str>, from: &str, to: &str) -> Vec<String> {
        ads::truth(self, tenant, path, segment, from, to)
    }

    pub(crate) fn tenant_index(&self, id: &str) -> Option<usize> {
        self.inner.options.tenants.iter().position(|tenant| tenant.id == id)
    }

    pub(crate) fn tenant_of_client(&self, client_id: &str, client_secret: &str) -> Option<&Tenant> {
        let mut tenants = self.inner.options.tenants.iter();
        tenants.find(|tenant| tenant.client_id == client_id && tenant.client_secret == client_secret)
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        lock(&self.inner.tokens)
    }

    pub(crate) fn admit(&self, tenant: &str) -> Result<(), u64> {
        lock(&self.inner.limit).admit(tenant, Instant::now())
    }

    /// Lets a report run, or says how many whole seconds to wait. A refused run does not count.
    pub(crate) fn admit_report(&self, tenant: usize, report: u64, now: Instant) -> Result<(), u64> {
        let mut reports = lock(&self.inner.reports);
        let free = reports.get(&(tenant, report)).map(|last| *last + self.inner.options.report_interval);
        if let Some(free) = free.filter(|free| *free > now) {
            return Err(free.duration_since(now).as_secs() + 1);
        }
        reports.insert((tenant, report), now);
        Ok(())
    }

    pub(crate) fn fault(&self, seen: &Seen<'_>) -> Option<FaultAction> {
        lock(&self.inner.script).take(seen)
    }

    pub(crate) fn begin(&self, request: RequestSeen) -> u64 {
        lock(&self.inner.log).begin(request)
    }

    /// Adds to a logged request what became known later.
    pub(crate) fn note(&self, number: u64, change: impl FnOnce(&mut RequestSeen)) {
        if let Some(entry) = lock(&self.inner.log).entry(number) {
            change(entry);
        }
    }

    /// The list as it stands now; stays as it is for whoever holds it.
    pub(crate) fn world(&self, tenant: usize, resource: &'static Resource) -> Arc<World> {
        let place = (tenant, resource.index);
        let mut lists = lock(&self.inner.lists);
        if let Some(world) = lists.worlds.get(&place) {
            return Arc::clone(world);
        }
        let name = self.inner.options.tenants.get(tenant).map_or("", |tenant| tenant.id.as_str());
        let world = Arc::new(World::new(
            key_of(self.inner.options.seed, &[name, resource.module, resource.path]),
            resource,
            Arc::clone(&self.inner.references),
            lists.generation,
            lists.shifts.get(&place).map(Vec::as_slice).unwrap_or_default(),
            self.inner.options.null_ids && resource.kind == resources::Kind::GrossPayItems,
        ));
        lists.worlds.insert(place, Arc::clone(&world));
        world
    }

    pub(crate) fn shift(&self, tenant: usize, resource: &Resource, kind: ShiftKind) {
        let place = (tenant, resource.index);
        let mut lists = lock(&self.inner.lists);
        let generation = lists.generation;
        lists.shifts.entry(place).or_default().push(Shift { generation, kind });
        lists.worlds.remove(&place);
    }
}

/// A lock whose holder panicked still guards usable data here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
