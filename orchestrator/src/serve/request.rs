//! The body of `POST /run`: the options of a run as a JSON object; no body means all defaults.
//! As strict as the command line: an unknown key or a wrong value is refused, never ignored.

use crate::options::{Spelling, conflict, parse_instant};
use crate::run::{RunChoice, RunOptions};
use crate::stage::Stage;
use chrono::{DateTime, Utc};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Body {
    only: Option<String>,
    run_id: Option<String>,
    sources: Vec<String>,
    accounts: Vec<String>,
    streams: Vec<String>,
    full_refresh: bool,
    from: Option<String>,
    to: Option<String>,
    allow_mass_delete: bool,
    force: bool,
    rewrite: bool,
    take_over: bool,
}

/// The options that a body asks for.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(body: &[u8]) -> Result<RunOptions, String> {
    match body.trim_ascii().first() {
        None => return Ok(RunOptions::default()),
        Some(b'{') => {}
        Some(_) => return Err("the body cannot be used: expected a JSON object".into()),
    }
    let body: Body = serde_json::from_slice(body).map_err(|error| format!("the body cannot be used: {error}"))?;
    let only = body.only.as_deref().map(stage).transpose()?;
    let run_id = body.run_id.map(|text| text.parse::<RunChoice>().map_err(|error| format!("`run_id`: {error}")));
    let window = match (instant("from", body.from)?, instant("to", body.to)?) {
        (Some(from), Some(to)) => Some((from, to)),
        (None, None) => None,
        _ => return Err("`from` and `to` go together".into()),
    };
    let options = RunOptions {
        only,
        run_id: run_id.transpose()?,
        sources: body.sources,
        accounts: body.accounts,
        streams: body.streams,
        full_refresh: body.full_refresh,
        window,
        allow_mass_delete: body.allow_mass_delete,
        force: body.force,
        rewrite: body.rewrite,
        take_over: body.take_over,
        wait: false,
        extract_tasks: None,
    };
    conflict(&options, Spelling::Keys).map_or(Ok(options), Err)
}

fn stage(text: &str) -> Result<Stage, String> {
    let found = Stage::FIRST.into_iter().find(|stage| stage.as_str() == text);
    found.ok_or_else(|| "`only`: expected `extract` or `load`".into())
}

fn instant(key: &str, text: Option<String>) -> Result<Option<DateTime<Utc>>, String> {
    text.map(|text| parse_instant(&text).map_err(|error| format!("`{key}`: {error}"))).transpose()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn no_body_means_everything() {
        for body in ["", " \n", "{}"] {
            assert_eq!(parse(body.as_bytes()), Ok(RunOptions::default()), "{body:?}");
        }
    }

    #[test]
    fn all_options_are_read() {
        let body = r#"{"sources":["s"],"accounts":["a","b"],"streams":["jobs"],"from":"2026-01-01","to":"2026-01-02T00:00:00Z",
            "allow_mass_delete":true,"force":true,"rewrite":true,"take_over":true,"run_id":"20260131T235900Z-a1b2c3"}"#;
        let options = parse(body.as_bytes()).unwrap();
        assert_eq!(
            (options.sources, options.accounts.len(), options.streams),
            (vec!["s".into()], 2, vec!["jobs".into()])
        );
        assert!(
            options.allow_mass_delete && options.force && options.rewrite && options.take_over && !options.full_refresh
        );
        assert_eq!(options.window.unwrap().1, "2026-01-02T00:00:00Z".parse::<DateTime<Utc>>().unwrap());
        assert!(matches!(options.run_id, Some(RunChoice::Id(_))));
        assert_eq!(parse(br#"{"only":"load"}"#).unwrap().only, Some(Stage::Load));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (body, says) in [
            ("{", "the body cannot be used: EOF"),
            ("[]", "the body cannot be used: expected a JSON object"),
            ("null", "the body cannot be used: expected a JSON object"),
            (r#"{"account":["a"]}"#, "unknown field `account`, expected one of `only`"),
            (r#"{"accounts":"a"}"#, "invalid type: string"),
            (r#"{"force":"yes"}"#, "invalid type: string"),
            (r#"{"only":"both"}"#, "`only`: expected `extract` or `load`"),
            (r#"{"only":"load","full_refresh":true}"#, "`full_refresh` concerns the extract, which `only` leaves out"),
            (r#"{"run_id":"../x"}"#, "`run_id`: `../x` is no run id"),
            (r#"{"run_id":"latest"}"#, "`run_id: latest` goes with `only: load`"),
            (r#"{"from":"2026-01-01"}"#, "`from` and `to` go together"),
            (r#"{"from":"x","to":"y"}"#, "`from`: expected a time"),
            (r#"{"from":"2026-01-02","to":"2026-01-01"}"#, "`from` must be before `to`"),
            (
                r#"{"full_refresh":true,"from":"2026-01-01","to":"2026-01-02"}"#,
                "`full_refresh` and `from`/`to` exclude",
            ),
        ] {
            let error = parse(body.as_bytes()).unwrap_err();
            assert!(error.contains(says), "{body}: {error}");
        }
    }
}
