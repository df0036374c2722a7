//! A program under test, as a process: an environment without the caller's settings, and what came of it.

use std::process::{Command, Output};

/// How the names of variables begin that the programs read.
const SETTINGS: [&str; 2] = ["DRAYAGE_", "CLOUD_RUN_"];

/// Takes the caller's settings out of a command's environment: those of the programs, and variables whose names begin with one of `own`.
/// Waits between tries are made short: they are not what is tested.
pub fn clean(command: &mut Command, own: &[&str]) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if SETTINGS.iter().chain(own).any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command.env("DRAYAGE_WAIT_FACTOR", "0.001");
}

/// A program that has ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; none if a signal has ended it.
    pub code: Option<i32>,
    /// What it said on standard output.
    pub out: String,
    /// What it said on standard error.
    pub err: String,
}

impl Ended {
    /// What a command has come to.
    pub fn of(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Both outputs, as they are.
    pub fn text(&self) -> String {
        format!("{}\n{}", self.out, self.err)
    }

    /// Asserts the exit code, and that nothing has panicked.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.text());
        assert!(!self.text().contains("panicked"), "{}", self.text());
        self
    }

    /// Asserts that it has said this, on either output.
    ///
    /// # Panics
    /// When it has not.
    #[track_caller]
    pub fn says(&self, part: &str) {
        assert!(self.text().contains(part), "it does not say `{part}`:\n{}", self.text());
    }

    /// Asserts that it has said all of these.
    ///
    /// # Panics
    /// When it has not.
    #[track_caller]
    pub fn says_all(&self, parts: &[&str]) {
        for part in parts {
            self.says(part);
        }
    }
}
