//! Questions on a terminal, drawn on standard error. The terminal stays in raw mode for as long as a question is open: a backend that
//! leaves it between two keys would let the terminal itself show pieces of a secret that is typed fast or pasted.

use super::ask::{Ask, Check, Question};
use super::stop::Stop;
use contract::secret::Secret;
use inquire::list_option::ListOption;
use inquire::validator::Validation;
use inquire::{Confirm, InquireError, MultiSelect, Password, PasswordDisplayMode, Select, Text};
use std::io::{IsTerminal, stderr, stdin};

/// Lines of a list that are shown at once.
const PAGE: usize = 12;
/// Characters of a line of help, on the narrowest terminal that is common.
const WIDTH: usize = 76;
/// More chosen entries than this are counted instead of named.
const NAMED: usize = 8;

/// A person at a terminal.
#[derive(Debug)]
pub(crate) struct Terminal(());

impl Terminal {
    /// The terminal that this program was started from, if there is one.
    pub(crate) fn open() -> Option<Self> {
        (stdin().is_terminal() && stderr().is_terminal()).then_some(Self(()))
    }
}

impl Ask for Terminal {
    fn text(&mut self, question: &Question, default: Option<&str>, check: Check) -> Result<String, Stop> {
        let help = help(question);
        let mut prompt = Text::new(&question.title).with_validator(move |text: &str| Ok(judged(&check, text)));
        prompt.help_message = help.as_deref();
        prompt.default = default;
        answer(prompt.prompt())
    }

    fn secret(&mut self, question: &Question, check: Check) -> Result<Secret, Stop> {
        let help = help(question);
        let mut prompt = Password::new(&question.title)
            .with_display_mode(PasswordDisplayMode::Masked)
            .without_confirmation()
            .with_validator(move |text: &str| Ok(judged(&check, text)));
        prompt.help_message = help.as_deref();
        answer(prompt.prompt()).map(Secret::new)
    }

    fn confirm(&mut self, question: &Question, default: bool) -> Result<bool, Stop> {
        let help = help(question);
        let mut prompt = Confirm::new(&question.title).with_default(default);
        prompt.help_message = help.as_deref();
        answer(prompt.prompt())
    }

    fn choose(&mut self, question: &Question, options: &[String], first: usize) -> Result<usize, Stop> {
        let help = help(question);
        let mut prompt = Select::new(&question.title, options.to_vec())
            .with_starting_cursor(first)
            .with_page_size(PAGE)
            .with_formatter(&|chosen| name_of(chosen.value).to_owned());
        prompt.help_message = help.as_deref().or(prompt.help_message);
        answer(prompt.raw_prompt()).map(|chosen| chosen.index)
    }

    fn choose_some(&mut self, question: &Question, options: &[String]) -> Result<Vec<usize>, Stop> {
        let some = |chosen: &[ListOption<&String>]| {
            Ok(if chosen.is_empty() { Validation::Invalid("choose at least one".into()) } else { Validation::Valid })
        };
        let prompt = MultiSelect::new(&question.title, options.to_vec())
            .with_help_message(&question.help)
            .with_page_size(PAGE)
            .with_keep_filter(false)
            .with_scorer(&score)
            .with_formatter(&named)
            .with_validator(some);
        answer(prompt.raw_prompt()).map(|chosen| chosen.into_iter().map(|option| option.index).collect())
    }

    fn tell(&mut self, text: &str) {
        eprintln!("{text}");
    }
}

/// The help, in lines that end between two words: the terminal would break it anywhere.
fn help(question: &Question) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in question.help.split_whitespace() {
        match lines.last_mut().filter(|line| line.chars().count() + 1 + word.chars().count() <= WIDTH) {
            Some(line) => line.extend([" ", word]),
            None => lines.push(word.to_owned()),
        }
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn judged(check: &Check, text: &str) -> Validation {
    check(text).map_or_else(|reason| Validation::Invalid(reason.into()), |()| Validation::Valid)
}

fn answer<T>(answered: Result<T, InquireError>) -> Result<T, Stop> {
    match answered {
        Ok(answer) => Ok(answer),
        Err(InquireError::OperationCanceled | InquireError::OperationInterrupted) => Err(Stop::Cancelled),
        Err(error) => Err(anyhow::Error::new(error).context("ask on the terminal").into()),
    }
}

/// How well an entry fits what was typed: its name itself first, then names that begin with it. Entries that fit alike keep their order.
fn score(typed: &str, _: &String, entry: &str, index: usize) -> Option<i64> {
    let typed = typed.trim().to_lowercase();
    let entry = entry.to_lowercase();
    let name = name_of(&entry);
    let rank = match () {
        () if name == typed => 3,
        () if name.starts_with(&typed) => 2,
        () if entry.contains(&typed) => 1,
        () => return None,
    };
    Some(rank * 1_000_000 - i64::try_from(index).unwrap_or_default())
}

/// What stands before the column that tells more.
fn name_of(entry: &str) -> &str {
    entry.split("  ").next().unwrap_or_default()
}

fn named(chosen: &[ListOption<&String>]) -> String {
    if chosen.len() > NAMED {
        return format!("{} chosen", chosen.len());
    }
    chosen.iter().map(|option| name_of(option.value)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn help_is_broken_between_words() {
        let long = "word ".repeat(40);
        let broken = help(&Question::new("", long.clone())).unwrap();
        assert!(broken.lines().count() == 3 && broken.lines().all(|line| line.len() <= WIDTH), "{broken}");
        assert_eq!(broken.replace('\n', " "), long.trim());
        assert_eq!(help(&Question::new("x", " ")), None);
    }

    #[test]
    fn what_is_typed_brings_the_best_name_to_the_top() {
        let entries = ["appointments  snapshot", "jobs_export  incremental", "jobs  incremental", "old_jobs  snapshot"];
        for (typed, expected) in [
            ("jobs", vec!["jobs", "jobs_export", "old_jobs"]),
            ("JOBS_", vec!["jobs_export"]),
            ("snap", vec!["appointments", "old_jobs"]),
            ("", vec!["appointments", "jobs_export", "jobs", "old_jobs"]),
            ("x y", vec![]),
        ] {
            let mut fit: Vec<(i64, &str)> = entries
                .iter()
                .enumerate()
                .filter_map(|(index, entry)| Some((score(typed, &String::new(), entry, index)?, name_of(entry))))
                .collect();
            fit.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
            assert_eq!(fit.into_iter().map(|(_, name)| name).collect::<Vec<_>>(), expected, "{typed}");
        }
    }
}
