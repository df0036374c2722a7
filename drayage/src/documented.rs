//! The commands of the docs, through the real parsers: a remedy that the programs do not take is none.

use crate::cli::Cli;
use clap::error::ErrorKind;
use clap::{Command, CommandFactory, Parser};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const PROGRAMS: [&str; 4] = ["drayage", "orchestrator", "extract-job", "load-job"];
/// Options that the docs name of other programs.
const OF_OTHERS: [&str; 3] = ["--args", "--gcs-source-staging-dir", "--no-default-features"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All pages, with their text.
fn pages() -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "SECURITY.md"].map(|name| root().join(name)).into();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    let read = |path: PathBuf| {
        (path.strip_prefix(root()).unwrap().display().to_string(), std::fs::read_to_string(path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

/// The code of a page with its line: the lines of its blocks, those that go on joined, and its spans.
fn code(page: &str) -> Vec<(usize, String)> {
    let (mut code, mut in_block, mut begun) = (Vec::new(), false, String::new());
    for (number, line) in page.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            begun.push_str(line.trim().strip_prefix("$ ").unwrap_or(line.trim()));
            if !begun.ends_with('\\') {
                code.push((number + 1, std::mem::take(&mut begun)));
            } else {
                begun.pop();
            }
        } else {
            code.extend(line.split('`').skip(1).step_by(2).map(|span| (number + 1, span.to_owned())));
        }
    }
    code
}

/// A line of a shell as words, up to a comment, a pipe or a redirection.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in line.chars() {
        match (character, quote) {
            (end, Some(open)) if end == open => quote = None,
            (_, Some(_)) => word.get_or_insert_default().push(character),
            ('"' | '\'', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            ('#', None) if word.is_none() => break,
            ('|' | '>' | ';' | '&', None) => {
                // The number of a stream that is redirected is no argument.
                word = word.filter(|word| character != '>' || word != "2");
                break;
            }
            (space, None) if space.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// A command of ours in a line of code, as words of `drayage`; nothing if it is none, or names a program alone.
fn command(line: &str) -> Option<Vec<String>> {
    let words = words(&line.replace("$PIPELINE", "gs://bucket/pipeline.yaml"));
    let (program, arguments) = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["gcloud", "run", "jobs", "execute", job, rest @ ..] => {
            let arguments = rest.iter().find_map(|word| word.strip_prefix("--args="))?;
            (*job, arguments.split(',').map(str::to_owned).collect())
        }
        [program, arguments @ ..] if PROGRAMS.contains(program) => {
            (*program, arguments.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        }
        _ => return None,
    };
    let first = arguments.first()?.clone();
    let is_command = Cli::command().find_subcommand(&first).is_some();
    let job = match program {
        "extract-job" if !is_command => Some("extract"),
        "load-job" => Some("load"),
        _ => None,
    };
    let of_drayage = ["drayage"].into_iter().chain(job).map(str::to_owned);
    Some(of_drayage.chain(arguments).collect())
}

/// What is wrong with a command; a name of one alone (`drayage run`) need only be known.
fn problem(words: &[String]) -> Option<String> {
    if let [_, name] = words
        && !name.starts_with('-')
    {
        return Cli::command().find_subcommand(name).is_none().then(|| format!("there is no command `{name}`"));
    }
    match Cli::try_parse_from(words) {
        Ok(_) => None,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => None,
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn every_command_of_the_docs_is_taken() {
    let (mut wrong, mut taken) = (Vec::new(), 0);
    for (page, text) in pages() {
        for (line, code) in code(&text) {
            let Some(words) = command(&code) else { continue };
            match problem(&words) {
                None => taken += 1,
                Some(problem) => wrong.push(format!("{page}:{line}: `{code}`: {problem}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(taken > 30, "only {taken} commands were found");
}

#[test]
fn every_option_of_the_docs_is_known() {
    fn options(command: &Command, into: &mut BTreeSet<String>) {
        into.extend(command.get_arguments().filter_map(|argument| Some(format!("--{}", argument.get_long()?))));
        command.get_subcommands().for_each(|command| options(command, into));
    }
    // `-- ` begins a comment of SQL.
    let is_option = |(_, code): &(usize, String)| code.starts_with("--") && !code.starts_with("-- ");
    let mut known = BTreeSet::from(OF_OTHERS.map(str::to_owned));
    options(&Cli::command(), &mut known);
    let mut wrong = Vec::new();
    for (page, text) in pages() {
        for (line, code) in code(&text).into_iter().filter(is_option) {
            let unknown = words(&code).into_iter().find(|word| word.starts_with("--") && !known.contains(word));
            wrong.extend(unknown.map(|option| format!("{page}:{line}: there is no option {option}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn commands_are_found_and_judged() {
    for (line, expected) in [
        ("drayage run --pipeline p.yaml # all", Some("drayage run --pipeline p.yaml")),
        ("drayage read --manifest m --config c 2>&1 >/dev/null | wc", Some("drayage read --manifest m --config c")),
        ("orchestrator run --pipeline 'a b'", Some("drayage run --pipeline a b")),
        ("load-job --dry-run", Some("drayage load --dry-run")),
        ("extract-job check --connect", Some("drayage check --connect")),
        (
            "gcloud run jobs execute extract-job --args=\"--pipeline,$PIPELINE\" --wait",
            Some("drayage extract --pipeline gs://bucket/pipeline.yaml"),
        ),
        ("gcloud run jobs execute orchestrator --wait", None),
        ("drayage", None),
        ("gcloud scheduler jobs run drayage", None),
    ] {
        assert_eq!(command(line).map(|words| words.join(" ")).as_deref(), expected, "{line}");
    }
    for (line, fits) in [
        ("drayage run", true),
        ("drayage ran", false),
        ("drayage run --from 2026-01-01 --to 2026-02-01", false),
        ("drayage run --pipeline p.yaml --from 2026-01-01 --to 2026-02-01", true),
        ("drayage run --pipeline p.yaml --form 2026-01-01", false),
        ("drayage init --help", true),
    ] {
        assert_eq!(problem(&command(line).unwrap()).is_none(), fits, "{line}");
    }
}
