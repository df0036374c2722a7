//! Waiting for a file that another program has open: somebody looks at the tables, or another pipeline loads into the same file.
//! DuckDB itself gives up at once.

use crate::warehouse::WarehouseError;
use contract::pipeline::Span;
use contract::shutdown::Shutdown;
use std::time::{Duration, Instant};

/// How long the file is waited for unless the pipeline file says otherwise.
const DEFAULT: Span = Span::seconds(300);
/// Between two tries.
const STEP: Duration = Duration::from_millis(250);

/// Opens the file as soon as nobody else has it open.
///
/// # Errors
/// It is in use for too long, work is to stop, or it cannot be opened.
pub(crate) fn open_when_free<T>(
    wait: Option<Span>,
    shutdown: &Shutdown,
    mut open: impl FnMut() -> Result<T, WarehouseError>,
) -> Result<T, WarehouseError> {
    let (begun, patience) = (Instant::now(), wait.unwrap_or(DEFAULT).duration());
    let mut told = None;
    loop {
        let error = match open() {
            Err(error @ WarehouseError::InUse { .. }) => error,
            other => return other,
        };
        let WarehouseError::InUse { location, by } = &error else { return Err(error) };
        if begun.elapsed() >= patience || shutdown.is_requested() {
            return Err(error);
        }
        // Another one may have taken it over meanwhile.
        if told.as_ref() != Some(by) {
            tracing::warn!("waiting: {location} is open in {by}");
            told = Some(by.clone());
        }
        std::thread::sleep(STEP.min(patience));
    }
}
