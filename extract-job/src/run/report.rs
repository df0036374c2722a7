//! The task's report in the landing zone, written as units end; and the file that names the newest run.

use super::{ExtractError, Shared};
use chrono::Utc;
use contract::TOOL_VERSION;
use contract::landing::{Landing, paths};
use contract::report::{Plan, RunReport, TaskStatus, UnitReport, UnitStatus};
use contract::round::RunFolder;
use contract::run_id::RunId;
use contract::stored::{self, Latest, StoredError};
use contract::unit::Task;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// The version of the report's format.
const REPORT_VERSION: u32 = 1;
/// The stage's name in paths and reports.
const STAGE: &str = "extract";

/// How often the report is written at most while units end. It grows with every unit, and Cloud Storage takes one write of an object a second:
/// written after each of a thousand small units, it cost more than they did.
const EVERY: Duration = Duration::from_secs(1);

/// Writes the report of one task, beside the units.
pub(crate) struct Reporter {
    shared: Arc<Shared>,
    path: String,
    units: UnboundedSender<UnitReport>,
    writing: JoinHandle<RunReport>,
}

impl Reporter {
    pub(crate) async fn start(shared: Arc<Shared>, task: Task) -> Result<Self, ExtractError> {
        let report = RunReport {
            version: REPORT_VERSION,
            run_id: shared.run.run.clone(),
            stage: STAGE.into(),
            task_index: task.index,
            task_count: task.count,
            status: TaskStatus::Running,
            started_at: shared.now,
            finished_at: shared.now,
            tool_version: TOOL_VERSION.into(),
            units: Vec::new(),
        };
        let path = paths::report(&shared.run, STAGE, task);
        stored::write(shared.landing.as_ref(), &path, &report).await?;
        let (units, ended) = unbounded_channel();
        let writing = tokio::spawn(keep(shared.landing.clone(), path.clone(), report, ended));
        Ok(Self { shared, path, units, writing })
    }

    /// Adds a unit. It stands in the landing zone a moment later.
    pub(crate) fn add(&self, unit: UnitReport) {
        if self.units.send(unit).is_err() {
            // The writer has panicked; `finish` tells.
            tracing::warn!("the run report is not written any more");
        }
    }

    /// The report as it stays.
    pub(crate) async fn finish(self, status: TaskStatus) -> Result<RunReport, ExtractError> {
        drop(self.units);
        let written = self.writing.await;
        let mut report = written.map_err(|error| ExtractError::Machine(format!("write the run report: {error}")))?;
        report.status = status;
        report.finished_at = Utc::now();
        let unit = |unit: &UnitReport| (unit.source.clone(), unit.account.clone(), unit.stream.clone());
        report.units.sort_by_key(unit);
        stored::write(self.shared.landing.as_ref(), &self.path, &report).await?;
        Ok(report)
    }
}

/// Gathers units, and writes those that are new at times, until there are no more. A report that cannot be written now is written with the
/// next units, or at the end.
async fn keep(
    landing: Arc<dyn Landing>,
    path: String,
    mut report: RunReport,
    mut ended: UnboundedReceiver<UnitReport>,
) -> RunReport {
    let (mut written, mut is_newer) = (Instant::now(), false);
    loop {
        if is_newer && written.elapsed() >= EVERY {
            if let Err(error) = stored::write(landing.as_ref(), &path, &report).await {
                tracing::warn!(%error, "failed to write the run report");
            }
            (written, is_newer) = (Instant::now(), false);
        }
        let unit = match is_newer {
            true => timeout_at(written + EVERY, ended.recv()).await,
            false => Ok(ended.recv().await),
        };
        match unit {
            Ok(Some(unit)) => {
                report.units.push(unit);
                report.finished_at = Utc::now();
                is_newer = true;
            }
            Ok(None) => return report,
            Err(_) => {}
        }
    }
}

/// The newest run; an empty one with no durations if there is none.
pub(crate) async fn read_latest(landing: &dyn Landing) -> Result<Latest, StoredError> {
    Ok(stored::read(landing, paths::LATEST).await?.unwrap_or_else(no_latest))
}

/// What the run's units are dealt by: what its first task found, else the newest run's durations.
/// They must stay: the newest run is this one itself as soon as all its tasks have finished, also for one that is tried again.
pub(crate) async fn read_balance(landing: &dyn Landing, run: &impl RunFolder) -> Result<Latest, StoredError> {
    match stored::read::<Plan>(landing, &paths::plan(run)).await? {
        Some(plan) => Ok(Latest { durations_ms: plan.durations_ms, ..no_latest() }),
        None => read_latest(landing).await,
    }
}

/// What there is before the first run.
pub(crate) fn no_latest() -> Latest {
    let run_id = RunId::new(chrono::DateTime::UNIX_EPOCH);
    Latest { run_id, finished_at: Utc::now(), durations_ms: BTreeMap::new() }
}

/// Names this run as the newest once all its tasks have finished; the last of them does it (or several: they write the same).
pub(crate) async fn update_latest(landing: &dyn Landing, run: &RunId, task: Task) -> Result<(), StoredError> {
    let mut latest = read_latest(landing).await?;
    if latest.run_id > *run && !latest.run_id.is_ahead() {
        return Ok(());
    }
    for index in 0..task.count {
        match stored::read_report(landing, run, STAGE, Task { index, count: task.count }).await? {
            Some(report) if report.status == TaskStatus::Finished => {
                for unit in report.units.iter().filter(|unit| unit.status == UnitStatus::Done) {
                    latest.durations_ms.insert(unit.unit().to_string(), unit.duration_ms);
                }
            }
            _ => return Ok(()),
        }
    }
    if latest.run_id > *run {
        tracing::warn!(
            "{} named run {}, which lies in the future: a clock was wrong when it was made; it names run {run} from now on",
            paths::LATEST,
            latest.run_id
        );
    }
    latest.run_id = run.clone();
    latest.finished_at = Utc::now();
    stored::write(landing, paths::LATEST, &latest).await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::run::Modes;
    use async_trait::async_trait;
    use bytes::Bytes;
    use contract::landing::{LandingError, Object, ObjectWriter, PutMode, Version};
    use contract::pipeline::Compression;
    use contract::round::RunRound;
    use contract::unit::Unit;
    use futures::stream::BoxStream;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A zone that counts what is put into it.
    #[derive(Debug)]
    struct Counting {
        zone: Arc<dyn Landing>,
        puts: AtomicUsize,
    }

    #[async_trait]
    impl Landing for Counting {
        fn location(&self) -> &str {
            self.zone.location()
        }

        async fn put(&self, path: &str, bytes: Bytes, mode: PutMode) -> Result<(), LandingError> {
            self.puts.fetch_add(1, Ordering::Relaxed);
            self.zone.put(path, bytes, mode).await
        }

        async fn get(&self, path: &str) -> Result<Option<Object>, LandingError> {
            self.zone.get(path).await
        }

        async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, LandingError>>, LandingError> {
            self.zone.read(path).await
        }

        async fn write(&self, path: &str) -> Result<Box<dyn ObjectWriter>, LandingError> {
            self.zone.write(path).await
        }

        async fn delete(&self, path: &str, version: &Version) -> Result<(), LandingError> {
            self.zone.delete(path, version).await
        }

        async fn remove(&self, path: &str) -> Result<(), LandingError> {
            self.zone.remove(path).await
        }
    }

    fn shared(landing: Arc<dyn Landing>) -> Arc<Shared> {
        Arc::new(Shared {
            landing,
            run: RunRound::first("20260101T000000Z-aaaaaa".parse().unwrap()),
            modes: Modes::default(),
            compression: Compression::Gzip,
            memory: crate::read::memory::PageMemory::new(1),
            cpu: crate::read::cpu::Cpu::new(),
            now: Utc::now(),
        })
    }

    fn unit(number: usize) -> UnitReport {
        UnitReport::start(&Unit::new("s", &format!("a{number}"), "things").unwrap(), "things", Utc::now())
    }

    #[tokio::test]
    async fn a_thousand_units_are_few_writes_and_all_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let zone = contract::landing::open_folder(folder.path()).unwrap();
        let counting = Arc::new(Counting { zone, puts: AtomicUsize::new(0) });
        let reporter = Reporter::start(shared(counting.clone()), Task::ONLY).await.unwrap();
        let began = Instant::now();
        for number in 0..1000 {
            reporter.add(unit(number));
            tokio::task::yield_now().await;
        }
        let report = reporter.finish(TaskStatus::Finished).await.unwrap();
        assert_eq!((report.units.len(), report.status), (1000, TaskStatus::Finished));
        // The first, the last, and one for each second between them.
        let most = 3 + began.elapsed().as_secs() as usize;
        let puts = counting.puts.load(Ordering::Relaxed);
        assert!(puts <= most, "{puts} writes, at most {most}");
        let stored = stored::read_report(counting.as_ref(), &report.run_id, STAGE, Task::ONLY).await.unwrap();
        assert_eq!(stored.unwrap(), report);
    }

    #[tokio::test(start_paused = true)]
    async fn a_unit_is_told_while_others_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let zone = contract::landing::open_folder(folder.path()).unwrap();
        let shared = shared(zone.clone());
        let reporter = Reporter::start(shared.clone(), Task::ONLY).await.unwrap();
        for count in [1, 3] {
            (0..count).for_each(|number| reporter.add(unit(number)));
            tokio::time::sleep(EVERY * 3).await;
            let stored = stored::read_report(zone.as_ref(), &shared.run.run, STAGE, Task::ONLY).await.unwrap().unwrap();
            assert_eq!((stored.units.len(), stored.status), (if count == 1 { 1 } else { 4 }, TaskStatus::Running));
        }
        assert_eq!(reporter.finish(TaskStatus::Interrupted).await.unwrap().units.len(), 4);
    }
}
