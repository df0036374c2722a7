//! Runs that wait for another one to end: several with the same order become one (`runs/waiting/<digest of the order>.json`).
//! One of them waits for the lease and says that it lives; the others wait for its run to begin, and one of them takes its place if it
//! dies. What cannot be noted is only not merged: a note never keeps a run from beginning.

use super::PROGRAM;
use super::record::Order;
use crate::run::RunOptions;
use chrono::{DateTime, TimeDelta, Utc};
use contract::landing::{Landing, PutMode, Version};
use contract::lease::Holder;
use contract::run_id::RunId;
use contract::stored::StoredError;
use serde::{Deserialize, Serialize};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// How often the one that waits for the lease says that it lives.
const RENEW_EVERY: TimeDelta = TimeDelta::seconds(10);
/// One that has not said so for so long is dead.
const EXPIRES_AFTER: TimeDelta = TimeDelta::seconds(45);

/// Whose turn it is when the lease is free.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// This process's.
    Ours,
    /// That of another one with the same order.
    Others,
    /// The run has begun that stands for this one too.
    Begun(RunId),
}

/// A run that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    holder: Holder,
    renewed_at: DateTime<Utc>,
    /// What became of it.
    #[serde(default)]
    run_id: Option<RunId>,
}

/// This process's place in the queue.
#[derive(Debug)]
pub(super) struct Queue {
    landing: Arc<dyn Landing>,
    path: String,
    /// Another process with the same order was found waiting.
    follows: bool,
}

impl Queue {
    /// A place for a run that is to get an id of its own; `None` for one that is named, since it is no other run.
    pub(super) fn of(landing: &Arc<dyn Landing>, options: &RunOptions) -> Option<Self> {
        if options.run_id.is_some() {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        serde_json::to_string(&Order::of(options)).ok()?.hash(&mut hasher);
        let path = format!("runs/waiting/{:016x}.json", hasher.finish());
        Some(Self { landing: landing.clone(), path, follows: false })
    }

    /// Looks whose turn it is, and says that this process lives if it is its own.
    pub(super) async fn turn(&mut self) -> Turn {
        match self.try_turn().await {
            Ok(turn) => turn,
            Err(error) => {
                tracing::warn!(%error, "failed to note that this run waits; it is not merged with others");
                Turn::Ours
            }
        }
    }

    async fn try_turn(&mut self) -> Result<Turn, StoredError> {
        let this = Holder::this_process(PROGRAM);
        let now = Utc::now();
        let (note, mode) = match self.read().await? {
            None => (Note { holder: this, renewed_at: now, run_id: None }, PutMode::Create),
            Some((note, version)) => match note.run_id {
                // Only a run that has begun after this process began to wait stands for it.
                Some(run_id) if self.follows => return Ok(Turn::Begun(run_id)),
                None if note.holder == this => {
                    if now - note.renewed_at < RENEW_EVERY {
                        return Ok(Turn::Ours);
                    }
                    (Note { renewed_at: now, ..note }, PutMode::Replace(version))
                }
                None if (now - note.renewed_at).abs() < EXPIRES_AFTER => {
                    if !std::mem::replace(&mut self.follows, true) {
                        let Holder { program, pid, host, .. } = &note.holder;
                        tracing::info!(
                            "{program} (process {pid} on {host}) waits already with the same order: its run will stand for this one"
                        );
                    }
                    return Ok(Turn::Others);
                }
                _ => (Note { holder: this, renewed_at: now, run_id: None }, PutMode::Replace(version)),
            },
        };
        self.follows = false;
        match self.write(&note, mode).await {
            Ok(()) => Ok(Turn::Ours),
            // Someone was faster; the next look tells who.
            Err(StoredError::Landing(contract::landing::LandingError::Precondition { .. })) => Ok(Turn::Others),
            Err(error) => Err(error),
        }
    }

    /// Tells those that wait for this run that it has begun.
    pub(super) async fn begun(&self, run_id: &RunId) {
        self.end(Some(run_id)).await;
    }

    /// Gives the place to the next one.
    pub(super) async fn leave(&self) {
        self.end(None).await;
    }

    async fn end(&self, run_id: Option<&RunId>) {
        let end = async {
            let Some((note, version)) = self.read().await? else { return Ok(()) };
            if note.holder != Holder::this_process(PROGRAM) || note.run_id.is_some() {
                return Ok(());
            }
            match run_id {
                Some(run_id) => {
                    let note = Note { run_id: Some(run_id.clone()), renewed_at: Utc::now(), ..note };
                    self.write(&note, PutMode::Replace(version)).await
                }
                None => Ok(self.landing.delete(&self.path, &version).await?),
            }
        };
        let ended: Result<(), StoredError> = end.await;
        if let Err(error) = ended {
            tracing::debug!(%error, "failed to tell those that wait with the same order");
        }
    }

    /// The note; one that cannot be read is written anew.
    async fn read(&self) -> Result<Option<(Note, Version)>, StoredError> {
        let Some(object) = self.landing.get(&self.path).await? else { return Ok(None) };
        let nobody = || Note { holder: Holder::this_process(PROGRAM), renewed_at: DateTime::UNIX_EPOCH, run_id: None };
        Ok(Some((serde_json::from_slice(&object.bytes).unwrap_or_else(|_| nobody()), object.version)))
    }

    async fn write(&self, note: &Note, mode: PutMode) -> Result<(), StoredError> {
        let malformed =
            |error: serde_json::Error| StoredError::Malformed { path: self.path.clone(), message: error.to_string() };
        Ok(self.landing.put(&self.path, serde_json::to_vec_pretty(note).map_err(malformed)?.into(), mode).await?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use contract::landing;

    #[tokio::test]
    async fn the_same_order_waits_once() {
        let folder = tempfile::tempdir().unwrap();
        let landing = landing::open_folder(folder.path()).unwrap();
        let of = |options: &RunOptions| Queue::of(&landing, options).unwrap();
        let orders = RunOptions { wait: true, ..RunOptions::default() };
        let mut queue = of(&orders);
        // An order that was carried out before nobody waited stands for nobody.
        let other = Note {
            holder: Holder { pid: 1, ..Holder::this_process("elsewhere") },
            renewed_at: Utc::now(),
            run_id: Some(RunId::new(Utc::now())),
        };
        queue.write(&other, PutMode::Overwrite).await.unwrap();
        assert_eq!(queue.turn().await, Turn::Ours);
        assert_eq!(queue.turn().await, Turn::Ours);
        queue.leave().await;
        assert!(queue.read().await.unwrap().is_none());

        // Another process waits: this one does not, until the other's run begins.
        let waits = Note { run_id: None, ..other.clone() };
        queue.write(&waits, PutMode::Overwrite).await.unwrap();
        assert_eq!(queue.turn().await, Turn::Others);
        let another = RunOptions { streams: vec!["jobs".into()], ..orders.clone() };
        assert_eq!(of(&another).turn().await, Turn::Ours);
        queue.write(&other, PutMode::Overwrite).await.unwrap();
        assert_eq!(queue.turn().await, Turn::Begun(other.run_id.clone().unwrap()));

        // It has died before: this one takes its place.
        let mut queue = of(&orders);
        queue.write(&waits, PutMode::Overwrite).await.unwrap();
        assert_eq!(queue.turn().await, Turn::Others);
        let dead = Note { renewed_at: Utc::now() - TimeDelta::minutes(1), ..waits };
        queue.write(&dead, PutMode::Overwrite).await.unwrap();
        assert_eq!(queue.turn().await, Turn::Ours);
        let run_id = RunId::new(Utc::now());
        queue.begun(&run_id).await;
        assert_eq!(queue.read().await.unwrap().unwrap().0.run_id, Some(run_id));

        let named = RunOptions { run_id: Some(crate::run::RunChoice::Latest), ..orders };
        assert!(Queue::of(&landing, &named).is_none());
    }
}
