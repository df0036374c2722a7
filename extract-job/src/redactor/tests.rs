//! Every kind of secret in every spelling, blotted out; everything else stays.

use super::spelled::spellings;
use super::*;

/// Secrets with everything in them that some spelling changes.
const SECRETS: [&str; 12] = [
    "s3cret-value",
    "ab+cd/ef==",
    "pa ss word",
    "quo\"te\\back",
    "am&per<sand>'x",
    "per%41cent%",
    "plus+and space",
    "slash/n\\new",
    "übergroß-ñ",
    "emoji-😀-key",
    "line one\nline two",
    "tab\tand;semi,colon:@",
];

#[test]
fn every_secret_goes_in_every_spelling() {
    for secret in SECRETS {
        let redactor = Redactor::default();
        redactor.add(secret);
        for (name, spelled) in spellings(secret) {
            let text = format!("before (<{spelled}>) after");
            assert_eq!(redactor.clean(&text), "before (<***>) after", "{secret:?} {name}: {spelled}");
            let twice = format!("{spelled} {spelled}");
            assert_eq!(redactor.clean(&twice), "*** ***", "{secret:?} {name}: {spelled}");
        }
    }
}

#[test]
fn what_is_no_secret_stays() {
    let redactor = Redactor::default();
    SECRETS.iter().for_each(|secret| redactor.add(secret));
    for text in [
        "",
        "the API answered 400: no such page",
        "100% of a\\b & c; d%4",
        "&#99999999; \\u12 \\ud83d \\u{} %zz %",
        "https://a.example/x?q=1+2&y=%20",
    ] {
        assert_eq!(redactor.clean(text), text);
    }
}

#[test]
fn secrets_inside_others_leave_no_rest() {
    let redactor = Redactor::default();
    redactor.add("s3cret");
    redactor.add("s3cret&more");
    redactor.add("abc");
    assert_eq!(redactor.clean("a=s3cret%26more b=s3cret&more c=s3cret d=abc"), "a=*** b=*** c=*** d=abc");
}

#[test]
fn a_header_is_known_with_and_without_its_scheme() {
    let redactor = Redactor::default();
    redactor.add_header("Basic dTpwdw==");
    assert_eq!(redactor.clean("invalid header Basic dTpwdw=="), "invalid header ***");
    assert_eq!(redactor.clean("who is dTpwdw%3D%3D"), "who is ***");
}

#[test]
fn a_text_is_cut_after_its_secrets_are_gone() {
    let redactor = Redactor::default();
    redactor.add("s3cret-value");
    for before in 180..215 {
        let text = format!("{} s3cret-value and more {}", "x".repeat(before), "y".repeat(300));
        let shown = redactor.for_people(&text, 200);
        assert!(!shown.contains("s3c") && shown.chars().count() <= 201, "{shown}");
    }
    assert_eq!(redactor.for_people("two\u{1b}[31m\nlines", 200), "two\u{fffd}[31m lines");
    assert_eq!(redactor.for_people("short", 200), "short");
}
