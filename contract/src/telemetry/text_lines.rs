//! The fields of a log line as people read them. They hold pieces of answers and manifests, which must not act on the terminal.

use super::plain::message;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

/// The message, then `name=value` for each further field.
pub(super) fn fields() -> impl for<'a> FormatFields<'a> + 'static {
    debug_fn(|writer: &mut Writer<'_>, field: &Field, value: &dyn std::fmt::Debug| {
        let text = message(&format!("{value:?}"));
        if field.name() == "message" { write!(writer, "{text}") } else { write!(writer, "{}={text}", field.name()) }
    })
    .delimited(" ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_message_from_outside_forges_no_line_and_rings_no_bell() {
        let lines = Lines::default();
        let into = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || into.clone())
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .fmt_fields(super::fields())
            .finish();
        let evil = "\u{1b}[2J\u{7}gone\r\n INFO all is well\u{9b}31m\u{202e}";
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(reason = %evil, account = "a\u{1b}b", count = 3, "{evil}");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(!text.chars().any(|c| c.is_control() && c != '\n') && !text.contains('\u{202e}'), "{text:?}");
        assert!(text.contains(" WARN \u{fffd}[2J\u{fffd}gone\n     INFO all is well"), "{text:?}");
        assert!(text.contains(" count=3"), "{text:?}");
    }
}
