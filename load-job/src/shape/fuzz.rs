//! Fuzzing of the shaping: any records, meeting any table that exists and any hints, under the passes that a load makes.
//! What goes in comes out: as a reject with its reason, or in exactly one column of its field, with every digit and letter.

mod values;

use super::record::read;
use super::*;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDate};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use values::{Raw, number, text, value};

/// Fields whose column names clash with each other, with siblings, with clashing names and with our own columns.
const FIELDS: &[&str] = &[
    "id",
    "n",
    "zipCode",
    "zip_code",
    "ZipCode",
    "zip_code_4d0bb7a9",
    "n__string",
    "n__float64",
    "N",
    "_etl_synced",
    "x_etl_synced",
    "_etl_seq",
    "_etl_order",
    "",
    "é",
    "e",
    "2fa",
    "_2fa",
    "a b",
    "a-b",
    "🙃",
];

fn record() -> impl Strategy<Value = Vec<(&'static str, Raw)>> {
    // Each field leans to one kind of value, so that columns do not all end as JSON.
    let field =
        (select(FIELDS), value(), number(), text(), 0..8_usize).prop_map(|(field, any, number, text, which)| {
            let steady = if FIELDS.iter().position(|name| *name == field).unwrap() % 2 == 0 { number } else { text };
            (field, if which == 0 { any } else { steady })
        });
    vec(field, 0..8)
}

fn line(record: &[(&str, Raw)], space: &str) -> String {
    let fields: Vec<String> = record
        .iter()
        .map(|(field, value)| format!("{}{space}:{space}{}", serde_json::to_string(field).unwrap(), value.written))
        .collect();
    format!("{{{}{space}}}", fields.join(&format!("{space},")))
}

fn column_type() -> impl Strategy<Value = ColumnType> {
    select(ColumnType::ALL.to_vec())
}

/// A table with distinct column names, made by us or by somebody else.
fn existing() -> impl Strategy<Value = Option<Vec<ExistingColumn>>> {
    let column = (select(FIELDS), 0..6, proptest::option::weighted(0.9, column_type()), any::<bool>()).prop_map(
        |(field, which, ty, remembered)| {
            let wish = name::column_name(field);
            let (name, sibling) = match which {
                0 => (name::sibling_name(&wish, ty.unwrap_or(ColumnType::String).name(), field), true),
                1 => (name::clashing_name(&wish, field), false),
                2 => (name::clashing_name(&name::sibling_name(&wish, "STRING", field), field), false),
                _ => (wish, false),
            };
            ExistingColumn {
                name,
                ty,
                field: remembered.then(|| field.to_owned()),
                is_described: false,
                sibling: sibling && remembered,
                is_canonical: false,
            }
        },
    );
    let table = vec(column, 0..8).prop_map(|mut columns| {
        let mut names = HashSet::new();
        columns.retain(|column| names.insert(column.name.clone()));
        columns
    });
    proptest::option::weighted(0.7, table)
}

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

/// The passes of a load: keys under a plan of the first lines, again under that of all lines if their types differ, then the rows; all on two
/// shapers that share the lines.
fn load(
    lines: &[String],
    keys: &[String],
    cut: (usize, usize),
    mut plan: impl FnMut(&Observed) -> TablePlan,
) -> (TablePlan, Vec<ShapedBlock>) {
    let context = BatchContext { account: "acme".into(), keys: keys.to_vec(), cursor: None };
    let block = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let pass = |shapers: [Shaper; 2]| {
        let (mut blocks, mut observed) = (Vec::new(), Observed::default());
        for (mut shaper, (first, part)) in shapers.into_iter().zip([(0, &lines[..cut.1]), (cut.1, &lines[cut.1..])]) {
            blocks.push(shaper.shape(block(part).as_bytes(), first as u64, &context, &Wanted::All).unwrap());
            observed.merge(&shaper.observed());
        }
        (blocks, observed)
    };
    let mut sampler = Shaper::of_keys(Arc::new(TablePlan::default()), keys, &[]);
    sampler.shape(block(&lines[..cut.0]).as_bytes(), 0, &context, &Wanted::All).unwrap();
    let mut current = plan(&sampler.observed());
    for _ in 0..3 {
        let shared = Arc::new(current.clone());
        let (keyed, observed) = pass([(); 2].map(|()| Shaper::of_keys(shared.clone(), keys, &[])));
        let proven = plan(&observed);
        if proven.is_foreseen_by(&current, keys) {
            let shared = Arc::new(proven.clone());
            let (blocks, again) = pass([(); 2].map(|()| Shaper::of_rows(shared.clone())));
            assert_eq!(plan(&again), proven);
            for (keyed, whole) in keyed.iter().zip(&blocks) {
                assert_eq!(keyed.rejects, whole.rejects);
                let hashes = |block: &ShapedBlock| block.rows.column_by_name("_etl_row_hash").cloned();
                assert_eq!(hashes(keyed).unwrap().to_data(), hashes(whole).unwrap().to_data());
            }
            return (proven, blocks);
        }
        current = proven;
    }
    panic!("the keys do not settle");
}

/// A JSON number as its sign, digits and exponent, by which equal numbers are equal.
fn exact(number: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let kept = digits.trim_end_matches('0');
    if kept.is_empty() {
        return (false, String::new(), 0);
    }
    let scale = exponent.parse::<i64>().unwrap() - fraction.len() as i64 + (digits.len() - kept.len()) as i64;
    (negative, kept.to_owned(), scale)
}

/// The JSON text without white space between its tokens.
fn squeezed(json: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    json.chars()
        .filter(|c| {
            let keep = inside || !c.is_ascii_whitespace();
            inside ^= *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            keep
        })
        .collect()
}

/// Whether a cell holds the value as the design promises.
fn holds(rows: &RecordBatch, column: usize, row: usize, plan: &ColumnPlan, value: &Raw) -> bool {
    let array = rows.column(column);
    let ColumnPlan { ty, is_key, .. } = *plan;
    // A whole number and its text are one key.
    let number = if is_key { value.written.trim_matches('"') } else { &value.written };
    let text = || serde_json::from_str::<String>(&value.whole).unwrap();
    let micros = || array.as_primitive::<TimestampMicrosecondType>().value(row);
    match ty {
        ColumnType::Bool => array.as_boolean().value(row).to_string() == value.written,
        ColumnType::Int64 => exact(&array.as_primitive::<Int64Type>().value(row).to_string()) == exact(number),
        ColumnType::Numeric => {
            let unscaled = array.as_primitive::<Decimal128Type>().value(row);
            exact(&format!("{unscaled}e-9")) == exact(number)
        }
        ColumnType::Float64 => {
            let number = array.as_primitive::<Float64Type>().value(row);
            let same = exact(&format!("{number}")) == exact(&value.written);
            number.is_finite() && number == value.written.parse::<f64>().unwrap() && same
        }
        ColumnType::String if is_key && !value.written.starts_with('"') => {
            array.as_string::<i32>().value(row) == value.written
        }
        ColumnType::String => array.as_string::<i32>().value(row) == text(),
        ColumnType::Json if plan.is_canonical => {
            let content = |text: &str| {
                let mut canonical = hash::Canonical::default();
                hash::value(&mut canonical, text);
                hash::finish(&canonical)
            };
            content(array.as_string::<i32>().value(row)) == content(&value.whole)
        }
        ColumnType::Json => squeezed(array.as_string::<i32>().value(row)) == squeezed(&value.whole),
        ColumnType::Date => {
            let day =
                NaiveDate::default() + chrono::TimeDelta::days(array.as_primitive::<Date32Type>().value(row).into());
            day.format("%Y-%m-%d").to_string() == text()
        }
        ColumnType::Datetime => {
            let clock = DateTime::from_timestamp_micros(micros()).unwrap().naive_utc();
            let text = text().replacen(' ', "T", 1);
            let printed = clock.format("%Y-%m-%dT%H:%M:%S").to_string();
            let fraction = text
                .strip_prefix(&printed)
                .map(|fraction| format!("{:0<7.7}", fraction.to_owned() + if fraction.is_empty() { "." } else { "" }));
            fraction.is_some_and(|fraction| fraction == format!(".{:06}", clock.and_utc().timestamp_subsec_micros()))
        }
        ColumnType::Timestamp => DateTime::parse_from_rfc3339(&text()).unwrap().timestamp_micros() == micros(),
    }
}

fn check_names(plan: &TablePlan, existing: &[ExistingColumn]) -> Result<(), TestCaseError> {
    let foreign = existing.iter().filter(|column| column.ty.is_none()).map(|column| column.name.clone());
    let mut names: HashSet<String> = foreign.chain(AUDIT_COLUMNS.map(str::to_owned)).collect();
    names.extend(["_etl_seq".to_owned(), "_etl_order".to_owned()]);
    for column in &plan.columns {
        prop_assert!(names.insert(column.name.to_lowercase()), "{} stands twice in {plan:?}", column.name);
        prop_assert!(column.name.len() <= 300 && column.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    }
    for (known, column) in existing.iter().filter_map(|column| Some((column, (&column.name, column.ty?)))) {
        let Some(planned) = plan.columns.iter().find(|planned| planned.name == *column.0) else {
            prop_assert!(known.field.is_none(), "a column of ours is not written: {known:?}");
            continue;
        };
        let wider = column.1 == ColumnType::Int64 && matches!(planned.ty, ColumnType::Float64 | ColumnType::Numeric);
        prop_assert!(planned.ty == column.1 || wider, "{column:?} became {planned:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config { cases: 500, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..Config::default() })]

    #[test]
    fn every_value_comes_out_in_one_column_or_is_rejected(
        records in vec(record(), 1..10),
        table in existing(),
        hints in vec((select(FIELDS), column_type()), 0..4),
        keys in vec(select(FIELDS), 0..3),
        doubles in any::<bool>(),
        cut in (any::<Index>(), any::<Index>()),
        space in select(vec!["", " ", "\t"]),
    ) {
        let hints: BTreeMap<String, ColumnType> = hints.into_iter().map(|(field, ty)| (field.to_owned(), ty)).collect();
        let hints: Vec<Hint> = hints.iter().map(|(field, ty)| Hint::of(field, *ty)).collect();
        let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
        let make = |observed: &Observed| TablePlan::make(table.as_deref(), &hints, &keys, observed, &mut Exact(doubles)).unwrap();
        let lines: Vec<String> = records.iter().map(|record| line(record, space)).collect();
        let cut = (cut.0.index(lines.len() + 1), cut.1.index(lines.len() + 1));
        let (plan, blocks) = load(&lines, &keys, cut, make);
        check_names(&plan, table.as_deref().unwrap_or_default())?;

        let rejected: usize = blocks.iter().map(|block| block.rejects.len()).sum();
        let rows: usize = blocks.iter().map(|block| block.rows.num_rows()).sum();
        prop_assert_eq!(rejected + rows, lines.len());
        for block in &blocks {
            let seqs = block.rows.column_by_name("_etl_seq").unwrap().as_primitive::<Int64Type>();
            for row in 0..block.rows.num_rows() {
                let record = &records[usize::try_from(seqs.value(row)).unwrap()];
                let values: BTreeMap<&str, &Raw> = record.iter().map(|(field, value)| (*field, value)).collect();
                let mut filled: HashSet<usize> = (0..plan.columns.len()).filter(|column| !block.rows.column(*column).is_null(row)).collect();
                for (field, value) in &values {
                    let null = value.written == "null";
                    prop_assert!(!null || !keys.iter().any(|key| key == field));
                    let columns = plan.fields.iter().find(|plan| plan.field == *field).map(|plan| plan.columns.as_slice()).unwrap_or_default();
                    let used: Vec<usize> = columns.iter().copied().filter(|column| filled.remove(column)).collect();
                    prop_assert_eq!(used.len(), usize::from(!null), "{} = {:?} in {:?}", field, value, plan);
                    for column in used {
                        let own = &plan.columns[column];
                        prop_assert!(holds(&block.rows, column, row, own, value), "{field} = {value:?} in {own:?}");
                    }
                }
                prop_assert!(filled.is_empty(), "values from nowhere: {filled:?}");
                prop_assert!(keys.iter().all(|key| values.contains_key(key.as_str())));
            }
        }
        let texts: Vec<String> = [&lines[..cut.1], &lines[cut.1..]].map(|part| part.join("\n")).into();
        for (block, text) in blocks.iter().zip(&texts) {
            for (range, reason) in &block.rejects {
                prop_assert!(lines.contains(&text[range.clone()].to_owned()), "{reason}");
                let values: BTreeMap<&str, &Raw> = records[lines.iter().position(|line| *line == text[range.clone()]).unwrap()]
                    .iter().map(|(field, value)| (*field, value)).collect();
                let missing = keys.iter().any(|key| values.get(key.as_str()).is_none_or(|value| value.written == "null"));
                let told = ["does not fit", "half of a character"].iter().any(|words| reason.to_string().contains(words));
                prop_assert!(missing || told, "{reason} {text}");
            }
        }
        // However the lines are divided, the plan is the same.
        let (again, _) = load(&lines, &keys, (lines.len(), 0), make);
        prop_assert_eq!(again, plan);
    }

    #[test]
    fn the_hash_is_of_the_content_alone(record in record(), by in any::<Index>()) {
        let mut seen = HashSet::new();
        let mut record = record;
        record.retain(|(field, _)| seen.insert(*field));
        let mut turned = record.clone();
        turned.rotate_left(by.index(record.len() + 1).min(record.len()));
        let none = Arc::new(TablePlan::default());
        let context = BatchContext { account: String::new(), keys: Vec::new(), cursor: None };
        let lines = [line(&record, ""), line(&turned, " \t"), line(&record, "")].join("\n");
        let block = Shaper::of_rows(none).shape(lines.as_bytes(), 0, &context, &Wanted::All).unwrap();
        let hashes = block.rows.column_by_name("_etl_row_hash").unwrap().as_string::<i32>();
        prop_assert!(hashes.iter().all(|hash| hash == hashes.iter().next().unwrap()), "{lines}");
    }

    #[test]
    fn lines_that_are_no_objects_are_rejected(bytes in vec(any::<u8>(), 0..60), record in record(), at in any::<Index>(), whole in any::<bool>()) {
        let mut line = line(&record, " ").into_bytes();
        let at = at.index(line.len() + 1);
        if whole { line.clone_from(&bytes) } else { line.splice(at..at, bytes.into_iter().take(3)).for_each(drop) }
        line.retain(|byte| *byte != b'\n');
        let none = Arc::new(TablePlan::default());
        let context = BatchContext { account: String::new(), keys: Vec::new(), cursor: None };
        let block = Shaper::of_rows(none).shape(&line, 0, &context, &Wanted::All).unwrap();
        let blank = line.iter().all(u8::is_ascii_whitespace);
        let object = read(&line, &mut Vec::new()).is_ok();
        prop_assert_eq!((block.rows.num_rows(), block.rejects.len()), (usize::from(object), usize::from(!object && !blank)));
        let parsed = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&line);
        prop_assert!(parsed.is_err() || object);
    }
}

#[test]
fn a_clashing_name_that_the_table_has_forgotten_is_not_given_again() {
    let forgotten = |name: String| ExistingColumn {
        name,
        ty: Some(ColumnType::String),
        field: None,
        is_described: false,
        sibling: false,
        is_canonical: false,
    };
    let table = [forgotten("zip_code".into()), forgotten(name::clashing_name("zip_code", "ZipCode"))];
    let mut observed = Observed::default();
    ["zip_code", "ZipCode"].iter().for_each(|field| observed.add(field, Kinds::of(&[Kind::Text]), (0, 0)));
    let plan = TablePlan::make(Some(&table), &[], &[], &observed, &mut Exact(true)).unwrap();
    let names: HashSet<&str> = plan.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!((names.len(), plan.columns.len()), (3, 3), "{plan:?}");
}
