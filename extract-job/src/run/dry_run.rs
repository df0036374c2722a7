//! `--dry-run`: what would be requested, unit by unit: the first URL without secrets, the mode and the state. Nothing is sent.

use super::unit::{Way, reader, reading_plan};
use super::{ExtractError, Options, client, plan, shared};
use crate::http::retry::Waits;
use chrono::Utc;
use contract::pipeline::Pipeline;
use contract::round::RunRound;
use contract::run_id::RunId;
use contract::secret::SecretSource;
use serde::Serialize;
use serde_json::Value;

/// What a unit would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// `source/account/stream`.
    pub unit: String,
    /// Target table.
    pub table: String,
    /// `snapshot`, `incremental` or `window`; `skipped` where it has no part in a backfill.
    pub mode: String,
    /// The state that the reading would start from.
    pub state: Option<Value>,
    /// The first request, without secrets; nothing where there is nothing to read.
    pub request: Option<String>,
    /// Why there is no telling.
    pub error: Option<String>,
}

/// Previews every selected unit, whatever the task.
///
/// # Errors
/// As for an extract.
pub async fn preview(options: &Options, from: &(dyn SecretSource + Sync)) -> Result<Vec<Preview>, ExtractError> {
    let now = Utc::now();
    let pipeline = Pipeline::open(&options.pipeline, from).await?;
    let accounts = plan::plan(&pipeline, &options.selection, plan::Share::All, from).await?;
    let shared = shared(&pipeline, options, RunRound::first(RunId::new(now)), now)?;
    let client = client(&pipeline, &shared)?;
    let mut previews = Vec::new();
    for account_plan in &accounts {
        let account = account_plan.open(&client, Waits { factor: options.wait_factor });
        for work in &account_plan.units {
            let mut preview = Preview {
                unit: work.unit.to_string(),
                table: work.table.clone(),
                mode: "skipped".into(),
                state: None,
                request: None,
                error: None,
            };
            if let Some(way) = Way::new(work, &shared.modes) {
                preview.mode = way.mode.as_str().into();
                let planned = match reading_plan(&shared, work, &way).await {
                    Ok(plan) => {
                        preview.state = plan.state.clone();
                        reader(&shared, &account, work, shared.now).preview(&plan)
                    }
                    Err(error) => Err(error),
                };
                match planned {
                    Ok(outgoing) => {
                        let line = |o: crate::http::client::Outgoing| format!("{} {}", o.method, o.url);
                        preview.request = outgoing.map(|outgoing| account.redactor.clean(&line(outgoing)));
                    }
                    Err(error) => preview.error = Some(account.redactor.clean(&error.to_string())),
                }
            }
            previews.push(preview);
        }
    }
    Ok(previews)
}
