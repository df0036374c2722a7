//! What a job is told on its command line, from the run's options.
//! A job gets the filters, and the modes of its own stage only.

use crate::run::RunOptions;
use crate::stage::Stage;
use chrono::SecondsFormat;
use contract::name_list::escaped;
use contract::program;
use contract::run_id::RunId;
use contract::unit::Unit;

/// The arguments of one stage's job.
pub(crate) fn stage_arguments(stage: Stage, pipeline: &str, run_id: &RunId, options: &RunOptions) -> Vec<String> {
    let mut words = vec!["--pipeline".to_owned(), pipeline.to_owned(), "--run-id".to_owned(), run_id.to_string()];
    words.extend(filters(options));
    words.extend(modes(stage, options));
    words
}

pub(crate) fn filters(options: &RunOptions) -> Vec<String> {
    let filters = [("--source", &options.sources), ("--account", &options.accounts), ("--stream", &options.streams)];
    filters.iter().flat_map(|(flag, names)| names.iter().map(move |name| filter(flag, name))).collect()
}

/// One word: a name that begins with a dash, or holds a comma, stays a name.
fn filter(flag: &str, name: &str) -> String {
    format!("{flag}={}", escaped(name))
}

fn modes(stage: Stage, options: &RunOptions) -> Vec<String> {
    let confirm = ("--confirm", Stage::CONFIRM.contains(&stage));
    let modes = match stage {
        Stage::Extract => vec![("--full-refresh", options.full_refresh)],
        Stage::ConfirmExtract => vec![confirm],
        Stage::Load | Stage::ConfirmLoad => vec![
            confirm,
            ("--allow-mass-delete", options.allow_mass_delete),
            ("--force", options.force),
            ("--rewrite", options.rewrite),
            ("--take-over", options.take_over),
        ],
    };
    let mut words: Vec<String> = modes.into_iter().filter(|(_, set)| *set).map(|(flag, _)| flag.to_owned()).collect();
    if let (Stage::Extract, Some((from, to))) = (stage, options.window) {
        for (flag, at) in [("--from", from), ("--to", to)] {
            words.extend([flag.to_owned(), at.to_rfc3339_opts(SecondsFormat::AutoSi, true)]);
        }
    }
    words
}

/// The command line that goes on with a run whose tasks are at work, as the user would type it: they are joined only by the same order.
pub(crate) fn join_again(pipeline: &str, run_id: &RunId, options: &RunOptions) -> String {
    let mut words = vec![go_on(pipeline, run_id)];
    if let Some(stage) = options.only {
        words.push(format!("--only {stage}"));
    }
    let modes = Stage::FIRST.into_iter().flat_map(|stage| modes(stage, options));
    words.extend(filters(options).into_iter().chain(modes).map(|word| shell_word(&word)));
    words.join(" ")
}

/// The command line that loads a run again, as the user would type it.
pub(crate) fn load_again(pipeline: &str, run_id: &RunId) -> String {
    format!("{} --only load --run-id {run_id}", run_again(pipeline))
}

/// The options that name some streams of one account, as words of a command line.
pub(crate) fn only_these(units: &[&Unit]) -> String {
    let Some(first) = units.first() else { return String::new() };
    let mut words = vec![filter("--source", &first.source), filter("--account", &first.account)];
    words.extend(units.iter().map(|unit| filter("--stream", &unit.stream)));
    words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
}

/// The command line that goes on with a run, as the user would type it.
pub(crate) fn go_on(pipeline: &str, run_id: &RunId) -> String {
    format!("{} --run-id {run_id}", run_again(pipeline))
}

/// The command line that runs a pipeline, as the user would type it.
pub(crate) fn run_again(pipeline: &str) -> String {
    format!("{} run --pipeline {}", program::orchestrator(), shell_word(pipeline))
}

/// A text as one word of a POSIX shell.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':' | '=' | '@' | '%' | '+' | ',');
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ID: &str = "20260131T235900Z-a1b2c3";

    fn words(stage: Stage, options: &RunOptions) -> String {
        stage_arguments(stage, "p.yaml", &ID.parse().unwrap(), options).join(" ")
    }

    #[test]
    fn each_stage_gets_its_own_modes() {
        let all = RunOptions {
            sources: vec!["s1".into(), "s2".into()],
            accounts: vec!["-a".into()],
            streams: vec!["jobs".into(), "Leads, new".into()],
            window: Some(("2026-01-01T00:00:00Z".parse().unwrap(), "2026-01-02T00:00:00.5Z".parse().unwrap())),
            allow_mass_delete: true,
            force: true,
            rewrite: true,
            take_over: true,
            ..RunOptions::default()
        };
        let common = format!("--pipeline p.yaml --run-id {ID} --source=s1 --source=s2 --account=-a --stream=jobs");
        let common = format!(r"{common} --stream=Leads\, new");
        let window = "--from 2026-01-01T00:00:00Z --to 2026-01-02T00:00:00.500Z";
        let refresh = RunOptions { full_refresh: true, ..RunOptions::default() };
        let table = [
            (Stage::Extract, &RunOptions::default(), format!("--pipeline p.yaml --run-id {ID}")),
            (Stage::Extract, &all, format!("{common} {window}")),
            (Stage::Load, &all, format!("{common} --allow-mass-delete --force --rewrite --take-over")),
            (Stage::Extract, &refresh, format!("--pipeline p.yaml --run-id {ID} --full-refresh")),
            (Stage::Load, &refresh, format!("--pipeline p.yaml --run-id {ID}")),
        ];
        for (stage, options, expected) in table {
            assert_eq!(words(stage, options), expected, "{stage}");
        }
    }

    #[test]
    fn the_same_order_is_shown_again() {
        let options = RunOptions {
            only: Some(Stage::Load),
            accounts: vec!["a b".into()],
            force: true,
            wait: true,
            ..RunOptions::default()
        };
        let expected = format!("orchestrator run --pipeline p.yaml --run-id {ID} --only load '--account=a b' --force");
        assert_eq!(join_again("p.yaml", &ID.parse().unwrap(), &options), expected);
    }

    #[test]
    fn shown_commands_can_be_pasted() {
        for (text, word) in [("a/b.yaml", "a/b.yaml"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("", "''")] {
            assert_eq!(shell_word(text), word);
        }
    }
}
