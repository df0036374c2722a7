//! What the tables must hold: the oracle's readings, one after each run, folded together as the design's section 7 says.
//! Compared row by row and column by column, audit columns included.

use crate::oracle::{Reader, Record, STREAMS, Stream};
use crate::tables::Warehouse;
use crate::values::{self, Type};
use crate::world::{ACCOUNTS, World};
use std::collections::{BTreeMap, BTreeSet};

const AUDIT: [&str; 4] = ["_etl_synced", "_etl_operation", "_etl_account", "_etl_row_hash"];

/// A load: that of a reading, or the one after it that confirms what the reading lacked. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Load {
    pub(crate) reading: usize,
    pub(crate) confirms: bool,
}

impl Load {
    /// The load of a reading.
    pub(crate) fn of(reading: usize) -> Self {
        Self { reading, confirms: false }
    }

    /// The load that marks a row which a reading lacks: its own if the row was a suspect before, else the one that confirms it.
    pub(crate) fn that_marks(reading: usize, was_suspect: bool) -> Self {
        Self { reading, confirms: !was_suspect }
    }
}

/// A row that must be there.
#[derive(Debug, Clone)]
struct Expected {
    record: Record,
    operation: &'static str,
    /// The load with which it last changed.
    synced: Load,
}

/// How much of the audit columns is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audit {
    /// Which run changed which row, and how.
    Whole,
    /// Only which rows are deleted: some runs were cut short, and what they did is not known.
    Deleted,
}

#[derive(Debug, Clone, Default)]
struct Table {
    rows: BTreeMap<(String, i64), Expected>,
    /// Live rows that one reading lacked and no other has confirmed yet.
    suspects: BTreeSet<(String, i64)>,
    /// The types of all values of a field that were ever seen.
    seen: BTreeMap<String, BTreeSet<Type>>,
}

/// The tables as they must be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    tables: BTreeMap<&'static str, Table>,
    readings: usize,
}

impl Model {
    /// Reads the API and takes over what a run must have done with the streams that `loaded` (account, stream) names: what is gone is marked
    /// when the run has read it once more.
    pub(crate) fn observe(&mut self, world: &World, loaded: impl Fn(&str, &str) -> bool) {
        self.read(world, loaded, true);
    }

    /// The same of a load alone, of a run that has not loaded before: it confirms nothing, so that only what was a suspect already is marked.
    pub(crate) fn observe_a_load_alone(&mut self, world: &World, loaded: impl Fn(&str, &str) -> bool) {
        self.read(world, loaded, false);
    }

    fn read(&mut self, world: &World, loaded: impl Fn(&str, &str) -> bool, confirms: bool) {
        self.readings += 1;
        for account in &ACCOUNTS {
            let reader = Reader::log_in(world, account);
            for stream in STREAMS.iter().filter(|stream| loaded(account.id, stream.name)) {
                let table = self.tables.entry(stream.name).or_default();
                table.take(stream, account.id, reader.records(stream), self.readings, confirms);
            }
        }
    }

    /// Compares everything; every row must have been changed by the run that changed it, and by no other.
    #[track_caller]
    pub(crate) fn check(&self, warehouse: &Warehouse) {
        self.compare(warehouse, Audit::Whole);
    }

    /// Compares everything but when and by which operation a row that is not deleted was last changed.
    #[track_caller]
    pub(crate) fn check_after_a_break(&self, warehouse: &Warehouse) {
        self.compare(warehouse, Audit::Deleted);
    }

    #[track_caller]
    fn compare(&self, warehouse: &Warehouse, audit: Audit) {
        let problems = self.problems(warehouse, audit);
        let shown = problems.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
        assert!(problems.is_empty(), "{} differences; the first:\n{shown}", problems.len());
    }

    /// Every difference, in words.
    pub(crate) fn problems(&self, warehouse: &Warehouse, audit: Audit) -> Vec<String> {
        let tables = self.tables.iter();
        let named = |name: &str, problem: String| format!("{name}: {problem}");
        tables
            .flat_map(|(name, table)| {
                table.problems(name, warehouse, audit).into_iter().map(move |problem| named(name, problem))
            })
            .collect()
    }

    /// No row that the API has now may be marked as deleted.
    #[track_caller]
    pub(crate) fn check_that_nothing_is_deleted_falsely(&self, world: &World) {
        self.check_that_nothing_is_marked_falsely(world, &world.warehouse());
    }

    /// The same of another warehouse than the world's own.
    #[track_caller]
    pub(crate) fn check_that_nothing_is_marked_falsely(&self, world: &World, warehouse: &Warehouse) {
        let readers = ACCOUNTS.each_ref().map(|account| (account.id, Reader::log_in(world, account)));
        for stream in STREAMS.iter().filter(|stream| self.tables.contains_key(stream.name)) {
            let found = warehouse.rows("bronze", stream.name, &["id", "_etl_account", "_etl_operation"]);
            for (account, reader) in &readers {
                let of_account = found.rows.iter().filter(|row| row[1].as_deref() == Some(account));
                let deleted = of_account.filter(|row| row[2].as_deref() == Some("DELETE"));
                let deleted: Vec<i64> = deleted.map(|row| row[0].as_ref().unwrap().parse().unwrap()).collect();
                let now = if deleted.is_empty() { BTreeMap::new() } else { reader.records(stream) };
                let falsely: Vec<&i64> = deleted.iter().filter(|id| now.contains_key(id)).collect();
                assert!(falsely.is_empty(), "{} of {account}: marked as deleted, and there: {falsely:?}", stream.name);
            }
        }
    }

    /// How many rows of a table are marked as deleted.
    pub(crate) fn deleted(&self, stream: &str) -> usize {
        self.tables[stream].rows.values().filter(|row| row.operation == "DELETE").count()
    }

    /// How many rows of its tables are marked in a warehouse.
    pub(crate) fn marked(&self, warehouse: &Warehouse) -> usize {
        let of_table = |name: &&str| warehouse.rows("bronze", name, &["_etl_operation"]).rows;
        let rows = self.tables.keys().flat_map(of_table);
        rows.filter(|row| row[0].as_deref() == Some("DELETE")).count()
    }

    /// How many live rows of a table one reading has lacked, and no other yet.
    pub(crate) fn suspects(&self, stream: &str) -> usize {
        self.tables[stream].suspects.len()
    }
}

impl Table {
    fn take(&mut self, stream: &Stream, account: &str, records: BTreeMap<i64, Record>, reading: usize, confirms: bool) {
        self.suspects.retain(|(owner, id)| owner != account || !records.contains_key(id));
        let gone = self.rows.iter_mut().filter(|((owner, id), _)| owner == account && !records.contains_key(id));
        for (key, row) in gone.filter(|(_, row)| stream.snapshot && row.operation != "DELETE") {
            let was_suspect = self.suspects.remove(key);
            if was_suspect || confirms {
                (row.operation, row.synced) = ("DELETE", Load::that_marks(reading, was_suspect));
            } else {
                self.suspects.insert(key.clone());
            }
        }
        for (id, record) in records {
            for (field, raw) in &record {
                self.seen.entry(field.clone()).or_default().extend(values::type_of(raw));
            }
            let operation = match self.rows.get(&(account.to_owned(), id)) {
                None => "INSERT",
                Some(row) if row.operation == "DELETE" || row.record != record => "UPDATE",
                Some(_) => continue,
            };
            self.rows.insert((account.to_owned(), id), Expected { record, operation, synced: Load::of(reading) });
        }
    }

    fn columns(&self, stream: &str) -> BTreeMap<String, (String, Type)> {
        let hints = values::hints(stream);
        let fields: BTreeSet<&String> = hints.keys().chain(self.seen.keys()).collect();
        let none = BTreeSet::new();
        let typed = fields.into_iter().filter_map(|field| {
            let by_values = || values::decide(self.seen.get(field).unwrap_or(&none));
            let ty = hints.get(field).copied().or_else(by_values)?;
            Some((values::snake_case(field), (field.clone(), ty)))
        });
        typed.collect()
    }

    fn problems(&self, name: &str, warehouse: &Warehouse, audit: Audit) -> Vec<String> {
        let mut problems = Vec::new();
        let columns = self.columns(name);
        let found: BTreeMap<String, String> = warehouse.columns("bronze", name).into_iter().collect();
        let text = |name: &str| if name == "_etl_synced" { "TIMESTAMP" } else { "VARCHAR" }.to_owned();
        let audits = AUDIT.iter().map(|name| ((*name).to_owned(), text(name)));
        let wanted = columns.iter().map(|(column, (_, ty))| (column.clone(), ty.name().to_owned())).chain(audits);
        let wanted: BTreeMap<String, String> = wanted.collect();
        if found != wanted {
            let only = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
                let rest = a.iter().filter(|(name, ty)| b.get(*name) != Some(ty));
                rest.map(|(name, ty)| format!("{name} {ty}")).collect::<Vec<_>>().join(", ")
            };
            return vec![format!(
                "columns: it has {}; it should have {}",
                only(&found, &wanted),
                only(&wanted, &found)
            )];
        }

        let found = warehouse.rows("bronze", name, &[]);
        let [id, synced, operation, account, hash] =
            ["id", AUDIT[0], AUDIT[1], AUDIT[2], AUDIT[3]].map(|name| found.place(name));
        let cell = |row: &[Option<String>], at: usize| row[at].clone().unwrap_or_else(|| "NULL".to_owned());
        let mut rows = BTreeMap::new();
        for row in &found.rows {
            let key = (cell(row, account), cell(row, id).parse::<i64>().unwrap());
            if rows.insert(key, row).is_some() {
                problems.push(format!("two rows of one key: {row:?}"));
            }
        }
        problems
            .extend(rows.keys().filter(|key| !self.rows.contains_key(*key)).map(|key| format!("{key:?} is too much")));
        let columns: Vec<_> =
            columns.iter().map(|(column, (field, ty))| (found.place(column), column, field, *ty)).collect();
        let mut instants: BTreeMap<(String, Load), BTreeSet<String>> = BTreeMap::new();
        let mut hashes = BTreeSet::new();
        for (key, expected) in &self.rows {
            let Some(row) = rows.get(key) else {
                problems.push(format!("{key:?} is missing"));
                continue;
            };
            for (place, column, field, ty) in &columns {
                let (raw, have) = (expected.record.get(*field), row[*place].as_ref());
                // Most JSON arrives as it was sent.
                if *ty == Type::Json && raw.is_some() && raw == have && raw.is_some_and(|raw| raw != "null") {
                    continue;
                }
                let (want, have) = (values::of_record(raw, *ty), values::of_column(have, *ty));
                let same_json =
                    || *ty == Type::Json && want.as_deref().map(values::json) == have.as_deref().map(values::json);
                if want != have && (warehouse.is_shared() || !same_json()) {
                    problems.push(format!("{key:?}.{column}: {have:?} instead of {want:?}"));
                }
            }
            let operation = cell(row, operation);
            let right = match audit {
                Audit::Whole => operation == expected.operation,
                Audit::Deleted => (operation == "DELETE") == (expected.operation == "DELETE"),
            };
            if !right {
                problems.push(format!("{key:?}: {operation} instead of {}", expected.operation));
            }
            // Companies that share a table share its MERGE.
            let owner = if warehouse.is_shared() { String::new() } else { key.0.clone() };
            instants.entry((owner, expected.synced)).or_default().insert(cell(row, synced));
            let hash = cell(row, hash);
            if hash.len() != 32 || !hashes.insert((&key.0, hash.clone())) {
                problems.push(format!("{key:?}: the hash {hash} is no hash, or another row's"));
            }
        }
        if audit == Audit::Whole {
            // One instant for all rows of one MERGE, and a later one for a later MERGE.
            let all: Vec<(&String, &String)> =
                instants.iter().flat_map(|((owner, _), instants)| instants.iter().map(move |at| (owner, at))).collect();
            let rises = all.windows(2).all(|two| two[0].0 != two[1].0 || two[0].1 < two[1].1);
            if instants.values().any(|instants| instants.len() != 1) || !rises {
                problems.push(format!("_etl_synced by load: {instants:?}"));
            }
        }
        problems
    }
}
