//! Our hook `extract_job.FieldsAndRows`: answers that name their columns once and give rows as lists (ServiceTitan's reports).
//! Each row becomes an object by the names of its own answer: columns may change from one day to the next.

use super::dpath_extractor::DpathExtractor;
use crate::manifest::reader::Reader;
use contract::yaml::Node;
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct FieldsAndRows {
    rows: DpathExtractor,
    fields: Vec<String>,
    name: String,
}

impl FieldsAndRows {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        reader.required("rows_path");
        reader.required("fields_path");
        let rows = DpathExtractor::read_inner(reader, "rows_path");
        let fields = reader.get("fields_path").map(Node::items).unwrap_or_default();
        let fields = fields.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect();
        let name = reader.text("name").unwrap_or_else(|| "name".into());
        reader.accept(&["class_name"]);
        reader.finish();
        Some(Self { rows, fields, name })
    }

    pub(crate) fn rows(&self) -> &DpathExtractor {
        &self.rows
    }

    /// The names of the columns, from the answer without its rows.
    ///
    /// # Errors
    /// The answer does not tell them, or tells one twice.
    pub(crate) fn columns(&self, answer: &Value) -> Result<Vec<String>, String> {
        let fields = self.fields.iter().try_fold(answer, |value, segment| value.get(segment));
        let Some(Value::Array(fields)) = fields else {
            return Err(format!("the answer holds rows, but no list of columns at `{}`", self.fields.join(".")));
        };
        let mut names: Vec<String> = Vec::with_capacity(fields.len());
        for field in fields {
            let name = field.get(&self.name).and_then(Value::as_str).or_else(|| field.as_str());
            match name {
                Some(name) if !names.iter().any(|have| have == name) => names.push(name.to_owned()),
                Some(_) => return Err("the answer names a column twice".into()),
                None => return Err(format!("the answer has a column without `{}`", self.name)),
            }
        }
        Ok(names)
    }
}
