//! What every landing zone must do, as functions over a `&dyn Landing`, so that each implementation runs the same suite.

use crate::cloud_storage::Bucket;
use bytes::Bytes;
use contract::landing::{FolderLanding, Landing, LandingError, PutMode};
use futures::TryStreamExt;
use std::sync::Arc;

async fn text(landing: &dyn Landing, path: &str) -> Option<String> {
    landing.get(path).await.unwrap().map(|object| String::from_utf8(object.bytes.to_vec()).unwrap())
}

async fn put_replaces_and_reads_back(landing: &dyn Landing) {
    assert_eq!(text(landing, "a/b.json").await, None);
    landing.put("a/b.json", Bytes::from("1"), PutMode::Overwrite).await.unwrap();
    landing.put("a/b.json", Bytes::from("2"), PutMode::Overwrite).await.unwrap();
    assert_eq!(text(landing, "a/b.json").await.as_deref(), Some("2"));
}

async fn create_happens_once_however_many_try(landing: Arc<dyn Landing>) {
    let tries = (0..8).map(|n| {
        let landing = landing.clone();
        tokio::spawn(async move { landing.put("once", Bytes::from(n.to_string()), PutMode::Create).await })
    });
    let mut won = 0;
    for result in futures::future::join_all(tries).await {
        match result.unwrap() {
            Ok(()) => won += 1,
            Err(LandingError::Precondition { path }) => assert_eq!(path, "once"),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(won, 1);
}

async fn replace_and_delete_need_the_version_that_was_read(landing: &dyn Landing) {
    landing.put("v", Bytes::from("1"), PutMode::Overwrite).await.unwrap();
    let old = landing.get("v").await.unwrap().unwrap().version;
    landing.put("v", Bytes::from("2"), PutMode::Replace(old.clone())).await.unwrap();
    let stale = landing.put("v", Bytes::from("3"), PutMode::Replace(old.clone())).await;
    assert!(matches!(stale, Err(LandingError::Precondition { .. })), "{stale:?}");
    assert!(matches!(landing.delete("v", &old).await, Err(LandingError::Precondition { .. })));
    let now = landing.get("v").await.unwrap().unwrap().version;
    landing.delete("v", &now).await.unwrap();
    landing.delete("v", &now).await.unwrap();
    assert_eq!(text(landing, "v").await, None);
}

async fn a_written_object_appears_whole_or_not_at_all(landing: &dyn Landing) {
    let mut dropped = landing.write("w").await.unwrap();
    dropped.write(Bytes::from("half")).await.unwrap();
    drop(dropped);
    assert_eq!(text(landing, "w").await, None);
    let mut writer = landing.write("w").await.unwrap();
    for chunk in ["one ", "two ", "three"] {
        writer.write(Bytes::from(chunk)).await.unwrap();
        assert_eq!(text(landing, "w").await, None, "it is not there before it is finished");
    }
    let written = writer.finish().await.unwrap();
    assert_eq!((written.bytes, written.crc32c), (13, crc32c::crc32c(b"one two three")));
    let chunks: Vec<Bytes> = landing.read("w").await.unwrap().try_collect().await.unwrap();
    assert_eq!(chunks.concat(), b"one two three");
}

async fn what_is_not_there_or_not_allowed_is_named(landing: &dyn Landing) {
    assert!(matches!(landing.read("none").await.map(drop), Err(LandingError::NotFound { .. })));
    for path in ["../out", "/etc/passwd", "a//b", "a/../b", ""] {
        let refused = landing.put(path, Bytes::new(), PutMode::Overwrite).await;
        assert!(matches!(refused, Err(LandingError::Unsupported(_))), "{path}");
    }
}

async fn a_removed_object_is_gone_whatever_it_was(landing: &dyn Landing) {
    landing.put("r/x", Bytes::from("1"), PutMode::Create).await.unwrap();
    landing.remove("r/x").await.unwrap();
    assert_eq!(text(landing, "r/x").await, None);
    landing.remove("r/x").await.unwrap();
    landing.put("r/x", Bytes::from("2"), PutMode::Create).await.unwrap();
}

async fn nothing_is_an_object_too(landing: &dyn Landing) {
    landing.put("empty", Bytes::new(), PutMode::Create).await.unwrap();
    assert_eq!(text(landing, "empty").await.as_deref(), Some(""));
    let written = landing.write("empty2").await.unwrap().finish().await.unwrap();
    assert_eq!((written.bytes, written.crc32c), (0, 0));
    let chunks: Vec<Bytes> = landing.read("empty2").await.unwrap().try_collect().await.unwrap();
    assert!(chunks.concat().is_empty());
}

async fn large_objects_pass_in_chunks_of_any_size(landing: &dyn Landing) {
    let bytes: Vec<u8> = (0..9_000_001u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut writer = landing.write("large.bin").await.unwrap();
    let mut rest = &bytes[..];
    for size in [1, 255, 262_144, 2_097_152, 3_000_000, 2_097_153, usize::MAX] {
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        rest = after;
    }
    let written = writer.finish().await.unwrap();
    assert_eq!((written.bytes, written.crc32c), (bytes.len() as u64, crc32c::crc32c(&bytes)));
    let chunks: Vec<Bytes> = landing.read("large.bin").await.unwrap().try_collect().await.unwrap();
    assert!(chunks.iter().all(|chunk| chunk.len() <= 1 << 20), "chunks are of bounded size");
    assert!(chunks.concat() == bytes);
}

async fn all_of_it(landing: Arc<dyn Landing>) {
    put_replaces_and_reads_back(landing.as_ref()).await;
    create_happens_once_however_many_try(landing.clone()).await;
    replace_and_delete_need_the_version_that_was_read(landing.as_ref()).await;
    a_written_object_appears_whole_or_not_at_all(landing.as_ref()).await;
    what_is_not_there_or_not_allowed_is_named(landing.as_ref()).await;
    a_removed_object_is_gone_whatever_it_was(landing.as_ref()).await;
    nothing_is_an_object_too(landing.as_ref()).await;
    large_objects_pass_in_chunks_of_any_size(landing.as_ref()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_keeps_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    all_of_it(Arc::new(FolderLanding::open(folder.path().to_str().unwrap()).unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_all_of_it() {
    let bucket = Bucket::new().await;
    all_of_it(Arc::new(bucket.landing("gs://acme-data"))).await;
    all_of_it(Arc::new(bucket.landing("gs://acme-data/team-a/landing/"))).await;
}

#[test]
fn a_place_that_is_no_folder_is_out_of_reach() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let below = file.path().join("landing");
    let error = FolderLanding::open(below.to_str().unwrap()).unwrap_err();
    assert!(matches!(error, LandingError::Unavailable { .. }), "{error}");
}
