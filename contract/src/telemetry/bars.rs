//! Progress on a terminal: one bar a unit, and log lines above them.
//! A unit that has ended leaves one line.

use super::event::Event;
use super::plain::message;
use crate::unit::Unit;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[derive(Clone)]
pub(super) struct Bars {
    all: MultiProgress,
    units: Arc<Mutex<HashMap<(String, Unit), ProgressBar>>>,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self { all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()), units: Arc::default() }
    }

    pub(super) fn show(&self, event: &Event) {
        let (stage, unit) = event.subject();
        let key = (stage.to_owned(), unit.clone());
        let mut units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::UnitStarted { total, .. } => {
                units.entry(key).or_insert_with(|| self.bar(stage, unit, *total));
            }
            Event::Progress { records, bytes, total, .. } => {
                let bar = units.entry(key).or_insert_with(|| self.bar(stage, unit, *total));
                if let Some(total) = total {
                    bar.set_length(*total);
                }
                bar.set_position(*records);
                bar.set_message(format!("{:.1} MB", *bytes as f64 / 1e6));
            }
            Event::RetryScheduled { .. } => self.print(&message(&event.message())),
            Event::UnitFinished { .. } => {
                if let Some(bar) = units.remove(&key) {
                    bar.finish_and_clear();
                    self.all.remove(&bar);
                }
                self.print(&message(&event.message()));
            }
        }
    }

    pub(super) fn print(&self, line: &str) {
        self.suspend(|| {
            let _ = writeln!(io::stderr().lock(), "{line}");
        });
    }

    pub(super) fn suspend(&self, work: impl FnOnce()) {
        self.all.suspend(work);
    }

    pub(super) fn line_writer(&self) -> LineWriter {
        LineWriter { bars: self.clone(), buffer: Vec::new() }
    }

    fn bar(&self, stage: &str, unit: &Unit, total: Option<u64>) -> ProgressBar {
        let bar = self.all.add(total.map_or_else(ProgressBar::no_length, ProgressBar::new));
        let template = "{spinner} {prefix} {human_pos} records {msg} {per_sec} [{elapsed}]";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(format!("{stage} {unit}"));
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// Collects one log line and prints it above the bars.
pub(super) struct LineWriter {
    bars: Bars,
    buffer: Vec<u8>,
}

impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        if !self.buffer.is_empty() {
            self.bars.print(String::from_utf8_lossy(&self.buffer).trim_end());
        }
    }
}
