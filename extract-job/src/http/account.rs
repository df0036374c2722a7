//! What all streams of one account share: settings, connections, logins, request budget and the secrets to be kept out of texts.

use super::budget::Pause;
use super::client::{Answer, Client, ExchangeError, Outgoing};
use super::homes::Homes;
use super::response_cache::{KeptAnswers, ResponseCache};
use super::retry::Waits;
use super::tokens::Tokens;
use super::trace::Trace;
use crate::components::declarative_stream::DeclarativeStream;
use crate::components::expression::Scope;
use crate::components::http_api_budget::{HttpApiBudget, OpenBudget};
use crate::redactor::Redactor;
use crate::template::{Names, Shared};
use chrono::{DateTime, Utc};
use reqwest::Url;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Slices in work at once where the manifest says nothing.
const DEFAULT_SLICES: usize = 2;

/// One account of a source, ready to be read.
#[derive(Debug)]
pub(crate) struct Account {
    /// `source/account`, for logs.
    pub(crate) label: String,
    pub(crate) client: Client,
    pub(crate) tokens: Tokens,
    pub(crate) pause: Pause,
    pub(crate) redactor: Redactor,
    pub(crate) waits: Waits,
    /// The hosts of all its requesters.
    pub(crate) homes: Homes,
    /// Answers that are asked for more than once in a run.
    pub(crate) cache: ResponseCache,
    trace: Option<Trace>,
    budget: Arc<HttpApiBudget>,
    open: OpenBudget,
    config: Shared,
    /// Tells settings apart without telling them.
    pub(crate) config_digest: u64,
    slices: Arc<Semaphore>,
    most_slices: usize,
    /// How often streams are read in a run, where that is more than once: parents.
    shared: HashMap<String, usize>,
}

impl Account {
    /// `config` is complete: secrets resolved, defaults filled in.
    pub(crate) fn new(
        label: String,
        config: &Value,
        client: Client,
        budget: Arc<HttpApiBudget>,
        redactor: Redactor,
        waits: Waits,
    ) -> Self {
        let config_digest = {
            let mut hasher = DefaultHasher::new();
            config.to_string().hash(&mut hasher);
            hasher.finish()
        };
        let config = Shared::from(config);
        let open = budget.open(&Scope::new(Utc::now()).with(Names::CONFIG, &config));
        let cache = ResponseCache::within(&client.kept);
        Self {
            label,
            client,
            tokens: Tokens::default(),
            pause: Pause::default(),
            redactor,
            waits,
            homes: Homes::default(),
            cache,
            trace: None,
            budget,
            open,
            config,
            config_digest,
            slices: Arc::new(Semaphore::new(DEFAULT_SLICES)),
            most_slices: DEFAULT_SLICES,
            shared: HashMap::new(),
        }
    }

    /// The account with what its streams tell: their hosts, and which of them are read more than once.
    #[must_use]
    pub(crate) fn with_streams<'a>(self, streams: impl Iterator<Item = &'a DeclarativeStream>, scope: &Scope) -> Self {
        let mut readers: HashMap<String, usize> = HashMap::new();
        let mut homes = Vec::new();
        for stream in streams {
            *readers.entry(stream.name.clone()).or_default() += 1;
            homes.extend(stream.homes(scope));
            for parent in stream.ancestors() {
                *readers.entry(parent.name.clone()).or_default() += 1;
                homes.extend(parent.homes(scope));
            }
        }
        let shared = readers.into_iter().filter(|(_, readers)| *readers > 1).collect();
        Self { shared, ..self }.with_homes(homes)
    }

    /// What is kept of a stream for one more reading of it; nothing if it is read once in a run, or does not fit.
    pub(crate) fn kept_answers(&self, stream: &str) -> Option<Arc<KeptAnswers>> {
        self.cache.join(stream, *self.shared.get(stream)?)
    }

    /// Reads so many slices at once, over all streams.
    #[must_use]
    pub(crate) fn with_slices(mut self, most: usize) -> Self {
        self.most_slices = most.max(1);
        self.slices = Arc::new(Semaphore::new(self.most_slices));
        self
    }

    /// How many slices are in work at once.
    pub(crate) fn most_slices(&self) -> usize {
        self.most_slices
    }

    /// Waits until one more slice may be read.
    pub(crate) async fn take_slice(&self) -> Option<OwnedSemaphorePermit> {
        self.slices.clone().acquire_owned().await.ok()
    }

    /// The account with the hosts of its requesters, as the settings alone tell them.
    #[must_use]
    pub(crate) fn with_homes(mut self, homes: impl IntoIterator<Item = Url>) -> Self {
        homes.into_iter().for_each(|home| self.homes.add(home));
        self
    }

    /// The account with every exchange written down.
    #[must_use]
    pub(crate) fn with_trace(mut self, trace: Trace) -> Self {
        self.trace = Some(trace);
        self
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// Nothing has come back, or the request cannot be sent as it is.
    pub(crate) async fn exchange(&self, outgoing: &Outgoing, expected: usize) -> Result<Answer, ExchangeError> {
        self.client.exchange(outgoing, expected, &self.homes, &self.redactor, self.trace.as_ref()).await
    }

    /// What templates see: the settings and the time.
    pub(crate) fn scope(&self, now: DateTime<Utc>) -> Scope {
        Scope::new(now).with(Names::CONFIG, &self.config)
    }

    /// Waits until the account may send this request, too.
    ///
    /// # Errors
    /// A setting that the budget is made of is no number.
    pub(crate) async fn take_slot(&self, outgoing: &Outgoing) -> Result<(), String> {
        self.budget.take(&self.open, outgoing, &self.pause).await
    }

    /// Takes in what an answer says of the API's own count of requests.
    pub(crate) fn heed(&self, outgoing: &Outgoing, status: u16, headers: &HeaderMap) {
        if let Some(wait) = self.budget.heed(&self.open, outgoing, status, headers) {
            tracing::debug!(account = %self.label, seconds = wait.as_secs(), "the API's limit is reached, pausing");
            self.pause.extend(self.waits.scale(wait));
        }
    }
}
