//! How the pipeline file says that runs are started, and who is told when one ends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a run is started.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrchestratorEntry {
    /// `local`, or Cloud Run with its settings.
    #[serde(default)]
    pub launcher: LauncherEntry,
    /// How many processes extract at the same time with the local launcher (default 1).
    #[serde(default)]
    #[schemars(range(min = 1, max = 256))]
    pub extract_tasks: Option<usize>,
}

/// Where the two jobs run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum LauncherEntry {
    /// Only the kind.
    Kind(LauncherKind),
    /// Cloud Run.
    Map(LauncherMap),
}

impl Default for LauncherEntry {
    fn default() -> Self {
        Self::Kind(LauncherKind::Local)
    }
}

/// A launcher that needs no settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LauncherKind {
    /// Processes on this machine.
    Local,
}

/// A launcher with settings.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LauncherMap {
    /// Cloud Run Jobs.
    pub cloud_run: CloudRunEntry,
}

/// The two Cloud Run Jobs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudRunEntry {
    /// The project of the jobs.
    pub project: String,
    /// Their region.
    pub region: String,
    /// Name of the extract job.
    pub extract_job: String,
    /// Name of the load job.
    pub load_job: String,
    /// Tasks of the extract job (default 1).
    #[serde(default)]
    pub extract_tasks: Option<usize>,
    /// Tasks of the load job (default 1); more than 1 only with BigQuery.
    #[serde(default)]
    pub load_tasks: Option<usize>,
    /// The most seconds that the extract may take, retries included; it is cancelled then, and the run goes on with what has landed
    /// (default: no limit but the job's own for each attempt of a task).
    #[serde(default)]
    #[schemars(range(min = 1, max = 604_800))]
    pub extract_timeout: Option<u64>,
    /// The most seconds that the load may take, retries included; it is cancelled then (default: as for the extract).
    #[serde(default)]
    #[schemars(range(min = 1, max = 604_800))]
    pub load_timeout: Option<u64>,
}

/// Who is told when a run ends.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyEntry {
    /// A Slack incoming webhook; the URL is a secret: `${env:SLACK_WEBHOOK}`.
    #[serde(default)]
    pub slack_webhook: Option<String>,
}
