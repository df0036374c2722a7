//! Application default credentials end to end: a token of the metadata server reaches Cloud Storage and Secret Manager, and the
//! pipeline file is read from a bucket. In a process of its own, because the environment decides.

use crate::cloud_storage::Bucket;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use bytes::Bytes;
use contract::landing::{self, PutMode};
use contract::pipeline::Pipeline;
use contract::secret::{self, Machine};
use sandbox::cloud_storage::Options;
use sandbox::metadata::{self, Metadata};
use serde_json::{Value, json};
use std::process::Command;

const TOKEN: &str = "token-of-the-metadata-server";
const PIPELINE: &str = "landing: \"${secret:projects/p/secrets/place/versions/latest}\"
warehouse: {type: bigquery, project: p}
sources:
  - connector: servicetitan
    accounts:
      - {id: acme, config: {app_key: \"${secret:projects/p/secrets/key/versions/2}\"}}
";

/// Knows the landing zone's place and a key, for whoever brings the token.
async fn secret_manager() -> String {
    let answer = |headers: HeaderMap, uri: axum::http::Uri| async move {
        if headers.get("authorization").is_none_or(|value| value != &format!("Bearer {TOKEN}")) {
            return (StatusCode::UNAUTHORIZED, axum::Json(Value::Null));
        }
        let data = match uri.path() {
            "/v1/projects/p/secrets/place/versions/latest:access" => "Z3M6Ly9hY21lLWRhdGEvbGFuZGluZw==",
            "/v1/projects/p/secrets/key/versions/2:access" => "ay0xMjM=",
            _ => return (StatusCode::NOT_FOUND, axum::Json(Value::Null)),
        };
        (StatusCode::OK, axum::Json(json!({"payload": {"data": data}})))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(get(answer))).await });
    url
}

/// Says to a second process of this test that it is the job.
const IS_THE_JOB: &str = "DRAYAGE_TEST_IS_THE_JOB";

#[tokio::test(flavor = "multi_thread")]
async fn a_job_on_google_cloud_needs_no_settings() {
    if std::env::var_os(IS_THE_JOB).is_some() {
        return in_the_environment_of_a_job().await;
    }
    let bucket = Bucket::with(Options { token: Some(TOKEN.into()), ..Options::default() }).await;
    let server = Metadata::start(metadata::Options { token: TOKEN.into(), ..metadata::Options::default() }).unwrap();
    std::fs::write(bucket.server.object_path("acme-data", "pipeline.yaml"), PIPELINE).unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "--nocapture", "credentials::a_job_on_google_cloud_needs_no_settings"])
        .env(IS_THE_JOB, "1")
        .env_remove("GOOGLE_APPLICATION_CREDENTIALS")
        .env("HOME", home.path())
        .env("GCE_METADATA_HOST", server.host())
        .env("DRAYAGE_STORAGE_ENDPOINT", bucket.server.url())
        .env("DRAYAGE_SECRET_MANAGER_ENDPOINT", secret_manager().await);
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(server.tokens() > 0);
    let written = std::fs::read(bucket.server.object_path("acme-data", "landing/runs/lease.json")).unwrap();
    assert_eq!(written, b"{}");
    assert!(bucket.server.requests().iter().all(|request| request.authorised));
}

/// What the second process does, in an environment of its own.
async fn in_the_environment_of_a_job() {
    let pipeline = Pipeline::open("gs://acme-data/pipeline.yaml", &Machine).await.unwrap();
    assert_eq!(pipeline.landing.as_str(), "gs://acme-data/landing");
    let config = Value::Object(pipeline.sources[0].accounts[0].config.clone());
    let store = secret::fetch(&[&config], &Machine).await;
    let (config, _) = pipeline.resolve_config(&pipeline.sources[0], "acme", &store).unwrap();
    assert_eq!(config, json!({"app_key": "k-123"}));
    let zone = landing::open(&pipeline.landing).unwrap();
    zone.put("runs/lease.json", Bytes::from("{}"), PutMode::Create).await.unwrap();
    let mut writer = zone.write("part").await.unwrap();
    writer.write(Bytes::from(vec![7; 5 << 20])).await.unwrap();
    writer.finish().await.unwrap();
    assert_eq!(zone.get("part").await.unwrap().unwrap().bytes.len(), 5 << 20);

    let missing = Pipeline::open("gs://acme-data/none.yaml", &Machine).await.unwrap_err().to_string();
    assert!(missing.contains("the file cannot be read: there is no such object"), "{missing}");
    let bucket = Pipeline::open("gs://acme-dato/p.yaml", &Machine).await.unwrap_err().to_string();
    assert!(bucket.contains("there is no bucket `acme-dato`: create it, or correct the URI"), "{bucket}");
    for bad in ["gs://acme-data", "gs://acme-data/", "gs:///p.yaml", "gs://Acme/p.yaml"] {
        let error = Pipeline::open(bad, &Machine).await.unwrap_err().to_string();
        assert!(error.contains("cannot be read: ") && !error.contains("landing"), "{error}");
    }
}
