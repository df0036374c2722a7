//! What is looked at before a program stays up, and before a request becomes a run: the whole file, the programs, connectors, settings
//! and secrets, and names that are not there. What is wrong is said at once, not at the first run of the night.

use crate::error::RunError;
use crate::launcher::Launcher;
use crate::launcher::ask::Asked;
use crate::launcher::local::LocalLauncher;
use crate::run::RunOptions;
use crate::stage::Stage;
use crate::{launcher, trigger};
use contract::pipeline::{LauncherEntry, Pipeline, did_you_mean};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Checks all that runs with these options will need. What cannot be found out now is warned about.
///
/// # Errors
/// Everything that is wrong.
pub(crate) async fn check(path: &str, pipeline: &Pipeline, options: &RunOptions) -> Result<(), RunError> {
    pipeline.select(&options.sources, &options.accounts).map_err(RunError::Usage)?;
    trigger::slack_webhook(pipeline).await?;
    let programs = LocalLauncher::from_environment(Vec::new())?;
    let is_elsewhere = runs_elsewhere(pipeline);
    if is_elsewhere {
        launcher::choose(pipeline)?;
    } else {
        let stages = options.only.map_or_else(|| Stage::FIRST.to_vec(), |stage| vec![stage]);
        programs.prepare(&stages).await?;
    }
    if options.only == Some(Stage::Load) {
        return Ok(());
    }
    let mut arguments = words(path, options);
    if is_elsewhere {
        arguments.push("--without-secrets".into());
    }
    let asked = match programs.ask("check", &arguments).await {
        // The image of this program may be without the extract's.
        Err(error) if is_elsewhere => Asked::Unknown(error.to_string()),
        asked => asked?,
    };
    match asked {
        Asked::Said(_) if is_elsewhere => {
            tracing::info!(
                "what can be seen here of connectors and settings is in order; the secrets of sources are the extract job's, and were not looked up"
            );
            Ok(())
        }
        Asked::Said(_) => Ok(()),
        Asked::Wrong(what) => Err(RunError::Usage(what)),
        Asked::Unknown(why) => {
            tracing::warn!(why, "the connectors and secrets could not be checked; runs will tell what is wrong");
            Ok(())
        }
    }
}

/// What a request names that is not there, with the nearest name; `None` also where it cannot be known before the run.
pub(crate) async fn unknown_name(path: &str, pipeline: &Pipeline, options: &RunOptions) -> Option<String> {
    let sources = || pipeline.sources.iter().map(|source| source.name.as_str());
    let ids = || pipeline.sources.iter().flat_map(|source| source.accounts.iter().map(|account| account.id.as_str()));
    let of_sources = unknown("sources", "source", &options.sources, &sources().collect());
    let of_accounts = || unknown("accounts", "account", &options.accounts, &ids().collect());
    if let Some(message) = of_sources.or_else(of_accounts) {
        return Some(message);
    }
    // Which streams a run has that is only loaded is in its plan.
    if options.streams.is_empty() || options.only == Some(Stage::Load) {
        return None;
    }
    let pairs = pipeline.select(&options.sources, &options.accounts).ok()?;
    let mut names: BTreeSet<String> = BTreeSet::new();
    let is_listed = pairs.iter().all(|(source, _)| source.streams.is_some());
    if is_listed {
        names.extend(pairs.iter().flat_map(|(source, _)| source.streams.iter().flatten().map(|s| s.name.clone())));
    } else {
        let mut arguments = words(path, &RunOptions { streams: Vec::new(), ..options.clone() });
        arguments.extend(["--output".to_owned(), "json".to_owned()]);
        if runs_elsewhere(pipeline) {
            // What the settings of an account make is not known here.
            return None;
        }
        let programs = LocalLauncher::from_environment(Vec::new()).ok()?;
        let Asked::Said(text) = programs.ask("streams", &arguments).await.ok()? else { return None };
        let lines: Vec<StreamLine> = serde_json::from_str(&text).ok()?;
        names.extend(lines.into_iter().map(|line| line.stream));
    }
    unknown("streams", "stream", &options.streams, &names.iter().map(String::as_str).collect())
}

/// A line of `streams --output json`; the rest of it is of no use here.
#[derive(Debug, Deserialize)]
struct StreamLine {
    stream: String,
}

fn unknown(key: &str, what: &str, wanted: &[String], known: &BTreeSet<&str>) -> Option<String> {
    let name = wanted.iter().find(|name| !known.contains(name.as_str()))?;
    Some(format!("`{key}`: there is no {what} `{name}`{}", did_you_mean(name, known.iter().copied())))
}

/// Whether the jobs run where they have secrets of their own, which this process must not know.
fn runs_elsewhere(pipeline: &Pipeline) -> bool {
    matches!(pipeline.orchestrator.launcher, LauncherEntry::Map(_))
}

fn words(path: &str, options: &RunOptions) -> Vec<String> {
    let mut words = vec!["--pipeline".to_owned(), path.to_owned()];
    words.extend(crate::arguments::filters(options));
    words
}
