//! All that a table is besides its rows: columns, partitioning, clustering, keys, expiration, labels, description.
//! The gate keeps it, since the emulator forgets most of it, and refuses what BigQuery refuses.

use serde_json::{Map, Value, json};

use super::field::{self, Field};
use super::label::check_labels;
use super::reply::JobError;

const CLUSTERED_BY: [&str; 10] =
    ["BIGNUMERIC", "BOOLEAN", "DATE", "DATETIME", "GEOGRAPHY", "INTEGER", "NUMERIC", "RANGE", "STRING", "TIMESTAMP"];
const MOST_CLUSTERED: usize = 4;

/// A table's shape.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    pub(crate) fields: Vec<Field>,
    /// `{type, field?, expirationMs?}`, or null.
    pub(crate) time_partitioning: Value,
    pub(crate) clustering: Vec<String>,
    pub(crate) primary_key: Vec<String>,
    pub(crate) require_partition_filter: bool,
    /// Milliseconds since 1970.
    pub(crate) expiration: Option<i64>,
    pub(crate) labels: Map<String, Value>,
    /// `description`, `friendlyName`.
    pub(crate) texts: Map<String, Value>,
}

impl Shape {
    /// Reads the resource of `tables.insert`, of a load job's destination, or what the emulator tells of a table.
    ///
    /// # Errors
    /// What BigQuery calls invalid.
    pub(crate) fn of_resource(resource: &Value) -> Result<Self, JobError> {
        let mut shape = Self::default();
        let fields = &resource["schema"]["fields"];
        if !fields.is_null() {
            shape.fields = Field::list(fields)?;
        }
        shape.change(resource)?;
        shape.check()?;
        Ok(shape)
    }

    /// Takes over everything but the columns from a resource; null removes.
    ///
    /// # Errors
    /// What BigQuery calls invalid.
    pub(crate) fn change(&mut self, resource: &Value) -> Result<(), JobError> {
        let invalid =
            |name: &str, value: &Value| JobError::new("invalid", format!("Invalid value for {name}: {value}"));
        let given = |name: &str| resource.as_object().and_then(|resource| resource.get(name));
        if let Some(partitioning) = given("timePartitioning") {
            self.time_partitioning = partitioning.clone();
            // Its old place.
            let filter =
                self.time_partitioning.as_object_mut().and_then(|inside| inside.remove("requirePartitionFilter"));
            self.require_partition_filter |= filter == Some(Value::Bool(true));
        }
        if let Some(clustering) = given("clustering") {
            self.clustering = names(&clustering["fields"]).ok_or_else(|| invalid("clustering", clustering))?;
        }
        if let Some(constraints) = given("tableConstraints") {
            let columns = &constraints["primaryKey"]["columns"];
            self.primary_key = names(columns).ok_or_else(|| invalid("tableConstraints", constraints))?;
        }
        if let Some(filter) = given("requirePartitionFilter") {
            self.require_partition_filter = filter.as_bool().unwrap_or_default();
        }
        if let Some(time) = given("expirationTime") {
            let number = time.as_i64().or_else(|| time.as_str()?.parse().ok());
            if number.is_none() && !time.is_null() {
                return Err(invalid("expirationTime", time));
            }
            self.expiration = number.filter(|number| *number > 0);
        }
        if let Some(labels) = given("labels") {
            check_labels(labels)?;
            for (key, value) in labels.as_object().into_iter().flatten() {
                if value.is_null() {
                    self.labels.remove(key);
                } else {
                    self.labels.insert(key.clone(), value.clone());
                }
            }
        }
        for name in ["description", "friendlyName"] {
            match given(name) {
                Some(Value::Null) => drop(self.texts.remove(name)),
                Some(text) => drop(self.texts.insert(name.to_owned(), text.clone())),
                None => {}
            }
        }
        Ok(())
    }

    /// Whether BigQuery would have such a table.
    ///
    /// # Errors
    /// What BigQuery calls invalid.
    pub(crate) fn check(&self) -> Result<(), JobError> {
        let invalid = |message: String| Err(JobError::new("invalid", message));
        field::check_names(&self.fields)?;
        if let Some(name) = self.time_partitioning["field"].as_str() {
            match field::find(&self.fields, name) {
                None => {
                    return invalid("The field specified for partitioning cannot be found in the schema.".to_owned());
                }
                Some(field)
                    if field.is_repeated() || !["DATE", "DATETIME", "TIMESTAMP"].contains(&field.kind.as_str()) =>
                {
                    return invalid(format!(
                        "The field specified for time partitioning can only be of type TIMESTAMP, DATE or DATETIME. The type found is: {}.",
                        field.kind
                    ));
                }
                Some(_) => {}
            }
        }
        if let Some(kind) = self.time_partitioning["type"].as_str()
            && !["HOUR", "DAY", "MONTH", "YEAR"].contains(&kind)
        {
            return invalid(format!("Invalid value for timePartitioning.type: {kind}"));
        }
        if self.clustering.len() > MOST_CLUSTERED {
            return invalid(format!(
                "Cannot cluster on more than {MOST_CLUSTERED} columns; found {}.",
                self.clustering.len()
            ));
        }
        for name in &self.clustering {
            match field::find(&self.fields, name) {
                None => {
                    let message = "The field specified for clustering cannot be found in the schema. Invalid field:";
                    return invalid(format!("{message} {name}."));
                }
                Some(field) if field.is_repeated() || !CLUSTERED_BY.contains(&field.kind.as_str()) => {
                    return invalid(format!(
                        "The field specified for clustering must be a top-level, non-repeated column of a clusterable type; \
                         field {name} is {} of type {}.",
                        field.mode, field.kind
                    ));
                }
                Some(_) => {}
            }
        }
        for name in &self.primary_key {
            if field::find(&self.fields, name).is_none() {
                return invalid(format!("Primary key column {name} does not exist in the schema."));
            }
        }
        if self.require_partition_filter && self.time_partitioning.is_null() {
            return invalid("require_partition_filter can only be set for partitioned tables.".to_owned());
        }
        Ok(())
    }

    /// Lays the shape over what the emulator tells of the table.
    pub(crate) fn write_into(&self, resource: &mut Map<String, Value>) {
        let present = [
            ("schema", !self.fields.is_empty(), json!({"fields": self.fields})),
            ("timePartitioning", !self.time_partitioning.is_null(), self.time_partitioning.clone()),
            ("clustering", !self.clustering.is_empty(), json!({"fields": self.clustering})),
            ("tableConstraints", !self.primary_key.is_empty(), json!({"primaryKey": {"columns": self.primary_key}})),
            ("requirePartitionFilter", self.require_partition_filter, json!(true)),
            ("expirationTime", self.expiration.is_some(), json!(self.expiration.unwrap_or_default().to_string())),
            ("labels", !self.labels.is_empty(), Value::from(self.labels.clone())),
        ];
        for (name, is_present, value) in present {
            if is_present {
                resource.insert(name.to_owned(), value);
            } else {
                resource.remove(name);
            }
        }
        for name in ["description", "friendlyName"] {
            resource.remove(name);
        }
        resource.extend(self.texts.clone());
    }

    /// CREATE TABLE for the emulator, which honours NOT NULL there alone.
    pub(crate) fn create(&self, table: &str) -> String {
        let columns: Vec<_> = self.fields.iter().map(Field::ddl).collect();
        format!("CREATE TABLE {table} ({})", columns.join(", "))
    }
}

fn names(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(names) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn table(extra: Value) -> Value {
        let mut table = json!({"schema": {"fields": [
            {"name": "id", "type": "STRING"}, {"name": "f", "type": "FLOAT64"}, {"name": "j", "type": "JSON"},
            {"name": "d", "type": "DATE"}, {"name": "r", "type": "STRING", "mode": "REPEATED"},
            {"name": "n", "type": "INT64"}, {"name": "b", "type": "BOOL"}, {"name": "t", "type": "TIMESTAMP"},
        ]}});
        for (key, value) in extra.as_object().unwrap() {
            table[key] = value.clone();
        }
        table
    }

    #[test]
    fn what_bigquery_refuses_is_refused() {
        for extra in [
            json!({"clustering": {"fields": ["f"]}}),
            json!({"clustering": {"fields": ["j"]}}),
            json!({"clustering": {"fields": ["r"]}}),
            json!({"clustering": {"fields": ["nope"]}}),
            json!({"clustering": {"fields": ["id", "d", "n", "b", "t"]}}),
            json!({"timePartitioning": {"type": "DAY", "field": "id"}}),
            json!({"timePartitioning": {"type": "DAY", "field": "nope"}}),
            json!({"timePartitioning": {"type": "WEEK", "field": "d"}}),
            json!({"tableConstraints": {"primaryKey": {"columns": ["nope"]}}}),
            json!({"requirePartitionFilter": true}),
            json!({"labels": {"A": "b"}}),
            json!({"expirationTime": "soon"}),
        ] {
            assert_eq!(Shape::of_resource(&table(extra.clone())).unwrap_err().reason, "invalid", "{extra}");
        }
    }

    #[test]
    fn what_was_given_comes_back() {
        let extra = json!({
            "clustering": {"fields": ["id", "n"]}, "timePartitioning": {"type": "DAY", "field": "t", "expirationMs": "1000"},
            "requirePartitionFilter": true, "tableConstraints": {"primaryKey": {"columns": ["id"]}},
            "expirationTime": "1900000000000", "labels": {"a": "b"}, "description": "d",
        });
        let mut shape = Shape::of_resource(&table(extra.clone())).unwrap();
        let mut resource = Map::new();
        shape.write_into(&mut resource);
        for (key, value) in extra.as_object().unwrap() {
            assert_eq!(&resource[key], value, "{key}");
        }
        shape.change(&json!({"labels": {"a": null, "c": "d"}, "expirationTime": null, "description": null})).unwrap();
        shape.write_into(&mut resource);
        assert_eq!(resource["labels"], json!({"c": "d"}));
        assert!(!resource.contains_key("expirationTime") && !resource.contains_key("description"));
    }
}
