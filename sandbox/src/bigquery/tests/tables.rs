//! Tables and datasets by REST.

use serde_json::json;

use super::*;

fn table(name: &str, extra: Value) -> Value {
    let mut table = json!({
        "tableReference": {"tableId": name},
        "schema": {"fields": [
            {"name": "id", "type": "STRING", "mode": "REQUIRED"}, {"name": "n", "type": "INT64"}, {"name": "j", "type": "JSON"},
        ]},
    });
    for (key, value) in extra.as_object().unwrap() {
        table[key] = value.clone();
    }
    table
}

#[tokio::test]
async fn a_table_comes_back_as_it_was_made() {
    let scene = Scene::new().await;
    let extra = json!({
        "expirationTime": "4102444800000", "clustering": {"fields": ["id"]}, "labels": {"k": "v"},
        "tableConstraints": {"primaryKey": {"columns": ["id"]}},
    });
    let (status, made) = scene.post("datasets/d/tables", table("t", extra.clone())).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(made["schema"]["fields"][1]["type"], "INTEGER");
    for (key, value) in extra.as_object().unwrap() {
        assert_eq!(&made[key], value, "{key}");
    }
    scene.sql(&format!("INSERT INTO {} (id, n) VALUES ('a', 1)", scene.table("t"))).await;
    assert_eq!(scene.get("datasets/d/tables/t").await.1["numRows"], "1");
    let (status, answer) = scene.post("datasets/d/tables", table("t", json!({}))).await;
    assert_eq!((status, reason(&answer)), (409, "duplicate"));
    let null = scene.run(&Scene::query_job("null", &format!("INSERT INTO {} (n) VALUES (1)", scene.table("t")))).await;
    assert!(null["status"]["errorResult"].is_object(), "{null}");
    assert_eq!(scene.send(Method::DELETE, "datasets/d/tables/t", None).await.unwrap().0, 204);
    assert_eq!(scene.send(Method::DELETE, "datasets/d/tables/t", None).await.unwrap().0, 404);
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_refused() {
    let scene = Scene::new().await;
    let cases = [
        ("datasets/nope/tables", table("t", json!({})), 404),
        ("datasets/d/tables", table("bad.name", json!({})), 400),
        ("datasets/d/tables", table("t", json!({"clustering": {"fields": ["j"]}})), 400),
        ("datasets/d/tables", table("t", json!({"timePartitioning": {"type": "DAY", "field": "n"}})), 400),
        ("datasets/d/tables", table("t", json!({"tableConstraints": {"primaryKey": {"columns": ["x"]}}})), 400),
        ("datasets", json!({"datasetReference": {"datasetId": "d"}}), 409),
        ("datasets", json!({"datasetReference": {"datasetId": "with-dash"}}), 400),
    ];
    for (path, body, expected) in cases {
        let (status, answer) = scene.post(path, body.clone()).await;
        assert_eq!(status, expected, "{body}: {answer}");
    }
    for path in ["datasets/nope", "datasets/nope/tables/t", "datasets/d/tables/nope", "datasets/nope/tables"] {
        assert_eq!(reason(&scene.get(path).await.1), "notFound", "{path}");
    }
}

#[tokio::test]
async fn a_patch_adds_columns_and_nothing_else() {
    let scene = Scene::new().await;
    scene.post("datasets/d/tables", table("t", json!({}))).await;
    let mut fields = table("t", json!({}))["schema"]["fields"].clone();
    fields.as_array_mut().unwrap().push(json!({"name": "x", "type": "FLOAT64"}));
    let patch = json!({"schema": {"fields": fields}, "description": "d"});
    let (status, answer) = scene.send(Method::PATCH, "datasets/d/tables/t", Some(&patch)).await.unwrap();
    assert_eq!((status, &answer["description"]), (200, &json!("d")), "{answer}");
    scene.sql(&format!("INSERT INTO {} (id, x) VALUES ('a', 1.5)", scene.table("t"))).await;
    fields[1]["type"] = json!("STRING");
    let patch = json!({"schema": {"fields": fields}});
    let (status, answer) = scene.send(Method::PATCH, "datasets/d/tables/t", Some(&patch)).await.unwrap();
    assert_eq!(status, 400, "{answer}");
    assert!(message(&answer).contains("Field n has changed type from INTEGER to STRING"), "{answer}");
}

#[tokio::test]
async fn a_table_expires() {
    let scene = Scene::new().await;
    let (status, answer) = scene.post("datasets/d/tables", table("old", json!({"expirationTime": "1000"}))).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(scene.get("datasets/d/tables/old").await.0, 404);
    let dataset =
        json!({"datasetReference": {"datasetId": "passing"}, "location": "EU", "defaultTableExpirationMs": "3600000"});
    assert_eq!(scene.post("datasets", dataset).await.0, 200);
    let sql = format!("CREATE TABLE `{}.passing.t` (n INT64)", scene.project);
    scene.sql(&sql).await;
    assert!(scene.get("datasets/passing/tables/t").await.1["expirationTime"].is_string());
}
