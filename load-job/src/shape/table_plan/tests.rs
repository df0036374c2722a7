//! Plans of tables from hints, columns that are there, and the kinds that were seen.

use super::*;
use crate::shape::EpochUnit;

struct Exact(bool);

impl Widening for Exact {
    type Error = std::convert::Infallible;

    fn is_exact_as_double(&mut self, _: &str) -> Result<bool, Self::Error> {
        Ok(self.0)
    }

    fn retypes(&mut self, _: &str, _: ColumnType, _: &Hint) -> Result<Option<bool>, Self::Error> {
        Ok(None)
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
    ExistingColumn {
        name: name.into(),
        ty: Some(ty),
        field: Some(field.into()),
        is_described: false,
        sibling: false,
        is_canonical: false,
    }
}

fn show(plan: &TablePlan) -> Vec<String> {
    plan.columns.iter().map(|column| format!("{} {} {}", column.field, column.name, column.ty.name())).collect()
}

fn plan(have: Option<&[ExistingColumn]>, hints: &[Hint], seen: &[(&str, &[Kind])]) -> TablePlan {
    TablePlan::make(have, hints, &[], &observed(seen), &mut Exact(true)).unwrap()
}

#[test]
fn every_kind_has_a_column_that_holds_it() {
    let rest = [Kind::LongFloat, Kind::Float, Kind::FloatDecimal, Kind::Int53, Kind::Int64, Kind::Text, Kind::Nested];
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
    let hints = [Hint::of("k", ColumnType::Timestamp)];
    assert_eq!(show(&TablePlan::make(None, &hints, &keys, &seen, &mut Exact(true)).unwrap()), ["k k STRING"]);
}

#[test]
fn clashes_end_the_same_whatever_the_order() {
    let one = plan(None, &[], &[("zipCode", &[Kind::Text]), ("zip_code", &[Kind::Text]), ("ZipCode", &[Kind::Text])]);
    let mut names = show(&one);
    names.sort();
    assert!(names.contains(&"zip_code zip_code STRING".to_owned()), "{names:?}");
    let other = plan(None, &[], &[("ZipCode", &[Kind::Text]), ("zip_code", &[Kind::Text]), ("zipCode", &[Kind::Text])]);
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
    let hints = [Hint::of("zip", ColumnType::String), Hint::of("n", ColumnType::Int64)];
    let shown = show(&plan(None, &hints, &[("n", &[Kind::Text, Kind::Int53]), ("late", &[Kind::Null])]));
    assert_eq!(shown, ["zip zip STRING", "n n INT64", "n n__string STRING"]);
}

#[test]
fn a_column_of_a_foreign_type_is_left_alone() {
    let foreign = [ExistingColumn {
        name: "tags".into(),
        ty: None,
        field: None,
        is_described: false,
        sibling: false,
        is_canonical: false,
    }];
    let plan = plan(Some(&foreign), &[], &[("tags", &[Kind::Nested])]);
    assert_eq!(show(&plan), ["tags tags__json JSON"]);
}

/// A warehouse that changes whole numbers into instants, and nothing else.
struct IntoInstants;

impl Widening for IntoInstants {
    type Error = std::convert::Infallible;

    fn is_exact_as_double(&mut self, _: &str) -> Result<bool, Self::Error> {
        Ok(true)
    }

    fn retypes(&mut self, _: &str, from: ColumnType, to: &Hint) -> Result<Option<bool>, Self::Error> {
        Ok(Some(from == ColumnType::Int64 && to.ty == ColumnType::Timestamp))
    }
}

#[test]
fn a_column_takes_on_the_type_of_its_hint_where_it_is_asked_for_and_can_be() {
    let epoch =
        |field: &str| Hint { reading: Reading::Epoch(EpochUnit::Millis), ..Hint::of(field, ColumnType::Timestamp) };
    let hints = [epoch("made"), epoch("seen"), epoch("key"), Hint::of("n", ColumnType::Int64)];
    let have = [
        existing("made", ColumnType::Int64, "made"),
        existing("seen", ColumnType::String, "seen"),
        existing("key", ColumnType::Int64, "key"),
        existing("n", ColumnType::Int64, "n"),
    ];
    let kinds = [Kind::EpochInt53];
    let seen = observed(&[("made", &kinds), ("seen", &kinds), ("key", &kinds), ("n", &[Kind::Int53])]);
    let keys = ["key".to_owned()];
    let plan = TablePlan::make(Some(&have), &hints, &keys, &seen, &mut IntoInstants).unwrap();
    let columns = ["made made TIMESTAMP", "seen seen STRING", "key key INT64", "n n INT64", "seen seen__int64 INT64"];
    assert_eq!(show(&plan), columns);
    let from = Some(ColumnType::Int64);
    assert_eq!(plan.changes[0], SchemaChange { kind: SchemaChangeKind::Retyped, column: 0, from });
    assert_eq!(plan.stuck, [(1, ColumnType::Timestamp)]);
}

#[test]
fn the_whole_record_has_the_last_column_and_takes_no_name_from_a_field() {
    let raw = Hint { reading: Reading::Record, ..Hint::of(RAW_COLUMN, ColumnType::Json) };
    let plan = plan(None, &[raw], &[("id", &[Kind::Int53]), ("x_etl_raw", &[Kind::Text])]);
    assert_eq!(show(&plan), ["id id INT64", "x_etl_raw x_etl_raw STRING", "_etl_raw _etl_raw JSON"]);
}

#[test]
fn a_column_that_nobody_asks_for_is_left_alone_in_a_table_of_ours() {
    let foreign = |name: &str, is_described: bool| ExistingColumn {
        field: None,
        is_described,
        ..existing(name, ColumnType::String, name)
    };
    let keys = ["id".to_owned()];
    let seen = observed(&[("id", &[Kind::Int53]), ("asked", &[Kind::Text])]);
    let with = |key: ExistingColumn| {
        let have = [key, foreign("asked", false), foreign("note", false), foreign("described", true)];
        show(&TablePlan::make(Some(&have), &[], &keys, &seen, &mut Exact(true)).unwrap())
    };
    // What a comment of somebody else says nothing of may be ours.
    let ours = ["id id INT64", "asked asked STRING", "described described STRING"];
    assert_eq!(with(existing("id", ColumnType::Int64, "id")), ours);
    // Another ETL's table remembers nothing.
    let key = ExistingColumn { field: None, ..existing("id", ColumnType::Int64, "id") };
    let all = ["id id INT64", "asked asked STRING", "note note STRING", "described described STRING"];
    assert_eq!(with(key), all);
}
