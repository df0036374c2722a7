//! Records that cannot be loaded: counted, kept aside in a temporary file, and stored under `rejects/` with their reasons.
//! One line a record: its reason, and the record as it was (text, where it is no JSON).

use contract::landing::{Landing, LandingError, paths};
use contract::round::RunRound;
use contract::unit::Unit;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::value::RawValue;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use tokio::runtime::Handle;

/// The rejects of one batch.
#[derive(Default)]
pub(super) struct Rejects {
    /// How many.
    pub(super) count: u64,
    /// Why the first one was rejected.
    pub(super) first_reason: Option<String>,
    /// How many of them have a key that does not fit its column: to leave those out is no way to go on.
    pub(super) misfits: u64,
    /// What is wrong with the first of those.
    pub(super) first_misfit: Option<String>,
    file: Option<GzEncoder<File>>,
}

impl Rejects {
    /// Keeps a record aside. `is_misfit`: its key does not fit its column.
    ///
    /// # Errors
    /// There is no room for the temporary file.
    pub(super) fn add(&mut self, record: &[u8], reason: &str, is_misfit: bool) -> io::Result<()> {
        self.count += 1;
        if is_misfit {
            self.misfits += 1;
            self.first_misfit.get_or_insert_with(|| reason.to_owned());
        }
        self.first_reason.get_or_insert_with(|| reason.to_owned());
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(GzEncoder::new(tempfile::tempfile()?, Compression::fast())),
        };
        // The raw text is copied, not re-written: reading it as a value would round its numbers.
        let reason = serde_json::to_string(reason)?;
        match serde_json::from_slice::<&RawValue>(record) {
            Ok(raw) => writeln!(file, "{{\"reason\":{reason},\"record\":{}}}", raw.get()),
            Err(_) => {
                let text = serde_json::to_string(&String::from_utf8_lossy(record))?;
                writeln!(file, "{{\"reason\":{reason},\"record\":{text}}}")
            }
        }
    }

    /// What is to be done where too many records are rejected.
    pub(super) fn advice(&self) -> String {
        match &self.first_misfit {
            None => "; see max_bad_records".into(),
            Some(_) if self.misfits == self.count => String::new(),
            Some(first) => format!(
                "; see max_bad_records, but not for those of them whose keys do not fit their column ({}); the first: {first}",
                self.misfits
            ),
        }
    }

    /// Stores what was kept aside; nothing if there was nothing.
    ///
    /// # Errors
    /// The temporary file or the landing zone fails.
    pub(super) fn store(
        self,
        landing: &dyn Landing,
        runtime: &Handle,
        unit: &Unit,
        run: &RunRound,
    ) -> Result<(), LandingError> {
        let Some(encoder) = self.file else { return Ok(()) };
        let path = paths::rejects(unit, run);
        let failed = |source| LandingError::Unavailable { what: "write", path: path.clone(), source };
        let mut file = encoder.finish().map_err(failed)?;
        file.rewind().map_err(failed)?;
        runtime.block_on(async {
            let mut writer = landing.write(&path).await?;
            let mut chunk = vec![0; 256 * 1024];
            loop {
                let read = file.read(&mut chunk).map_err(failed)?;
                if read == 0 {
                    break;
                }
                writer.write(chunk[..read].to_vec().into()).await?;
            }
            writer.finish().await.map(|_| ())
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_does_not_fit_hides_no_advice_for_others() {
        let advice = |rejected: &[(&str, bool)]| {
            let mut rejects = Rejects::default();
            for (reason, is_misfit) in rejected {
                rejects.add(b"{}", reason, *is_misfit).unwrap();
            }
            rejects.advice()
        };
        assert_eq!(advice(&[("no key", false)]), "; see max_bad_records");
        assert_eq!(advice(&[("too long", true), ("too long", true)]), "");
        let both = advice(&[("no key", false), ("too long", true), ("no key", false)]);
        assert!(
            both.contains("see max_bad_records, but not for") && both.ends_with("(1); the first: too long"),
            "{both}"
        );
    }
}
