//! Everything that the portal holds at the moment of one generation.
//! Immutable once built; another generation makes another world.

use serde_json::Value;

use super::Options;
use super::conversations::{Around, Conversation};
use super::records::{self, MODULES};
use crate::lives::{Calendar, Life, Lives};
use crate::servicetitan::dice::key_of;

/// A record of a small list; those that were removed stay, for the oracle.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) life: Life,
    pub(crate) record: Value,
}

#[derive(Debug)]
pub(crate) struct World {
    /// In the order in which they began.
    pub(crate) conversations: Vec<Conversation>,
    /// One list for each of [`MODULES`].
    pub(crate) tags: Vec<Vec<Entry>>,
    pub(crate) departments: Vec<Entry>,
    pub(crate) operators: Vec<Entry>,
}

impl World {
    pub(crate) fn new(options: &Options, generation: u32) -> Self {
        let calendar = Calendar { until: options.until_ms, span: options.span };
        let lives = |name: &str, count| Lives::new(key_of(options.seed, &["zoho", name]), count, generation, calendar);
        let small = |name: &str, count, record: &dyn Fn(&Lives, u32, Life) -> Value| {
            let lives = lives(name, count);
            let entry = |slot| {
                let life = lives.life(slot);
                Entry { life, record: record(&lives, slot, life) }
            };
            lives.slots().map(entry).collect::<Vec<_>>()
        };
        let tags = |module: usize| if module == 0 { options.tags } else { options.tags / 4 };
        let around = Around {
            departments: u32::try_from(options.departments).unwrap_or(u32::MAX),
            operators: u32::try_from(options.operators).unwrap_or(u32::MAX),
            tags: u32::try_from(options.tags).unwrap_or(u32::MAX),
            most_messages: options.messages as u64,
        };
        let of = lives("conversations", options.conversations);
        let mut conversations: Vec<_> = of.slots().map(|slot| Conversation::new(&of, slot, around)).collect();
        conversations.sort_by_key(|conversation| conversation.start);
        let tags = (0..MODULES.len())
            .map(|module| {
                let record = |lives: &Lives, slot, life| records::tag(module, lives, slot, life);
                small(MODULES.get(module).copied().unwrap_or_default(), tags(module), &record)
            })
            .collect();
        let departments = small("departments", options.departments, &records::department);
        let operators = small("operators", options.operators, &records::operator);
        Self { conversations, tags, departments, operators }
    }

    /// A conversation that exists.
    pub(crate) fn conversation(&self, id: &str) -> Option<&Conversation> {
        self.conversations.iter().find(|conversation| conversation.id == id && conversation.life.removed.is_none())
    }
}
