//! MERGE, costs, row counts and DDL.

use serde_json::json;

use super::*;

const TOO_MANY: &str = "UPDATE/MERGE must match at most one source row for each target row";

async fn keyed(scene: &Scene) {
    scene.sql(&format!("CREATE TABLE {} (id STRING NOT NULL, v INT64)", scene.table("t"))).await;
    scene.sql(&format!("INSERT INTO {} (id, v) VALUES ('a', 1), ('b', 2)", scene.table("t"))).await;
}

fn merge(scene: &Scene, source: &str, clauses: &str) -> String {
    format!("MERGE INTO {} AS t USING ({source}) AS s ON t.id = s.id {clauses}", scene.table("t"))
}

#[tokio::test]
async fn two_source_rows_for_one_target_row_fail_a_merge() {
    let scene = Scene::new().await;
    keyed(&scene).await;
    let both = "WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v)";
    let twice = "SELECT 'a' AS id, 7 AS v UNION ALL SELECT 'a', 8";
    let job = scene.run(&Scene::query_job("twice", &merge(&scene, twice, both))).await;
    assert_eq!((reason(&job), message(&job)), ("invalidQuery", TOO_MANY));
    let rows = scene.rows(&format!("SELECT id, v FROM {} ORDER BY id", scene.table("t"))).await;
    assert_eq!(rows, [[Some("a".to_owned()), Some("1".to_owned())], [Some("b".to_owned()), Some("2".to_owned())]]);
}

#[tokio::test]
async fn duplicates_that_no_clause_acts_on_are_inserted_as_in_bigquery() {
    let scene = Scene::new().await;
    keyed(&scene).await;
    let inserts = "WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v)";
    let fresh = "SELECT 'c' AS id, 7 AS v UNION ALL SELECT 'c', 8";
    let job = scene
        .run(&Scene::query_job("new", &merge(&scene, fresh, &format!("WHEN MATCHED THEN DELETE {inserts}"))))
        .await;
    assert_eq!(reason(&job), "", "{job}");
    assert_eq!(scene.count("t").await, 4);
    let guarded = format!("WHEN MATCHED AND t.v <> s.v THEN UPDATE SET v = s.v {inserts}");
    let one_acts = "SELECT 'a' AS id, 1 AS v UNION ALL SELECT 'a', 8";
    assert_eq!(reason(&scene.run(&Scene::query_job("one", &merge(&scene, one_acts, &guarded))).await), "");
    let both_act = "SELECT 'a' AS id, 5 AS v UNION ALL SELECT 'a', 6";
    assert_eq!(message(&scene.run(&Scene::query_job("two", &merge(&scene, both_act, &guarded))).await), TOO_MANY);
}

#[tokio::test]
async fn a_merge_with_parameters_in_a_transaction_is_checked_too() {
    let scene = Scene::new().await;
    keyed(&scene).await;
    let source = "SELECT id, @v AS v FROM UNNEST(['a', 'a']) AS id";
    let sql = format!(
        "BEGIN TRANSACTION;\n{};\nCOMMIT TRANSACTION",
        merge(&scene, source, "WHEN MATCHED THEN UPDATE SET v = s.v")
    );
    let parameter = json!({"name": "v", "parameterType": {"type": "INT64"}, "parameterValue": {"value": "9"}});
    let query = json!({"query": sql, "useLegacySql": false, "parameterMode": "NAMED", "queryParameters": [parameter]});
    let job = scene.run(&Scene::job("script", &json!({"query": query}))).await;
    assert_eq!(message(&job), TOO_MANY);
}

#[tokio::test]
async fn a_merge_tells_what_it_did_and_what_it_cost() {
    let scene = Scene::new().await;
    keyed(&scene).await;
    let sql = merge(
        &scene,
        "SELECT 'a' AS id, 7 AS v UNION ALL SELECT 'c', 8 UNION ALL SELECT 'd', 9",
        "WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v)",
    );
    let job = scene.run(&Scene::query_job("merge", &sql)).await;
    let statistics = &job["statistics"]["query"];
    assert_eq!(
        statistics["dmlStats"],
        json!({"insertedRowCount": "2", "updatedRowCount": "1", "deletedRowCount": "0"})
    );
    assert_eq!((&statistics["numDmlAffectedRows"], &statistics["statementType"]), (&json!("3"), &json!("MERGE")));
    assert_eq!(
        (&statistics["totalBytesProcessed"], &statistics["totalBytesBilled"]),
        (&json!("1048576"), &json!("10485760"))
    );
}

#[tokio::test]
async fn a_limit_of_bytes_stops_a_query_before_it_runs() {
    let scene = Scene::with(Options { bytes_per_table: 50 << 20, ..Options::default() }).await;
    keyed(&scene).await;
    let query = |limit: u64| {
        let sql = format!("DELETE FROM {} WHERE TRUE", scene.table("t"));
        json!({"query": {"query": sql, "useLegacySql": false, "maximumBytesBilled": limit.to_string()}})
    };
    let job = scene.run(&Scene::job("dear", &query((50 << 20) - 1))).await;
    assert_eq!(reason(&job), "bytesBilledLimitExceeded");
    assert_eq!(scene.count("t").await, 2);
    assert_eq!(reason(&scene.run(&Scene::job("cheap", &query(50 << 20))).await), "");
    assert_eq!(scene.count("t").await, 0);
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_takes_no_id() {
    let scene = Scene::new().await;
    keyed(&scene).await;
    let sql = format!("DELETE FROM {} WHERE TRUE", scene.table("t"));
    let configuration = json!({"dryRun": true, "query": {"query": sql, "useLegacySql": false}});
    let (status, answer) = scene.post("jobs", Scene::job("dry", &configuration)).await;
    assert_eq!((status, &answer["status"]["state"]), (200, &json!("DONE")), "{answer}");
    assert_eq!(answer["statistics"]["totalBytesProcessed"], "1048576");
    assert_eq!(scene.count("t").await, 2);
    scene.run(&Scene::query_job("dry", &sql)).await;
    assert_eq!(scene.count("t").await, 0);
}

#[tokio::test]
async fn ddl_is_remembered() {
    let scene = Scene::new().await;
    scene
        .sql(&format!(
            "CREATE TABLE {} (id STRING NOT NULL OPTIONS(description='the id'), ts TIMESTAMP, j JSON, p NUMERIC(10, 2),\n\
             PRIMARY KEY (id) NOT ENFORCED) PARTITION BY DATE(ts) CLUSTER BY id\n\
             OPTIONS(expiration_timestamp=TIMESTAMP '2100-01-01 00:00:00 UTC', labels=[('k', 'v')], require_partition_filter=true)",
            scene.table("t")
        ))
        .await;
    let (_, table) = scene.get("datasets/d/tables/t").await;
    let fields = json!([
        {"name": "id", "type": "STRING", "mode": "REQUIRED", "description": "the id"},
        {"name": "ts", "type": "TIMESTAMP", "mode": "NULLABLE"},
        {"name": "j", "type": "JSON", "mode": "NULLABLE"},
        {"name": "p", "type": "NUMERIC", "mode": "NULLABLE", "precision": "10", "scale": "2"},
    ]);
    assert_eq!(table["schema"]["fields"], fields);
    assert_eq!(table["timePartitioning"], json!({"type": "DAY", "field": "ts"}));
    assert_eq!(table["tableConstraints"], json!({"primaryKey": {"columns": ["id"]}}));
    assert_eq!((&table["clustering"], &table["labels"]), (&json!({"fields": ["id"]}), &json!({"k": "v"})));
    assert_eq!((&table["expirationTime"], &table["requirePartitionFilter"]), (&json!("4102444800000"), &json!(true)));
    scene
        .sql(&format!(
            "ALTER TABLE {} ADD COLUMN IF NOT EXISTS n INT64, ADD COLUMN b BOOL, SET OPTIONS(description='new', \
             expiration_timestamp=NULL)",
            scene.table("t")
        ))
        .await;
    scene.sql(&format!("ALTER TABLE {} ALTER COLUMN n SET DATA TYPE FLOAT64", scene.table("t"))).await;
    let (_, table) = scene.get("datasets/d/tables/t").await;
    assert_eq!(table["schema"]["fields"][4], json!({"name": "n", "type": "FLOAT", "mode": "NULLABLE"}));
    assert_eq!((&table["description"], &table["expirationTime"]), (&json!("new"), &Value::Null));
    let sql = format!(
        "SELECT column_name, data_type FROM `{}.d`.INFORMATION_SCHEMA.COLUMNS WHERE table_name = 't' ORDER BY ordinal_position",
        scene.project
    );
    let columns: Vec<_> =
        scene.rows(&sql).await.into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(columns, ["id STRING", "ts TIMESTAMP", "j JSON", "p NUMERIC", "n FLOAT64", "b BOOL"]);
}

#[tokio::test]
async fn ddl_that_bigquery_refuses_fails() {
    let scene = Scene::new().await;
    let t = scene.table("t");
    scene.sql(&format!("CREATE TABLE {t} (id STRING, n INT64, f FLOAT64)")).await;
    let cases = [
        format!("CREATE TABLE {t} (id STRING)"),
        format!("CREATE TABLE {} (f FLOAT64) CLUSTER BY f", scene.table("u")),
        format!("CREATE TABLE {} CLUSTER BY f AS SELECT 1.5 AS f", scene.table("u")),
        format!("CREATE TABLE {} (id STRING) PARTITION BY id", scene.table("u")),
        format!("CREATE TABLE {} (id STRING, PRIMARY KEY (nope) NOT ENFORCED)", scene.table("u")),
        format!("ALTER TABLE {t} ALTER COLUMN n SET DATA TYPE STRING"),
        format!("ALTER TABLE {t} ALTER COLUMN f SET DATA TYPE NUMERIC"),
        format!("ALTER TABLE {t} ADD COLUMN id STRING"),
        format!("ALTER TABLE {t} ADD COLUMN x STRING NOT NULL"),
        format!("ALTER TABLE {} ADD COLUMN x STRING", scene.table("nope")),
        format!("DROP TABLE {}", scene.table("nope")),
    ];
    for (number, sql) in cases.iter().enumerate() {
        let job = scene.run(&Scene::query_job(&format!("ddl{number}"), sql)).await;
        assert!(job["status"]["errorResult"].is_object(), "{sql}: {job}");
    }
    assert_eq!(scene.get("datasets/d/tables/u").await.0, 404);
    assert_eq!(scene.get("datasets/d/tables/t").await.1["schema"]["fields"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn partitions_expire_and_names_follow_the_default_dataset() {
    let scene = Scene::new().await;
    let sql = "CREATE TABLE IF NOT EXISTS logs (d DATE, n INT64) PARTITION BY d OPTIONS(partition_expiration_days=2)";
    let dataset = json!({"datasetId": "d"});
    let query = json!({"query": sql, "useLegacySql": false, "defaultDataset": dataset});
    // The second time there is nothing to do.
    for id in ["first", "second"] {
        let job = scene.run(&Scene::job(id, &json!({"query": query}))).await;
        assert_eq!(reason(&job), "", "{job}");
    }
    let (_, table) = scene.get("datasets/d/tables/logs").await;
    assert_eq!(table["timePartitioning"], json!({"type": "DAY", "field": "d", "expirationMs": "172800000"}));
    let logs = scene.table("logs");
    let sql = format!(
        "CREATE TEMP TABLE passing AS SELECT 3 AS n; INSERT INTO {logs} (n) SELECT n FROM passing; DROP TABLE passing"
    );
    let job = scene.run(&Scene::query_job("script", &sql)).await;
    let kind = &job["statistics"]["query"]["statementType"];
    assert_eq!((reason(&job), kind), ("", &json!("SCRIPT")), "{job}");
    assert_eq!(scene.count("logs").await, 1);
    let drop = json!({"query": "DROP TABLE logs", "useLegacySql": false, "defaultDataset": dataset});
    assert_eq!(reason(&scene.run(&Scene::job("drop", &json!({"query": drop}))).await), "");
    assert_eq!(scene.get("datasets/d/tables/logs").await.0, 404);
}

#[tokio::test]
async fn a_schema_is_made_where_the_job_runs() {
    let scene = Scene::new().await;
    let job =
        scene.run(&Scene::query_job("schema", &format!("CREATE SCHEMA IF NOT EXISTS `{}.made`", scene.project))).await;
    assert_eq!(reason(&job), "", "{job}");
    assert_eq!(scene.get("datasets/made").await.1["location"], "EU");
    scene.sql(&format!("CREATE TABLE `{}.made.t` (n INT64)", scene.project)).await;
    let (status, answer) = scene.send(Method::DELETE, "datasets/made", None).await.unwrap();
    assert_eq!((status, reason(&answer)), (400, "resourceInUse"));
    assert_eq!(scene.send(Method::DELETE, "datasets/made?deleteContents=true", None).await.unwrap().0, 204);
    assert_eq!(scene.get("datasets/made").await.0, 404);
}
