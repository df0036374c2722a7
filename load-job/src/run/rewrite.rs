//! What `--rewrite` does to columns, told to the user: those that take on the type of their hint, those that cannot, and those that are new.

use crate::shape::{SchemaChangeKind, TablePlan};
use crate::warehouse::{Target, WarehouseError};

/// A line for each column that is affected. What changes by the load itself is told as done where it is done, as intended in a dry run.
///
/// # Errors
/// Those of the warehouse.
pub(super) fn told(plan: &TablePlan, is_done: bool, target: &dyn Target) -> Result<Vec<String>, WarehouseError> {
    let mut lines = Vec::new();
    for change in &plan.changes {
        let column = &plan.columns[change.column];
        match (change.kind, change.from) {
            (SchemaChangeKind::Retyped, Some(from)) => {
                let (name, from, to) = (&column.name, from.name(), column.ty.name());
                lines.push(if is_done {
                    format!("column `{name}` was {from}, and is {to} now")
                } else {
                    format!("column `{name}` is {from}, and would become {to}")
                });
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
            target.dropping(&column.name)?.trim()
        ));
    }
    Ok(lines)
}
