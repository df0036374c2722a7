//! The plan of a table: which column each field's values go to, and what must change in the table for that.
//! It follows from the table that exists, the hints and all kinds seen; never from the first rows, nor from their order.

use super::AUDIT_COLUMNS;
use super::column_type::ColumnType;
use super::kind::{Kind, Kinds};
use super::name::{clashing_name, column_name, sibling_name};
use super::observe::Observed;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A column that the target has already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingColumn {
    /// Its name.
    pub name: String,
    /// Its type; `None` for a type that is none of ours.
    pub ty: Option<ColumnType>,
    /// The field it was made for, where the table remembers it.
    pub field: Option<String>,
    /// Whether it stands beside the field's own column, for values that do not fit there.
    pub sibling: bool,
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
}

/// A change of an existing table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaChange {
    /// What happens.
    pub kind: SchemaChangeKind,
    /// Index into [`TablePlan::columns`].
    pub column: usize,
    /// The type before, of a widened column.
    pub from: Option<ColumnType>,
}

/// The plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePlan {
    /// The data columns that are written: all of the existing table's that are of our types, then the new ones.
    pub columns: Vec<ColumnPlan>,
    /// The fields that have a column.
    pub fields: Vec<FieldPlan>,
    /// What must change in the table; empty for a table that is yet to be made, but for its splits.
    pub changes: Vec<SchemaChange>,
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
}

impl TablePlan {
    /// Makes the plan. `existing` is `None` for a table that is not there; `keys` are the fields of the primary key, if rows are merged by it.
    ///
    /// # Errors
    /// Those of `widening`.
    pub fn make<W: Widening>(
        existing: Option<&[ExistingColumn]>,
        hints: &[(String, ColumnType)],
        keys: &[String],
        observed: &Observed,
        widening: &mut W,
    ) -> Result<Self, W::Error> {
        let columns = existing.unwrap_or_default();
        let mut planner = Planner {
            table_exists: existing.is_some(),
            owners: owners(columns, hints, observed),
            hints: hints.iter().cloned().collect(),
            keys: keys.iter().cloned().collect(),
            taken: columns
                .iter()
                .map(|column| column.name.to_lowercase())
                .chain(AUDIT_COLUMNS.map(str::to_owned))
                .collect(),
            plan: Self { columns: Vec::new(), fields: Vec::new(), changes: Vec::new() },
        };
        let known: Vec<(String, ExistingColumn)> =
            columns.iter().filter_map(|column| Some((planner.owner(&column.name)?, column.clone()))).collect();
        for (field, column) in &known {
            if let Some(ty) = column.ty {
                planner.column(field, &column.name, ty, column.sibling);
            }
        }
        let mut fields: Vec<String> = Vec::new();
        let mut seen = HashSet::new();
        let all = known.iter().map(|(field, _)| field.as_str());
        let all = all.chain(hints.iter().map(|(field, _)| field.as_str()));
        let all = all.chain(observed.fields().into_iter().map(|(field, _)| field));
        for field in all {
            if seen.insert(field) {
                fields.push(field.to_owned());
            }
        }
        let names = planner.names_of_new(&fields, &known, observed);
        for field in fields {
            planner.field(&field, names.get(&field), observed.kinds(&field), widening)?;
        }
        Ok(planner.plan)
    }

    /// The column that a field's values go to first; `None` if it has none.
    pub fn own_column(&self, field: &str) -> Option<&ColumnPlan> {
        let index = *self.fields.iter().find(|plan| plan.field == field)?.columns.first()?;
        self.columns.get(index)
    }
}

/// Which field each existing column belongs to: as the table remembers it, else the field that would like that name.
fn owners(columns: &[ExistingColumn], hints: &[(String, ColumnType)], observed: &Observed) -> HashMap<String, String> {
    let remembered: HashSet<&str> = columns.iter().filter_map(|column| column.field.as_deref()).collect();
    let candidates = hints.iter().map(|(field, _)| field.as_str()).chain(observed.fields().into_iter().map(|(f, _)| f));
    let mut wishes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for field in candidates.filter(|field| !remembered.contains(field)) {
        wishes.entry(column_name(field)).or_default().push(field);
    }
    let mut owners = HashMap::new();
    for column in columns.iter().filter(|column| !AUDIT_COLUMNS.contains(&column.name.as_str())) {
        let wishing = wishes.get(&column.name.to_lowercase());
        let owner = column.field.clone().or_else(|| wishing.and_then(|fields| first_choice(&column.name, fields)));
        owners.insert(column.name.clone(), owner.unwrap_or_else(|| column.name.clone()));
    }
    owners
}

/// Of several fields that want one name: the one that is spelt like it, else the first by its letters.
fn first_choice(name: &str, fields: &[&str]) -> Option<String> {
    let exact = fields.iter().find(|field| **field == name);
    exact.or_else(|| fields.iter().min()).map(|field| (*field).to_owned())
}

struct Planner {
    table_exists: bool,
    owners: HashMap<String, String>,
    hints: HashMap<String, ColumnType>,
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
            wishes.entry(column_name(field)).or_default().push(field);
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

    fn column(&mut self, field: &str, name: &str, ty: ColumnType, sibling: bool) -> usize {
        let index = self.plan.columns.len();
        let is_key = !sibling && self.keys.contains(field);
        self.plan.columns.push(ColumnPlan { name: name.into(), ty, field: field.into(), sibling, is_key });
        match self.plan.fields.iter_mut().find(|plan| plan.field == field) {
            Some(plan) if sibling => plan.columns.push(index),
            Some(plan) => plan.columns.insert(0, index),
            None => self.plan.fields.push(FieldPlan { field: field.into(), columns: vec![index] }),
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
            let hint = self.hints.get(field).copied();
            let ty = match self.keys.contains(field) {
                true => ColumnType::decide_key(hint, kinds),
                false => hint.or_else(|| ColumnType::decide(kinds)),
            };
            let Some(ty) = ty else { return Ok(()) };
            let index = self.column(field, name, ty, false);
            self.change(SchemaChangeKind::Added, index, None);
            is_new = true;
        }
        let planned = |planner: &Self| {
            planner.plan.fields.iter().find(|plan| plan.field == field).map(|plan| plan.columns.clone())
        };
        // A field whose column is of a foreign type has none of ours: all its values go beside it.
        let columns = planned(self).unwrap_or_default();
        let own = columns.first().copied().filter(|index| !self.plan.columns[*index].sibling);
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
mod tests {
    use super::*;

    struct Exact(bool);

    impl Widening for Exact {
        type Error = std::convert::Infallible;

        fn is_exact_as_double(&mut self, _: &str) -> Result<bool, Self::Error> {
            Ok(self.0)
        }
    }

    fn observed(fields: &[(&str, &[Kind])]) -> Observed {
        let mut observed = Observed::default();
        for (index, (field, kinds)) in fields.iter().enumerate() {
            observed.add(field, Kinds::of(kinds), (0, u32::try_from(index).unwrap()));
        }
        observed
    }

    fn existing(name: &str, ty: ColumnType, field: &str) -> ExistingColumn {
        ExistingColumn { name: name.into(), ty: Some(ty), field: Some(field.into()), sibling: false }
    }

    fn show(plan: &TablePlan) -> Vec<String> {
        plan.columns.iter().map(|column| format!("{} {} {}", column.field, column.name, column.ty.name())).collect()
    }

    fn plan(have: Option<&[ExistingColumn]>, hints: &[(String, ColumnType)], seen: &[(&str, &[Kind])]) -> TablePlan {
        TablePlan::make(have, hints, &[], &observed(seen), &mut Exact(true)).unwrap()
    }

    #[test]
    fn every_kind_has_a_column_that_holds_it() {
        let rest =
            [Kind::LongFloat, Kind::Float, Kind::FloatDecimal, Kind::Int53, Kind::Int64, Kind::Text, Kind::Nested];
        for own in ColumnType::ALL {
            for one in rest {
                for other in rest {
                    let kinds = [one, other, Kind::LongFloat];
                    let have = existing("n", own, "n");
                    let plan = plan(Some(std::slice::from_ref(&have)), &[], &[("n", &kinds)]);
                    for kind in kinds {
                        let is_held = plan.fields[0].columns.iter().any(|column| plan.columns[*column].holds(kind));
                        assert!(is_held, "{own:?} {kinds:?} {:?}", show(&plan));
                    }
                }
            }
        }
    }

    #[test]
    fn a_key_gets_no_column_beside_its_own() {
        let keys = ["k".to_owned()];
        let with = |have: &ExistingColumn, kinds: &[Kind]| {
            let seen = observed(&[("k", kinds)]);
            show(&TablePlan::make(Some(std::slice::from_ref(have)), &[], &keys, &seen, &mut Exact(true)).unwrap())
        };
        let int = existing("k", ColumnType::Int64, "k");
        assert_eq!(with(&int, &[Kind::Int53, Kind::TextInt]), ["k k INT64"]);
        assert_eq!(with(&int, &[Kind::Int53, Kind::IntNumeric]), ["k k NUMERIC"]);
        assert_eq!(with(&int, &[Kind::Int53, Kind::Text]), ["k k INT64"], "a text is rejected");
        let seen = observed(&[("k", &[Kind::TextTimestamp, Kind::FineTimestamp])]);
        let hints = [("k".to_owned(), ColumnType::Timestamp)];
        assert_eq!(show(&TablePlan::make(None, &hints, &keys, &seen, &mut Exact(true)).unwrap()), ["k k STRING"]);
    }

    #[test]
    fn clashes_end_the_same_whatever_the_order() {
        let one =
            plan(None, &[], &[("zipCode", &[Kind::Text]), ("zip_code", &[Kind::Text]), ("ZipCode", &[Kind::Text])]);
        let mut names = show(&one);
        names.sort();
        assert!(names.contains(&"zip_code zip_code STRING".to_owned()), "{names:?}");
        let other =
            plan(None, &[], &[("ZipCode", &[Kind::Text]), ("zip_code", &[Kind::Text]), ("zipCode", &[Kind::Text])]);
        let mut others = show(&other);
        others.sort();
        assert_eq!(names, others);
        // The table remembers, even when only one of them comes next time, and a new rival changes nothing.
        let table: Vec<ExistingColumn> =
            one.columns.iter().map(|column| existing(&column.name, column.ty, &column.field)).collect();
        let next = plan(Some(&table), &[], &[("ZIP_CODE", &[Kind::Text]), ("zipCode", &[Kind::Text])]);
        let mut next = show(&next);
        next.retain(|line| !line.starts_with("ZIP_CODE"));
        next.sort();
        assert_eq!(next, names);
    }

    #[test]
    fn a_field_named_like_an_audit_column_gets_another_name() {
        let shown = show(&plan(None, &[], &[("_etl_synced", &[Kind::Text])]));
        assert!(shown[0].starts_with("_etl_synced x_etl_synced "), "{shown:?}");
    }

    #[test]
    fn drift_widens_where_exact_else_splits() {
        let int = [existing("n", ColumnType::Int64, "n")];
        let cases: &[(&[Kind], &[&str], bool)] = &[
            (&[Kind::Int53], &["n n INT64"], true),
            (&[Kind::FloatWhole], &["n n INT64"], true),
            (&[Kind::Int53, Kind::FloatDecimal], &["n n FLOAT64"], true),
            (&[Kind::FloatDecimal], &["n n NUMERIC"], false),
            (&[Kind::Float], &["n n INT64", "n n__float64 FLOAT64"], false),
            (&[Kind::IntNumeric], &["n n NUMERIC"], true),
            (&[Kind::Text], &["n n INT64", "n n__string STRING"], true),
            (&[Kind::Text, Kind::Nested], &["n n INT64", "n n__json JSON"], true),
            (&[Kind::IntHuge], &["n n INT64", "n n__json JSON"], true),
        ];
        for (kinds, expected, exact) in cases {
            let plan = TablePlan::make(Some(&int), &[], &[], &observed(&[("n", kinds)]), &mut Exact(*exact)).unwrap();
            assert_eq!(show(&plan), *expected, "{kinds:?}");
        }
    }

    #[test]
    fn hints_decide_new_columns_and_nothing_is_lost_beside_them() {
        let hints = [("zip".to_owned(), ColumnType::String), ("n".to_owned(), ColumnType::Int64)];
        let shown = show(&plan(None, &hints, &[("n", &[Kind::Text, Kind::Int53]), ("late", &[Kind::Null])]));
        assert_eq!(shown, ["zip zip STRING", "n n INT64", "n n__string STRING"]);
    }

    #[test]
    fn a_column_of_a_foreign_type_is_left_alone() {
        let foreign = [ExistingColumn { name: "tags".into(), ty: None, field: None, sibling: false }];
        let plan = plan(Some(&foreign), &[], &[("tags", &[Kind::Nested])]);
        assert_eq!(show(&plan), ["tags tags__json JSON"]);
    }
}
