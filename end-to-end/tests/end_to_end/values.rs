//! What the design (section 6) makes of a field: its column's name and type, and its value as the column's text.
//! Written anew from the design's words, for the kinds of values that the stand-in sends; anything else is a failure of the oracle.

use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// The type of a column as DuckDB names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Type {
    Boolean,
    Bigint,
    Double,
    Varchar,
    Date,
    Timestamp,
    /// A TIMESTAMP from milliseconds since 1970, as a number or as a text of digits.
    Epoch,
    Json,
    /// JSON, also where it was sent as a text.
    JsonText,
}

impl Type {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Bigint => "BIGINT",
            Self::Double => "DOUBLE",
            Self::Varchar => "VARCHAR",
            Self::Date => "DATE",
            Self::Timestamp | Self::Epoch => "TIMESTAMP",
            Self::Json | Self::JsonText => "JSON",
        }
    }
}

/// The hints that a stream's schema in the manifest gives: field and type. Read as text, line by line.
pub(crate) fn hints(stream: &str) -> BTreeMap<String, Type> {
    let manifest = include_str!("../../../extract-job/connectors/servicetitan.yaml");
    let (_, schemas) = manifest.split_once("\nschemas:\n").unwrap();
    let start = format!("\n  {}:\n", stream.trim_end_matches("_export"));
    let schemas = format!("\n{schemas}");
    let (_, mine) = schemas.split_once(&start).unwrap();
    let mine = mine.split_once("\n      }").unwrap().0;
    let words: Vec<&str> = mine.split([',', '{', '}', '\n']).map(str::trim).collect();
    let mut hints = BTreeMap::new();
    for (field, hint) in words.iter().filter_map(|word| word.split_once(": *")) {
        let ty = match hint {
            "int" => Type::Bigint,
            "number" => Type::Double,
            "text" => Type::Varchar,
            "time" => Type::Timestamp,
            "bool" => Type::Boolean,
            "object" | "list" => Type::Json,
            other => panic!("unknown hint {other}"),
        };
        hints.insert(field.to_owned(), ty);
    }
    assert!(hints.contains_key("id"));
    hints
}

/// The type that a value asks for; `None` for null.
pub(crate) fn type_of(raw: &str) -> Option<Type> {
    Some(match raw.as_bytes()[0] {
        b'n' => return None,
        b't' | b'f' => Type::Boolean,
        b'{' | b'[' => Type::Json,
        b'"' if micros(&text(raw)).is_some() => Type::Timestamp,
        b'"' => Type::Varchar,
        _ if raw.contains(['.', 'e', 'E']) => Type::Double,
        _ => Type::Bigint,
    })
}

/// The type of a column without a hint, from the types of all its values.
pub(crate) fn decide(seen: &BTreeSet<Type>) -> Option<Type> {
    let all_of = |types: &[Type]| seen.iter().all(|ty| types.contains(ty));
    if seen.is_empty() {
        return None;
    }
    let whole = [&[Type::Boolean][..], &[Type::Bigint], &[Type::Double, Type::Bigint], &[Type::Timestamp]];
    let found = whole.iter().find(|types| all_of(types)).map(|types| types[0]);
    let text = || all_of(&[Type::Varchar, Type::Timestamp]).then_some(Type::Varchar);
    Some(found.or_else(text).unwrap_or(Type::Json))
}

/// `aadUserId` → `aad_user_id`.
pub(crate) fn snake_case(field: &str) -> String {
    let mut name = String::new();
    for c in field.chars() {
        assert!(c.is_ascii_alphanumeric(), "the oracle knows no rule for {field}");
        if c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// A value in one form for all spellings of it, by the type of its column; `None` for null.
pub(crate) fn of_record(raw: Option<&String>, ty: Type) -> Option<String> {
    let raw = raw.filter(|raw| *raw != "null")?;
    let own = type_of(raw).unwrap();
    Some(match ty {
        Type::Boolean | Type::Bigint => {
            assert_eq!(own, ty, "{raw}");
            raw.clone()
        }
        Type::Double => {
            assert!(own == Type::Double || own == Type::Bigint, "{raw}");
            raw.parse::<f64>().unwrap().to_bits().to_string()
        }
        Type::Varchar | Type::Date => text(raw),
        Type::Timestamp => micros(&text(raw)).unwrap(),
        Type::Epoch => {
            let millis: i64 = raw.trim_matches('"').parse().unwrap();
            let at = chrono::DateTime::from_timestamp_millis(millis).unwrap();
            at.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
        }
        Type::JsonText if own == Type::Varchar && text(raw).starts_with(['{', '[']) => canonical(&text(raw)),
        Type::Json | Type::JsonText => canonical(raw),
    })
}

/// A column's text in the same form.
pub(crate) fn of_column(text: Option<&String>, ty: Type) -> Option<String> {
    let text = text?;
    Some(match ty {
        Type::Boolean | Type::Bigint | Type::Varchar | Type::Date => text.clone(),
        Type::Double => text.parse::<f64>().unwrap().to_bits().to_string(),
        Type::Timestamp | Type::Epoch => micros(&format!("{}Z", text.replace(' ', "T"))).unwrap(),
        Type::Json | Type::JsonText => canonical(text),
    })
}

/// A date-time in UTC with six digits of a second: finer ones are cut, missing ones are zeros.
pub(crate) fn micros(text: &str) -> Option<String> {
    let shape = |pattern: &str, text: &str| {
        pattern.len() == text.len()
            && pattern.bytes().zip(text.bytes()).all(|(p, t)| if p == b'0' { t.is_ascii_digit() } else { p == t })
    };
    let utc = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?;
    let (second, fraction) = utc.split_at_checked(19)?;
    let digits = fraction.strip_prefix('.').unwrap_or_default();
    let fits = fraction.is_empty() || (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    (shape("0000-00-00T00:00:00", second) && fits).then(|| format!("{second}.{:0<6.6}", digits))
}

fn text(raw: &str) -> String {
    serde_json::from_str(raw).unwrap()
}

/// JSON with sorted keys and without white space; numbers stay as they are written.
pub(crate) fn canonical(raw: &str) -> String {
    match raw.trim_start().as_bytes()[0] {
        b'{' => {
            let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(raw).unwrap();
            let fields = fields.iter().map(|(key, value)| format!("{key:?}:{}", canonical(value.get())));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        b'[' => {
            let items: Vec<Box<RawValue>> = serde_json::from_str(raw).unwrap();
            let items = items.iter().map(|item| canonical(item.get()));
            format!("[{}]", items.collect::<Vec<_>>().join(","))
        }
        b'"' => format!("{:?}", text(raw.trim())),
        _ => raw.trim().to_owned(),
    }
}

#[test]
fn the_oracle_reads_as_the_design_says() {
    assert_eq!(snake_case("aadUserId"), "aad_user_id");
    assert_eq!(micros("2025-03-01T05:06:07.1234567Z").unwrap(), "2025-03-01T05:06:07.123456");
    assert_eq!(micros("2025-03-01T05:06:07Z").unwrap(), "2025-03-01T05:06:07.000000");
    assert_eq!(micros("2025-03-01T05:06:07+00:00").unwrap(), "2025-03-01T05:06:07.000000");
    assert_eq!(micros("2025-03-01T05:06:07.Z"), None);
    assert_eq!(micros("2025-03-01"), None);
    assert_eq!(canonical(r#"{"b": [1.50, null], "a": "\u00e9"}"#), r#"{"a":"é","b":[1.50,null]}"#);
    assert_ne!(canonical("9007199254740993"), canonical("9007199254740992"));
    assert_eq!(hints("jobs_export"), hints("jobs"));
    assert_eq!(hints("invoices")["subTotal"], Type::Varchar);
    assert_eq!(hints("business_units").get("materialSku"), None);
    let decided = |types: &[Type]| decide(&types.iter().copied().collect());
    assert_eq!(decided(&[Type::Bigint, Type::Double]), Some(Type::Double));
    assert_eq!(decided(&[Type::Timestamp, Type::Varchar]), Some(Type::Varchar));
    assert_eq!(decided(&[Type::Bigint, Type::Varchar]), Some(Type::Json));
    assert_eq!(decided(&[]), None);
}

/// JSON by its values: BigQuery reads it on its way in, and keeps numbers, not their spelling.
pub(crate) fn json(text: &str) -> serde_json::Value {
    fn plain(value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::Number(number) => number.as_f64().map_or(Value::Null, |number| number.to_string().into()),
            Value::Array(items) => items.into_iter().map(plain).collect(),
            Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, plain(value))).collect(),
            other => other,
        }
    }
    plain(serde_json::from_str(text).unwrap())
}
