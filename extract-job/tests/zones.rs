//! Records in a zone of their own, and a cursor whose format has none: the state is in UTC, so that the next run skips nothing.

use crate::own_manifest::{Bench, Said, cursor, ids, manifest, stream};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_is_in_utc_where_its_format_has_no_zone() {
    for (at, format, state, next) in [
        ("2026-03-01T10:00:00+07:00", "%Y-%m-%dT%H:%M:%SZ", "2026-03-01T03:00:00Z", "2026-03-01T05:00:00Z"),
        ("2026-03-01T10:00:00+07:00", "%Y-%m-%d %H:%M:%S", "2026-03-01 03:00:00", "2026-03-01T05:00:00Z"),
        ("2026-03-01T03:00:00+07:00", "%Y-%m-%d", "2026-02-28", "2026-02-28T22:00:00Z"),
        ("2026-03-01T10:00:00-05:00", "%Y-%m-%dT%H:%M:%SZ", "2026-03-01T15:00:00Z", "2026-03-01T17:00:00Z"),
        ("2026-03-01T10:00:00+07:00", "%Y-%m-%dT%H:%M:%S%z", "2026-03-01T10:00:00+0700", "2026-03-01T05:00:00Z"),
        ("2026-03-01T10:00:00+07:00", "%s", "1772334000", "2026-03-01T05:00:00Z"),
    ] {
        let formats = json!({
            "datetime_format": format, "cursor_datetime_formats": ["%Y-%m-%dT%H:%M:%S%z", format],
            "start_datetime": {"type": "MinMaxDatetime", "datetime": "2026-01-01", "datetime_format": "%Y-%m-%d"},
            "is_client_side_incremental": true,
        });
        let fields = json!({"incremental_sync": cursor("2026-01-01", &formats)});
        // The second row comes two hours later, and the API filters nothing.
        let (first, second) = (json!({"id": 1, "at": at}), json!({"id": 2, "at": next.replace('Z', "+0000")}));
        let has_second = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let seen = has_second.clone();
        let bench = Bench::new(&manifest(&[stream("rows", &json!({}), &fields)], 1), move |_| {
            let mut rows = vec![first.clone()];
            rows.extend(seen.load(std::sync::atomic::Ordering::Relaxed).then(|| second.clone()));
            Said::ok(&json!({"items": rows}))
        })
        .await;
        let report = bench.extract().await;
        let (batch, records) = bench.records(&report.run_id, "rows").await;
        assert_eq!((batch.state_after, ids(&records)), (Some(json!({"at": state})), vec![1]), "{at} {format}");
        bench.checkpoint(&report.run_id, "rows").await;
        has_second.store(true, std::sync::atomic::Ordering::Relaxed);
        let report = bench.extract().await;
        let (_, records) = bench.records(&report.run_id, "rows").await;
        assert!(ids(&records).contains(&2), "{at} {format}: {records:?}");
    }
}
