//! Which partitions of a target a MERGE must read: those of the rows that change, as constant ranges that BigQuery can prune by.
//! A new table's partitioning comes from the pipeline file, an existing one's from the table itself.

use crate::shape::{ColumnPlan, ColumnType};
use chrono::{Datelike, Days, Months, NaiveDate};
use contract::pipeline::PartitionEvery;
use serde_json::{Value, json};

/// More ranges than this make a long statement: then all from the first to the last are read.
const MOST_RANGES: usize = 100;

/// How a table is partitioned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partitioning {
    /// The column.
    pub(super) column: String,
    /// Its type: DATE, DATETIME or TIMESTAMP.
    pub(super) ty: ColumnType,
    /// The length of a partition; hours are read as days.
    pub(super) every: PartitionEvery,
}

impl Partitioning {
    /// For a new table: the column of the field that the pipeline file names.
    ///
    /// # Errors
    /// The field has no column of a fitting type.
    pub(super) fn plan(column: Option<&ColumnPlan>, field: &str, every: PartitionEvery) -> Result<Self, String> {
        let Some(column) = column else {
            return Err(format!(
                "partition_by: the records have no field `{field}`; add a hint under `columns`, or leave it out"
            ));
        };
        if !is_time(column.ty) {
            return Err(format!(
                "partition_by: the column {} of the field `{field}` is {}; it must be DATE, DATETIME or TIMESTAMP: give it a hint under `columns`",
                column.name,
                column.ty.name()
            ));
        }
        Ok(Self { column: column.name.clone(), ty: column.ty, every })
    }

    /// Of an existing table (`tables.get`); `None` if it is not partitioned by a column of the plan.
    pub(super) fn of_table(table: &Value, columns: &[ColumnPlan]) -> Option<Self> {
        let name = table["timePartitioning"]["field"].as_str()?;
        let column = columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))?;
        let every = match table["timePartitioning"]["type"].as_str() {
            Some("MONTH") => PartitionEvery::Month,
            Some("YEAR") => PartitionEvery::Year,
            _ => PartitionEvery::Day,
        };
        is_time(column.ty).then(|| Self { column: column.name.clone(), ty: column.ty, every })
    }

    /// For `tables.insert`.
    pub(super) fn to_json(&self) -> Value {
        let every = match self.every {
            PartitionEvery::Day => "DAY",
            PartitionEvery::Month => "MONTH",
            PartitionEvery::Year => "YEAR",
        };
        json!({ "type": every, "field": self.column })
    }

    /// The partitions of these days as SQL ranges (`from` included, `to` not); neighbours are joined.
    pub(super) fn ranges(&self, days: &[NaiveDate]) -> Vec<Value> {
        let mut spans: Vec<(NaiveDate, NaiveDate)> = days.iter().filter_map(|day| self.span(*day)).collect();
        spans.sort_unstable();
        let mut joined: Vec<(NaiveDate, NaiveDate)> = Vec::new();
        for (from, to) in spans {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        if joined.len() > MOST_RANGES
            && let (Some(first), Some(last)) = (joined.first().copied(), joined.last().copied())
        {
            joined = vec![(first.0, last.1)];
        }
        // BigQuery's years end with 9999 ("Data types"): nothing lies behind such an end, and it could not be written.
        let end = |to: NaiveDate| (to.year() <= 9999).then(|| self.literal(to));
        joined.iter().map(|(from, to)| json!({ "from": self.literal(*from), "to": end(*to) })).collect()
    }

    fn span(&self, day: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
        match self.every {
            PartitionEvery::Day => Some((day, day.checked_add_days(Days::new(1))?)),
            PartitionEvery::Month => {
                let first = day.with_day(1)?;
                Some((first, first.checked_add_months(Months::new(1))?))
            }
            PartitionEvery::Year => {
                let first = day.with_day(1)?.with_month(1)?;
                Some((first, first.checked_add_months(Months::new(12))?))
            }
        }
    }

    fn literal(&self, day: NaiveDate) -> String {
        match self.ty {
            ColumnType::Date => format!("DATE '{day}'"),
            ColumnType::Datetime => format!("DATETIME '{day} 00:00:00'"),
            _ => format!("TIMESTAMP '{day} 00:00:00+00:00'"),
        }
    }
}

fn is_time(ty: ColumnType) -> bool {
    matches!(ty, ColumnType::Date | ColumnType::Datetime | ColumnType::Timestamp)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn partitioning(ty: ColumnType, every: PartitionEvery) -> Partitioning {
        Partitioning { column: "at".into(), ty, every }
    }

    fn ranges(ty: ColumnType, every: PartitionEvery, days: &[&str]) -> Vec<String> {
        let days: Vec<NaiveDate> = days.iter().map(|day| day.parse().unwrap()).collect();
        let ranges = partitioning(ty, every).ranges(&days);
        ranges.iter().map(|r| format!("{} .. {}", r["from"].as_str().unwrap(), r["to"].as_str().unwrap())).collect()
    }

    #[test]
    fn days_become_whole_partitions_and_neighbours_join() {
        let found = ranges(ColumnType::Date, PartitionEvery::Day, &["2026-01-02", "2026-01-01", "2026-03-01"]);
        assert_eq!(found, ["DATE '2026-01-01' .. DATE '2026-01-03'", "DATE '2026-03-01' .. DATE '2026-03-02'"]);
        let found = ranges(ColumnType::Timestamp, PartitionEvery::Month, &["2026-01-31", "2025-12-01", "2026-01-01"]);
        assert_eq!(found, ["TIMESTAMP '2025-12-01 00:00:00+00:00' .. TIMESTAMP '2026-02-01 00:00:00+00:00'"]);
        let found = ranges(ColumnType::Datetime, PartitionEvery::Year, &["2024-02-29"]);
        assert_eq!(found, ["DATETIME '2024-01-01 00:00:00' .. DATETIME '2025-01-01 00:00:00'"]);
        assert!(ranges(ColumnType::Date, PartitionEvery::Day, &[]).is_empty());
        let last = partitioning(ColumnType::Date, PartitionEvery::Day).ranges(&["9999-12-31".parse().unwrap()]);
        assert_eq!(last, [json!({ "from": "DATE '9999-12-31'", "to": null })]);
    }

    #[test]
    fn too_many_ranges_become_one() {
        let day = |n: u32| NaiveDate::from_ymd_opt(2000 + i32::try_from(n).unwrap(), 1, 1).unwrap();
        let days: Vec<NaiveDate> = (0..=200).step_by(2).map(day).collect();
        assert_eq!(partitioning(ColumnType::Date, PartitionEvery::Day).ranges(&days).len(), 1);
    }

    #[test]
    fn what_cannot_partition_is_refused() {
        let column = ColumnPlan {
            name: "id".into(),
            ty: ColumnType::Int64,
            field: "id".into(),
            sibling: false,
            is_key: false,
            is_canonical: false,
        };
        let error = Partitioning::plan(Some(&column), "id", PartitionEvery::Day).unwrap_err();
        assert!(error.contains("is INT64"), "{error}");
        assert!(Partitioning::plan(None, "nope", PartitionEvery::Day).unwrap_err().contains("`nope`"));
    }
}
