//! The rows of a report, made up like all records: the same day gives the same rows until a generation changes some of them.
//! One row in ten has other numbers in each generation.

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::super::dice::{Dice, key_of, mix};
use super::super::reply::Refusal;
use super::super::state::Handle;
use super::catalogue::{REPORTS, Report, Values, date};

/// The rows of a run, each in the order of the generation's columns.
pub(super) fn of(handle: &Handle, tenant: usize, report: &Report, values: &Values) -> Result<Vec<Value>, Refusal> {
    let generation = handle.generation();
    let columns = report.columns(generation);
    let rows = objects(handle, tenant, report, values).into_iter().map(|mut row| {
        let cells = columns.iter().map(|(name, _)| row.remove(*name).unwrap_or_default());
        Value::Array(cells.collect())
    });
    Ok(rows.collect())
}

/// The rows of a run as JSON objects. Empty for an unknown tenant, report or date.
pub(crate) fn truth(handle: &Handle, tenant: &str, report: u64, from: &str, to: &str) -> Vec<String> {
    let report = REPORTS.iter().find(|known| known.id == report);
    let (Some(tenant), Some(report)) = (handle.tenant_index(tenant), report) else { return Vec::new() };
    let (Some(from), Some(to)) = (date(from), date(to)) else { return Vec::new() };
    let rows = objects(handle, tenant, report, &Values { from, to, units: None });
    rows.into_iter().map(|row| Value::Object(row).to_string()).collect()
}

fn objects(handle: &Handle, tenant: usize, report: &Report, values: &Values) -> Vec<Map<String, Value>> {
    let generation = handle.generation();
    let name = handle.options().tenants.get(tenant).map_or("", |tenant| tenant.id.as_str());
    let key = key_of(handle.options().seed, &[name, "reporting", &report.id.to_string()]);
    let days = values.from.iter_days().take_while(|day| *day <= values.to);
    let rows = days.flat_map(|day| {
        let day_key = key_of(key, &[&day.to_string()]);
        (0..2 + Dice::new(day_key).below(4)).map(move |number| (day, mix(day_key, number), number))
    });
    let rows = rows.map(|(day, key, number)| row(report, generation, day, key, number));
    let wanted = |row: &Map<String, Value>| {
        let unit = row.get("BusinessUnit").and_then(Value::as_i64);
        values.units.as_ref().is_none_or(|units| unit.is_none_or(|unit| units.contains(&unit)))
    };
    rows.filter(wanted).collect()
}

fn row(report: &Report, generation: u32, day: NaiveDate, key: u64, number: u64) -> Map<String, Value> {
    let mut fixed = Dice::new(key);
    let version = if fixed.one_in(10) { u64::from(generation) } else { 1 };
    let mut fresh = Dice::new(mix(key, version));
    let mut row = Map::new();
    for (name, _) in report.columns(generation) {
        let value = match name {
            "Date" => json!(format!("{day}T00:00:00Z")),
            // Names of a row within its day: the day's number keeps them apart from other days'.
            "JobNumber" => json!(format!("{:07}", number + 10 * (key % 90_000))),
            "Campaign" | "Employee" => json!(format!("Nº {number}")),
            "BusinessUnit" => json!(key % 8 + 1),
            "Completed" => json!(!key.is_multiple_of(5)),
            "Started" => json!(format!("{:02}:{:02}:00", key % 24, key % 60)),
            _ => json!(fresh.below(1_000_000) as f64 / 100.0),
        };
        row.insert(name.to_owned(), value);
    }
    row
}
