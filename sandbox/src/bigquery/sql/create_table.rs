//! CREATE TABLE and CREATE SCHEMA: columns, keys, partitioning, clustering and options.
//! Keys are also cut out of the text, since the emulator cannot parse `NOT ENFORCED`.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::super::field::{self, Field};
use super::cursor::{Cursor, Path};
use super::token::Kind;

/// `name = value` of an OPTIONS list; the value as its text.
pub(crate) type Options = Vec<(String, String)>;

/// A CREATE TABLE statement.
#[derive(Debug, Default)]
pub(crate) struct CreateTable {
    pub(crate) target: Path,
    pub(crate) or_replace: bool,
    pub(crate) if_not_exists: bool,
    pub(crate) is_temporary: bool,
    /// `None`: the columns follow from a query or another table.
    pub(crate) columns: Option<Vec<Field>>,
    pub(crate) primary_key: Vec<String>,
    /// `timePartitioning`, or null.
    pub(crate) time_partitioning: Value,
    pub(crate) clustering: Vec<String>,
    pub(crate) options: Options,
    /// The table that it is made like.
    pub(crate) like: Option<Path>,
    /// Places in the text that the emulator must not see.
    pub(crate) cuts: Vec<Range<usize>>,
}

impl CreateTable {
    /// `None`: the statement is no CREATE TABLE, or not to be understood.
    pub(crate) fn parse(mut cursor: Cursor<'_>) -> Option<Self> {
        let mut table = Self::default();
        if !cursor.take(&["CREATE"]) {
            return None;
        }
        table.or_replace = cursor.take(&["OR", "REPLACE"]);
        table.is_temporary = cursor.take(&["TEMP"]) || cursor.take(&["TEMPORARY"]);
        if !cursor.take(&["TABLE"]) {
            return None;
        }
        table.if_not_exists = cursor.take(&["IF", "NOT", "EXISTS"]);
        table.target = cursor.path()?;
        if cursor.sees(&["("]) {
            table.read_columns(&cursor.group()?)?;
        }
        while !cursor.is_done() {
            if cursor.take(&["PARTITION", "BY"]) {
                table.time_partitioning = partitioning(&mut cursor);
            } else if cursor.take(&["CLUSTER", "BY"]) {
                loop {
                    table.clustering.push(cursor.name()?);
                    if !cursor.take(&[","]) {
                        break;
                    }
                }
            } else if cursor.take(&["OPTIONS"]) {
                table.options = options(&cursor.group()?)?;
            } else if cursor.take(&["LIKE"]) || cursor.take(&["COPY"]) || cursor.take(&["CLONE"]) {
                table.like = cursor.path();
            } else if cursor.take(&["AS"]) {
                break;
            } else {
                cursor.skip();
            }
        }
        Some(table)
    }

    fn read_columns(&mut self, group: &Cursor<'_>) -> Option<()> {
        let mut columns = Vec::new();
        let parts = group.split_at_commas();
        let mut end = None;
        for mut part in parts {
            let from = part.position();
            if part.take(&["CONSTRAINT"]) {
                part.name();
            }
            let is_key = part.take(&["PRIMARY", "KEY"]);
            if is_key || part.sees(&["FOREIGN", "KEY"]) {
                if is_key {
                    let names = part.group()?;
                    self.primary_key = names.split_at_commas().iter_mut().filter_map(Cursor::name).collect();
                }
                while !part.is_done() {
                    part.skip();
                }
                let span = part.span_since(from);
                // With the comma before it.
                self.cuts.push(end.unwrap_or(span.start)..span.end);
                end = Some(span.end);
                continue;
            }
            let (column, cut) = column(&mut part)?;
            if let Some(cut) = cut {
                self.primary_key.push(column.name.clone());
                self.cuts.push(cut);
            }
            end = Some(part.span_since(from).end);
            columns.push(column);
        }
        self.columns = Some(columns);
        Some(())
    }
}

/// A column's definition, and the place of its `PRIMARY KEY NOT ENFORCED`.
pub(crate) fn column(cursor: &mut Cursor<'_>) -> Option<(Field, Option<Range<usize>>)> {
    let name = cursor.name()?;
    let mut column = data_type(name, cursor)?;
    let mut cut = None;
    while !cursor.is_done() {
        let from = cursor.position();
        if cursor.take(&["NOT", "NULL"]) {
            "REQUIRED".clone_into(&mut column.mode);
        } else if cursor.take(&["PRIMARY", "KEY"]) {
            cursor.take(&["NOT", "ENFORCED"]);
            cut = Some(cursor.span_since(from));
        } else if cursor.take(&["OPTIONS"]) {
            for (key, value) in options(&cursor.group()?)? {
                if key.eq_ignore_ascii_case("description") {
                    column.rest.insert("description".to_owned(), json!(super::token::literal(&value)));
                }
            }
        } else {
            cursor.skip();
        }
    }
    Some((column, cut))
}

/// A data type, as that of a column with this name.
pub(crate) fn data_type(name: String, cursor: &mut Cursor<'_>) -> Option<Field> {
    let word = cursor.name()?;
    let mut rest = Map::new();
    let (kind, mode, fields) = if word.eq_ignore_ascii_case("ARRAY") {
        cursor.take(&["<"]).then_some(())?;
        let inner = data_type(String::new(), cursor)?;
        cursor.take(&[">"]).then_some(())?;
        rest = inner.rest;
        (inner.kind, "REPEATED", inner.fields)
    } else if word.eq_ignore_ascii_case("STRUCT") {
        cursor.take(&["<"]).then_some(())?;
        let mut fields = Vec::new();
        while !cursor.take(&[">"]) {
            let name = cursor.name()?;
            fields.push(data_type(name, cursor)?);
            cursor.take(&[","]);
        }
        ("RECORD".to_owned(), "NULLABLE", fields)
    } else {
        let kind = field::old_name(&word)?.to_owned();
        if let Some(parameters) = cursor.sees(&["("]).then(|| cursor.group()).flatten() {
            let keys: &[&str] = if kind.ends_with("NUMERIC") { &["precision", "scale"] } else { &["maxLength"] };
            for (key, number) in keys.iter().zip(parameters.split_at_commas()) {
                rest.insert((*key).to_owned(), json!(number.rest()));
            }
        }
        (kind, "NULLABLE", Vec::new())
    };
    Some(Field { name, kind, mode: mode.to_owned(), fields, rest })
}

/// What follows PARTITION BY: a column, or a function that cuts one to hours, days, months or years.
fn partitioning(cursor: &mut Cursor<'_>) -> Value {
    let Some(name) = cursor.name() else { return Value::Null };
    let Some(mut arguments) = cursor.sees(&["("]).then(|| cursor.group()).flatten() else {
        return match name.to_ascii_uppercase().as_str() {
            "_PARTITIONDATE" | "_PARTITIONTIME" => json!({"type": "DAY"}),
            _ => json!({"type": "DAY", "field": name}),
        };
    };
    let column = arguments.name();
    arguments.take(&[","]);
    match (name.to_ascii_uppercase().as_str(), column) {
        ("DATE", Some(column)) => json!({"type": "DAY", "field": column}),
        ("TIMESTAMP_TRUNC" | "DATETIME_TRUNC" | "DATE_TRUNC", Some(column)) => {
            json!({"type": arguments.peek().to_ascii_uppercase(), "field": column})
        }
        _ => Value::Null,
    }
}

/// What is in the parentheses of OPTIONS.
pub(crate) fn options(group: &Cursor<'_>) -> Option<Options> {
    let mut options = Options::new();
    for mut part in group.split_at_commas() {
        let name = part.name()?;
        part.take(&["="]).then_some(())?;
        options.push((name.to_ascii_lowercase(), part.rest().to_owned()));
    }
    Some(options)
}

/// The pairs of `labels = [('a', 'b'), …]`.
pub(crate) fn label_pairs(value: &str) -> Map<String, Value> {
    let tokens = super::token::tokens(value);
    let texts: Vec<String> = tokens
        .iter()
        .filter(|token| token.kind == Kind::Text)
        .map(|token| super::token::literal(value.get(token.span.clone()).unwrap_or_default()))
        .collect();
    texts.chunks_exact(2).map(|pair| (pair[0].clone(), json!(pair[1]))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::statement::Script;
    use super::*;

    #[test]
    fn a_table_with_everything() {
        let sql = "CREATE TABLE IF NOT EXISTS `p.d.t` (\n  id STRING NOT NULL OPTIONS(description='the id'), price NUMERIC(10, 2),\n\
                   tags ARRAY<STRUCT<a INT64, b ARRAY<STRING>>>, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP(),\n\
                   PRIMARY KEY (id, `at`) NOT ENFORCED\n)\nPARTITION BY TIMESTAMP_TRUNC(at, MONTH) CLUSTER BY id, price\n\
                   OPTIONS(labels=[('k', 'v'), ('l', 'w')], require_partition_filter=true)";
        let table = CreateTable::parse(Script::parse(sql).single().unwrap()).unwrap();
        assert!(table.if_not_exists && !table.or_replace);
        assert_eq!(table.target, ["p", "d", "t"]);
        let columns: Vec<_> = table.columns.unwrap().iter().map(Field::ddl).collect();
        let expected = [
            "`id` STRING NOT NULL",
            "`price` NUMERIC(10, 2)",
            "`tags` ARRAY<STRUCT<`a` INT64, `b` ARRAY<STRING>>>",
            "`at` TIMESTAMP",
        ];
        assert_eq!(columns, expected);
        assert_eq!(table.primary_key, ["id", "at"]);
        assert_eq!(table.time_partitioning, json!({"type": "MONTH", "field": "at"}));
        assert_eq!(table.clustering, ["id", "price"]);
        assert_eq!(table.options[1], ("require_partition_filter".to_owned(), "true".to_owned()));
        assert_eq!(Value::from(label_pairs(&table.options[0].1)), json!({"k": "v", "l": "w"}));
        let cuts: Vec<_> = table.cuts.iter().map(|cut| &sql[cut.clone()]).collect();
        assert_eq!(cuts, [",\nPRIMARY KEY (id, `at`) NOT ENFORCED"]);
    }

    #[test]
    fn a_key_at_its_column() {
        let sql = "CREATE OR REPLACE TABLE d.t (id STRING NOT NULL PRIMARY KEY NOT ENFORCED, v JSON)";
        let table = CreateTable::parse(Script::parse(sql).single().unwrap()).unwrap();
        assert_eq!(table.primary_key, ["id"]);
        assert_eq!(&sql[table.cuts[0].clone()], "PRIMARY KEY NOT ENFORCED");
    }

    #[test]
    fn partitions_of_all_kinds() {
        for (by, expected) in [
            ("d", json!({"type": "DAY", "field": "d"})),
            ("DATE(at)", json!({"type": "DAY", "field": "at"})),
            ("DATE_TRUNC(d, YEAR)", json!({"type": "YEAR", "field": "d"})),
            ("_PARTITIONDATE", json!({"type": "DAY"})),
            ("RANGE_BUCKET(n, GENERATE_ARRAY(0, 10, 1))", Value::Null),
        ] {
            let sql = format!("CREATE TABLE a.b PARTITION BY {by} AS SELECT 1 AS x");
            let table = CreateTable::parse(Script::parse(&sql).single().unwrap()).unwrap();
            assert_eq!(table.time_partitioning, expected, "{by}");
            assert!(table.columns.is_none());
        }
    }
}
