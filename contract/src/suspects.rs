//! `suspects/<source>/<account>/<stream>.json.gz`: the live rows that a complete reading lacked. A row is marked as deleted only when it is
//! missing again: from another complete reading, or because the API itself says that it does not have it.

use crate::landing::{Landing, PutMode, paths};
use crate::round::Round;
use crate::run_id::RunId;
use crate::stored::StoredError;
use crate::unit::Unit;
use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

/// The version that this program writes, and the newest it reads.
const VERSION: u32 = 1;

/// The rows of one unit that one complete reading lacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspects {
    /// Format version.
    pub version: u32,
    /// The run of the reading.
    pub run_id: RunId,
    /// Whether it was the run's confirming reading.
    pub confirm: bool,
    /// The table that has the rows.
    pub table: String,
    /// When the reading began.
    pub began_at: DateTime<Utc>,
    /// The fields of a key, as the records name them.
    pub primary_key: Vec<String>,
    /// The keys, each the texts of its fields.
    pub keys: Vec<Vec<String>>,
    /// How many complete readings in a row have lacked each of them.
    pub times: Vec<u32>,
    /// A person has said that so many may go.
    #[serde(default)]
    pub is_allowed: bool,
    /// Whether the texts of the keys are those that the API knows: a warehouse spells fractions, times and JSON its own way.
    #[serde(default)]
    pub as_sent: bool,
}

impl Suspects {
    /// The suspects of a reading.
    pub fn new(run_id: RunId, round: Round, table: &str, began_at: DateTime<Utc>, primary_key: &[String]) -> Self {
        Self {
            version: VERSION,
            run_id,
            confirm: round == Round::Confirm,
            table: table.to_owned(),
            began_at,
            primary_key: primary_key.to_vec(),
            keys: Vec::new(),
            times: Vec::new(),
            is_allowed: false,
            as_sent: false,
        }
    }

    /// Whether they come from the first round of a run, so that its second one is to confirm them.
    pub fn await_confirmation_in(&self, run: &RunId) -> bool {
        self.run_id == *run && !self.confirm && !self.keys.is_empty()
    }
}

/// The suspects of a unit; `None` if it has none.
///
/// # Errors
/// The zone refuses, or the file is broken or of a newer version.
pub async fn read(landing: &dyn Landing, unit: &Unit) -> Result<Option<Suspects>, StoredError> {
    let path = paths::suspects(unit);
    let Some(object) = landing.get(&path).await? else { return Ok(None) };
    let malformed = |message: String| StoredError::malformed(landing, &path, message);
    let suspects: Suspects =
        serde_json::from_reader(GzDecoder::new(&object.bytes[..])).map_err(|error| malformed(error.to_string()))?;
    if suspects.version != VERSION {
        return Err(malformed(format!("its version is {}; this program reads version {VERSION}", suspects.version)));
    }
    Ok(Some(suspects))
}

/// Writes the suspects of a unit, or removes the file if there are none.
///
/// # Errors
/// The zone refuses.
pub async fn write(landing: &dyn Landing, unit: &Unit, suspects: Option<&Suspects>) -> Result<(), StoredError> {
    let path = paths::suspects(unit);
    let Some(suspects) = suspects.filter(|suspects| !suspects.keys.is_empty()) else {
        return Ok(landing.remove(&path).await?);
    };
    let malformed = |message: String| StoredError::Malformed { path: path.clone(), message };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    serde_json::to_writer(&mut encoder, suspects).map_err(|error| malformed(error.to_string()))?;
    let bytes = encoder.finish().map_err(|error| malformed(error.to_string()))?;
    Ok(landing.put(&path, bytes.into(), PutMode::Overwrite).await?)
}
