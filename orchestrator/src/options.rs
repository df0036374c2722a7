//! What options of a run mean wherever they are given: on the command line or in a request.
//! What cannot be said together is refused before anything is read.

use crate::run::{RunChoice, RunOptions};
use crate::stage::Stage;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

/// How the one who gave the options spells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// `--full-refresh`.
    Flags,
    /// `full_refresh`, of a JSON object.
    Keys,
}

impl Spelling {
    fn of(self, option: &str) -> String {
        match self {
            Self::Flags => format!("--{}", option.replace('_', "-")),
            Self::Keys => format!("`{option}`"),
        }
    }

    fn with(self, option: &str, value: &str) -> String {
        match self {
            Self::Flags => format!("`--{} {value}`", option.replace('_', "-")),
            Self::Keys => format!("`{option}: {value}`"),
        }
    }
}

/// Why the options do not go together, if they do not.
pub(crate) fn conflict(options: &RunOptions, spelling: Spelling) -> Option<String> {
    let window = format!("{}/{}", spelling.of("from"), spelling.of("to"));
    let of_extract = [(spelling.of("full_refresh"), options.full_refresh), (window.clone(), options.window.is_some())];
    let of_load = [
        (spelling.of("allow_mass_delete"), options.allow_mass_delete),
        (spelling.of("force"), options.force),
        (spelling.of("rewrite"), options.rewrite),
        (spelling.of("take_over"), options.take_over),
    ];
    let (useless, stage) = match options.only {
        Some(Stage::Extract | Stage::ConfirmExtract) => (&of_load[..], Stage::Load),
        Some(Stage::Load | Stage::ConfirmLoad) => (&of_extract[..], Stage::Extract),
        None => (&[][..], Stage::Extract),
    };
    if let Some((option, _)) = useless.iter().find(|(_, set)| *set) {
        let only = if spelling == Spelling::Flags { "`--only`".to_owned() } else { spelling.of("only") };
        return Some(format!("{option} concerns the {stage}, which {only} leaves out"));
    }
    if options.full_refresh && options.window.is_some() {
        return Some(format!("{} and {window} exclude each other", spelling.of("full_refresh")));
    }
    if options.window.is_some_and(|(from, to)| from >= to) {
        return Some(format!("{} must be before {}", spelling.of("from"), spelling.of("to")));
    }
    if options.run_id == Some(RunChoice::Latest) && options.only != Some(Stage::Load) {
        let (latest, load) = (spelling.with("run_id", "latest"), spelling.with("only", "load"));
        return Some(format!("{latest} goes with {load}: a run that extracts gets an id of its own"));
    }
    None
}

/// A time as users write it: RFC 3339, or a date for its midnight in UTC.
///
/// # Errors
/// What was expected.
pub(crate) fn parse_instant(text: &str) -> Result<DateTime<Utc>, String> {
    let date = || text.parse::<NaiveDate>().map(|date| date.and_time(NaiveTime::MIN).and_utc());
    let instant = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).or_else(|_| date());
    instant.map_err(|_| "expected a time like 2026-01-31T00:00:00Z, or a date".into())
}
