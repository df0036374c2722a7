//! Fields that the pipeline file redacts: nothing of their values is stored or logged, equal values stay equal, and what would
//! destroy a key is refused before anything is asked for.

use crate::own_manifest::{Asked, Bench, SALT, Said, cursor, manifest, of, page_of, pages, requester, stream, unit};
use contract::landing::paths;
use contract::report::UnitStatus;
use contract::run_id::RunId;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// Stands in every value that must not show.
const MARK: &str = "Xsecretx";

fn hash(plain: &str, salt: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(salt.as_bytes()).unwrap();
    mac.update(plain.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn person(id: u64) -> Value {
    let contact = |name: u64| json!({"name": format!("Xsecretx {name}"), "phone": "+49 Xsecretx", "kind": "home"});
    json!({
        "id": id, "email": "a@Xsecretx.io", "at": "2026-01-02T00:00:00Z", "number": 4_711_000_815_u64,
        "contacts": [contact(id), contact(1), {"name": null}, null],
        "profile": {"tax": {"number": "Xsecretx", "country": "x"}, "codes": ["Xsecretx", 1]},
    })
}

/// What each stream of people keeps to itself.
fn redact() -> Value {
    json!({
        "email": "hash", "number": "hash", "contacts.name": "hash", "contacts.phone": "drop", "profile.tax.number": "drop",
        "profile.codes": "hash", "not.there": {"how": "drop", "may_be_absent": true},
    })
}

fn settings(redact: &Value) -> Value {
    let stream = |name: &str| json!({"name": name, "redact": redact});
    json!({"redact_salt": "${env:REDACT_SALT}", "source": {"streams": [stream("people"), stream("groups")]}})
}

/// People as they are, and by groups, of which one can fail.
async fn bench() -> Bench {
    let router = json!({
        "type": "ListPartitionRouter", "values": ["g1", "g2", "g3"], "cursor_field": "group",
        "request_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "group"},
    });
    let streams = [
        stream(
            "people",
            &json!({"paginator": pages(2)}),
            &json!({"incremental_sync": cursor("2026-01-01T00:00:00Z", &json!({}))}),
        ),
        stream("groups", &json!({"partition_router": router}), &json!({})),
    ];
    let bench = Bench::new(&manifest(&streams, 1), |asked| match (asked.path.as_str(), asked.get("group")) {
        ("/people", _) => Said::ok(&page_of(&[person(1), person(2), person(3)], asked, 2)),
        (_, "g3") => Said::status(400),
        // The same text, written otherwise.
        (_, "g2") => {
            Said { body: json!({"items": [person(2)]}).to_string().replace("Xs", "\\u0058s"), ..Said::status(200) }
        }
        _ => Said::ok(&json!({"items": [person(1)]})),
    })
    .await;
    bench.write_pipeline(&settings(&redact()));
    bench
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_redacted_value_is_stored_or_logged() {
    let bench = bench().await;
    let run = RunId::new(chrono::Utc::now());
    let mut program = bench.program(&["--run-id", run.as_str(), "--output", "json"]);
    let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "one group fails: {log}");
    let landing = bench.landing();
    assert!(landing.get(&paths::progress(&unit("groups"), &run)).await.unwrap().is_some(), "progress was kept");
    let everything = bench.everything_stored();
    let groups = everything.matches("\"kind\":\"home\"").count();
    assert_eq!(groups, (3 + 2) * 2, "the records of the groups that did not fail lie there, too");
    assert!(log.contains("/groups?"), "requests are logged");
    for text in [everything.as_str(), &log, &String::from_utf8_lossy(&output.stdout)] {
        for plain in [MARK, "\\u0058secretx", "4711000815", SALT] {
            assert!(!text.contains(plain), "{plain} shows in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_values_have_equal_hashes_at_any_depth() {
    let bench = bench().await;
    let run = bench.extract().await.run_id;
    let (_, people) = bench.records(&run, "people").await;
    let name = |n: u64| hash(&format!("Xsecretx {n}"), SALT);
    for (id, person) in (1..).zip(&people) {
        let contact = |name: String| json!({"name": name, "kind": "home"});
        let expected = json!({
            "id": id, "email": hash("a@Xsecretx.io", SALT), "at": "2026-01-02T00:00:00Z", "number": hash("4711000815", SALT),
            "contacts": [contact(name(id)), contact(name(1)), {"name": null}, null],
            "profile": {"tax": {"country": "x"}, "codes": hash("[\"Xsecretx\",1]", SALT)},
        });
        assert_eq!(person, &expected);
    }
    assert_eq!(people.len(), 3);
    let mut list = settings(&redact());
    list["source"]["streams"] = json!([{"name": "groups", "redact": {"email": "hash"}}]);
    list["redact_salt"] = json!("another");
    bench.write_pipeline(&list);
    let report = bench.extract().await;
    assert_eq!(of(&report, "groups").status, UnitStatus::Failed);
    let everything = bench.everything_stored();
    assert!(everything.contains(&hash("a@Xsecretx.io", "another")), "another salt, another hash");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_destroy_a_key_is_refused_with_its_line() {
    let bench = bench().await;
    let cases = [
        (json!({"id": "drop"}), Some("part of the primary key")),
        (json!({"at": "hash"}), Some("newest row is known")),
        (json!({"at": "drop"}), Some("newest row is known")),
        (json!({"contacts..name": "drop"}), Some("no path of field names")),
        (json!({"id": "hash"}), None),
    ];
    for (redact, refusal) in cases {
        let mut pipeline = settings(&redact);
        pipeline["source"]["streams"] = json!(["groups", {"name": "people", "redact": redact}]);
        bench.write_pipeline(&pipeline);
        bench.take_asked();
        let result = bench.try_extract(bench.options()).await;
        let Some(refusal) = refusal else {
            assert_eq!(of(&result.unwrap(), "people").status, UnitStatus::Done, "a hash is as good a key");
            continue;
        };
        let error = result.unwrap_err().to_string();
        let text = std::fs::read_to_string(bench.pipeline()).unwrap();
        // The entry begins a line before its first key.
        let keys =
            ["\"redact\"", "\"name\": \"people\""].map(|key| text.lines().position(|line| line.contains(key)).unwrap());
        let line = format!("pipeline.yaml:{}:", keys.into_iter().min().unwrap());
        assert!(error.contains(refusal) && error.contains(&line), "{line} {refusal}: {error}");
        assert!(bench.asked().is_empty(), "nothing is sent");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_nested_key_lies_in_is_not_taken_away() {
    let stream = stream("people", &json!({}), &json!({"primary_key": [["profile", "tax", "number"]]}));
    let bench = Bench::new(&manifest(&[stream], 1), |_| Said::ok(&json!({"items": [person(1)]}))).await;
    for (field, how, is_refused) in [
        ("profile", "drop", true),
        ("profile", "hash", true),
        ("profile.tax", "hash", true),
        ("profile.tax.number", "drop", true),
        ("profile.tax.number", "hash", false),
        ("profile.codes", "drop", false),
    ] {
        let list = json!([{"name": "people", "redact": {field: how}}]);
        bench.write_pipeline(&json!({"redact_salt": "${env:REDACT_SALT}", "source": {"streams": list}}));
        let result = bench.try_extract(bench.options()).await;
        let refusal = result.err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(refusal.contains("primary key"), is_refused, "{field} {how}: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hash_needs_a_salt() {
    let bench = bench().await;
    let without_salt = |redact: &Value| {
        let mut pipeline = settings(redact);
        pipeline.as_object_mut().unwrap().shift_remove("redact_salt");
        bench.write_pipeline(&pipeline);
        bench.try_extract(bench.options())
    };
    let error = without_salt(&json!({"email": "hash"})).await.unwrap_err().to_string();
    assert!(error.contains("redact_salt"), "{error}");
    assert!(bench.asked().is_empty(), "nothing is sent");
    let report = without_salt(&json!({"email": "drop"})).await.unwrap();
    assert_eq!(of(&report, "people").status, UnitStatus::Done, "to drop needs none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_are_asked_for_by_the_plain_id_and_stored_under_its_hash() {
    let owners = || stream("owners", &json!({"paginator": pages(2)}), &json!({}));
    let router = json!({"type": "SubstreamPartitionRouter", "parent_stream_configs": [
        {"type": "ParentStreamConfig", "stream": owners(), "parent_key": "id", "partition_field": "owner"},
    ]});
    let own = requester("owners/{{ stream_partition.owner }}/cars", &json!({}));
    let retriever = json!({"requester": own, "partition_router": router});
    let streams = [owners(), stream("cars", &retriever, &json!({}))];
    let answer = |asked: &Asked| {
        let segments: Vec<&str> = asked.path.split('/').collect();
        match segments[..] {
            ["", "owners"] => {
                let owners: Vec<Value> = (1..=5).map(|id| json!({"id": format!("o-{id}")})).collect();
                Said::ok(&page_of(&owners, asked, 2))
            }
            ["", "owners", owner, "cars"] => {
                Said::ok(&json!({"items": [{"id": format!("car of {owner}"), "owner": {"id": owner}}]}))
            }
            _ => Said::status(404),
        }
    };
    let bench = Bench::new(&manifest(&streams, 4), answer).await;
    let list = json!([{"name": "owners", "redact": {"id": "hash"}}, {"name": "cars", "redact": {"owner.id": "hash", "id": "hash"}}]);
    bench.write_pipeline(&json!({"redact_salt": "${env:REDACT_SALT}", "source": {"streams": list}}));
    let run = bench.extract().await.run_id;
    let sorted = |mut values: Vec<Value>| {
        values.sort_by_key(ToString::to_string);
        values
    };
    let (_, cars) = bench.records(&run, "cars").await;
    let (_, owners) = bench.records(&run, "owners").await;
    let ids = sorted(owners.iter().map(|owner| owner["id"].clone()).collect());
    assert_eq!(ids, sorted((1..=5).map(|id| json!(hash(&format!("o-{id}"), SALT))).collect()));
    assert_eq!(sorted(cars.iter().map(|car| car["owner"]["id"].clone()).collect()), ids, "they still join");
    let mut asked: Vec<String> =
        bench.asked().into_iter().map(|asked| asked.path).filter(|path| path.ends_with("cars")).collect();
    asked.sort();
    assert_eq!(asked, (1..=5).map(|id| format!("/owners/o-{id}/cars")).collect::<Vec<_>>());
    assert!(!bench.everything_stored().contains("o-3"));
}

/// The stream of people alone, with this entry.
fn people(entry: &Value) -> Value {
    let mut entry = entry.clone();
    entry["name"] = json!("people");
    json!({"redact_salt": "${env:REDACT_SALT}", "source": {"streams": [entry]}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_finds_nothing_publishes_nothing_and_leaves_nothing() {
    let bench = bench().await;
    let landing = bench.landing();
    let cases = [
        (json!({"emial": "hash"}), Some("did you mean `email`?")),
        (json!({"email": "hash", "contacts.fon": "drop"}), Some("`contacts.fon`")),
        (json!({"email.local": "hash"}), Some("a text where that path goes deeper")),
        (json!({"EMAIL": "hash"}), None),
        (json!({"emial": {"how": "hash", "may_be_absent": true}}), None),
    ];
    for (redact, failure) in cases {
        bench.write_pipeline(&people(&json!({ "redact": redact })));
        let run = RunId::new(chrono::Utc::now());
        // Another try of the run must not pass over what the first one has read.
        for _ in 0..2 {
            let report = bench.extract_as(&run).await;
            let unit_report = of(&report, "people");
            let is_published = landing.get(&paths::batch(&unit("people"), &run)).await.unwrap().is_some();
            assert_eq!(is_published, failure.is_none(), "{redact}: {unit_report:?}");
            let Some(words) = failure else { continue };
            assert_eq!(unit_report.status, UnitStatus::Failed, "{redact}: {unit_report:?}");
            let error = unit_report.error.clone().unwrap_or_default();
            assert!(error.contains(words) && error.contains("may_be_absent: true"), "{redact}: {error}");
            assert!(landing.get(&paths::progress(&unit("people"), &run)).await.unwrap().is_none());
            assert!(!bench.everything_stored().contains(MARK), "{redact}: no part stays");
        }
        if redact.get("EMAIL").is_some() {
            let (_, records) = bench.records(&run, "people").await;
            assert_eq!(records[0]["email"], hash("a@Xsecretx.io", SALT));
        }
        std::fs::remove_dir_all(bench.folder.path().join("landing")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_that_a_killed_try_has_left_go_too() {
    let bench = bench().await;
    for redact in [json!({"emial": "hash"}), json!({"email.local": "hash"})] {
        bench.write_pipeline(&people(&json!({ "redact": redact })));
        let run = RunId::new(chrono::Utc::now());
        let reading = contract::round::RunRound::first(run.clone());
        for number in [0, 1, 5] {
            let path = paths::part(&unit("people"), &reading, number, "gz");
            let clear = gzip(&person(1).to_string());
            bench.landing().put(&path, clear.into(), contract::landing::PutMode::Overwrite).await.unwrap();
        }
        assert!(bench.everything_stored().contains(MARK));
        let report = bench.extract_as(&run).await;
        assert_eq!(of(&report, "people").status, UnitStatus::Failed, "{redact}");
        assert!(!bench.everything_stored().contains(MARK), "{redact}: no part stays");
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_tells_what_was_taken_out_of_it() {
    let bench = bench().await;
    let entry =
        json!({"redact": {"email": "hash", "number": {"how": "drop", "may_be_absent": true}}, "mask": ["phone"]});
    bench.write_pipeline(&people(&entry));
    let run = bench.extract().await.run_id;
    let batch = serde_json::to_value(bench.batch(&run, "people").await.unwrap()).unwrap();
    assert_eq!(batch["redacted"], json!({"redact": {"email": "hash", "number": "drop"}, "mask": ["phone"]}));
    bench.write_pipeline(&people(&json!({})));
    let run = bench.extract().await.run_id;
    let batch = serde_json::to_value(bench.batch(&run, "people").await.unwrap()).unwrap();
    assert_eq!(batch.get("redacted"), None, "as in batches of before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_records_miss_nothing_and_another_try_knows_what_the_first_has_found() {
    let router = json!({
        "type": "ListPartitionRouter", "values": ["g1", "g2"], "cursor_field": "group",
        "request_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "group"},
    });
    let streams =
        [stream("empty", &json!({}), &json!({})), stream("groups", &json!({"partition_router": router}), &json!({}))];
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_broken = broken.clone();
    let bench = Bench::new(&manifest(&streams, 1), move |asked| match (asked.path.as_str(), asked.get("group")) {
        ("/empty", _) => Said::ok(&json!({"items": []})),
        ("/groups", "g1") => Said::ok(&json!({"items": [{"id": 1, "email": "a@b.io"}]})),
        _ if is_broken.load(std::sync::atomic::Ordering::SeqCst) => Said::status(400),
        // The field is not in what is left.
        _ => Said::ok(&json!({"items": [{"id": 2}]})),
    })
    .await;
    let entry = |name: &str| json!({"name": name, "redact": {"email": "hash"}});
    bench.write_pipeline(&json!({
        "redact_salt": "${env:REDACT_SALT}", "source": {"streams": [entry("empty"), entry("groups")]},
    }));
    let run = RunId::new(chrono::Utc::now());
    let first = bench.extract_as(&run).await;
    assert_eq!((of(&first, "empty").status, of(&first, "groups").status), (UnitStatus::Done, UnitStatus::Failed));
    broken.store(false, std::sync::atomic::Ordering::SeqCst);
    let asked = bench.take_asked().len();
    let second = bench.extract_as(&run).await;
    assert_eq!(of(&second, "groups").status, UnitStatus::Done, "{second:?}");
    assert!(asked > 0 && bench.take_asked().iter().all(|asked| asked.get("group") != "g1"), "it was not read again");
    let (_, records) = bench.records(&run, "groups").await;
    assert_eq!(records.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_the_schema_does_not_know_is_refused_with_the_nearest_name() {
    let schema = json!({"type": "object", "additionalProperties": true, "properties": {
        "id": {"type": "integer"}, "email": {"type": "string"}, "owner": {"type": "object", "properties": {"email": {"type": "string"}}},
    }});
    let known = json!({"schema_loader": {"type": "InlineSchemaLoader", "schema": schema}});
    let source = manifest(&[stream("people", &json!({}), &known)], 1);
    let bench = Bench::new(&source, |_| {
        Said::ok(&json!({"items": [{"id": 1, "email": "a@b.io", "owner": {"email": "x"}, "extra": 1}]}))
    });
    let bench = bench.await;
    for (redact, refusal) in [
        (json!({"owner.emial": "hash"}), Some("did you mean `owner.email`?")),
        (json!({"email.local": "drop"}), Some("does not have")),
        (json!({"owner.email": "hash", "Email": "drop"}), None),
        (json!({"extra": {"how": "drop", "may_be_absent": true}}), None),
    ] {
        bench.write_pipeline(&people(&json!({ "redact": redact })));
        let result = bench.try_extract(bench.options()).await;
        let error = result.err().map(|error| error.to_string()).unwrap_or_default();
        match refusal {
            Some(words) => assert!(error.contains(words) && error.contains("pipeline.yaml:"), "{redact}: {error}"),
            None => assert_eq!(error, "", "{redact}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_masked_in_texts_reaches_no_landing_zone() {
    let talk = json!({"id": 1, "lines": [{"said": "write to a@Xsecretx.io or call +49 30 1234567"}], "at": "2026-01-02T00:00:00Z"});
    let source = manifest(&[stream("people", &json!({}), &json!({}))], 1);
    let bench = Bench::new(&source, move |_| Said::ok(&json!({"items": [talk]})));
    let bench = bench.await;
    bench.write_pipeline(&people(&json!({"mask": ["email", "phone"]})));
    let run = bench.extract().await.run_id;
    let (_, records) = bench.records(&run, "people").await;
    let said = format!("write to {} or call {}", hash("a@Xsecretx.io", SALT), hash("+49 30 1234567", SALT));
    assert_eq!(records, [json!({"id": 1, "lines": [{"said": said}], "at": "2026-01-02T00:00:00Z"})]);
    assert!(!bench.everything_stored().contains(MARK));
    let mut unsalted = people(&json!({"mask": ["email"]}));
    unsalted.as_object_mut().unwrap().shift_remove("redact_salt");
    bench.write_pipeline(&unsalted);
    let error = bench.try_extract(bench.options()).await.unwrap_err().to_string();
    assert!(error.contains("`mask`") && error.contains("redact_salt"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_for_a_field_that_no_record_has_is_warned_about() {
    let bench = bench().await;
    for (columns, warned) in [
        (json!({"emial": "STRING", "number": "INT64"}), Some("`emial`")),
        (json!({"email": "STRING", "contacts": "JSON"}), None),
    ] {
        bench.write_pipeline(&people(&json!({ "columns": columns })));
        let report = bench.extract().await;
        let unit_report = of(&report, "people");
        assert_eq!(unit_report.status, UnitStatus::Done);
        let warning = unit_report.warnings.iter().find(|warning| warning.contains("`columns` names"));
        assert_eq!(warning.is_some(), warned.is_some(), "{columns}: {:?}", unit_report.warnings);
        assert!(
            warned.is_none_or(|name| warning.is_some_and(|text| text.contains(name) && !text.contains("`number`")))
        );
    }
}
