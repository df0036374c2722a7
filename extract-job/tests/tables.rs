//! Which table a stream goes into, and files in which two streams would share one: refused whole, whatever a command narrows.

use crate::own_manifest::{Bench, Said, ids, manifest, of, stream};
use contract::report::UnitStatus;
use serde_json::{Value, json};

async fn bench(names: &[&str]) -> Bench {
    let streams: Vec<Value> =
        names.iter().enumerate().map(|(path, name)| stream(name, &requester(path), &json!({}))).collect();
    Bench::new(&manifest(&streams, 1), |_| Said::ok(&json!({"items": [{"id": 1}, {"id": 2}]}))).await
}

fn requester(path: usize) -> Value {
    json!({"requester": crate::own_manifest::requester(&format!("list{path}"), &json!({}))})
}

/// The program's exit code, standard output and standard error.
async fn program(bench: &Bench, args: &[&str]) -> (i32, String, String) {
    let mut program = bench.program(args);
    let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_stream_has_a_table_and_a_path() {
    let names = ["order-items", "1st", "a.b", "größe", "my orders", "v1/users", "_etl_x", "..", "ok"];
    let bench = bench(&names).await;
    let report = bench.extract().await;
    let tables = ["order_items", "_1st", "a_b", "grosse", "my_orders", "v1_users", "x_etl_x", "", "ok"];
    for (name, table) in names.into_iter().zip(tables) {
        let unit = of(&report, name);
        assert_eq!(unit.status, UnitStatus::Done, "{name}: {:?}", unit.error);
        let (batch, records) = bench.records(&report.run_id, name).await;
        assert_eq!((batch.stream.as_str(), ids(&records)), (name, vec![1, 2]));
        assert_eq!(batch.table, unit.table);
        if !table.is_empty() {
            assert_eq!(unit.table, table, "{name}");
        }
    }
    assert!(bench.folder.path().join("landing/batches/s/a/gr~c3~b6~c3~9fe").exists());
    let (code, shown, error) = program(&bench, &["streams"]).await;
    assert_eq!(code, 0, "{error}");
    for part in ["order_items", "_1st", "a_b", "grosse", "my_orders"] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_would_share_a_table_are_refused_whatever_is_asked_for() {
    let one = |extra: Value| {
        let mut source = json!({"connector": "./x.yaml", "name": "one", "accounts": [{"id": "a", "config": {"api": "http://127.0.0.1:1", "account": "a"}}]});
        source.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        source
    };
    let two = |extra: Value| {
        let mut source = one(json!({"name": "two"}));
        source.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        source
    };
    let b = json!([{"id": "b", "config": {"api": "http://127.0.0.1:1", "account": "b"}}]);
    let own_schema =
        json!([{"id": "a", "config": {"api": "http://127.0.0.1:1", "account": "a"}, "warehouse": {"schema": "other"}}]);
    // The streams of the manifest, the sources, and what is said of them; nothing: they are in order.
    type Case = (&'static [&'static str], Vec<Value>, &'static [&'static str]);
    let cases: Vec<Case> = vec![
        (&["items", "jobs"], vec![one(json!({})), two(json!({}))], &["`one`", "`two`", "`a`", "table", "1 more table"]),
        (&["items"], vec![one(json!({})), two(json!({"accounts": b}))], &[]),
        (&["items"], vec![one(json!({})), two(json!({"accounts": own_schema}))], &[]),
        (&["items"], vec![one(json!({})), two(json!({"streams": [{"name": "items", "table": "others"}]}))], &[]),
        (
            &["items"],
            vec![one(json!({})), two(json!({"connector": "./y.yaml", "accounts": b}))],
            &["different ones", "bronze.items", "`one`", "`two`", "another `table`"],
        ),
        (&["Users", "users"], vec![one(json!({}))], &["`Users`", "`users`", "another `table`"]),
        (&["a-b", "a.b"], vec![one(json!({}))], &["`a-b`", "`a.b`", "bronze.a_b"]),
        (&["a-b", "a.b"], vec![one(json!({"streams": ["a-b", {"name": "a.b", "table": "c"}]}))], &[]),
        (
            &["x", "y"],
            vec![one(json!({"streams": [{"name": "x", "table": "t"}, {"name": "y", "table": "T"}]}))],
            &["`x`", "`y`"],
        ),
    ];
    for (streams, sources, says) in cases {
        let bench = bench(streams).await;
        std::fs::copy(bench.folder.path().join("x.yaml"), bench.folder.path().join("y.yaml")).unwrap();
        let file =
            json!({"landing": "./landing", "warehouse": {"type": "duckdb", "path": "w.duckdb"}, "sources": sources});
        std::fs::write(bench.pipeline(), file.to_string()).unwrap();
        for args in [&["check"][..], &["check", "--source", "one"], &["--source", "one", "--stream", streams[0]]] {
            // Nothing answers there: an extract that is not refused fails its units.
            let (code, _, error) = program(&bench, args).await;
            if says.is_empty() {
                assert_ne!(code, 2, "{args:?}: {error}");
                continue;
            }
            assert_eq!(code, 2, "{streams:?} {args:?}: {error}");
            says.iter().for_each(|part| assert!(error.contains(*part), "{part}: {error}"));
            assert!(!bench.folder.path().join("landing/batches").exists(), "nothing is started");
        }
    }
}
