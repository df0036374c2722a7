//! A small client of the stand-in: logs in once, keeps its token, reads lists and feeds to their ends.

use std::collections::BTreeMap;

use sandbox::servicetitan::{self, Options, ServiceTitan, Tenant};
use serde_json::Value;
use serde_json::value::RawValue;

pub(crate) struct Client {
    pub(crate) server: ServiceTitan,
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
    pub(crate) tenant: Tenant,
}

/// One answer of a list.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) has_more: bool,
    pub(crate) total: Option<u64>,
    pub(crate) records: Vec<String>,
}

pub(crate) fn tenant(number: u32) -> Tenant {
    Tenant { id: format!("t{number}"), client_id: format!("cid{number}"), client_secret: format!("secret{number}") }
}

/// No rate limit, two tenants; logged in as the first.
pub(crate) async fn client(records: usize, change: impl FnOnce(&mut Options)) -> Client {
    let tenants = vec![tenant(1), tenant(2)];
    let mut options =
        Options { records, tenants, requests_per_second: None, export_page_size: 100, ..Options::default() };
    change(&mut options);
    let server = servicetitan::start(options).await.unwrap();
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut client = Client { server, http, token: String::new(), tenant: tenant(1) };
    client.token = client.log_in().await;
    client
}

impl Client {
    pub(crate) async fn log_in(&self) -> String {
        let (status, body) = self.ask_token(&self.tenant.client_id, &self.tenant.client_secret).await;
        assert_eq!(status, 200, "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn ask_token(&self, id: &str, secret: &str) -> (u16, String) {
        let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        let url = format!("{}/connect/token", self.server.url());
        let response = self.http.post(url).form(&form).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// A request for `module/resource`, or `module:v3/resource`.
    pub(crate) fn request(&self, path: &str) -> reqwest::RequestBuilder {
        self.signed(self.http.get(self.address(path)))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        let request = self.signed(self.http.post(self.address(path)));
        request.header("Content-Type", "application/json").body(body.to_string())
    }

    fn address(&self, path: &str) -> String {
        let (module, rest) = path.split_once('/').unwrap();
        let (module, version) = module.split_once(':').unwrap_or((module, "v2"));
        format!("{}/{module}/{version}/tenant/{}/{rest}", self.server.url(), self.tenant.id)
    }

    fn signed(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.bearer_auth(&self.token).header("ST-App-Key", &self.server.options().app_key)
    }

    pub(crate) async fn send(&self, path: &str) -> reqwest::Response {
        self.request(path).send().await.unwrap()
    }

    pub(crate) async fn status(&self, path: &str) -> u16 {
        self.send(path).await.status().as_u16()
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        let response = self.send(path).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    pub(crate) async fn page(&self, path: &str) -> Page {
        let body: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&self.get(path).await).unwrap();
        Page {
            has_more: serde_json::from_str(body["hasMore"].get()).unwrap(),
            total: serde_json::from_str(body["totalCount"].get()).unwrap(),
            records: raw_records(&body),
        }
    }

    /// Every page of a list, until the API says that there is no more.
    pub(crate) async fn list(&self, path: &str, size: usize) -> Vec<Page> {
        let mut pages = Vec::new();
        let joint = if path.contains('?') { '&' } else { '?' };
        for number in 1.. {
            let url = format!("{path}{joint}page={number}&pageSize={size}&includeTotal=true");
            pages.push(self.page(&url).await);
            if !pages.last().unwrap().has_more {
                break;
            }
        }
        pages
    }

    pub(crate) async fn records(&self, path: &str, size: usize) -> Vec<String> {
        self.list(path, size).await.into_iter().flat_map(|page| page.records).collect()
    }

    /// All rows of a feed, with more parameters in every request.
    pub(crate) async fn feed_with(&self, path: &str, more: &str) -> Vec<String> {
        let (mut rows, mut from) = (Vec::new(), String::new());
        loop {
            let body = self.get(&format!("{path}?{more}{}from={from}", if more.is_empty() { "" } else { "&" })).await;
            let body: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&body).unwrap();
            rows.extend(raw_records(&body));
            if body["hasMore"].get() == "false" {
                return rows;
            }
            from = serde_json::from_str(body["continueFrom"].get()).unwrap();
        }
    }

    /// A feed from a token or date on: its rows and the last token.
    pub(crate) async fn feed(&self, path: &str, from: Option<&str>) -> (Vec<String>, String) {
        let (mut rows, mut from) = (Vec::new(), from.map(str::to_owned));
        loop {
            let query = from.as_ref().map(|from| format!("?from={from}")).unwrap_or_default();
            let body: BTreeMap<String, Box<RawValue>> =
                serde_json::from_str(&self.get(&format!("{path}{query}")).await).unwrap();
            rows.extend(raw_records(&body));
            let next: String = serde_json::from_str(body["continueFrom"].get()).unwrap();
            if body["hasMore"].get() == "false" {
                return (rows, next);
            }
            assert_ne!(Some(&next), from.as_ref());
            from = Some(next);
        }
    }
}

fn raw_records(body: &BTreeMap<String, Box<RawValue>>) -> Vec<String> {
    let records: Vec<&RawValue> = serde_json::from_str(body["data"].get()).unwrap();
    records.into_iter().map(|record| record.get().to_owned()).collect()
}

pub(crate) fn value(record: &str) -> Value {
    serde_json::from_str(record).unwrap_or_else(|error| panic!("{error}: {record}"))
}

pub(crate) fn id(record: &str) -> i64 {
    value(record)["id"].as_i64().unwrap()
}

pub(crate) fn by_id(records: &[String]) -> BTreeMap<i64, String> {
    let map: BTreeMap<_, _> = records.iter().map(|record| (id(record), record.clone())).collect();
    assert_eq!(map.len(), records.len(), "ids are distinct");
    map
}
