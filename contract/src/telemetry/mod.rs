//! Logs and progress of the three programs, on standard error: bars and readable lines on a terminal, JSON lines in Cloud Logging's
//! field names elsewhere. Results never go through here; they are printed to standard output.

mod bars;
mod event;
mod json_lines;
mod plain;
mod text_lines;

pub use event::Event;
pub use json_lines::log_line;
pub use plain::{harmless, one_line};

use bars::Bars;
use json_lines::{JsonLayer, ProgressLines};
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Seconds between two progress lines of a unit where there is no terminal.
const PROGRESS_EVERY: Duration = Duration::from_secs(30);

enum Renderer {
    Bars(Bars),
    Lines(ProgressLines),
}

static RENDERER: OnceLock<Renderer> = OnceLock::new();

/// Starts logs and progress for this process. `DRAYAGE_LOG` sets the filter (default `info`), `DRAYAGE_LOG_FORMAT=json|text` the form,
/// `DRAYAGE_PROGRESS_SECONDS` the time between progress lines. A second call does nothing.
pub fn init() {
    let terminal = match std::env::var("DRAYAGE_LOG_FORMAT").as_deref() {
        Ok("json") => false,
        Ok("text") => true,
        _ => std::io::stderr().is_terminal(),
    };
    let filter = EnvFilter::try_from_env("DRAYAGE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    if terminal {
        let bars = Bars::new();
        let writer = bars.clone();
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.line_writer())
            .with_target(false)
            .with_ansi(colour)
            .fmt_fields(text_lines::fields());
        let _ = registry.with(layer).try_init();
        let _ = RENDERER.set(Renderer::Bars(bars));
    } else {
        let _ = registry.with(JsonLayer).try_init();
        let seconds = std::env::var("DRAYAGE_PROGRESS_SECONDS").ok().and_then(|text| text.parse::<f64>().ok());
        let every =
            seconds.filter(|s| *s >= 0.0).and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or(PROGRESS_EVERY);
        let _ = RENDERER.set(Renderer::Lines(ProgressLines::new(every)));
    }
}

/// Shows an event. Without [`init`] (in tests) it is dropped.
pub fn emit(event: &Event) {
    match RENDERER.get() {
        Some(Renderer::Bars(bars)) => bars.show(event),
        Some(Renderer::Lines(lines)) => lines.show(event),
        None => {}
    }
}

/// Shows a line that a child process has logged: an event as an event, everything else as it is.
pub fn relay(line: &str) {
    match (RENDERER.get(), serde_json::from_str::<Event>(line)) {
        (Some(Renderer::Bars(bars)), Ok(event)) => bars.show(&event),
        (Some(Renderer::Bars(bars)), Err(_)) => bars.print(&plain::message(&json_lines::readable(line))),
        _ => {
            let _ = writeln!(std::io::stderr().lock(), "{}", harmless(line));
        }
    }
}

/// Prints a text to standard output without tearing a bar. It may hold pieces from outside: what acts on a terminal is left out.
pub fn print(line: &str) {
    let line = harmless(line);
    let out = || {
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    };
    match RENDERER.get() {
        Some(Renderer::Bars(bars)) => bars.suspend(out),
        _ => out(),
    }
}
