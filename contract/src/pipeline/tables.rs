//! Which table each stream goes into, and which streams must not share one: the file is judged whole, whatever a command narrows.
//! Rows of two streams in one table cannot be told apart, so that a snapshot of one would mark the rows of the other as deleted.

use super::problem::{Problem, key_path};
use super::{AccountEntry, Pipeline, Source, TablePlace};
use crate::table_name::{LOG_TABLES, table_name};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, PathBuf};

impl Source {
    /// The table of a stream: as the file says, or by the rule for names.
    pub fn table(&self, stream: &str) -> String {
        self.stream(stream).table.unwrap_or_else(|| table_name(stream))
    }

    /// The names of the streams that the file lists; empty where it lists none.
    pub fn listed(&self) -> Vec<String> {
        self.streams.iter().flatten().map(|stream| stream.name.clone()).collect()
    }
}

impl Pipeline {
    /// Where an account's tables lie: its own project, dataset or schema, or the warehouse's.
    pub fn table_place(&self, account: &AccountEntry) -> TablePlace {
        self.warehouse.place(&account.warehouse)
    }

    /// Streams that share a table and must not: two streams of one source, streams of two connectors, or one account by two sources.
    /// `streams` names the streams of a source, as far as they are known.
    pub fn table_problems(&self, streams: impl Fn(&Source) -> Vec<String>) -> Vec<Problem> {
        let mut tables: BTreeMap<(TablePlace, String), Table> = BTreeMap::new();
        for source in &self.sources {
            for stream in streams(source) {
                let table = source.table(&stream);
                for account in &source.accounts {
                    let place = self.table_place(account);
                    // Neither warehouse is asked to tell names apart by the case of their letters.
                    let folded = TablePlace { schema: place.schema.to_lowercase(), ..place.clone() };
                    let entry = tables.entry((folded, table.to_lowercase())).or_insert_with(|| Table {
                        name: format!("{}.{table}", place.schema),
                        is_log: self.is_log_table(account, &place, &table),
                        writers: Vec::new(),
                    });
                    match entry.writers.iter_mut().find(|w| w.source.index == source.index && w.stream == stream) {
                        Some(writer) => drop(writer.accounts.insert(&account.id)),
                        None => entry.writers.push(Writer {
                            source,
                            stream: stream.clone(),
                            accounts: BTreeSet::from([account.id.as_str()]),
                        }),
                    }
                }
            }
        }
        let mut found: BTreeMap<(usize, usize, String), (Problem, usize)> = BTreeMap::new();
        for table in tables.values() {
            for (key, problem) in self.conflicts_of(table) {
                found.entry(key).or_insert((problem, 0)).1 += 1;
            }
        }
        let more = |(problem, tables): (Problem, usize)| match tables {
            1 => problem,
            2 => Problem { message: format!("{} (and 1 more table likewise)", problem.message), ..problem },
            _ => {
                Problem { message: format!("{} (and {} more tables likewise)", problem.message, tables - 1), ..problem }
            }
        };
        found.into_values().map(more).collect()
    }

    /// What is wrong with a table, each with the sources that it is about: the same between two sources is told once.
    fn conflicts_of(&self, table: &Table<'_>) -> Vec<((usize, usize, String), Problem)> {
        let mut problems = Vec::new();
        for (at, late) in table.writers.iter().enumerate() {
            let (source, stream) = (&late.source.name, &late.stream);
            let mut add = |other: usize, about: &str, message: String| {
                problems.push(((other, late.source.index, about.to_owned()), self.problem(late, message)));
            };
            if table.is_log {
                let message = format!(
                    "stream `{stream}` would go into {}, where the load writes its log; give it another `table`",
                    table.name
                );
                add(late.source.index, stream, message);
            }
            for early in &table.writers[..at] {
                let (other, others) = (&early.source.name, &early.stream);
                if early.source.index == late.source.index {
                    let message = format!(
                        "streams `{others}` and `{stream}` of source `{source}` both go into table {}; give one of them another `table`",
                        table.name
                    );
                    add(early.source.index, stream, message);
                } else if early.stream != late.stream || !self.same_connector(early.source, late.source) {
                    let message = format!(
                        "stream `{stream}` of source `{source}` and stream `{others}` of source `{other}` are different ones, but both go into table {}; give one of them another `table`",
                        table.name
                    );
                    add(early.source.index, "", message);
                } else if let Some(account) = early.accounts.intersection(&late.accounts).next() {
                    let message = format!(
                        "sources `{other}` and `{source}` both bring account `{account}` into table {} (stream `{stream}`); give one of them another `table`, or list the account in one of them only",
                        table.name
                    );
                    add(early.source.index, "account", message);
                }
            }
        }
        problems
    }

    fn problem(&self, writer: &Writer<'_>, message: String) -> Problem {
        let source = writer.source;
        let listed = source.streams.iter().flatten().position(|settings| settings.name == writer.stream);
        let pointer = match listed {
            Some(index) => format!("/sources/{}/streams/{index}", source.index),
            None => format!("/sources/{}", source.index),
        };
        Problem { line: self.line_of(&pointer), key: key_path(&pointer), message }
    }

    fn same_connector(&self, one: &Source, other: &Source) -> bool {
        let whole = |source: &Source| -> PathBuf {
            let path = self.base.join(&source.connector);
            path.components().filter(|part| *part != Component::CurDir).collect()
        };
        whole(one) == whole(other)
    }

    fn is_log_table(&self, account: &AccountEntry, place: &TablePlace, table: &str) -> bool {
        let logs = self.warehouse.logs(&account.warehouse);
        logs.eq_ignore_ascii_case(&place.schema) && LOG_TABLES.iter().any(|log| log.eq_ignore_ascii_case(table))
    }
}

/// A table and who writes into it.
struct Table<'a> {
    name: String,
    is_log: bool,
    /// Each once, in the order of the file.
    writers: Vec<Writer<'a>>,
}

struct Writer<'a> {
    source: &'a Source,
    stream: String,
    accounts: BTreeSet<&'a str>,
}
