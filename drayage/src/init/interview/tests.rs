//! The interview with somebody whose answers are written down.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use contract::secret::{Dotenv, Secret};
use extract_job::Manifest;
use serde_json::json;
use std::collections::VecDeque;

/// What was asked, and the answers that are still to be given. A question that refuses an answer takes the next.
struct Script {
    answers: VecDeque<&'static str>,
    asked: Vec<String>,
}

impl Script {
    fn next(&mut self, question: &Question) -> &'static str {
        self.asked.push(question.title.clone());
        self.answers.pop_front().unwrap_or_else(|| panic!("no answer to {question:?} after {:?}", self.asked))
    }

    fn accepted(&mut self, question: &Question, default: Option<&str>, check: &Check) -> String {
        loop {
            let answer = match self.next(question) {
                "" => default.unwrap_or_default(),
                answer => answer,
            };
            match check(answer) {
                Ok(()) => return answer.to_owned(),
                Err(reason) => self.asked.push(format!("({reason})")),
            }
        }
    }
}

impl Ask for Script {
    fn text(&mut self, question: &Question, default: Option<&str>, check: Check) -> Result<String, Stop> {
        Ok(self.accepted(question, default, &check))
    }

    fn secret(&mut self, question: &Question, check: Check) -> Result<Secret, Stop> {
        Ok(Secret::new(self.accepted(question, None, &check)))
    }

    fn confirm(&mut self, question: &Question, default: bool) -> Result<bool, Stop> {
        let answer = self.next(question);
        Ok(if answer.is_empty() { default } else { answer == "yes" })
    }

    fn choose(&mut self, question: &Question, options: &[String], first: usize) -> Result<usize, Stop> {
        let answer = self.next(question);
        if answer.is_empty() {
            return Ok(first);
        }
        Ok(options
            .iter()
            .position(|option| option == answer)
            .unwrap_or_else(|| panic!("{answer} is not in {options:?}")))
    }

    fn choose_some(&mut self, _: &Question, _: &[String]) -> Result<Vec<usize>, Stop> {
        Ok(Vec::new())
    }

    fn tell(&mut self, text: &str) {
        self.asked.push(text.to_owned());
    }
}

const MANIFEST: &str = r#"
type: DeclarativeSource
check: {type: CheckStream, stream_names: [things]}
streams:
  - type: DeclarativeStream
    name: things
    primary_key: [id]
    retriever:
      requester: {url_base: "https://a.example", path: "/things"}
      record_selector: {extractor: {field_path: []}}
spec:
  type: Spec
  connection_specification:
"#;

/// Asks for the settings of this spec; returns them and what was asked.
fn asked(spec: Value, given: Value, answers: &[&'static str]) -> (Value, Vec<String>) {
    let manifest = Manifest::parse("m.yaml", &format!("{MANIFEST}    {spec}\n")).unwrap();
    let judge = Rc::new(Judge { manifest, base: ".".into(), dotenv: Dotenv::default() });
    let mut script = Script { answers: answers.iter().copied().collect(), asked: Vec::new() };
    let settings = interview(&mut script, judge.clone(), given).unwrap();
    assert_eq!(script.answers, VecDeque::<&str>::new(), "answers are left over: {:?}", script.asked);
    assert_eq!(judge.problems(&settings), vec![]);
    (settings, script.asked)
}

#[test]
fn required_settings_come_first_and_are_asked_again_until_they_hold() {
    let spec = json!({"type": "object", "required": ["day", "key"], "additionalProperties": false, "properties": {
        "size": {"type": "integer", "title": "Size", "default": 10, "maximum": 20, "order": 0},
        "day": {"type": "string", "title": "Day", "pattern": "^[0-9]+$", "pattern_descriptor": "YYYYMMDD", "order": 2},
        "key": {"type": "string", "title": "Key", "minLength": 3, "airbyte_secret": true, "order": 1},
    }});
    let (settings, questions) = asked(spec.clone(), json!({}), &["", "ab", "hush", "today", "20260131", ""]);
    assert_eq!(settings, json!({"key": "hush", "day": "20260131"}));
    let expected = [
        "Key",
        "(required)",
        "Key",
        "(it is too short)",
        "Key",
        "Day",
        "(it must have the form YYYYMMDD)",
        "Day",
        "Set optional settings?",
    ];
    assert_eq!(questions, expected);
    // An answer that is the default is not written.
    let (settings, _) = asked(spec.clone(), json!({"key": "hush"}), &["1", "yes", ""]);
    assert_eq!(settings, json!({"key": "hush", "day": "1"}));
    let (settings, questions) = asked(spec, json!({"key": "hush", "day": "1"}), &["yes", "many", "99", "5"]);
    assert_eq!(settings, json!({"key": "hush", "day": "1", "size": 5}));
    assert!(questions.contains(&"(expected an integer, found text)".into()), "{questions:?}");
    assert!(questions.contains(&"(must be at most 20)".into()), "{questions:?}");
}

#[test]
fn every_kind_of_setting_has_its_question() {
    let spec = json!({"type": "object", "required": ["kind", "names", "on", "more"], "properties": {
        "kind": {"type": "string", "enum": ["a", "b"], "default": "b"},
        "names": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "on": {"type": "boolean", "default": true},
        "more": {"type": "object", "required": ["x"], "properties": {"x": {"type": "integer"}, "y": {"type": "string"}}},
        "rules": {"type": "array", "items": {"type": "object", "required": ["id"]}},
        "mode": {"type": "string", "enum": ["m", "n"]},
    }});
    let answers = ["", "a, b", "no", "7", "yes", "why", "yes", "[{\"x\": 1}]", "[{\"id\": 1}]", "(leave it out)"];
    let (settings, questions) = asked(spec, json!({}), &answers);
    assert_eq!(
        settings,
        json!({"kind": "b", "names": ["a", "b"], "on": false, "more": {"x": 7, "y": "why"}, "rules": [{"id": 1}]})
    );
    assert!(questions.contains(&"(the key `id` is missing)".into()), "{questions:?}");
}

#[test]
fn of_alternatives_one_is_chosen_and_only_it_is_asked_for() {
    let login = json!({"type": "object", "title": "Login", "oneOf": [
        {"title": "By password", "required": ["kind", "user", "password"], "additionalProperties": false, "properties": {
            "kind": {"const": "password"}, "user": {"type": "string"}, "password": {"type": "string", "airbyte_secret": true}}},
        {"title": "By token", "required": ["token"], "additionalProperties": false, "properties": {
            "kind": {"const": "token"}, "token": {"type": "string", "airbyte_secret": true, "minLength": 3}}},
    ]});
    let spec = json!({"type": "object", "required": ["login"], "properties": {"login": login}});
    let (settings, _) = asked(spec.clone(), json!({}), &["By password", "me", "hush"]);
    assert_eq!(settings, json!({"login": {"kind": "password", "user": "me", "password": "hush"}}));
    let (settings, questions) = asked(spec.clone(), json!({}), &["By token", "hush"]);
    assert_eq!(settings, json!({"login": {"token": "hush", "kind": "token"}}), "{questions:?}");
    // A flag that has set all of it leaves nothing to ask.
    let given = json!({"login": {"kind": "token", "token": "${env:T}"}});
    assert_eq!(asked(spec, given.clone(), &[]).0, given);
}

#[test]
fn flags_that_set_a_part_leave_the_rest_to_be_asked() {
    let inner = json!({"type": "object", "title": "Inner", "required": ["a", "b"], "properties": {
        "a": {"type": "string"}, "b": {"type": "string"}}});
    let spec = json!({"type": "object", "required": ["inner"], "properties": {"inner": inner}});
    assert_eq!(asked(spec, json!({"inner": {"a": "1"}}), &["2"]).0, json!({"inner": {"a": "1", "b": "2"}}));
}

#[test]
fn a_key_of_several_lines_is_not_taken_line_by_line() {
    let spec = json!({"type": "object", "required": ["key"], "properties": {
        "key": {"type": "string", "airbyte_secret": true}}});
    let pem = "-----BEGIN KEY-----\nhush\n-----END KEY-----";
    let answers = ["-----BEGIN KEY-----", "-----BEGIN KEY-----hush", pem];
    assert_eq!(asked(spec.clone(), json!({}), &answers).0, json!({"key": pem}));
    assert_eq!(asked(spec, json!({}), &["${file:key.pem}"]).0, json!({"key": "${file:key.pem}"}));
}
