//! For tests: an API on a port of its own that answers by a closure, and an account and a requester to ask it with.

use super::account::Account;
use super::client::Client;
use super::retry::Waits;
use crate::components::http_requester::HttpRequester;
use crate::manifest::problem::Problems;
use crate::manifest::reader::Reader;
use crate::read::cpu::Cpu;
use crate::redactor::Redactor;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An API and the number of requests that it has seen.
pub(super) struct TestServer {
    pub(super) url: String,
    count: Arc<AtomicUsize>,
}

impl TestServer {
    /// The closure gets the number of the request, its address and its headers.
    pub(super) async fn start(answer: impl Fn(usize, &Uri, &HeaderMap) -> Response + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let (counter, answer) = (count.clone(), Arc::new(answer));
        let serve = move |uri: Uri, headers: HeaderMap| {
            let response = answer(counter.fetch_add(1, Ordering::SeqCst) + 1, &uri, &headers);
            async move { response }
        };
        let app = axum::Router::new().fallback(serve);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, count }
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

pub(super) fn reply(status: u16, body: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), body.to_owned()).into_response()
}

pub(super) fn account(config: &Value) -> Account {
    let (client, waits) = (Client::new(Cpu::new(), 1).unwrap(), Waits { factor: 0.002 });
    Account::new("test/one".into(), config, client, Arc::default(), Redactor::default(), waits)
}

/// A requester from its text in a manifest.
pub(super) fn requester(text: &str) -> HttpRequester {
    let (node, problems) = (contract::yaml::parse(text).unwrap(), Problems::default());
    let requester = HttpRequester::read(&Reader::new(&node, "requester".into(), &problems).unwrap());
    let (errors, _) = problems.into_sorted();
    assert!(errors.is_empty(), "{errors:?}");
    requester.unwrap()
}
