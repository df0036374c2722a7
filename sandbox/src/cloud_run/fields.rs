//! Reads a JSON body as Google's front end does: names in either spelling, wrong types and unknown names refused.
//! Every complaint names the field by its path in the message (`overrides.container_overrides[0].env[1].name`).

use std::time::Duration;

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// The fields of one object that have not been read yet.
#[derive(Debug)]
pub(crate) struct Fields {
    path: String,
    left: Map<String, Value>,
}

impl Fields {
    /// A whole body; an empty one is an empty object.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refusal> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self { path: String::new(), left: Map::new() });
        }
        let value = serde_json::from_slice(body)
            .map_err(|error| Refusal::invalid("", format!("Invalid JSON payload received. {error}")))?;
        Self::of(String::new(), value)
    }

    fn of(path: String, value: Value) -> Result<Self, Refusal> {
        match value {
            Value::Object(left) => Ok(Self { path, left }),
            other => Err(mistyped(&path, "object", &other)),
        }
    }

    /// Takes a field by its JSON name; `null` is the same as absent.
    fn take(&mut self, name: &str) -> Option<(String, Value)> {
        let proto = proto_name(name);
        let value = self.left.shift_remove(name).or_else(|| self.left.shift_remove(&proto))?;
        let path = if self.path.is_empty() { proto } else { format!("{}.{proto}", self.path) };
        (!value.is_null()).then_some((path, value))
    }

    /// Where this object stands in the body.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, Refusal> {
        self.take(name).map(|(path, value)| Self::of(path, value)).transpose()
    }

    pub(crate) fn objects(&mut self, name: &str) -> Result<Vec<Self>, Refusal> {
        self.items(name)?.into_iter().map(|(path, value)| Self::of(path, value)).collect()
    }

    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>, Refusal> {
        self.items(name)?.into_iter().map(|(path, value)| text(&path, value)).collect()
    }

    fn items(&mut self, name: &str) -> Result<Vec<(String, Value)>, Refusal> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some((path, Value::Array(items))) => {
                Ok(items.into_iter().enumerate().map(|(index, item)| (format!("{path}[{index}]"), item)).collect())
            }
            Some((path, other)) => Err(mistyped(&path, "list", &other)),
        }
    }

    /// The empty text when absent.
    pub(crate) fn text(&mut self, name: &str) -> Result<String, Refusal> {
        self.take(name).map_or_else(|| Ok(String::new()), |(path, value)| text(&path, value))
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Refusal> {
        match self.take(name) {
            None => Ok(false),
            Some((_, Value::Bool(flag))) => Ok(flag),
            Some((path, other)) => Err(mistyped(&path, "TYPE_BOOL", &other)),
        }
    }

    /// An int32, which may come as text too; 0 when absent.
    pub(crate) fn number(&mut self, name: &str) -> Result<i32, Refusal> {
        let Some((path, value)) = self.take(name) else { return Ok(0) };
        let number = match &value {
            Value::Number(number) => number.as_i64(),
            Value::String(digits) => digits.parse().ok(),
            _ => None,
        };
        number.and_then(|number| i32::try_from(number).ok()).ok_or_else(|| mistyped(&path, "TYPE_INT32", &value))
    }

    /// A duration as `3600s` or `0.5s`; zero when absent.
    pub(crate) fn duration(&mut self, name: &str) -> Result<Duration, Refusal> {
        let Some((path, value)) = self.take(name) else { return Ok(Duration::ZERO) };
        let seconds = value.as_str().and_then(|text| text.strip_suffix('s'));
        let plain = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        seconds
            .filter(plain)
            .and_then(|text| text.parse().ok())
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .ok_or_else(|| mistyped(&path, "type.googleapis.com/google.protobuf.Duration", &value))
    }

    /// Refuses what nobody has read.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        let Some((name, _)) = self.left.iter().next() else { return Ok(()) };
        let at = if self.path.is_empty() { String::new() } else { format!(" at '{}'", self.path) };
        let problem = format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field.");
        Err(Refusal::invalid(&self.path, problem))
    }
}

fn text(path: &str, value: Value) -> Result<String, Refusal> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(mistyped(path, "TYPE_STRING", &other)),
    }
}

fn mistyped(path: &str, kind: &str, value: &Value) -> Refusal {
    Refusal::invalid(path, format!("Invalid value at '{path}' ({kind}), {value}"))
}

/// `containerOverrides` is `container_overrides` in messages, and may be sent so.
fn proto_name(name: &str) -> String {
    let mut proto = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            proto.push('_');
        }
        proto.push(letter.to_ascii_lowercase());
    }
    proto
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_null_and_numbers_as_text_are_read() {
        let mut fields = Fields::read(br#"{"taskCount": "3", "clear_args": true, "etag": null}"#).unwrap();
        assert_eq!(fields.number("taskCount").unwrap(), 3);
        assert!(fields.flag("clearArgs").unwrap());
        assert_eq!(fields.text("etag").unwrap(), "");
        fields.finish().unwrap();
        Fields::read(b" \n").unwrap().finish().unwrap();
    }

    #[test]
    fn durations_are_seconds_with_their_letter() {
        let read = |text: &str| Fields::read(text.as_bytes()).unwrap().duration("timeout").ok();
        assert_eq!(read(r#"{"timeout": "1.5s"}"#), Some(Duration::from_millis(1500)));
        for wrong in ["5", "5m", "-5s", "s", "1e3s", ""] {
            assert_eq!(read(&format!("{{\"timeout\": \"{wrong}\"}}")), None, "{wrong}");
        }
        assert_eq!(read(r#"{"timeout": 5}"#), None);
    }

    #[test]
    fn complaints_name_the_field() {
        let mut fields = Fields::read(br#"{"overrides": {"containerOverrides": [{"args": ["a", 1]}]}}"#).unwrap();
        let mut overrides = fields.object("overrides").unwrap().unwrap();
        let mut container = overrides.objects("containerOverrides").unwrap().remove(0);
        let problem = container.texts("args").unwrap_err().message;
        assert!(problem.contains("overrides.container_overrides[0].args[1]"), "{problem}");
        let mut fields = Fields::read(br#"{"overrides": {"parallelism": 2}}"#).unwrap();
        let problem = fields.object("overrides").unwrap().unwrap().finish().unwrap_err().message;
        assert!(problem.contains("Unknown name \"parallelism\" at 'overrides'"), "{problem}");
        assert_eq!(Fields::read(b"[]").unwrap_err().code, 400);
        assert_eq!(Fields::read(b"{").unwrap_err().code, 400);
    }
}
