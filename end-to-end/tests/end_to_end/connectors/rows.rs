//! The rows that the tables of one source must hold: what each run read, folded together as the design's section 7 says.
//! Compared row by row and column by column with the warehouse, audit columns included.

use super::stream::{Kind, Stream, column};
use crate::model::{Audit, Load};
use crate::oracle::Record;
use crate::tables::Warehouse;
use crate::values::{self, Type};
use std::collections::{BTreeMap, BTreeSet};

const AUDIT: [&str; 4] = ["_etl_synced", "_etl_operation", "_etl_account", "_etl_row_hash"];

/// The account and the values of the key.
type Key = Vec<String>;

#[derive(Debug, Clone)]
struct Expected {
    record: Record,
    operation: &'static str,
    /// The load that last changed it.
    synced: Load,
}

#[derive(Debug, Clone)]
struct Table {
    stream: Stream,
    rows: BTreeMap<Key, Expected>,
    /// The types of all values of a field that were ever read.
    seen: BTreeMap<String, BTreeSet<Type>>,
}

/// The tables as they must be.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    tables: BTreeMap<String, Table>,
    runs: usize,
}

impl Tables {
    pub(crate) fn new(streams: Vec<Stream>) -> Self {
        let table =
            |stream: Stream| (stream.name.clone(), Table { stream, rows: BTreeMap::new(), seen: BTreeMap::new() });
        Self { tables: streams.into_iter().map(table).collect(), runs: 0 }
    }

    /// What is taken from here on was read by another run.
    pub(crate) fn begin_run(&mut self) {
        self.runs += 1;
    }

    /// What the run has read of a stream.
    pub(crate) fn take(&mut self, account: &str, stream: &str, records: impl IntoIterator<Item = Record>) {
        let run = self.runs;
        self.tables.get_mut(stream).unwrap().take(account, records, run);
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    pub(crate) fn is_snapshot(&self, stream: &str) -> bool {
        self.tables[stream].stream.kind != Kind::Incremental
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
        let of_table = |(name, table): (&String, &Table)| {
            let name = name.clone();
            table.problems(warehouse, audit).into_iter().map(move |problem| format!("{name}: {problem}"))
        };
        let problems: Vec<String> = self.tables.iter().flat_map(of_table).collect();
        let shown = problems.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
        assert!(problems.is_empty(), "{} differences; the first:\n{shown}", problems.len());
    }

    /// How many rows of a table a run has changed in this way.
    pub(crate) fn count(&self, stream: &str, run: usize, operation: &str) -> usize {
        let rows = self.tables[stream].rows.values();
        rows.filter(|row| row.synced.reading == run && row.operation == operation).count()
    }
}

impl Table {
    fn take(&mut self, account: &str, records: impl IntoIterator<Item = Record>, run: usize) {
        let records: Vec<Record> = records.into_iter().collect();
        for (field, raw) in records.iter().flatten() {
            self.seen.entry(field.clone()).or_default().extend(values::type_of(raw));
        }
        let records: BTreeMap<Key, Record> =
            records.into_iter().map(|record| (self.key(account, &record), record)).collect();
        if self.stream.kind == Kind::Replace {
            self.rows.retain(|key, _| key[0] != account);
        }
        let gone = self
            .rows
            .iter_mut()
            .filter(|(key, row)| key[0] == account && row.operation != "DELETE" && !records.contains_key(*key));
        for (_, row) in gone.filter(|_| self.stream.kind == Kind::Snapshot) {
            // Every run here is a whole one: it has confirmed what its first reading lacked.
            (row.operation, row.synced) = ("DELETE", Load::that_marks(run, false));
        }
        for (key, record) in records {
            let operation = match self.rows.get(&key) {
                None => "INSERT",
                Some(row) if row.operation == "DELETE" || row.record != record => "UPDATE",
                Some(_) => continue,
            };
            self.rows.insert(key, Expected { record, operation, synced: Load::of(run) });
        }
    }

    fn key(&self, account: &str, record: &Record) -> Key {
        if self.stream.keys.is_empty() {
            return vec![account.to_owned(), format!("{record:?}")];
        }
        let part = |field: &String| {
            let none = BTreeSet::new();
            let ty = self.type_of(field, self.seen.get(field).unwrap_or(&none)).unwrap();
            values::of_record(record.get(field), ty).unwrap_or_else(|| panic!("no {field} in {record:?}"))
        };
        [account.to_owned()].into_iter().chain(self.stream.keys.iter().map(part)).collect()
    }

    fn type_of(&self, field: &str, seen: &BTreeSet<Type>) -> Option<Type> {
        let decided = || match values::decide(seen)? {
            // A key that is a time keeps every letter.
            Type::Timestamp if self.stream.keys.iter().any(|key| key == field) => Some(Type::Varchar),
            other => Some(other),
        };
        self.stream.hints.get(field).copied().or_else(decided)
    }

    /// Columns by name: field and type.
    fn columns(&self) -> BTreeMap<String, (String, Type)> {
        let fields: BTreeSet<&String> = self.stream.hints.keys().chain(self.seen.keys()).collect();
        let none = BTreeSet::new();
        let typed = fields.into_iter().filter_map(|field| {
            let ty = self.type_of(field, self.seen.get(field).unwrap_or(&none))?;
            Some((column(field), (field.clone(), ty)))
        });
        typed.collect()
    }

    fn problems(&self, warehouse: &Warehouse, audit: Audit) -> Vec<String> {
        let columns = self.columns();
        let found: BTreeMap<String, String> = warehouse.columns("bronze", &self.stream.name).into_iter().collect();
        let audits = AUDIT
            .iter()
            .map(|name| ((*name).to_owned(), if *name == AUDIT[0] { "TIMESTAMP" } else { "VARCHAR" }.to_owned()));
        let wanted: BTreeMap<String, String> =
            columns.iter().map(|(name, (_, ty))| (name.clone(), ty.name().to_owned())).chain(audits).collect();
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
        let found = warehouse.rows("bronze", &self.stream.name, &[]);
        let places: Vec<(usize, &String, Type)> =
            columns.iter().map(|(name, (field, ty))| (found.place(name), field, *ty)).collect();
        let [synced, operation, account, hash] = AUDIT.map(|name| found.place(name));
        let cell = |row: &[Option<String>], at: usize| row[at].clone().unwrap_or_default();
        let mut problems = Vec::new();
        let mut rows = BTreeMap::new();
        for row in &found.rows {
            let part = |field: &String| {
                let (place, _, ty) = places.iter().find(|(_, other, _)| *other == field).unwrap();
                values::of_column(row[*place].as_ref(), *ty).unwrap_or_default()
            };
            let key: Key = [cell(row, account)].into_iter().chain(self.stream.keys.iter().map(part)).collect();
            // Without a key the rows themselves are compared, as a set.
            let key = if self.stream.keys.is_empty() { [key, self.whole(row, &places)].concat() } else { key };
            if rows.insert(key, row).is_some() {
                problems.push(format!("two rows of one key: {row:?}"));
            }
        }
        let expected: BTreeMap<Key, &Expected> =
            self.rows.iter().map(|(key, row)| (self.as_found(key, row, &places), row)).collect();
        let extra = rows.keys().filter(|key| !expected.contains_key(*key));
        problems.extend(extra.map(|key| format!("{key:?} is too much")));
        let mut instants: BTreeMap<Load, BTreeSet<String>> = BTreeMap::new();
        let mut hashes = BTreeSet::new();
        for (key, expected) in expected {
            let Some(row) = rows.get(&key) else {
                problems.push(format!("{key:?} is missing"));
                continue;
            };
            for (place, field, ty) in &places {
                let (want, have) =
                    (values::of_record(expected.record.get(*field), *ty), values::of_column(row[*place].as_ref(), *ty));
                if want != have {
                    problems.push(format!("{key:?}.{field}: {have:?} instead of {want:?}"));
                }
            }
            let told = cell(row, operation);
            let right = match audit {
                _ if self.stream.kind == Kind::Replace => told != "DELETE",
                Audit::Whole => told == expected.operation,
                Audit::Deleted => (told == "DELETE") == (expected.operation == "DELETE"),
            };
            if !right {
                problems.push(format!("{key:?}: {told} instead of {}", expected.operation));
            }
            instants.entry(expected.synced).or_default().insert(cell(row, synced));
            let hash = cell(row, hash);
            if hash.len() != 32 || !hashes.insert((key[0].clone(), hash.clone())) {
                problems.push(format!("{key:?}: the hash {hash} is no hash, or another row's"));
            }
        }
        if audit == Audit::Whole && self.stream.kind != Kind::Replace {
            // One instant for all rows of one MERGE, and a later one for a later MERGE.
            let all: Vec<&String> = instants.values().flatten().collect();
            if instants.values().any(|of_load| of_load.len() != 1) || !all.is_sorted_by(|a, b| a < b) {
                problems.push(format!("_etl_synced by load: {instants:?}"));
            }
        }
        problems
    }

    /// All values of a row in one form.
    fn whole(&self, row: &[Option<String>], places: &[(usize, &String, Type)]) -> Key {
        vec![format!(
            "{:?}",
            places.iter().map(|(place, _, ty)| values::of_column(row[*place].as_ref(), *ty)).collect::<Vec<_>>()
        )]
    }

    /// The key by which an expected row is found.
    fn as_found(&self, key: &Key, row: &Expected, places: &[(usize, &String, Type)]) -> Key {
        if !self.stream.keys.is_empty() {
            return key.clone();
        }
        let cells = places.iter().map(|(_, field, ty)| values::of_record(row.record.get(*field), *ty));
        vec![key[0].clone(), format!("{:?}", cells.collect::<Vec<_>>())]
    }
}
