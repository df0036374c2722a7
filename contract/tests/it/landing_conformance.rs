//! What every landing zone must do, as functions over a `&dyn Landing`, so that each implementation runs the same suite.

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

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_keeps_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let landing: Arc<dyn Landing> = Arc::new(FolderLanding::open(folder.path().to_str().unwrap()).unwrap());
    put_replaces_and_reads_back(landing.as_ref()).await;
    create_happens_once_however_many_try(landing.clone()).await;
    replace_and_delete_need_the_version_that_was_read(landing.as_ref()).await;
    a_written_object_appears_whole_or_not_at_all(landing.as_ref()).await;
    what_is_not_there_or_not_allowed_is_named(landing.as_ref()).await;
}

#[test]
fn a_place_that_is_no_folder_is_out_of_reach() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let below = file.path().join("landing");
    let error = FolderLanding::open(below.to_str().unwrap()).unwrap_err();
    assert!(matches!(error, LandingError::Unavailable { .. }), "{error}");
}
