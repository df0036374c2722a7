//! The state of a stream: what it goes on from, and what remains of a reading.

use super::{Plan, Reading, StreamReader, TOKEN};
use crate::components::declarative_stream::DeclarativeStream;
use crate::components::expression::Scope;
use crate::read::page::ReadError;
use crate::read::partition_states::PartitionStates;
use crate::read::partitions::Parents;
use crate::read::progress::Progress;
use serde_json::{Value, json};
use tokio::time::Instant;

/// Whether a state is one of the stream, and what it holds of the stream's parents one of theirs.
fn check(stream: &DeclarativeStream, scope: &Scope, state: Option<&Value>) -> Result<(), String> {
    let Some(cursor) = &stream.cursor else { return Ok(()) };
    let Some(router) = &stream.retriever.router else { return cursor.parse_state(scope, state).map(drop) };
    let states = PartitionStates::parse(state)?;
    states.cursors().try_for_each(|state| cursor.parse_state(scope, Some(state)).map(drop))?;
    for parent in router.parents().into_iter().filter(|parent| parent.incremental_dependency) {
        let name = &parent.stream.name;
        check(&parent.stream, scope, states.parent(name))
            .map_err(|error| format!("the parent stream `{name}`: {error}"))?;
    }
    Ok(())
}

impl StreamReader {
    /// Whether the plan's state is one of this stream, before anything is asked for.
    ///
    /// # Errors
    /// It is another one's, or of before the manifest was changed: only a reading from the start goes on from there.
    pub(crate) fn check_state(&self, plan: &Plan) -> Result<(), ReadError> {
        if plan.snapshot {
            return Ok(());
        }
        check(&self.stream, &self.scope, plan.state.as_ref()).map_err(ReadError)
    }

    pub(super) fn state_after(
        &self,
        plan: &Plan,
        reading: &Reading<'_>,
        last_token: Option<&Value>,
        parents: Parents,
        started: Instant,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Value>, ReadError> {
        if self.stream.keeps_token() {
            return Ok(last_token.map(|token| json!({ TOKEN: token })).or_else(|| plan.state.clone()));
        }
        let Some(cursor) = &self.stream.cursor else { return Ok(None) };
        let field = cursor.field(&self.scope).map_err(ReadError)?;
        if !self.is_partitioned() {
            return Ok(reading.progress.flat_state(cursor, &field));
        }
        let before = cursor.parse_state(&self.scope, reading.states.global()).map_err(ReadError)?;
        let (mut states, global) = reading.progress.partition_states(reading.states.clone(), cursor, &field, before);
        states.settle();
        warnings.extend(states.warning());
        let seconds = started.elapsed().as_secs() + 1;
        Ok(Some(states.into_state(global, seconds, parents.states)))
    }

    /// The state over what was read without a gap, after an error; none for streams that are not cut by time alone.
    pub(crate) fn reached(&self, progress: &Progress) -> Option<Value> {
        let cursor = self.stream.cursor.as_ref().filter(|_| !self.is_partitioned())?;
        let field = cursor.field(&self.scope).ok()?;
        progress.flat_state(cursor, &field)
    }
}
