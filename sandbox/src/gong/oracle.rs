//! What a warehouse must hold after a generation was read: every record of every stream, the removed ones marked.
//! Computed from the world itself, not from answers, so that a mistake of paging or filtering shows.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::records::{Call, time_text};
use super::world::World;
use crate::lives::Life;

/// A record as the API gives it, with what a stream adds to it (a transcript's `started`, a sentence's place).
#[derive(Debug, Clone, PartialEq)]
pub struct OracleRecord {
    pub record: Value,
    /// The generation that made it and the last one that changed it.
    pub born: u32,
    pub version: u32,
    /// The generation that removed it: the record is then what it was before.
    pub removed: Option<u32>,
    /// Start of the call it belongs to, in milliseconds since 1970. What an incremental reader sees depends on it.
    pub started_ms: Option<i64>,
}

/// All records by the names of the connector's streams; of extensive calls with every part that can be asked for.
#[derive(Debug, Clone)]
pub struct Oracle {
    pub generation: u32,
    pub streams: BTreeMap<&'static str, Vec<OracleRecord>>,
}

impl Oracle {
    pub(crate) fn new(world: &World) -> Self {
        let mut oracle = Self { generation: world.generation, streams: BTreeMap::new() };
        for call in &world.calls {
            oracle.add_call(call);
        }
        for user in &world.users {
            oracle.put("users", user.life, None, user.record.clone());
        }
        oracle
    }

    /// The records of a stream that exist now; empty for an unknown one.
    pub fn live(&self, stream: &str) -> Vec<&Value> {
        let records = self.streams.get(stream).into_iter().flatten();
        records.filter(|record| record.removed.is_none()).map(|record| &record.record).collect()
    }

    fn put(&mut self, stream: &'static str, life: Life, started_ms: Option<i64>, record: Value) {
        let Life { born, version, removed } = life;
        let record = OracleRecord { record, born, version, removed, started_ms };
        self.streams.entry(stream).or_default().push(record);
    }

    fn add_call(&mut self, call: &Call) {
        let at = Some(call.started);
        let started = Value::from(time_text(call.started));
        self.put("calls", call.life, at, call.basic.clone());
        let mut long = Map::new();
        long.insert("metaData".to_owned(), call.basic.clone());
        long.extend(call.parts.clone());
        long.insert("id".to_owned(), call.id.as_str().into());
        long.insert("started".to_owned(), started.clone());
        self.put("calls_extensive", call.life, at, Value::Object(long));
        let Some(transcript) = &call.transcript else { return };
        let mut whole: Map<String, Value> = transcript.as_object().cloned().unwrap_or_default();
        whole.insert("started".to_owned(), started.clone());
        let turns = whole.get("transcript").and_then(Value::as_array).cloned().unwrap_or_default();
        self.put("transcripts", call.life, at, Value::Object(whole));
        for (turn, of) in turns.iter().enumerate() {
            let sentences = of.get("sentences").and_then(Value::as_array).into_iter().flatten();
            for (position, sentence) in sentences.enumerate() {
                let mut record: Map<String, Value> = sentence.as_object().cloned().unwrap_or_default();
                record.insert("callId".to_owned(), call.id.as_str().into());
                record.insert("turn".to_owned(), turn.into());
                record.insert("position".to_owned(), position.into());
                for name in ["speakerId", "topic"] {
                    record.insert(name.to_owned(), of.get(name).cloned().unwrap_or_default());
                }
                record.insert("started".to_owned(), started.clone());
                self.put("transcript_sentences", call.life, at, Value::Object(record));
            }
        }
    }
}
