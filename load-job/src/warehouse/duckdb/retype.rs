//! Columns that take on another type: allowed where each value can be changed back into what it was.

use super::client::Client;
use super::schema::type_name;
use super::sql::render;
use crate::shape::{ColumnType, Hint, Reading};
use crate::warehouse::{TableName, WarehouseError};
use serde_json::{Value, json};

/// Whether all values of a column survive the change to the type of a hint.
///
/// # Errors
/// The statement fails.
pub(super) fn is_exact(
    client: &Client,
    table: &TableName,
    column: &str,
    from: ColumnType,
    to: &Hint,
) -> Result<bool, WarehouseError> {
    let is_counted = matches!(to.reading, Reading::Epoch(_));
    // A text within JSON has quotes; and without a zone a time is no instant, nor is an instant a time once it has lost its zone.
    if from == ColumnType::Json || ((from == ColumnType::Timestamp || to.ty == ColumnType::Timestamp) && !is_counted) {
        return Ok(false);
    }
    let mut names = names(column, from, to.ty, to.reading);
    let changed = render("changed_value", &names)?;
    for (key, value) in [("schema", &table.schema), ("table", &table.table), ("changed", &changed)] {
        names[key] = json!(value);
    }
    let sql = render("changes_exactly", &names)?;
    Ok(client.query("check a column's values", &sql, [], |row| row.get(0))?.first().copied().unwrap_or(false))
}

/// The expression that a column's values become.
///
/// # Errors
/// The template is at fault.
pub(super) fn value(
    column: &str,
    from: ColumnType,
    to: ColumnType,
    reading: Reading,
) -> Result<String, WarehouseError> {
    render("changed_value", &names(column, from, to, reading)).map(|text| text.trim().to_owned())
}

fn names(column: &str, from: ColumnType, to: ColumnType, reading: Reading) -> Value {
    let (from, to) = (type_name(from), type_name(to));
    match reading {
        Reading::Epoch(unit) => {
            let (first, last) = unit.held();
            json!({ "column": column, "from": from, "to": to, "micros": unit.micros(), "first": first, "last": last })
        }
        _ => json!({ "column": column, "from": from, "to": to, "micros": null }),
    }
}
