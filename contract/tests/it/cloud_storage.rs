//! The landing zone in a bucket when things go wrong on the way: lost answers, broken sessions, damaged bytes, refusals.
//! Against a stand-in over real HTTP, whose faults strike exactly the requests that they are written for.

use bytes::Bytes;
use contract::google::Endpoint;
use contract::landing::{CloudStorageLanding, Landing, LandingError, PutMode};
use futures::TryStreamExt;
use sandbox::cloud_storage::{CloudStorage, Fault, FaultAction, Operation, Options};
use std::time::Duration;

/// A stand-in with the bucket `acme-data`.
pub(crate) struct Bucket {
    pub(crate) server: CloudStorage,
    _folder: tempfile::TempDir,
}

impl Bucket {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let buckets = vec!["acme-data".to_owned()];
        let options = Options { root: folder.path().to_owned(), buckets, ..options };
        Self { server: CloudStorage::start(options).await.unwrap(), _folder: folder }
    }

    pub(crate) fn landing(&self, location: &str) -> CloudStorageLanding {
        let endpoint = Endpoint { url: self.server.url().to_owned(), takes_credentials: false };
        CloudStorageLanding::at(endpoint, location).unwrap()
    }

    fn zone(&self) -> CloudStorageLanding {
        self.landing("gs://acme-data/landing")
    }

    fn count(&self, operation: Operation) -> usize {
        self.server.requests().iter().filter(|request| request.operation == Some(operation)).count()
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(next).collect()
}

async fn write(landing: &dyn Landing, path: &str, bytes: &[u8], chunk: usize) -> Result<(), LandingError> {
    let mut writer = landing.write(path).await?;
    for chunk in bytes.chunks(chunk) {
        writer.write(Bytes::copy_from_slice(chunk)).await?;
    }
    let written = writer.finish().await?;
    assert_eq!((written.bytes, written.crc32c), (bytes.len() as u64, crc32c::crc32c(bytes)));
    Ok(())
}

async fn read(landing: &dyn Landing, path: &str) -> Result<Vec<u8>, LandingError> {
    Ok(landing.read(path).await?.try_collect::<Vec<Bytes>>().await?.concat())
}

#[tokio::test]
async fn a_write_whose_answer_got_lost_is_known_again() {
    for lost in [FaultAction::DoneThenCut, FaultAction::DoneThenStatus(503)] {
        let bucket = Bucket::new().await;
        let zone = bucket.zone();
        bucket.server.fault(Fault::once(Operation::Upload, lost.clone()));
        zone.put("lease", Bytes::from("mine"), PutMode::Create).await.unwrap();
        assert_eq!(bucket.count(Operation::Upload), 2, "it was tried again");
        let found = zone.get("lease").await.unwrap().unwrap();
        assert_eq!(found.bytes, "mine");

        bucket.server.fault(Fault::once(Operation::Upload, lost));
        zone.put("lease", Bytes::from("renewed"), PutMode::Replace(found.version.clone())).await.unwrap();
        assert_eq!(zone.get("lease").await.unwrap().unwrap().bytes, "renewed");
        let stale = zone.put("lease", Bytes::from("stale"), PutMode::Replace(found.version)).await;
        assert!(matches!(stale, Err(LandingError::Precondition { path }) if path == "lease"));
    }
}

#[tokio::test]
async fn a_strangers_write_is_not_taken_for_the_own_one() {
    let bucket = Bucket::new().await;
    bucket.zone().put("lease", Bytes::from("theirs"), PutMode::Create).await.unwrap();
    // The first try does not arrive: as far as we know, it may have.
    bucket.server.fault(Fault::once(Operation::Upload, FaultAction::Cut));
    let refused = bucket.zone().put("lease", Bytes::from("ours"), PutMode::Create).await;
    assert!(matches!(refused, Err(LandingError::Precondition { .. })), "{refused:?}");
    assert_eq!(bucket.zone().get("lease").await.unwrap().unwrap().bytes, "theirs");
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let bucket = Bucket::new().await;
    let zone = bucket.zone();
    let busy = |operation, code| Fault::once(operation, FaultAction::Status { code, retry_after: None });
    bucket.server.fault(busy(Operation::Upload, 429).times(2));
    zone.put("x.json", Bytes::from("{}"), PutMode::Overwrite).await.unwrap();
    assert_eq!(bucket.count(Operation::Upload), 3);
    bucket.server.fault(busy(Operation::Download, 503));
    bucket.server.fault(Fault::once(Operation::Download, FaultAction::Cut));
    let version = zone.get("x.json").await.unwrap().unwrap().version;
    bucket.server.fault(busy(Operation::Delete, 500));
    bucket.server.fault(Fault::once(Operation::Delete, FaultAction::DoneThenCut));
    zone.delete("x.json", &version).await.unwrap();
    assert!(zone.get("x.json").await.unwrap().is_none());
}

#[tokio::test]
async fn one_object_takes_writes_only_so_fast_and_gets_them_all() {
    let bucket = Bucket::with(Options { write_interval: Some(Duration::from_millis(300)), ..Options::default() }).await;
    let zone = bucket.zone();
    for n in 0..4 {
        zone.put("report.json", Bytes::from(n.to_string()), PutMode::Overwrite).await.unwrap();
    }
    assert_eq!(zone.get("report.json").await.unwrap().unwrap().bytes, "3");
    assert!(bucket.server.requests().iter().any(|request| request.status == 429));
}

#[tokio::test]
async fn a_wait_beyond_the_budget_is_not_begun() {
    let bucket = Bucket::new().await;
    let zone = bucket.zone();
    for operation in [Operation::Upload, Operation::Download, Operation::Delete, Operation::Start] {
        let down = FaultAction::Status { code: 503, retry_after: Some(3600) };
        bucket.server.fault(Fault::once(operation, down).always());
    }
    let bytes = noise(5 << 20);
    let errors = [
        zone.put("x", Bytes::from("1"), PutMode::Overwrite).await.unwrap_err(),
        zone.get("x").await.unwrap_err(),
        zone.read("x").await.map(drop).unwrap_err(),
        zone.remove("x").await.unwrap_err(),
        write(&zone, "x", &bytes, 1 << 20).await.unwrap_err(),
    ];
    for error in errors {
        let text = error.to_string();
        assert!(text.contains(" gs://acme-data/landing/x: Cloud Storage answered 503: Backend Error"), "{text}");
    }
}

#[tokio::test]
async fn an_upload_survives_every_kind_of_break() {
    let bucket = Bucket::new().await;
    let zone = bucket.zone();
    let chunk = |action| Fault::once(Operation::Chunk, action);
    let faults = [
        Fault::once(Operation::Start, FaultAction::status(503)),
        chunk(FaultAction::KeepPart { bytes: 3 * 256 * 1024 }).after(1),
        chunk(FaultAction::KeepPart { bytes: 100_000 }).after(1),
        chunk(FaultAction::Cut).after(1),
        chunk(FaultAction::DoneThenCut).after(1),
        chunk(FaultAction::DoneThenStatus(503)).after(1),
        chunk(FaultAction::Status { code: 429, retry_after: Some(1) }).after(1),
        chunk(FaultAction::KeepPart { bytes: 0 }).after(1),
        Fault::once(Operation::Query, FaultAction::status(500)),
        Fault::once(Operation::Finish, FaultAction::KeepPart { bytes: 70_000 }),
        Fault::once(Operation::Finish, FaultAction::Cut),
        Fault::once(Operation::Finish, FaultAction::DoneThenCut),
    ];
    faults.into_iter().for_each(|fault| bucket.server.fault(fault));
    let bytes = noise((40 << 20) + 12_345);
    write(&zone, "part.ndjson.gz", &bytes, 700_001).await.unwrap();
    assert!(read(&zone, "part.ndjson.gz").await.unwrap() == bytes);
    assert_eq!(bucket.count(Operation::Start), 2, "one session that was refused, and one that held");

    let url = format!("{}/storage/v1/b/acme-data/o/landing%2Fpart.ndjson.gz", bucket.server.url());
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let resource: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(resource["contentType"], "application/gzip");
    assert_eq!(resource.get("contentEncoding"), None);
}

#[tokio::test]
async fn an_upload_whose_session_is_gone_fails_and_leaves_nothing() {
    for code in [404, 410] {
        let bucket = Bucket::new().await;
        bucket.server.fault(Fault::once(Operation::Chunk, FaultAction::status(code)).after(1));
        let error = write(&bucket.zone(), "part", &noise(8 << 20), 1 << 20).await.unwrap_err().to_string();
        let expected = "write gs://acme-data/landing/part: the upload's session has ended before the upload";
        assert!(error.starts_with(expected), "{error}");
        assert!(bucket.zone().get("part").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_failed_writer_stays_failed() {
    let bucket = Bucket::new().await;
    bucket.server.fault(Fault::once(Operation::Chunk, FaultAction::status(403)));
    let mut writer = bucket.zone().write("part").await.unwrap();
    let error = writer.write(noise(3 << 20).into()).await.unwrap_err().to_string();
    assert!(error.contains("roles/storage.objectUser on the bucket `acme-data`"), "{error}");
    assert!(writer.write(Bytes::from("more")).await.is_err());
    assert!(writer.finish().await.is_err());
    assert!(bucket.zone().get("part").await.unwrap().is_none());
}

#[tokio::test]
async fn a_dropped_upload_is_given_up() {
    let bucket = Bucket::new().await;
    let mut writer = bucket.zone().write("part").await.unwrap();
    writer.write(noise(5 << 20).into()).await.unwrap();
    assert!(bucket.count(Operation::Chunk) > 0, "some of it is there already");
    drop(writer);
    while bucket.count(Operation::Cancel) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(bucket.zone().get("part").await.unwrap().is_none());
    assert_eq!(bucket.count(Operation::Finish), 0);
}

#[tokio::test]
async fn a_small_object_needs_one_request() {
    let bucket = Bucket::new().await;
    let bytes = noise(2 << 20);
    write(&bucket.zone(), "part.ndjson.zst", &bytes, 65_536).await.unwrap();
    assert_eq!(bucket.server.requests().len(), 1);
    assert!(read(&bucket.zone(), "part.ndjson.zst").await.unwrap() == bytes);
}

#[tokio::test]
async fn broken_readings_go_on_and_damaged_ones_are_told() {
    let bucket = Bucket::new().await;
    let (zone, bytes) = (bucket.zone(), noise(6 << 20));
    write(&zone, "part", &bytes, 1 << 20).await.unwrap();
    for after_bytes in [1_000_000, 300_000, 0] {
        bucket.server.fault(Fault::once(Operation::Download, FaultAction::CutBody { after_bytes }));
    }
    bucket.server.fault(Fault::once(Operation::Download, FaultAction::status(503)));
    assert!(read(&zone, "part").await.unwrap() == bytes);
    assert_eq!(bucket.count(Operation::Download), 5);

    bucket.server.fault(Fault::once(Operation::Download, FaultAction::CorruptByte { at: 4_000_000 }));
    let error = read(&zone, "part").await.unwrap_err().to_string();
    assert!(error.starts_with("read gs://acme-data/landing/part: ") && error.contains("checksum"), "{error}");

    // What is read whole can be read again.
    bucket.server.fault(Fault::once(Operation::Download, FaultAction::CorruptByte { at: 7 }));
    assert!(zone.get("part").await.unwrap().unwrap().bytes == bytes);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_no_empty_one() {
    let bucket = Bucket::new().await;
    let zone = bucket.landing("gs://acme-dato/landing");
    let errors = [
        zone.get("x").await.map(drop).unwrap_err(),
        zone.read("x").await.map(drop).unwrap_err(),
        zone.put("x", Bytes::new(), PutMode::Create).await.unwrap_err(),
        zone.remove("x").await.unwrap_err(),
        write(&zone, "x", &noise(3 << 20), 1 << 20).await.unwrap_err(),
    ];
    for error in errors {
        let text = error.to_string();
        let expected = "gs://acme-dato/landing/x: there is no bucket `acme-dato`: create it, or correct `landing`";
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let bucket = Bucket::with(Options { token: Some("the-token".into()), ..Options::default() }).await;
    let error = bucket.zone().get("x").await.unwrap_err().to_string();
    assert!(error.contains("gcloud auth application-default login"), "{error}");
    let open = Bucket::new().await;
    open.server.fault(Fault::next(FaultAction::status(403)));
    let error = open.zone().put("x", Bytes::new(), PutMode::Create).await.unwrap_err().to_string();
    let expected = "write gs://acme-data/landing/x: permission denied (The caller does not have permission.): give the account of \
                    the job roles/storage.objectUser on the bucket `acme-data`";
    assert_eq!(error, expected);
    assert_eq!(open.server.requests().len(), 1, "a refusal is not tried again");
}
