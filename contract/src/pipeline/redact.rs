//! What the pipeline file says of fields and texts that must not be stored as they are, and what a batch tells of it.

use super::file::StreamSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What becomes of a field that must not be stored as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Redact {
    /// A salted hash takes its place: equal values stay equal, and joins still work.
    Hash,
    /// It is left out.
    Drop,
}

/// What becomes of a field; alone, every reading must find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RedactEntry {
    /// Only how.
    How(Redact),
    /// How, and whether it may be missing.
    Map(RedactMap),
}

/// What becomes of a field that not every reading finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedactMap {
    /// What becomes of it.
    pub how: Redact,
    /// A reading in which no record has it is in order (default false: it fails, since the name may be misspelt).
    #[serde(default)]
    pub may_be_absent: bool,
}

impl RedactEntry {
    /// What becomes of the field.
    pub fn how(self) -> Redact {
        match self {
            Self::How(how) => how,
            Self::Map(map) => map.how,
        }
    }

    /// Whether a reading may lack it.
    pub fn may_be_absent(self) -> bool {
        matches!(self, Self::Map(map) if map.may_be_absent)
    }
}

/// What is looked for in texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    /// E-mail addresses.
    Email,
    /// Phone numbers: with `+` or a leading zero, an area code in brackets, or in the groups of North America.
    Phone,
}

/// What the records of a batch went through before they were stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redacted {
    /// The fields, and what became of each.
    #[serde(default)]
    redact: BTreeMap<String, Redact>,
    /// What was looked for in texts.
    #[serde(default)]
    mask: Vec<Mask>,
}

impl Redacted {
    /// As the settings of a stream say.
    pub fn by(settings: &StreamSettings) -> Self {
        let redact = settings.redact.iter().map(|(field, entry)| (field.clone(), entry.how()));
        Self { redact: redact.collect(), mask: settings.mask.clone() }
    }

    /// Whether the records are as they came.
    pub fn is_nothing(&self) -> bool {
        self.redact.is_empty() && self.mask.is_empty()
    }

    /// What the settings of a stream take out now, as they name it, and the batch may have kept. A field that was dropped is hidden as well as
    /// one that is hashed.
    pub fn lacks(&self, settings: &StreamSettings) -> Vec<String> {
        let is_kept = |field: &String, now: Redact| match self.redact.get(field) {
            Some(then) => *then == Redact::Hash && now == Redact::Drop,
            None => true,
        };
        let fields = settings.redact.iter().filter(|(field, entry)| is_kept(field, entry.how()));
        let fields = fields.map(|(field, _)| format!("`redact: {field}`"));
        let masks = settings.mask.iter().filter(|mask| !self.mask.contains(mask));
        fields.chain(masks.map(|mask| format!("`mask: {}`", mask.word()))).collect()
    }
}

impl Mask {
    fn word(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_batch_lacks_what_it_may_hold_in_clear() {
        let settings = |redact: &Value, mask: &Value| -> StreamSettings {
            serde_json::from_value(json!({"name": "x", "redact": redact, "mask": mask})).unwrap()
        };
        let email = json!({"email": "hash"});
        let cases = [
            (json!({}), json!([]), json!({}), json!([]), vec![]),
            (json!({}), json!([]), email.clone(), json!([]), vec!["`redact: email`"]),
            (email.clone(), json!([]), email.clone(), json!([]), vec![]),
            (email.clone(), json!([]), json!({"email": {"how": "hash", "may_be_absent": true}}), json!([]), vec![]),
            (email.clone(), json!(["email"]), json!({}), json!([]), vec![]),
            (json!({"email": "drop"}), json!([]), email.clone(), json!([]), vec![]),
            (email.clone(), json!([]), json!({"email": "drop"}), json!([]), vec!["`redact: email`"]),
            (
                email,
                json!(["phone"]),
                json!({"tax": "drop"}),
                json!(["phone", "email"]),
                vec!["`redact: tax`", "`mask: email`"],
            ),
        ];
        for (then, then_mask, now, now_mask, lacking) in cases {
            let batch = Redacted::by(&settings(&then, &then_mask));
            assert_eq!(batch.lacks(&settings(&now, &now_mask)), lacking, "{then} {then_mask}, now {now} {now_mask}");
            let again: Redacted = serde_json::from_value(serde_json::to_value(&batch).unwrap()).unwrap();
            assert_eq!(again, batch);
        }
    }
}
