//! What `--rewrite` does to columns, told to the user: those that take on the type of their hint, those that cannot, and those that are new.

use crate::shape::{SchemaChangeKind, TablePlan};
use crate::warehouse::{TableName, Warehouse, WarehouseError};

/// A line for each column that is affected.
///
/// # Errors
/// Those of the warehouse.
pub(super) fn told(
    plan: &TablePlan,
    table: &TableName,
    warehouse: &dyn Warehouse,
) -> Result<Vec<String>, WarehouseError> {
    let mut lines = Vec::new();
    for change in &plan.changes {
        let column = &plan.columns[change.column];
        match (change.kind, change.from) {
            (SchemaChangeKind::Retyped, Some(from)) => {
                lines.push(format!("column `{}` was {}, and is {} now", column.name, from.name(), column.ty.name()));
            }
            (SchemaChangeKind::Added, _) => lines.push(format!(
                "column `{}` is new: rows that this run has not read have no value there (--full-refresh reads all)",
                column.name
            )),
            _ => {}
        }
    }
    for (index, wanted) in &plan.stuck {
        let column = &plan.columns[*index];
        lines.push(format!(
            "column `{}` stays {}, though its hint says {}: not every value can be changed as it is. To have it made anew: {}; then \
             load with --rewrite once more",
            column.name,
            column.ty.name(),
            wanted.name(),
            warehouse.dropping(table, &column.name)?.trim()
        ));
    }
    Ok(lines)
}
