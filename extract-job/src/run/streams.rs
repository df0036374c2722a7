//! `extract-job streams`: the streams of a pipeline, with their tables, modes and keys.

use super::ExtractError;
use super::plan::{Selection, Share, plan};
use contract::pipeline::{Pipeline, StreamMode};
use contract::secret::SecretSource;
use serde::Serialize;

/// One stream of one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamLine {
    /// Source name.
    pub source: String,
    /// Account id.
    pub account: String,
    /// Stream name.
    pub stream: String,
    /// Target table.
    pub table: String,
    /// `snapshot`, `incremental` or `append`.
    pub mode: String,
    /// The fields of the primary key.
    pub primary_key: Vec<String>,
}

/// All streams that the pipeline extracts.
///
/// # Errors
/// Everything that is wrong with the pipeline and its manifests.
pub async fn list(
    pipeline: &str,
    selection: &Selection,
    from: &(dyn SecretSource + Sync),
) -> Result<Vec<StreamLine>, ExtractError> {
    let pipeline = Pipeline::open(pipeline, from).await?;
    let accounts = plan(&pipeline, selection, Share::All, from).await?;
    let lines = accounts.into_iter().flat_map(|account| account.units).map(|work| StreamLine {
        source: work.unit.source,
        account: work.unit.account,
        stream: work.unit.stream,
        table: work.table,
        mode: match work.mode {
            StreamMode::Snapshot => "snapshot".into(),
            StreamMode::Incremental => "incremental".into(),
            StreamMode::Append => "append".into(),
        },
        primary_key: work.stream.primary_key.clone(),
    });
    Ok(lines.collect())
}
