//! What all streams of one account share: settings, connections, logins, request budget and the secrets to be kept out of texts.

use super::budget::{MovingWindows, Pause};
use super::client::Client;
use super::retry::Waits;
use super::tokens::Tokens;
use crate::components::expression::Scope;
use crate::components::http_api_budget::HttpApiBudget;
use crate::redactor::Redactor;
use crate::template::{Names, Shared};
use chrono::{DateTime, Utc};
use reqwest::{Method, Url};
use serde_json::Value;
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
    budget: Arc<HttpApiBudget>,
    windows: Vec<MovingWindows>,
    config: Shared,
    slices: Arc<Semaphore>,
    most_slices: usize,
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
        let windows = budget.open();
        let config = Shared::from(config);
        Self {
            label,
            client,
            tokens: Tokens::default(),
            pause: Pause::default(),
            redactor,
            waits,
            budget,
            windows,
            config,
            slices: Arc::new(Semaphore::new(DEFAULT_SLICES)),
            most_slices: DEFAULT_SLICES,
        }
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

    /// What templates see: the settings and the time.
    pub(crate) fn scope(&self, now: DateTime<Utc>) -> Scope {
        Scope::new(now).with(Names::CONFIG, &self.config)
    }

    /// Waits until the account may send one more request.
    pub(crate) async fn take_slot(&self, method: &Method, url: &Url) {
        self.pause.wait().await;
        self.budget.take(&self.windows, method, url).await;
    }
}
