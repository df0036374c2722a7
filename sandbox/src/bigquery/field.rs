//! Columns as the REST API describes them: names and types, old type names in answers, standard ones in SQL.
//! Keys that the stand-in does not use stay with the column.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::reply::JobError;

/// A column, or a field of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// The old name: INTEGER, FLOAT, BOOLEAN, RECORD, …
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default = "nullable")]
    pub(crate) mode: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<Field>,
    /// `description`, `precision`, `scale`, `maxLength`, …
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

fn nullable() -> String {
    "NULLABLE".to_owned()
}

/// The old name of a type; `None` where BigQuery has no such type.
pub(crate) fn old_name(kind: &str) -> Option<&'static str> {
    Some(match kind.to_ascii_uppercase().as_str() {
        "INT64" | "INTEGER" | "INT" | "SMALLINT" | "BIGINT" | "TINYINT" | "BYTEINT" => "INTEGER",
        "FLOAT64" | "FLOAT" => "FLOAT",
        "BOOL" | "BOOLEAN" => "BOOLEAN",
        "STRUCT" | "RECORD" => "RECORD",
        "NUMERIC" | "DECIMAL" => "NUMERIC",
        "BIGNUMERIC" | "BIGDECIMAL" => "BIGNUMERIC",
        "STRING" => "STRING",
        "BYTES" => "BYTES",
        "DATE" => "DATE",
        "DATETIME" => "DATETIME",
        "TIME" => "TIME",
        "TIMESTAMP" => "TIMESTAMP",
        "JSON" => "JSON",
        "GEOGRAPHY" => "GEOGRAPHY",
        "INTERVAL" => "INTERVAL",
        "RANGE" => "RANGE",
        _ => return None,
    })
}

/// The name in SQL.
pub(crate) fn sql_name(kind: &str) -> &str {
    match kind {
        "INTEGER" => "INT64",
        "FLOAT" => "FLOAT64",
        "BOOLEAN" => "BOOL",
        "RECORD" => "STRUCT",
        other => other,
    }
}

impl Field {
    /// Reads `schema.fields`; types come out under their old names.
    ///
    /// # Errors
    /// As BigQuery: unknown types and modes, names that are not allowed or that appear twice, records without fields.
    pub(crate) fn list(value: &Value) -> Result<Vec<Field>, JobError> {
        let invalid = |message: String| JobError::new("invalid", message);
        let mut fields: Vec<Field> = serde_json::from_value(value.clone())
            .map_err(|error| invalid(format!("Invalid JSON payload: schema.fields: {error}")))?;
        for field in &mut fields {
            field.normalise()?;
        }
        check_names(&fields)?;
        Ok(fields)
    }

    fn normalise(&mut self) -> Result<(), JobError> {
        let invalid = |message: String| JobError::new("invalid", message);
        let name = old_name(&self.kind);
        self.kind = name
            .ok_or_else(|| invalid(format!("Invalid value for type: {} is not a valid value", self.kind)))?
            .to_owned();
        self.mode = self.mode.to_ascii_uppercase();
        if !["NULLABLE", "REQUIRED", "REPEATED"].contains(&self.mode.as_str()) {
            return Err(invalid(format!("Invalid value for mode: {} is not a valid value", self.mode)));
        }
        if (self.kind == "RECORD") == self.fields.is_empty() {
            return Err(invalid(format!(
                "Field {} is type RECORD but has no schema, or has one without being RECORD",
                self.name
            )));
        }
        for field in &mut self.fields {
            field.normalise()?;
        }
        check_names(&self.fields)
    }

    /// Name, type and `NOT NULL` as in CREATE TABLE.
    pub(crate) fn ddl(&self) -> String {
        let not_null = if self.mode == "REQUIRED" { " NOT NULL" } else { "" };
        format!("`{}` {}{not_null}", self.name, self.sql_type())
    }

    /// The type as in SQL, with its parameters.
    pub(crate) fn sql_type(&self) -> String {
        let number =
            |key: &str| self.rest.get(key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let inner = match (self.kind.as_str(), number("precision"), number("scale"), number("maxLength")) {
            ("RECORD", ..) => {
                let fields: Vec<_> =
                    self.fields.iter().map(|field| format!("`{}` {}", field.name, field.sql_type())).collect();
                format!("STRUCT<{}>", fields.join(", "))
            }
            (kind, Some(precision), Some(scale), _) => format!("{kind}({precision}, {scale})"),
            (kind, Some(precision), None, _) => format!("{kind}({precision})"),
            (kind, _, _, Some(length)) => format!("{kind}({length})"),
            // The emulator makes 18 digits of a plain NUMERIC, which has 38.
            ("NUMERIC", ..) => "NUMERIC(38, 9)".to_owned(),
            (kind, ..) => sql_name(kind).to_owned(),
        };
        if self.mode == "REPEATED" { format!("ARRAY<{inner}>") } else { inner }
    }

    pub(crate) fn is_repeated(&self) -> bool {
        self.mode == "REPEATED"
    }
}

/// Finds a column by its name, whatever its case.
pub(crate) fn find<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
}

const FORBIDDEN: [&str; 9] = [
    "_TABLE_",
    "_FILE_",
    "_PARTITION",
    "_ROW_TIMESTAMP",
    "__ROOT__",
    "_COLIDENTIFIER",
    "_CHANGE_SEQUENCE_NUMBER",
    "_CHANGE_TYPE",
    "_CHANGE_TIMESTAMP",
];

/// Refuses names that BigQuery refuses. Flexible names (spaces, other alphabets) are refused too: nothing here sends them.
pub(crate) fn check_names(fields: &[Field]) -> Result<(), JobError> {
    let invalid = |message: String| Err(JobError::new("invalid", message));
    for (index, field) in fields.iter().enumerate() {
        let name = &field.name;
        let begins = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        let plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if !begins || !plain || name.len() > 300 {
            return invalid(format!(
                "Invalid field name \"{name}\". Fields must contain only letters, numbers, and underscores, start with a letter \
                 or underscore, and be at most 300 characters long."
            ));
        }
        let upper = name.to_ascii_uppercase();
        if let Some(prefix) = FORBIDDEN.iter().find(|prefix| upper.starts_with(*prefix)) {
            return invalid(format!(
                "Invalid field name \"{name}\". Field names are not allowed to start with the (case-insensitive) prefix {prefix}"
            ));
        }
        if fields.iter().take(index).any(|other| other.name.eq_ignore_ascii_case(name)) {
            return invalid(format!("Field {name} already exists in schema"));
        }
    }
    Ok(())
}

/// Whether `ALTER COLUMN SET DATA TYPE` may turn a column into this one: the same type, or one that holds all its values.
pub(crate) fn can_widen(from: &Field, to: &Field) -> bool {
    let parameter = |field: &Field, key: &str| -> Option<i64> {
        let value = field.rest.get(key)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    };
    if from.is_repeated() != to.is_repeated() {
        return false;
    }
    match (from.kind.as_str(), to.kind.as_str()) {
        ("INTEGER", "NUMERIC" | "BIGNUMERIC" | "FLOAT") | ("NUMERIC", "BIGNUMERIC" | "FLOAT") => {
            to.rest.get("precision").is_none()
        }
        ("RECORD", "RECORD") => {
            from.fields.len() <= to.fields.len()
                && from.fields.iter().zip(&to.fields).all(|(old, new)| old.name == new.name && can_widen(old, new))
        }
        (old, new) if old == new => {
            let length = match (parameter(from, "maxLength"), parameter(to, "maxLength")) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(old), Some(new)) => old <= new,
            };
            let digits = match (parameter(from, "precision"), parameter(to, "precision")) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(old), Some(new)) => {
                    let scale = |field| parameter(field, "scale").unwrap_or(0);
                    scale(from) <= scale(to) && old - scale(from) <= new - scale(to)
                }
            };
            length && digits
        }
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(value: Value) -> Field {
        Field::list(&json!([value])).unwrap().remove(0)
    }

    #[test]
    fn types_come_back_under_their_old_names() {
        let fields = Field::list(&json!([
            {"name": "a", "type": "INT64", "mode": "required"},
            {"name": "b", "type": "struct", "mode": "REPEATED", "fields": [{"name": "c", "type": "BOOL"}]},
            {"name": "d", "type": "NUMERIC", "precision": "10", "scale": "2", "description": "x"},
        ]))
        .unwrap();
        let ddl: Vec<_> = fields.iter().map(Field::ddl).collect();
        assert_eq!(ddl, ["`a` INT64 NOT NULL", "`b` ARRAY<STRUCT<`c` BOOL>>", "`d` NUMERIC(10, 2)"]);
        assert_eq!(serde_json::to_value(&fields[1]).unwrap()["type"], "RECORD");
        assert_eq!(serde_json::to_value(&fields[2]).unwrap()["description"], "x");
    }

    #[test]
    fn bad_columns_are_refused() {
        for fields in [
            json!([{"name": "a", "type": "TEXT"}]),
            json!([{"name": "a", "type": "STRING", "mode": "MAYBE"}]),
            json!([{"name": "a", "type": "STRING"}, {"name": "A", "type": "STRING"}]),
            json!([{"name": "1a", "type": "STRING"}]),
            json!([{"name": "a.b", "type": "STRING"}]),
            json!([{"name": "_partitiontime", "type": "STRING"}]),
            json!([{"name": "a", "type": "RECORD"}]),
            json!([{"type": "STRING"}]),
        ] {
            assert_eq!(Field::list(&fields).unwrap_err().reason, "invalid", "{fields}");
        }
        assert!(Field::list(&json!([{"name": "_etl_synced", "type": "TIMESTAMP"}])).is_ok());
    }

    #[test]
    fn only_the_documented_widenings_are_allowed() {
        let of = |kind: &str| field(json!({"name": "a", "type": kind}));
        let numeric = |precision: &str, scale: &str| {
            field(json!({"name": "a", "type": "NUMERIC", "precision": precision, "scale": scale}))
        };
        let cases = [
            (of("INT64"), of("NUMERIC"), true),
            (of("INT64"), of("BIGNUMERIC"), true),
            (of("INT64"), of("FLOAT64"), true),
            (of("NUMERIC"), of("FLOAT64"), true),
            (of("INT64"), of("STRING"), false),
            (of("FLOAT64"), of("NUMERIC"), false),
            (of("BIGNUMERIC"), of("FLOAT64"), false),
            (of("STRING"), of("JSON"), false),
            (of("DATE"), of("TIMESTAMP"), false),
            (numeric("10", "6"), numeric("12", "8"), true),
            (numeric("10", "2"), numeric("10", "4"), false),
        ];
        for (from, to, allowed) in cases {
            assert_eq!(can_widen(&from, &to), allowed, "{} to {}", from.sql_type(), to.sql_type());
        }
    }
}
