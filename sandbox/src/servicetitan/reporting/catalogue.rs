//! The reports that there are: what each takes and which columns it gives.
//! The owner of a report changes it: every generation gives the columns in another order, and from the second on there is one more.

use axum::http::StatusCode;
use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::super::reply::Refusal;

pub(super) const CATEGORIES: [(&str, &str); 2] = [("operations", "Operations"), ("payroll", "Payroll")];

/// Name, data type, whether it takes a list, whether it is required.
type Parameter = (&'static str, &'static str, bool, bool);

pub(super) struct Report {
    pub(super) id: u64,
    pub(super) category: &'static str,
    name: &'static str,
    parameters: &'static [Parameter],
    /// Name and data type.
    pub(super) columns: &'static [(&'static str, &'static str)],
}

/// The column that appears with the second generation.
pub(super) const LATE: (&str, &str) = ("Margin", "Number");

const RANGE: [Parameter; 3] =
    [("From", "Date", false, true), ("To", "Date", false, true), ("BusinessUnitIds", "Number", true, false)];

pub(super) const REPORTS: [Report; 3] = [
    Report {
        id: 123,
        category: "operations",
        name: "Jobs by day",
        parameters: &RANGE,
        columns: &[
            ("Date", "Date"),
            ("JobNumber", "String"),
            ("BusinessUnit", "Number"),
            ("Revenue", "Number"),
            ("Completed", "Boolean"),
            ("Started", "Time"),
        ],
    },
    Report {
        id: 124,
        category: "operations",
        name: "Calls by campaign",
        parameters: &RANGE,
        columns: &[("Date", "Date"), ("Campaign", "String"), ("Calls", "Number")],
    },
    Report {
        id: 7001,
        category: "payroll",
        name: "Balances",
        parameters: &[("AsOfDate", "Date", false, true)],
        columns: &[("Date", "Date"), ("Employee", "String"), ("Balance", "Number")],
    },
];

/// The values that a run was asked for with, all of them checked.
pub(crate) struct Values {
    pub(super) from: NaiveDate,
    pub(super) to: NaiveDate,
    pub(super) units: Option<Vec<i64>>,
}

impl Report {
    pub(super) fn summary(&self) -> Value {
        json!({"id": self.id, "name": self.name, "description": null})
    }

    pub(super) fn description(&self, generation: u32) -> Value {
        let parameters = self.parameters.iter().map(|(name, kind, is_array, is_required)| {
            let values = (*name == "BusinessUnitIds")
                .then(|| json!({"fields": [{"name": "Value"}], "dynamicSetId": "business-units", "values": []}));
            json!({
                "name": name, "label": name, "dataType": kind, "isArray": is_array, "isRequired": is_required,
                "acceptValues": values,
            })
        });
        json!({
            "id": self.id, "name": self.name, "description": null, "modifiedOn": "2025-01-01T00:00:00Z",
            "parameters": parameters.collect::<Vec<_>>(), "fields": self.fields(generation, true),
        })
    }

    /// The columns of a generation, in its order.
    pub(super) fn columns(&self, generation: u32) -> Vec<(&'static str, &'static str)> {
        let mut columns = self.columns.to_vec();
        if generation >= 2 {
            columns.push(LATE);
        }
        let places = columns.len();
        columns.rotate_left((generation as usize - 1) % places);
        columns
    }

    pub(super) fn fields(&self, generation: u32, with_types: bool) -> Value {
        let field = |(name, kind): (&str, &str)| {
            let mut field = Map::new();
            field.insert("name".to_owned(), json!(name));
            field.insert("label".to_owned(), json!(name));
            if with_types {
                field.insert("dataType".to_owned(), json!(kind));
            }
            Value::Object(field)
        };
        self.columns(generation).into_iter().map(field).collect()
    }

    /// Reads the body of a run: `{"parameters": [{"name": …, "value": …}]}`.
    pub(super) fn parameters(&self, body: &[u8]) -> Result<Values, Refusal> {
        let wrong = |what: &str| Refusal::new(StatusCode::BAD_REQUEST, what);
        let body: Value = serde_json::from_slice(body).map_err(|_| wrong("The body is not JSON."))?;
        let given = body["parameters"].as_array().ok_or_else(|| wrong("The body has no list of parameters."))?;
        let mut values = Map::new();
        for parameter in given {
            let name = parameter["name"].as_str().ok_or_else(|| wrong("A parameter has no name."))?;
            let Some((name, kind, is_array, _)) = self.parameters.iter().find(|(known, ..)| *known == name) else {
                return Err(Refusal::field(name, "is not known here"));
            };
            let value = &parameter["value"];
            if !fits(value, kind, *is_array) || values.insert((*name).to_owned(), value.clone()).is_some() {
                return Err(Refusal::parameter(name, &value.to_string()));
            }
        }
        if let Some((name, ..)) =
            self.parameters.iter().find(|(name, .., needed)| *needed && !values.contains_key(*name))
        {
            return Err(Refusal::field(name, "is required"));
        }
        let date = |name: &str| values.get(name).and_then(Value::as_str).and_then(date);
        let as_of = date("AsOfDate");
        let (from, to) = (date("From").or(as_of).unwrap_or_default(), date("To").or(as_of).unwrap_or_default());
        if from > to || (to - from).num_days() > 400 {
            return Err(wrong("From must not be after To, and not more than 400 days before it."));
        }
        let units = values.get("BusinessUnitIds").and_then(Value::as_array);
        Ok(Values { from, to, units: units.map(|units| units.iter().filter_map(Value::as_i64).collect()) })
    }
}

fn fits(value: &Value, kind: &str, is_array: bool) -> bool {
    if is_array {
        return value.as_array().is_some_and(|values| values.iter().all(|value| fits(value, kind, false)));
    }
    match kind {
        "Date" => value.as_str().is_some_and(|text| date(text).is_some()),
        "Number" => value.is_number(),
        _ => value.is_string(),
    }
}

/// A date as `YYYY-MM-DD`, nothing else.
pub(super) fn date(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|date| date.to_string() == text)
}
