//! Any JSON number comes back from the table as the number that was sent: in one column, or in one beside it.

use crate::world::{Given, World, on_each_warehouse, snapshot};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

on_each_warehouse! {
    any_number_comes_back_as_it_was_sent,
}

const NUMBERS: usize = 600;

/// Shapes of numbers, one column each: what a column holds depends on all its values.
const SHAPES: [&str; 7] = [
    "-?(0|[1-9][0-9]{0,14})",
    "-?(0|[1-9][0-9]{0,18})",
    "-?[1-9][0-9]{15,40}",
    "-?(0|[1-9][0-9]{0,6})\\.[0-9]{1,8}",
    "-?(0|[1-9][0-9]{0,28})\\.[0-9]{1,9}",
    "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,17})?[eE][+-]?[0-9]{1,3}",
    "-?(0|[1-9][0-9]{0,35})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?",
];

/// A number's sign, digits without zeros at either end, and the power of ten of the last one: alike for equal numbers alone.
fn exact(text: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
    let cut = digits.trim_end_matches('0');
    let power = exponent.parse::<i64>().unwrap() - fraction.len() as i64 + (digits.len() - cut.len()) as i64;
    let digits = cut.trim_start_matches('0').to_owned();
    if digits.is_empty() { (false, digits, 0) } else { (text.starts_with('-'), digits, power) }
}

fn any_number_comes_back_as_it_was_sent(new: fn() -> World) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut world = new();
    let mut sent: Vec<(usize, String)> = Vec::new();
    for index in 0..NUMBERS {
        let shape = index % SHAPES.len();
        let number = proptest::string::string_regex(SHAPES[shape]).unwrap().new_tree(&mut runner).unwrap().current();
        sent.push((shape, number));
    }
    let line = |(id, (shape, number)): (usize, &(usize, String))| format!(r#"{{"id":{id},"c{shape}":{number}}}"#);
    let lines = sent.iter().enumerate().map(line).collect();
    world.run(&[Given { lines, ..snapshot("a", &[]) }]);

    let columns = world.columns();
    let texts: Vec<String> = columns
        .iter()
        .skip(1)
        .map(|column| match column.split_once(' ').unwrap() {
            (name, "JSON") if world.is_bigquery() => format!("JSON_VALUE({name})"),
            (name, _) => format!("CAST({name} AS {})", if world.is_bigquery() { "STRING" } else { "VARCHAR" }),
        })
        .collect();
    let rows = world.rows(&format!("SELECT {} FROM bronze.things ORDER BY id", texts.join(", ")));
    assert_eq!(rows.len(), NUMBERS);
    for (row, (shape, number)) in rows.iter().zip(&sent) {
        let held: Vec<(&String, &str)> = columns
            .iter()
            .skip(1)
            .zip(row)
            .filter(|(_, text)| *text != "NULL")
            .map(|(column, text)| (column, text.as_str()))
            .collect();
        let [(column, text)] = held[..] else { panic!("{number}: {held:?}") };
        assert!(column.starts_with(&format!("c{shape}")), "{number}: {column}");
        assert_eq!(exact(text), exact(number), "{number} became {text} in {column}");
    }
    // Each type of number was met.
    for ty in ["BIGINT", "DOUBLE", "DECIMAL(38,9)", "JSON"] {
        assert!(columns.iter().skip(1).any(|column| column.ends_with(ty)), "{ty}: {columns:?}");
    }
}
