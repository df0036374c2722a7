//! Keys that lie within other fields (`primary_key: [[u, id]]`): they are stored beside those as well, so that tables can be known by them.

use crate::own_manifest::{Bench, Said, manifest, of, page_of, pages, stream};
use contract::report::UnitStatus;
use serde_json::{Value, json};

/// The stream `rows` with this key, and the records that it stores.
async fn stored(primary_key: &Value, fields: &Value, items: Vec<Value>) -> (Vec<String>, Vec<Value>) {
    let mut own = fields.clone();
    own["primary_key"] = primary_key.clone();
    let rows = stream("rows", &json!({"paginator": pages(2)}), &own);
    let bench = Bench::new(&manifest(&[rows], 1), move |asked| Said::ok(&page_of(&items, asked, 2))).await;
    let report = bench.extract().await;
    assert_eq!(of(&report, "rows").status, UnitStatus::Done, "{report:?}");
    let (batch, records) = bench.records(&report.run_id, "rows").await;
    (batch.primary_key, records)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_within_another_field_is_stored_beside_it() {
    let add = json!({"transformations": [{"type": "AddFields", "fields": [
        {"type": "AddedFieldDefinition", "path": ["u", "made"], "value": "{{ record.u.id + 1 }}"},
    ]}]});
    let item = |id: u32| json!({"u": {"id": id}, "v": "x"});
    let items = || vec![item(1), item(2), item(3)];
    let cases = [
        (json!([["u", "id"]]), json!({}), json!({"u": {"id": 2}, "v": "x", "u.id": 2}), json!(["u.id"])),
        (json!(["v", ["u", "id"]]), json!({}), json!({"u": {"id": 2}, "v": "x", "u.id": 2}), json!(["v", "u.id"])),
        (json!([["v"]]), json!({}), json!({"u": {"id": 2}, "v": "x"}), json!(["v"])),
        (json!([["u", "made"]]), add, json!({"u": {"id": 2, "made": 3}, "v": "x", "u.made": 3}), json!(["u.made"])),
    ];
    for (key, fields, second, names) in cases {
        let (found, records) = stored(&key, &fields, items()).await;
        assert_eq!((json!(found), records.len(), &records[1]), (names, 3, &second), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_keeps_what_it_has_under_the_name_of_its_key() {
    let items = vec![json!({"u.id": "own", "u": {"id": 1}}), json!({"u": "no object"}), json!({"u": {"id": null}})];
    let (_, records) = stored(&json!([["u", "id"]]), &json!({}), items.clone()).await;
    // The load rejects what has no key, as it does everywhere.
    let last = json!({"u": {"id": null}, "u.id": null});
    assert_eq!(records, [items[0].clone(), items[1].clone(), last]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_beside_a_key_within_another_field_is_masked_as_everything_else() {
    let mut own = json!({});
    own["primary_key"] = json!([["u", "id"]]);
    let rows = stream("rows", &json!({}), &own);
    let item = json!({"u": {"id": "ada@x.example", "bio": "write to ada@x.example"}});
    let bench = Bench::new(&manifest(&[rows], 1), move |_| Said::ok(&json!({"items": [item]}))).await;
    bench.write_pipeline(&json!({
        "redact_salt": "${env:REDACT_SALT}", "source": {"streams": [{"name": "rows", "mask": ["email"]}]},
    }));
    let report = bench.extract().await;
    assert_eq!(of(&report, "rows").status, UnitStatus::Done, "{report:?}");
    let (_, records) = bench.records(&report.run_id, "rows").await;
    assert_eq!(records[0]["u.id"], "ada@x.example", "a key tells rows apart, and is left alone");
    for field in ["id", "bio"] {
        assert!(!records[0]["u"][field].as_str().unwrap().contains('@'), "{field}: {}", records[0]);
    }
}
