use super::*;
use contract::pipeline::RedactEntry;
use serde_json::{Value, json};

/// The redaction of a stream whose entry has these keys.
fn redaction(settings: &Value, salt: &str) -> Redaction {
    let mut settings = settings.clone();
    settings["name"] = json!("s");
    Redaction::new(&serde_json::from_value(settings).unwrap(), Vec::new(), salt).unwrap()
}

fn apply(redaction: &Redaction, text: &str) -> Result<Value, String> {
    let mut tree = Tree::parse(text.as_bytes()).unwrap();
    redaction.apply(&mut tree).map(|()| tree.to_value())
}

#[test]
fn fields_go_or_are_hashed_at_any_depth() {
    let fields = json!({"redact": {
        "email": "hash", "contacts.phone": "drop", "contacts.name": "hash", "none": "drop", "owner.mail": "drop",
    }});
    let salted = redaction(&fields, "salt");
    let redact = |text: &str| apply(&salted, text).unwrap();
    let value = redact(r#"{"id":1,"email":"a@b.c","contacts":[{"name":"x","phone":"1"},{"name":null}]}"#);
    let hash = value["email"].as_str().unwrap().to_owned();
    assert_eq!(hash.len(), 64);
    assert_eq!(value["contacts"][0].as_object().unwrap().len(), 1);
    assert!(value["contacts"][1]["name"].is_null());
    assert_eq!(redact(r#"{"owner.mail":"x","owner":{"mail":"y","id":1}}"#), json!({"owner": {"id": 1}}));
    assert_eq!(redact(r#"{"email":"\u0061@b.c"}"#)["email"], hash.as_str(), "however it is written");
    assert_ne!(apply(&redaction(&fields, "pepper"), r#"{"email":"a@b.c"}"#).unwrap()["email"], hash.as_str());
}

#[test]
fn a_field_that_differs_by_case_alone_is_meant() {
    let redaction = redaction(&json!({"redact": {"email": "hash", "owner.mail": "drop", "straße": "drop"}}), "salt");
    let value =
        apply(&redaction, r#"{"Email":"a@b.c","EMAIL":"d@e.f","Owner":{"MAIL":"x","id":1},"STRASSE":1,"Straße":2}"#);
    let value = value.unwrap();
    assert!(value["Email"].as_str().unwrap().len() == 64 && value["EMAIL"].as_str().unwrap().len() == 64, "{value}");
    assert_eq!((&value["Owner"], &value["STRASSE"], value.get("Straße")), (&json!({"id": 1}), &json!(1), None));
    let warnings = redaction.verdict().unwrap();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings[0].contains("`email`") && warnings[0].contains("`Email`"), "{warnings:?}");
}

#[test]
fn a_path_that_finds_nothing_fails_with_the_nearest_name() {
    let redaction = redaction(&json!({"redact": {"owner.emial": "hash", "id": "hash"}}), "salt");
    apply(&redaction, r#"{"id":1,"owner":{"email":"a@b.c"}}"#).unwrap();
    let error = redaction.verdict().unwrap_err();
    for part in ["`owner.emial`", "did you mean `owner.email`?", "{how: hash, may_be_absent: true}"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(redaction.has_failed());
    redaction.recall(&["owner.emial".to_owned()]);
    assert_eq!(redaction.verdict(), Ok(Vec::new()), "an earlier try has found it");
    assert_eq!(redaction.found(), ["id", "owner.emial"]);
}

#[test]
fn a_text_where_a_path_goes_deeper_fails_unless_it_may_be_there() {
    let entry = |entry: Value| json!({"redact": {"owner.email": entry}});
    let strict = redaction(&entry(json!("drop")), "salt");
    for (record, fails) in [
        (r#"{"owner":{"email":"x"}}"#, false),
        (r#"{"owner":null}"#, false),
        (r#"{"owner":""}"#, false),
        (r#"{"owner":7}"#, false),
        (r#"{"owner":"Ann","owner.email":"x"}"#, false),
        (r#"{"owner":"Ann <a@b.c>"}"#, true),
        (r#"{"owner":[{"email":"x"},"a@b.c"]}"#, true),
        (r#"{"owner":"{\"email\":\"a@b.c\"}"}"#, true),
    ] {
        let result = apply(&strict, record);
        assert_eq!(result.is_err(), fails, "{record}: {result:?}");
        assert!(result.is_ok() || strict.has_failed());
    }
    let lenient = redaction(&entry(json!({"how": "drop", "may_be_absent": true})), "salt");
    assert_eq!(apply(&lenient, r#"{"owner":"Ann"}"#), Ok(json!({"owner": "Ann"})));
    assert_eq!(lenient.verdict(), Ok(Vec::new()));
}

#[test]
fn an_entry_is_a_word_or_a_mapping_and_nothing_else() {
    let read = |value: Value| serde_json::from_value::<RedactEntry>(value);
    let entry = read(json!({"how": "hash"})).unwrap();
    assert_eq!((entry.how(), entry.may_be_absent()), (Redact::Hash, false));
    assert!(read(json!("mask")).is_err() && read(json!({"how": "hash", "maybe": true})).is_err());
}

#[test]
fn texts_are_masked_with_the_same_hash() {
    let both = redaction(&json!({"redact": {"email": "hash"}, "mask": ["email"]}), "salt");
    let value = apply(&both, r#"{"email":"a@b.io","said":"write to a@b.io"}"#).unwrap();
    assert_eq!(value["said"], format!("write to {}", value["email"].as_str().unwrap()), "{value}");
}
