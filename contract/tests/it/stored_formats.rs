//! Files of version 1 must stay readable for ever; files of a newer version are refused, never half understood.

use bytes::Bytes;
use contract::batch::{Batch, BatchMode, Write};
use contract::cursor::CursorOrder;
use contract::landing::{FolderLanding, Landing, PutMode, paths};
use contract::lease::LeaseFile;
use contract::report::{Plan, RunReport};
use contract::run_id::RunId;
use contract::stored::{self, Checkpoint, Latest};
use contract::unit::Unit;

const BATCH: &str = r#"{"version": 1, "run_id": "20260101T000000Z-aaaaaa", "source": "s", "account": "a", "stream": "t", "table": "t",
 "primary_key": ["id"], "cursor_field": "modifiedOn", "mode": "incremental", "window": null, "stable": true, "state_after": {"modifiedOn": "x"},
 "records": 2, "bytes": 20, "parts": [{"path": "batches/s/a/t/20260101T000000Z-aaaaaa/part-00000.ndjson.gz", "records": 2, "bytes": 30, "crc32c": 7}],
 "started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:01Z", "tool_version": "0.1.0"}"#;

#[tokio::test]
async fn a_batch_of_version_1_is_read_and_others_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let landing = FolderLanding::open(folder.path().to_str().unwrap()).unwrap();
    let unit = Unit::new("s", "a", "t").unwrap();
    let run: RunId = "20260101T000000Z-aaaaaa".parse().unwrap();
    let put = async |text: String| {
        landing.put(&paths::batch(&unit, &run), Bytes::from(text), PutMode::Overwrite).await.unwrap();
        stored::read_batch(&landing, &unit, &run).await
    };
    let batch: Batch = put(BATCH.into()).await.unwrap().unwrap();
    assert_eq!((batch.mode, batch.write_mode(), batch.records), (BatchMode::Incremental, Write::Merge, 2));
    // Written before the formats of the cursor travelled with it.
    assert_eq!(batch.cursor(), Some(("modifiedOn", CursorOrder::Unknown)));
    let cases = [
        (BATCH.replace("\"version\": 1", "\"version\": 2"), "its version is 2"),
        (BATCH.replace("\"source\": \"s\"", "\"source\": \"other\""), "it describes other/a/t"),
        (
            BATCH.replace("\"records\": 2, \"bytes\": 20", "\"records\": 3, \"bytes\": 20"),
            "its parts hold 2 records, but it says 3",
        ),
        (
            BATCH.replace(
                "\"parts\": [",
                "\"parts\": [{\"path\": \"p\", \"records\": 18446744073709551615, \"bytes\": 1, \"crc32c\": 7}, ",
            ),
            "more records than there can be",
        ),
        (BATCH.replace("\"records\": 2", "\"records\": 18446744073709551615"), "more records than there can be"),
        ("[]".into(), "its version is 0"),
    ];
    for (text, message) in cases {
        let error = put(text).await.unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn the_other_files_of_version_1_are_read() {
    let checkpoint = r#"{"run_id": "20260101T000000Z-aaaaaa", "state": null, "updated_at": "2026-01-01T00:00:00Z"}"#;
    serde_json::from_str::<Checkpoint>(checkpoint).unwrap();
    let latest =
        r#"{"run_id": "20260101T000000Z-aaaaaa", "finished_at": "2026-01-01T00:00:00Z", "durations_ms": {"s/a/t": 5}}"#;
    assert_eq!(serde_json::from_str::<Latest>(latest).unwrap().durations_ms["s/a/t"], 5);
    let plan = r#"{"run_id": "20260101T000000Z-aaaaaa", "tasks": 2, "units": [{"source": "s", "account": "a", "stream": "t"}]}"#;
    let plan: Plan = serde_json::from_str(plan).unwrap();
    assert_eq!((plan.tasks, plan.units), (2, vec![Unit::new("s", "a", "t").unwrap()]));
    let lease = r#"{"run_id": "20260101T000000Z-aaaaaa", "holder": {"program": "orchestrator", "host": "h", "boot": "b", "pid": 7, "started": 99},
      "acquired_at": "2026-01-01T00:00:00Z", "renewed_at": "2026-01-01T00:00:15Z"}"#;
    assert_eq!(serde_json::from_str::<LeaseFile>(lease).unwrap().holder.pid, 7);
    let report = r#"{"version": 1, "run_id": "20260101T000000Z-aaaaaa", "stage": "load", "task_index": 0, "task_count": 1, "status": "finished",
      "started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:00Z", "tool_version": "0.1.0", "units": [{"source": "s", "account": "a",
      "stream": "t", "table": "t", "status": "failed", "mode": "", "rows_extracted": 0, "bytes": 0, "started_at": "2026-01-01T00:00:00Z",
      "finished_at": "2026-01-01T00:00:00Z", "duration_ms": 0, "error": "e"}]}"#;
    let report: RunReport = serde_json::from_str(report).unwrap();
    assert_eq!(report.exit(), contract::exit::Exit::SomeFailed);
}
