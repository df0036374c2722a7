//! Tests over real HTTP, with a plain client: what it sends and what it gets back are seen whole.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod changes;
mod listing;
mod preconditions;
mod reading;
mod scripted;
mod sessions;
mod uploads;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::parameters::encoded;
use super::{CloudStorage, Options};

const BUCKET: &str = "landing";

struct Client {
    server: CloudStorage,
    http: reqwest::Client,
    /// Removed after the server, which is dropped first.
    _folder: tempfile::TempDir,
}

/// A server with one bucket.
async fn client() -> Client {
    client_with(|_| {}).await
}

async fn client_with(change: impl FnOnce(&mut Options)) -> Client {
    let folder = tempfile::tempdir().unwrap();
    let mut options =
        Options { root: folder.path().to_owned(), buckets: vec![BUCKET.to_owned()], ..Options::default() };
    change(&mut options);
    let server = CloudStorage::start(options).await.unwrap();
    Client { server, http: reqwest::Client::builder().no_gzip().build().unwrap(), _folder: folder }
}

impl Client {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.server.url()))
    }

    fn object_path(name: &str) -> String {
        format!("/storage/v1/b/{BUCKET}/o/{}", encoded(name))
    }

    /// `query` begins with `&` or is empty.
    async fn put(&self, name: &str, query: &str, body: impl Into<reqwest::Body>) -> Response {
        let path = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={}{query}", encoded(name));
        self.request(Method::POST, &path).header("content-type", "text/plain").body(body).send().await.unwrap()
    }

    /// The same where the answer must be an object.
    async fn stored(&self, name: &str, body: impl Into<reqwest::Body>) -> Value {
        object(self.put(name, "", body).await).await
    }

    async fn get(&self, name: &str, query: &str) -> Response {
        self.request(Method::GET, &format!("{}?{query}", Self::object_path(name))).send().await.unwrap()
    }

    async fn bytes(&self, name: &str) -> Vec<u8> {
        let response = self.get(name, "alt=media").await;
        assert_eq!(response.status(), 200, "{name}");
        response.bytes().await.unwrap().to_vec()
    }

    async fn delete(&self, name: &str, query: &str) -> Response {
        self.request(Method::DELETE, &format!("{}?{query}", Self::object_path(name))).send().await.unwrap()
    }

    /// Posts JSON and wants JSON back.
    async fn post(&self, path: &str, body: &Value) -> Response {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        request.body(body.to_string()).send().await.unwrap()
    }

    /// A file of the server's folder.
    fn on_disk(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.server.object_path(BUCKET, name)).ok()
    }
}

async fn object(response: Response) -> Value {
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Status and reason of Google's error object.
async fn refused(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(body["error"]["code"], json!(status));
    (status, body["error"]["errors"][0]["reason"].as_str().unwrap().to_owned())
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

fn generation(object: &Value) -> i64 {
    object["generation"].as_str().unwrap().parse().unwrap()
}

fn crc32c(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(crc32c::crc32c(bytes).to_be_bytes())
}

/// Bytes in which every stretch differs from every other.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u8::try_from(state >> 24).unwrap()
    };
    (0..length).map(step).collect()
}
