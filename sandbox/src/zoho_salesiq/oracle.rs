//! What a warehouse must hold after a generation was read: every record of every stream, the removed ones marked.
//! Computed from the world itself, not from answers, so that a mistake of paging or filtering shows.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::world::{Entry, World};

/// A record as the API gives it, with what a stream adds to it (a message's conversation, a tag's place).
#[derive(Debug, Clone, PartialEq)]
pub struct OracleRecord {
    pub record: Value,
    /// The generation that made it and the last one that changed it.
    pub born: u32,
    pub version: u32,
    /// The generation that removed it: the record is then what it was before.
    pub removed: Option<u32>,
    /// Whether a reader that asks for no department sees it.
    pub in_current_department: bool,
}

/// All records by the names of the connector's streams.
#[derive(Debug, Clone)]
pub struct Oracle {
    pub generation: u32,
    pub streams: BTreeMap<&'static str, Vec<OracleRecord>>,
}

impl Oracle {
    pub(crate) fn new(world: &World, generation: u32) -> Self {
        let mut streams: BTreeMap<&'static str, Vec<OracleRecord>> = BTreeMap::new();
        let small = |entry: &Entry| OracleRecord {
            record: entry.record.clone(),
            born: entry.life.born,
            version: entry.life.version,
            removed: entry.life.removed,
            in_current_department: true,
        };
        streams.insert("tags", world.tags.iter().flatten().map(small).collect());
        streams.insert("departments", world.departments.iter().map(small).collect());
        streams.insert("operators", world.operators.iter().map(small).collect());
        for conversation in &world.conversations {
            let with = |record: Value| OracleRecord {
                record,
                born: conversation.life.born,
                version: conversation.life.version,
                removed: conversation.life.removed,
                in_current_department: conversation.department == 0,
            };
            let listed = conversation.listed();
            let mut put = |stream, record| streams.entry(stream).or_default().push(with(record));
            for (index, tag) in listed.get("tags").and_then(Value::as_array).into_iter().flatten().enumerate() {
                let mut tag = added(tag, "conversation_id", Value::from(conversation.id.as_str()));
                tag = added(&tag, "last_modified_time", Value::from(conversation.modified.to_string()));
                put("conversation_tags", added(&tag, "position", Value::from(index)));
            }
            for (_, message) in &conversation.messages {
                put("messages", added(message, "conversation_id", Value::from(conversation.id.as_str())));
            }
            put("conversation_details", conversation.detail.clone());
            put("conversations", listed);
        }
        Self { generation, streams }
    }

    /// The records of a stream that exist now; empty for an unknown one.
    pub fn live(&self, stream: &str) -> Vec<&Value> {
        let records = self.streams.get(stream).into_iter().flatten();
        records.filter(|record| record.removed.is_none()).map(|record| &record.record).collect()
    }
}

fn added(record: &Value, name: &str, value: Value) -> Value {
    let mut fields: Map<String, Value> = record.as_object().cloned().unwrap_or_default();
    fields.insert(name.to_owned(), value);
    Value::Object(fields)
}
