//! What names BigQuery accepts: labels, job ids, dataset and table ids.

use serde_json::Value;

use super::reply::JobError;

const MOST_LABELS: usize = 64;
const LONGEST_LABEL: usize = 63;
const LONGEST_ID: usize = 1024;

/// Checks a `labels` map; null and missing are fine, and so are null values (a patch removes labels by them).
pub(crate) fn check_labels(labels: &Value) -> Result<(), JobError> {
    let invalid = |message: String| Err(JobError::new("invalid", message));
    let labels = match labels {
        Value::Null => return Ok(()),
        Value::Object(labels) => labels,
        other => return invalid(format!("Invalid value for labels: {other}")),
    };
    if labels.len() > MOST_LABELS {
        return invalid(format!("Too many labels: {}. At most {MOST_LABELS} are allowed.", labels.len()));
    }
    for (key, value) in labels {
        let value = match value {
            Value::Null => "",
            Value::String(value) => value,
            other => return invalid(format!("Label value {other} is no string.")),
        };
        if !key.starts_with(|letter: char| letter.is_ascii_lowercase()) || !is_label(key) {
            return invalid(format!("Label key \"{key}\" has invalid characters or is longer than {LONGEST_LABEL}."));
        }
        if !is_label(value) {
            return invalid(format!(
                "Label value \"{value}\" has invalid characters or is longer than {LONGEST_LABEL}."
            ));
        }
    }
    Ok(())
}

fn is_label(text: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '_' | '-');
    text.len() <= LONGEST_LABEL && text.chars().all(fits)
}

pub(crate) fn check_job_id(id: &str) -> Result<(), JobError> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if (1..=LONGEST_ID).contains(&id.len()) && id.chars().all(fits) {
        return Ok(());
    }
    let message = format!(
        "Invalid job ID \"{id}\". Job IDs must be alphanumeric (plus underscores and dashes) and must be at most 1024 characters long."
    );
    Err(JobError::new("invalid", message))
}

/// A dataset's id, or a table's, which may have dashes too.
pub(crate) fn check_id(kind: &str, id: &str, with_dash: bool) -> Result<(), JobError> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || (with_dash && letter == '-');
    if (1..=LONGEST_ID).contains(&id.len()) && id.chars().all(fits) {
        return Ok(());
    }
    Err(JobError::new("invalid", format!("Invalid {kind} ID \"{id}\".")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_are_lower_case_and_short() {
        let good =
            [json!(null), json!({}), json!({"run_id": "20260101t000000z-abc123"}), json!({"a": "", "b-1": null})];
        for labels in good {
            assert_eq!(check_labels(&labels), Ok(()), "{labels}");
        }
        let many: serde_json::Map<String, Value> = (0..65).map(|number| (format!("l{number}"), json!("v"))).collect();
        let bad = [
            json!({"Run": "a"}),
            json!({"run": "A"}),
            json!({"1a": "a"}),
            json!({"": "a"}),
            json!({"a": "b.c"}),
            json!({"a": "x".repeat(64)}),
            json!({"a": 1}),
            json!([]),
            Value::from(many),
        ];
        for labels in bad {
            assert!(check_labels(&labels).is_err(), "{labels}");
        }
    }

    #[test]
    fn job_ids_have_few_characters() {
        for (id, good) in [("a_B-9", true), ("", false), ("a.b", false), ("a:b", false), ("ü", false)] {
            assert_eq!(check_job_id(id).is_ok(), good, "{id}");
        }
        assert!(check_job_id(&"a".repeat(1024)).is_ok());
        assert!(check_job_id(&"a".repeat(1025)).is_err());
    }
}
