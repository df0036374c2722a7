//! What a warehouse remembers of its tables: which table is which, who writes into it, and up to which state each stream has come.
//! It is kept beside the tables, so that a warehouse that was lost or restored from a backup remembers what it has, and no more.

use super::Adoption;
use chrono::{DateTime, Utc};
use contract::run_id::RunId;
use contract::unit::Unit;
use serde_json::{Map, Value};
use std::fmt;

/// The identity of a table: made with it, and gone with it. A table of the same name that is made later is another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(String);

/// Begins the identity of a table that was there before it got one.
const GIVEN: &str = "kept-";

/// Stands before the identity in a table's comment, which may hold words of the user's as well.
#[cfg(feature = "duckdb")]
const MARK: &str = "drayage table ";

impl TableId {
    /// The identity of a table that is made now.
    pub fn of_new_table() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    /// The identity of a table that is there without one.
    pub fn of_old_table() -> Self {
        Self(format!("{GIVEN}{:032x}", rand::random::<u128>()))
    }

    /// Whether the table was there before tables had identities: what went into it then is not remembered.
    pub fn is_of_old_table(&self) -> bool {
        self.0.starts_with(GIVEN)
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads an identity; `None` if the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(GIVEN).unwrap_or(text);
        let fits = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        fits.then(|| Self(text.to_owned()))
    }

    /// The identity that a table's comment holds.
    #[cfg(feature = "duckdb")]
    pub(crate) fn in_comment(comment: &str) -> Option<Self> {
        let (_, after) = comment.rsplit_once(MARK)?;
        Self::parse(after.split_whitespace().next()?)
    }

    /// A table's comment with the identity; what the comment says already stays.
    #[cfg(feature = "duckdb")]
    pub(crate) fn comment(&self, before: Option<&str>) -> String {
        match before.map(str::trim_end).filter(|before| !before.is_empty()) {
            Some(before) => format!("{before}\n{MARK}{self}"),
            None => format!("{MARK}{self}"),
        }
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A table's identity, and whether the table has yet to be given it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The identity.
    pub id: TableId,
    /// Whether it is not written down at the table yet.
    pub is_new: bool,
}

/// The mode of a batch of changes that began with no state: everything that there is.
pub(crate) const FULL: &str = "full";

/// What one applied batch has left in the memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Schema (dataset) and name of the table.
    pub table: String,
    /// The table's identity; `None` if there was no table, because nothing had a record yet.
    pub table_id: Option<TableId>,
    /// The unit.
    pub unit: Unit,
    /// The run.
    pub run_id: RunId,
    /// The batch's mode, `full` for a stream of changes that was read from its start, or `adopted`.
    pub mode: String,
    /// The digest of the state after it; `None` where it moved no state.
    pub state: Option<String>,
    /// The instant of the rows that it wrote; `None` where it wrote none.
    pub synced: Option<DateTime<Utc>>,
}

/// What an apply adds to the memory.
#[derive(Debug, Clone)]
pub struct Remember {
    /// The batch.
    pub applied: Applied,
    /// Whether the table has rows of newer runs or of another writer, whose states hold no longer once this batch is applied.
    pub supersedes: bool,
    /// Whether batches were applied before there was a table, to which they belong from now on.
    pub claims: bool,
    /// When.
    pub at: DateTime<Utc>,
}

impl Remember {
    /// What an adoption leaves: who writes the account's rows of the table from now on.
    pub(super) fn adoption(adoption: &Adoption<'_>) -> Self {
        let applied = Applied {
            table: adoption.table.in_schema(),
            table_id: None,
            unit: adoption.unit.clone(),
            run_id: adoption.run_id.clone(),
            mode: "adopted".into(),
            state: None,
            synced: None,
        };
        Self { applied, supersedes: true, claims: false, at: adoption.at }
    }
}

/// Identifies a state, whatever the order of its keys. States can be large; whether two are the same is all that is asked.
pub fn state_digest(state: &Value) -> String {
    let text = sorted(state).to_string();
    blake3::hash(text.as_bytes()).to_hex().as_str()[..32].to_owned()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn identities_are_read_back_and_tell_their_age() {
        let (new, old) = (TableId::of_new_table(), TableId::of_old_table());
        assert!(!new.is_of_old_table() && old.is_of_old_table());
        for id in [&new, &old] {
            assert_eq!(TableId::parse(id.as_str()).as_ref(), Some(id));
        }
        for text in ["", "kept-", "abc", &format!("{new}x"), &new.as_str().replace(|c: char| c.is_ascii_digit(), "g")] {
            assert_eq!(TableId::parse(text), None, "{text}");
        }
    }

    #[cfg(feature = "duckdb")]
    #[test]
    fn a_comment_keeps_its_words() {
        let id = TableId::of_new_table();
        for before in [None, Some(""), Some("Orders, by the shop."), Some("my drayage table is here")] {
            let comment = id.comment(before);
            assert!(comment.starts_with(before.unwrap_or_default()));
            assert_eq!(TableId::in_comment(&comment).as_ref(), Some(&id), "{comment}");
        }
        assert_eq!(TableId::in_comment("my drayage table is here"), None);
    }

    #[test]
    fn a_state_is_known_by_its_content() {
        let digest = |text: &str| state_digest(&serde_json::from_str(text).unwrap());
        assert_eq!(digest(r#"{"a": 1, "b": [{"c": 2, "d": 3}]}"#), digest(r#"{"b":[{"d":3,"c":2}],"a":1}"#));
        assert_ne!(state_digest(&json!({"at": "1"})), state_digest(&json!({"at": 1})));
    }
}
