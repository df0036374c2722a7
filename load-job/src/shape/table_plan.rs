//! The plan of a table: which column each field's values go to, and what must change in the table for that.
//! It follows from the table that exists, the hints and all kinds seen; never from the first rows, nor from their order.

mod owners;

use super::AUDIT_COLUMNS;
use super::column_type::ColumnType;
use super::hint::{Hint, RAW_COLUMN, Reading};
use super::kind::{Kind, Kinds};
use super::name::{clashing_name, column_name, sibling_name};
use super::observe::Observed;
use owners::{first_choice, is_written, owners};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Bytes of a field's name that every warehouse remembers beside its column, however they are escaped.
const LONGEST_REMEMBERED: usize = 150;

/// A column that the target has already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingColumn {
    /// Its name.
    pub name: String,
    /// Its type; `None` for a type that is none of ours.
    pub ty: Option<ColumnType>,
    /// The field it was made for, where the table remembers it.
    pub field: Option<String>,
    /// Whether it has a comment of somebody else, which may have taken the place of what the table remembered.
    pub is_described: bool,
    /// Whether it stands beside the field's own column, for values that do not fit there.
    pub sibling: bool,
    /// Whether it holds JSON as [`ColumnPlan::is_canonical`] says.
    pub is_canonical: bool,
}

/// A column of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnPlan {
    /// Its name.
    pub name: String,
    /// Its type after all changes.
    pub ty: ColumnType,
    /// The field it is for.
    pub field: String,
    /// Whether it stands beside the field's own column.
    pub sibling: bool,
    /// Whether its field is part of the primary key, whose values are held as they are or rejected.
    pub is_key: bool,
    /// Whether its JSON is written in one form, so that keys with the same content are one key. Tables of before hold keys as they were sent,
    /// and go on with that: written in another form, each would come a second time.
    pub is_canonical: bool,
}

impl ColumnPlan {
    /// Whether a value of this kind is held without loss.
    pub(super) fn holds(&self, kind: Kind) -> bool {
        if self.is_key { self.ty.held_as_key().has(kind) } else { self.ty.fits(kind) }
    }
}

/// A field and the columns its values may go to: each value goes to the first that holds it without loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPlan {
    /// The field's name in the record.
    pub field: String,
    /// Indexes into [`TablePlan::columns`]: the field's own column, then its siblings.
    pub columns: Vec<usize>,
    /// How its values are read.
    pub reading: Reading,
}

/// What happens to a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaChangeKind {
    /// A new column.
    Added,
    /// A larger type.
    Widened,
    /// A new column beside another, for values that do not fit there.
    Split,
    /// The type that a hint says, which an earlier load did not know of.
    Retyped,
}

impl SchemaChangeKind {
    /// The word in `schema_changes`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Widened => "widened",
            Self::Split => "split",
            Self::Retyped => "retyped",
        }
    }
}

/// A change of an existing table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaChange {
    /// What happens.
    pub kind: SchemaChangeKind,
    /// Index into [`TablePlan::columns`].
    pub column: usize,
    /// The type before, of a column that had another.
    pub from: Option<ColumnType>,
}

/// The plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TablePlan {
    /// The data columns that are written: all of the existing table's that are of our types, then the new ones.
    pub columns: Vec<ColumnPlan>,
    /// The fields that have a column.
    pub fields: Vec<FieldPlan>,
    /// What must change in the table; empty for a table that is yet to be made, but for its splits.
    pub changes: Vec<SchemaChange>,
    /// Columns that should have been changed to the type of their hint and cannot be, with that type.
    pub stuck: Vec<(usize, ColumnType)>,
}

/// Whether a column's type may grow.
pub trait Widening {
    /// Why it cannot be told.
    type Error;

    /// Whether every value of an existing INT64 column is held exactly by a double.
    ///
    /// # Errors
    /// The warehouse cannot be asked.
    fn is_exact_as_double(&mut self, column: &str) -> Result<bool, Self::Error>;

    /// Whether an existing column takes on the type of its hint. `None`: it is not to be changed; false: it cannot be.
    ///
    /// # Errors
    /// The warehouse cannot be asked.
    fn retypes(&mut self, column: &str, from: ColumnType, to: &Hint) -> Result<Option<bool>, Self::Error>;
}

impl TablePlan {
    /// Makes the plan. `existing` is `None` for a table that is not there; `keys` are the fields of the primary key, if rows are merged by it.
    ///
    /// # Errors
    /// Those of `widening`.
    pub fn make<W: Widening>(
        existing: Option<&[ExistingColumn]>,
        hints: &[Hint],
        keys: &[String],
        observed: &Observed,
        widening: &mut W,
    ) -> Result<Self, W::Error> {
        let columns = existing.unwrap_or_default();
        let mut planner = Planner {
            table_exists: existing.is_some(),
            owners: owners(columns, hints, observed),
            hints: hints.iter().map(|hint| (hint.field.clone(), hint.clone())).collect(),
            keys: keys.iter().cloned().collect(),
            taken: columns
                .iter()
                .map(|column| column.name.to_lowercase())
                .chain(AUDIT_COLUMNS.map(str::to_owned))
                .collect(),
            plan: Self::default(),
        };
        let is_written = is_written(columns, hints, keys, observed);
        let known: Vec<(String, ExistingColumn)> = columns
            .iter()
            .filter_map(|column| Some((planner.owner(&column.name)?, column.clone())))
            .filter(|(field, column)| is_written(field, column))
            .collect();
        for (field, column) in &known {
            if let Some(ty) = column.ty {
                let index = planner.column(field, &column.name, ty, column.sibling);
                planner.plan.columns[index].is_canonical = column.is_canonical;
            }
        }
        let mut fields: Vec<String> = Vec::new();
        let mut seen = HashSet::new();
        let all = known.iter().map(|(field, _)| field.as_str());
        let all = all.chain(hints.iter().map(|hint| hint.field.as_str()));
        let all = all.chain(observed.fields().into_iter().map(|(field, _)| field));
        for field in all {
            if seen.insert(field) {
                fields.push(field.to_owned());
            }
        }
        // The whole record comes after its fields.
        fields.sort_by_key(|field| planner.reading(field) == Reading::Record);
        let names = planner.names_of_new(&fields, &known, observed);
        for field in fields {
            planner.field(&field, names.get(&field), observed.kinds(&field), widening)?;
        }
        Ok(planner.plan)
    }

    /// How the values of a field are read.
    pub fn reading(&self, field: &str) -> Reading {
        self.fields.iter().find(|plan| plan.field == field).map(|plan| plan.reading).unwrap_or_default()
    }

    /// Whether what was staged and observed under a guess holds for this plan: the columns of the key are the same, and so is how values are
    /// read.
    pub(crate) fn is_foreseen_by(&self, guess: &Self, keys: &[String]) -> bool {
        let is_read_alike = |field: &FieldPlan| guess.reading(&field.field) == field.reading;
        self.key_columns(keys) == guess.key_columns(keys) && self.fields.iter().all(is_read_alike)
    }

    /// The columns of the key, as far as the plan has them.
    pub fn key_columns(&self, keys: &[String]) -> Vec<&ColumnPlan> {
        keys.iter().filter_map(|key| self.own_column(key)).collect()
    }

    /// The column that a field's values go to first; `None` if it has none.
    pub fn own_column(&self, field: &str) -> Option<&ColumnPlan> {
        let index = *self.fields.iter().find(|plan| plan.field == field)?.columns.first()?;
        self.columns.get(index)
    }
}

struct Planner {
    table_exists: bool,
    owners: HashMap<String, String>,
    hints: HashMap<String, Hint>,
    keys: HashSet<String>,
    taken: HashSet<String>,
    plan: TablePlan,
}

impl Planner {
    fn owner(&self, column: &str) -> Option<String> {
        self.owners.get(column).cloned()
    }

    /// Names for the fields that have no column yet; decided for all together, so that their order plays no part.
    fn names_of_new(
        &mut self,
        fields: &[String],
        known: &[(String, ExistingColumn)],
        observed: &Observed,
    ) -> HashMap<String, String> {
        let with_column: HashSet<&str> =
            known.iter().filter(|(_, column)| !column.sibling).map(|(field, _)| field.as_str()).collect();
        let gets_one =
            |field: &String| self.hints.contains_key(field) || ColumnType::decide(observed.kinds(field)).is_some();
        let new: Vec<&str> = fields
            .iter()
            .filter(|field| !with_column.contains(field.as_str()) && gets_one(field))
            .map(String::as_str)
            .collect();
        let mut wishes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for field in new {
            let name = if self.reading(field) == Reading::Record { RAW_COLUMN.to_owned() } else { column_name(field) };
            wishes.entry(name).or_default().push(field);
        }
        let mut names = HashMap::new();
        for (wish, wishing) in &wishes {
            let winner = if self.taken.contains(wish) { None } else { first_choice(wish, wishing) };
            for field in wishing {
                let wins = winner.as_deref() == Some(*field);
                let name = if wins { wish.clone() } else { self.free_name(wish, field) };
                self.taken.insert(name.clone());
                names.insert((*field).to_owned(), name);
            }
        }
        names
    }

    /// A name for a field whose wish is taken. A table that has forgotten its fields may hold even that one.
    fn free_name(&self, wish: &str, field: &str) -> String {
        let mut names = (0..).map(|more| clashing_name(wish, &(field.to_owned() + &"_".repeat(more))));
        names.find(|name| !self.taken.contains(name)).unwrap_or_default()
    }

    fn reading(&self, field: &str) -> Reading {
        self.hints.get(field).map(|hint| hint.reading).unwrap_or_default()
    }

    fn column(&mut self, field: &str, name: &str, ty: ColumnType, sibling: bool) -> usize {
        let index = self.plan.columns.len();
        let is_key = !sibling && self.keys.contains(field);
        self.plan.columns.push(ColumnPlan {
            name: name.into(),
            ty,
            field: field.into(),
            sibling,
            is_key,
            is_canonical: false,
        });
        match self.plan.fields.iter_mut().find(|plan| plan.field == field) {
            Some(plan) if sibling => plan.columns.push(index),
            Some(plan) => plan.columns.insert(0, index),
            None => {
                let reading = self.reading(field);
                self.plan.fields.push(FieldPlan { field: field.into(), columns: vec![index], reading });
            }
        }
        index
    }

    fn change(&mut self, kind: SchemaChangeKind, column: usize, from: Option<ColumnType>) {
        // A new table's columns are no changes; a split is worth a row even there.
        if self.table_exists || kind == SchemaChangeKind::Split {
            self.plan.changes.push(SchemaChange { kind, column, from });
        }
    }

    fn field<W: Widening>(
        &mut self,
        field: &str,
        new_name: Option<&String>,
        kinds: Kinds,
        widening: &mut W,
    ) -> Result<(), W::Error> {
        let mut is_new = false;
        if let Some(name) = new_name {
            let hint = self.hints.get(field).map(|hint| hint.ty);
            let ty = match self.keys.contains(field) {
                true => ColumnType::decide_key(hint, kinds),
                false => hint.or_else(|| ColumnType::decide(kinds)),
            };
            let Some(ty) = ty else { return Ok(()) };
            let index = self.column(field, name, ty, false);
            let column = &mut self.plan.columns[index];
            // A column that cannot remember its field could not remember this either.
            column.is_canonical = column.is_key && ty == ColumnType::Json && field.len() <= LONGEST_REMEMBERED;
            self.change(SchemaChangeKind::Added, index, None);
            is_new = true;
        }
        let planned = |planner: &Self| {
            planner.plan.fields.iter().find(|plan| plan.field == field).map(|plan| plan.columns.clone())
        };
        // A field whose column is of a foreign type has none of ours: all its values go beside it.
        let columns = planned(self).unwrap_or_default();
        let own = columns.first().copied().filter(|index| !self.plan.columns[*index].sibling);
        if let Some(own) = own.filter(|_| !is_new) {
            self.retype(own, widening)?;
        }
        if let Some(own) = own
            && let Some(wider) = self.wider(own, kinds, is_new, widening)?
        {
            let from = std::mem::replace(&mut self.plan.columns[own].ty, wider);
            if !is_new {
                self.change(SchemaChangeKind::Widened, own, Some(from));
            }
        }
        if own.is_some_and(|own| self.plan.columns[own].is_key) {
            // What its column does not hold is rejected: beside it, it would be no key.
            return Ok(());
        }
        let mut rest = columns.into_iter().fold(kinds, |rest, index| self.plan.columns[index].ty.misfits(rest));
        // One column beside it may not hold all of what is left; each takes something, so that this ends.
        while let Some(ty) = ColumnType::decide(rest) {
            rest = ty.misfits(rest);
            let base = own.map_or_else(|| column_name(field), |own| self.plan.columns[own].name.clone());
            let wish = sibling_name(&base, ty.name(), field);
            let name = if self.taken.contains(&wish) { self.free_name(&wish, field) } else { wish };
            self.taken.insert(name.clone());
            let index = self.column(field, &name, ty, true);
            self.change(SchemaChangeKind::Split, index, None);
        }
        Ok(())
    }

    /// Gives an existing column the type of its field's hint, where that is wanted and the warehouse can.
    fn retype<W: Widening>(&mut self, column: usize, widening: &mut W) -> Result<(), W::Error> {
        let ColumnPlan { name, ty: from, field, is_key, .. } = &self.plan.columns[column];
        let Some(hint) = self.hints.get(field).filter(|hint| hint.ty != *from && !is_key) else { return Ok(()) };
        let (from, to) = (*from, hint.ty);
        match widening.retypes(name, from, hint)? {
            None => {}
            Some(false) => self.plan.stuck.push((column, to)),
            Some(true) => {
                self.plan.columns[column].ty = to;
                self.change(SchemaChangeKind::Retyped, column, Some(from));
            }
        }
        Ok(())
    }

    /// The larger type for an INT64 column to which other numbers come, where it holds old and new ones exactly.
    fn wider<W: Widening>(
        &self,
        column: usize,
        kinds: Kinds,
        is_new: bool,
        widening: &mut W,
    ) -> Result<Option<ColumnType>, W::Error> {
        let plan = &self.plan.columns[column];
        if plan.is_key {
            let holds = |ty: ColumnType| kinds.without(ty.held_as_key()).is_empty();
            let is_wider = plan.ty == ColumnType::Int64 && !holds(ColumnType::Int64) && holds(ColumnType::Numeric);
            return Ok(is_wider.then_some(ColumnType::Numeric));
        }
        // A number of too many digits goes beside any column of numbers.
        let kinds = kinds.without(Kinds::of(&[Kind::LongFloat]));
        let misfits = plan.ty.misfits(kinds);
        let numbers = Kinds::of(&[Kind::FloatDecimal, Kind::Float, Kind::LongDecimal, Kind::IntNumeric]);
        if plan.ty != ColumnType::Int64 || misfits.is_empty() || !misfits.without(numbers).is_empty() {
            return Ok(None);
        }
        if ColumnType::Float64.misfits(kinds).is_empty() && (is_new || widening.is_exact_as_double(&plan.name)?) {
            return Ok(Some(ColumnType::Float64));
        }
        Ok(ColumnType::Numeric.misfits(kinds).is_empty().then_some(ColumnType::Numeric))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
