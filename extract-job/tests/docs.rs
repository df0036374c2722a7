//! The docs kept true: the tables of streams follow from the manifests, the examples of pipeline files are checked against the connectors,
//! and the guide for authors does what it shows, block by block. `UPDATE_DOCS=1` writes the tables anew.

use contract::secret::{Secret, SecretSource};
use extract_job::{Selection, StreamLine, list_streams};
use sandbox::gong::{self, Gong};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Settings that are good enough to list the streams.
const CONNECTORS: [(&str, &str); 5] = [
    ("servicetitan", "{tenant_id: '1', client_id: a, client_secret: a, app_key: a}"),
    ("zoho_salesiq", "{screen_name: a, client_id: a, client_secret: a, refresh_token: a}"),
    ("gong", "{access_key: a, access_key_secret: a}"),
    ("callio", "{email: a@example.com, password: a, start_date: '2026-01-01'}"),
    ("gaio_social", "{api_url: 'https://api.example.com', token: a, start_date: '2026-01-01'}"),
];
const BEGIN: &str = "<!-- streams -->\n";
const END: &str = "<!-- /streams -->";
/// Where the guide's stand-in listens.
const ADDRESS: &str = "http://127.0.0.1:8080";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every secret there is, and none of them worth anything.
struct MadeUp;

impl SecretSource for MadeUp {
    fn env(&self, _name: &str) -> Option<String> {
        Some("a".into())
    }

    fn file(&self, _path: &Path) -> std::io::Result<String> {
        Ok("a".into())
    }

    fn secret(&self, _name: &str) -> Option<Result<Secret, String>> {
        Some(Ok(Secret::new("a")))
    }
}

async fn streams_of(pipeline: &str) -> Result<Vec<StreamLine>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipeline.yaml");
    std::fs::write(&path, pipeline).unwrap();
    let listed = list_streams(path.to_str().unwrap(), &Selection::default(), &MadeUp).await;
    listed.map_err(|error| error.to_string())
}

/// A pipeline file around the `sources` of an example.
fn with_places(sources: &str) -> String {
    format!("landing: ./landing\nwarehouse: {{type: duckdb, path: ./w.duckdb}}\n{sources}")
}

/// The table of a connector's streams. A feed (`jobs_export`) stands beside the list of the same records, and has the same key.
fn table(streams: &[StreamLine]) -> String {
    let feed_of = |name: &str| streams.iter().find(|stream| stream.stream == format!("{name}_export"));
    let has_feeds = streams.iter().any(|stream| feed_of(&stream.stream).is_some());
    let mut text = format!("{} streams.\n\n| stream | mode | key |", streams.len());
    text.push_str(if has_feeds {
        " feed (incremental) |\n| --- | --- | --- | --- |\n"
    } else {
        "\n| --- | --- | --- |\n"
    });
    for stream in streams {
        let list = stream.stream.strip_suffix("_export");
        if list.is_some_and(|list| streams.iter().any(|other| other.stream == list)) {
            continue;
        }
        let key: Vec<String> = stream.primary_key.iter().map(|field| format!("`{field}`")).collect();
        let key = if key.is_empty() { "none".to_owned() } else { key.join(", ") };
        let _ = write!(text, "| `{}` | {} | {key} |", stream.stream, stream.mode);
        if has_feeds {
            let feed = feed_of(&stream.stream);
            // What the row says of the list must hold for the feed too.
            assert!(feed.is_none_or(|feed| feed.mode == "incremental" && feed.primary_key == stream.primary_key));
            let _ = write!(text, "{} |", feed.map(|feed| format!(" `{}`", feed.stream)).unwrap_or_default());
        }
        text.push('\n');
    }
    text
}

#[tokio::test]
async fn the_tables_of_streams_are_those_of_the_manifests() {
    for (connector, config) in CONNECTORS {
        let sources = format!("sources: [{{connector: {connector}, accounts: [{{id: a, config: {config}}}]}}]\n");
        let streams = streams_of(&with_places(&sources)).await.unwrap_or_else(|error| panic!("{connector}: {error}"));
        let path = format!("docs/connectors/{connector}.md");
        let page = read(&path);
        let (before, rest) = page.split_once(BEGIN).unwrap_or_else(|| panic!("{path} has no `{BEGIN}`"));
        let (have, after) = rest.split_once(END).unwrap_or_else(|| panic!("{path} has no `{END}`"));
        let expected = table(&streams);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(root().join(&path), format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        } else {
            assert!(have == expected, "{path} is stale: run this test with UPDATE_DOCS=1. It should hold:\n{expected}");
        }
        if connector == "servicetitan" {
            let count = format!("{} streams", streams.len());
            assert!(read("README.md").contains(&count), "README.md does not say that {connector} has {count}");
        }
    }
}

#[tokio::test]
async fn the_examples_of_pipeline_files_are_taken() {
    let pages = ["README.md", "docs/connectors/README.md"].map(str::to_owned).into_iter();
    for path in pages.chain(CONNECTORS.map(|(connector, _)| format!("docs/connectors/{connector}.md"))) {
        let mut seen = 0;
        for block in blocks(&read(&path)) {
            // Parts of a source that are not shown are of no interest to the part that is.
            let text = match block.text.split_once('\n') {
                Some((first, _)) if first.starts_with("landing:") => block.text.clone(),
                Some(("sources:", _)) => with_places(&block.text),
                Some((first, _)) if first.starts_with("  - connector:") => {
                    with_places(&format!("sources:\n{}", block.text))
                }
                _ => continue,
            };
            if block.info != "yaml" || !text.contains("sources:") {
                continue;
            }
            seen += 1;
            if let Err(error) = streams_of(&text).await {
                panic!("{path}:{}: {error}", block.line);
            }
        }
        assert!(seen > 0, "{path} shows no pipeline file");
    }
}

/// A fenced block of a page.
struct Block {
    /// What stands behind the fence.
    info: String,
    text: String,
    line: usize,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (line, text) in page.lines().enumerate() {
        match (text.trim_start().strip_prefix("```"), open) {
            (Some(info), false) => blocks.push(Block { info: info.into(), text: String::new(), line: line + 1 }),
            (None, true) => blocks.iter_mut().last().unwrap().text.extend([text, "\n"]),
            (None, false) => continue,
            (Some(_), true) => {}
        }
        open = text.trim_start().strip_prefix("```").map_or(open, |_| !open);
    }
    assert!(!open, "a block has no end");
    blocks
}

/// What the guide has built up so far.
struct Guide {
    folder: tempfile::TempDir,
    server: Gong,
    exports: String,
    commands: usize,
    /// The folder of [`DRAYAGE`].
    programs: tempfile::TempDir,
}

/// `drayage` hands these commands over to the library of this package, as its program does.
const DRAYAGE: &str = "#!/bin/sh\nif [ \"$1\" = extract ]; then shift; fi\nexec \"$EXTRACT_JOB\" \"$@\"\n";

impl Guide {
    /// Starts the stand-in as the page's command does, on a port of its own.
    async fn start(command: &str) -> Self {
        let arguments =
            command.trim().strip_prefix("cargo run -p sandbox -- gong ").expect("a command for the stand-in");
        let mut options = gong::Options::default();
        let words: Vec<&str> = arguments.split_whitespace().collect();
        for pair in words.chunks(2) {
            match pair {
                ["--port", port] => assert!(ADDRESS.ends_with(&format!(":{port}"))),
                ["--calls", calls] => options.calls = calls.parse().unwrap(),
                ["--requests-per-second", "0"] => options.requests_per_second = None,
                other => panic!("{other:?} is not known here"),
            }
        }
        let server = gong::start(options).await.unwrap();
        let programs = tempfile::tempdir().unwrap();
        let drayage = programs.path().join("drayage");
        std::fs::write(&drayage, DRAYAGE).unwrap();
        std::fs::set_permissions(&drayage, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), programs, server, exports: String::new(), commands: 0 }
    }

    fn write(&self, name: &str, text: &str, append: bool) {
        let path = self.folder.path().join(name);
        let before = if append { std::fs::read_to_string(&path).unwrap() } else { String::new() };
        std::fs::write(path, before + &text.replace(ADDRESS, &self.server.url())).unwrap();
    }

    /// Runs the commands of a block and compares what they print.
    fn console(&mut self, block: &Block) {
        let mut lines = block.text.lines().peekable();
        while let Some(line) = lines.next() {
            let command = line.strip_prefix("$ ").unwrap_or_else(|| panic!("line {}: no command: {line}", block.line));
            let mut expected = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                expected.push(line);
            }
            if command.starts_with("export ") {
                self.exports.extend([command, "\n"]);
                continue;
            }
            self.commands += 1;
            let (printed, succeeded) = self.run(command);
            let got: Vec<&str> = printed.lines().map(str::trim).collect();
            let fits = fits(&expected.iter().map(|line| line.trim()).collect::<Vec<_>>(), &got);
            assert!(succeeded && fits, "line {}: `{command}` (success: {succeeded}) printed\n{printed}", block.line);
        }
    }

    fn run(&self, command: &str) -> (String, bool) {
        let path = format!("{}:{}", self.programs.path().display(), std::env::var("PATH").unwrap_or_default());
        let output = Command::new("sh")
            .args(["-c", &format!("{}{command}", self.exports)])
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("EXTRACT_JOB", env!("CARGO_BIN_EXE_extract-job"))
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).replace(&self.server.url(), ADDRESS);
        let logged = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            eprintln!("{logged}");
        }
        (printed, output.status.success())
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_for_authors_does_what_it_shows() {
    let page = read("docs/connectors/writing.md");
    let mut all = blocks(&page).into_iter();
    let first = all.next().unwrap();
    assert_eq!(first.info, "sh stand-in");
    let mut guide = Guide::start(&first.text).await;
    for block in all {
        match block.info.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["yaml", name] if name.starts_with("file=") => guide.write(&name[5..], &block.text, false),
            ["yaml", name] if name.starts_with("append=") => guide.write(&name[7..], &block.text, true),
            // Building and the folder are the test's own affair; the variables are the page's.
            ["sh"] => {
                let exports = block.text.lines().filter(|line| line.starts_with("export "));
                exports.for_each(|line| guide.exports.extend([line, "\n"]));
            }
            // What the stand-in prints when Enter is pressed.
            ["text"] => {
                let generation = block.text.trim().strip_prefix("generation ").expect("a generation");
                guide.server.set_generation(generation.parse().unwrap());
            }
            ["console"] => guide.console(&block),
            other => panic!("line {}: nobody knows what to do with a block of {other:?}", block.line),
        }
    }
    assert!(guide.commands >= 10, "only {} commands", guide.commands);
}

/// Whether lines are as expected; `…` stands for anything in a line, and alone for any number of lines.
fn fits(expected: &[&str], got: &[&str]) -> bool {
    match expected.split_first() {
        None => got.is_empty(),
        Some((&"…", rest)) => (0..=got.len()).any(|skipped| fits(rest, &got[skipped..])),
        Some((line, rest)) => got.first().is_some_and(|have| line_fits(line, have)) && fits(rest, &got[1..]),
    }
}

fn line_fits(expected: &str, got: &str) -> bool {
    let Some((before, after)) = expected.split_once('…') else { return expected == got };
    let Some(rest) = got.strip_prefix(before) else { return false };
    let places = rest.char_indices().map(|(place, _)| place).chain([rest.len()]);
    places.into_iter().any(|place| line_fits(after, &rest[place..]))
}

#[test]
fn lines_that_differ_do_not_fit() {
    assert!(fits(&["a", "…", "c … d …"], &["a", "x", "y", "c 1 d 2 d 3"]));
    assert!(fits(&["…"], &[]));
    for (expected, got) in [
        (&["a"][..], &["a", "b"][..]),
        (&["a", "b"], &["a"]),
        (&["1…"], &["01"]),
        (&["…1"], &["12"]),
        (&["a…b…c"], &["a b"]),
        (&["…", "z"], &["y"]),
    ] {
        assert!(!fits(expected, got), "{expected:?} {got:?}");
    }
}
