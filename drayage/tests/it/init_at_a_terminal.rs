//! `drayage init` as a person types it, in a terminal that shows what is typed unless the program tells it not to.

use crate::world::{APP_KEY, CLIENT_ID, SECRET, TENANT, World, clean};
use rexpect::process::WaitStatus;
use rexpect::session::{Options, PtySession, spawn_with_options};
use sandbox::fault::{Fault, FaultAction};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longer than any answer takes; a prompt that never comes fails the test then.
const PATIENCE_MS: u64 = 60_000;
const ENTER: &str = "\r";

/// A terminal with the program in it, and all that it has shown.
struct Screen {
    session: PtySession,
    shown: String,
}

impl Screen {
    fn start(world: &World, arguments: &[&str]) -> Self {
        // rexpect turns the echo off, which would hide a secret that the program does not hide.
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "stty sane rows 40 columns 200; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_drayage"),
            "init",
        ]);
        clean(&mut command);
        command.args(arguments).current_dir(world.folder()).env("TERM", "xterm").env("NO_COLOR", "1");
        let options = Options::new().timeout_ms(Some(PATIENCE_MS)).strip_ansi_escape_codes(true);
        Self { session: spawn_with_options(command, options).unwrap(), shown: String::new() }
    }

    /// Waits for a text, and types once it is there.
    #[track_caller]
    fn answer(&mut self, question: &str, keys: &str) -> &mut Self {
        self.sees(question);
        self.types(keys)
    }

    #[track_caller]
    fn sees(&mut self, text: &str) -> &mut Self {
        match self.session.exp_string(text) {
            Ok(before) => self.shown.push_str(&format!("{before}{text}")),
            Err(error) => panic!("`{text}` does not come: {error}\n{}", self.shown),
        }
        self
    }

    fn types(&mut self, keys: &str) -> &mut Self {
        self.session.send(keys).unwrap();
        self.session.flush().unwrap();
        self
    }

    /// Waits for the end; returns the exit code and all that was shown.
    #[track_caller]
    fn end(mut self) -> (i32, String) {
        match self.session.exp_eof() {
            Ok(rest) => self.shown.push_str(&rest),
            Err(error) => panic!("it does not end: {error}\n{}", self.shown),
        }
        match self.session.process().wait().unwrap() {
            WaitStatus::Exited(_, code) => (code, self.shown),
            other => panic!("{other:?}\n{}", self.shown),
        }
    }
}

/// No piece of a secret is there, however small.
#[track_caller]
fn assert_hidden(shown: &str) {
    for secret in [SECRET, APP_KEY] {
        let characters: Vec<char> = secret.chars().collect();
        for piece in characters.windows(6) {
            let piece: String = piece.iter().collect();
            assert!(!shown.contains(&piece), "`{piece}` is shown:\n{shown}");
        }
    }
}

#[test]
fn answers_make_a_pipeline_and_load_a_first_stream() {
    let world = World::new();
    let url = world.api.url();
    let mut screen = Screen::start(&world, &[]);
    screen.answer("What do you want to read?", "servicet").answer("ServiceTitan", ENTER);
    screen.answer("A short name for the account", "acme hvac\r");
    screen.answer("use letters, digits", "\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}-hvac\r");
    screen.answer("Tenant ID", &format!("{TENANT}\r"));
    screen.answer("Client ID", &format!("{CLIENT_ID}\r"));
    screen.answer("Client secret", ENTER).sees("required");
    screen.types(&format!("{SECRET}\r"));
    screen.answer("Application key", &format!("{APP_KEY}\r"));
    screen.answer("Set optional settings?", "y\r");
    screen.answer("Environment", ENTER);
    screen.answer("Page size", "9000\r").answer("must be at most 5000", "\u{7f}\u{7f}\u{7f}\u{7f}20\r");
    screen.answer("API address", &format!("{url}\r"));
    screen.answer("Login address", &format!("{url}\r"));
    screen.answer("First day", ENTER);
    screen.answer("Reports", ENTER);
    screen.answer("Which streams?", ENTER).sees("choose at least one");
    screen
        .types("campaigns ")
        .sees("[x] campaigns")
        .types("business_u ")
        .types(ENTER)
        .sees("business_units, campaigns");
    screen.sees("Written: .gitignore, .env, pipeline.schema.json, pipeline.yaml");
    screen.sees("connected").answer("Load a stream now", ENTER);
    screen.sees("Next");
    let (code, shown) = screen.end();
    assert_eq!(code, 0, "{shown}");
    assert_hidden(&shown);
    assert_eq!(world.rows("data/warehouse.duckdb", "business_units"), world.records("business_units"));
    let file = world.text("pipeline.yaml");
    assert!(file.contains("page_size: 20") && !file.contains("environment: "), "{file}");
    world.assert_secrets_only_in_dotenv(&[&shown]);
}

#[test]
fn flags_leave_only_the_rest_to_be_asked() {
    let world = World::new();
    let settings = world.settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let flags = ["servicetitan", "--account", "acme-hvac", "--no-connect"];
    let mut screen = Screen::start(&world, &[&flags[..], &settings].concat());
    screen.answer("Set optional settings?", ENTER);
    screen.answer("Which streams?", "jobs ").types("jobs_ex ").types(ENTER).sees("jobs, jobs_export");
    screen.sees("the same records are read twice").answer("Read them all the same?", ENTER);
    screen.answer("Which streams?", "jobs_ex ").types(ENTER);
    let (code, shown) = screen.end();
    assert_eq!(code, 0, "{shown}");
    let file = world.text("pipeline.yaml");
    assert!(file.contains("- jobs_export") && !file.contains("- jobs "), "{file}");
}

#[test]
fn who_gives_up_leaves_nothing_behind() {
    let world = World::new();
    for key in ["\u{3}", "\u{1b}"] {
        let mut screen = Screen::start(&world, &["servicetitan", "--account", "acme"]);
        screen.answer("Tenant ID", &format!("{TENANT}\r"));
        screen.answer("Client ID", "x\r").answer("Client secret", "hush").types(key);
        let (code, shown) = screen.end();
        assert_eq!(code, 1, "{shown}");
        assert!(shown.contains("error: stopped: nothing was written"), "{shown}");
        assert_eq!(world.names(), Vec::<String>::new());
    }
    // What is wrong with the flags is told before anything is asked.
    let (code, shown) = Screen::start(&world, &["servicetitan", "--set", "page_size=many"]).end();
    assert!(code == 2 && shown.contains("expected an integer") && !shown.contains("Tenant ID"), "{code} {shown}");
    // With --no-input nobody is asked, terminal or not.
    let (code, shown) = Screen::start(&world, &["servicetitan", "--no-input"]).end();
    assert!(code == 2 && shown.contains("--set tenant_id=VALUE"), "{code} {shown}");
}

#[test]
fn ctrl_c_stops_the_check_and_the_files_stay() {
    let world = World::new();
    world.api.script(Fault::once("/connect/token", FaultAction::Hang(Duration::from_millis(PATIENCE_MS))));
    let settings = world.settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let flags = ["servicetitan", "--account", "acme-hvac", "--stream", "campaigns"];
    let mut screen = Screen::start(&world, &[&flags[..], &settings].concat());
    screen.answer("Set optional settings?", ENTER).sees("$ drayage check --connect");
    let start = Instant::now();
    while world.api.requests().is_empty() {
        assert!(start.elapsed() < Duration::from_millis(PATIENCE_MS), "the check asks for nothing");
        std::thread::sleep(Duration::from_millis(5));
    }
    screen.types("\u{3}").sees("The files are written, but this failed");
    let (code, shown) = screen.end();
    assert_eq!(code, 1, "{shown}");
    assert!(world.path("pipeline.yaml").exists() && world.path(".env").exists());
}

#[test]
fn a_key_of_several_lines_can_be_pasted() {
    let world = World::new();
    let manifest = "type: DeclarativeSource\ncheck: {type: CheckStream, stream_names: [things]}\nstreams:\n  - type: DeclarativeStream\n    \
                    name: things\n    primary_key: [id]\n    retriever:\n      requester: {url_base: \"https://a.example\", path: /}\n      \
                    record_selector: {extractor: {field_path: []}}\nspec:\n  type: Spec\n  connection_specification:\n    type: object\n    \
                    required: [key]\n    properties: {key: {type: string, title: The key, airbyte_secret: true}}\n";
    fs::write(world.path("m.yaml"), manifest).unwrap();
    let mut screen = Screen::start(&world, &["m.yaml", "--account", "a", "--stream", "things", "--no-connect"]);
    screen.answer("The key", "\u{1b}[200~-----BEGIN KEY-----\nhush'hush\n-----END KEY-----\n\u{1b}[201~").types(ENTER);
    let (code, shown) = screen.end();
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains("hush") && !shown.contains("BEGIN"), "{shown}");
    let dotenv = contract::secret::Dotenv::beside(world.folder()).unwrap();
    assert_eq!(dotenv.get("A_KEY").unwrap().expose(), "-----BEGIN KEY-----\nhush'hush\n-----END KEY-----");
}
