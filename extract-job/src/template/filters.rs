//! The filters whose results differ from minijinja's own, and the format's own filters (hashes, base64, expressions).
//! Guarantees: they give what Jinja under Python gives, and no result grows beyond the engine's limits.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::digest::Digest;
use hmac::{Hmac, KeyInit, Mac};
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Environment, Error};
use regex::Regex;

use super::engine::{MAX_TEXT_BYTES, capped, fail, undefined};
use super::functions::percent_encoded;
use super::{convert, python_text};

/// How many compiled expressions are kept.
/// What the filter `string` puts around JSON text.
pub(super) const QUOTES: &str = "\"\"\"";
const KEPT_EXPRESSIONS: usize = 64;

pub(super) fn register(env: &mut Environment<'static>) {
    env.add_filter("int", int);
    env.add_filter("float", float);
    env.add_filter("string", string);
    env.add_filter("length", length);
    env.add_filter("count", length);
    env.add_filter("default", default);
    env.add_filter("d", default);
    env.add_filter("join", join);
    env.add_filter("first", |value: Value| value.try_iter().map(|mut items| items.next().unwrap_or_default()));
    env.add_filter("last", |value: Value| value.try_iter().map(|items| items.last().unwrap_or_default()));
    env.add_filter("lower", |value: Value| text(&value).map(|text| text.to_lowercase()));
    env.add_filter("upper", |value: Value| text(&value).map(|text| text.to_uppercase()));
    env.add_filter("title", |value: String| minijinja::filters::title(value.into()));
    env.add_filter("capitalize", |value: Value| text(&value).map(|text| capitalized(&text)));
    env.add_filter("replace", replace);
    env.add_filter("trim", trim);
    env.add_filter("urlencode", urlencode);
    env.add_filter("tojson", tojson);
    env.add_filter("hash", hash);
    env.add_filter("hmac", hmac_hex);
    env.add_filter("base64encode", |value: Value| text(&value).map(|text| BASE64.encode(text)));
    env.add_filter("base64binascii_decode", |value: Value| text(&value).map(|text| BASE64.encode(text)));
    env.add_filter("base64decode", base64decode);
    env.add_filter("regex_search", regex_search);
    env.add_filter("regex_replace", regex_replace);
}

/// The value as Python prints it; undefined as nothing.
fn text(value: &Value) -> Result<String, Error> {
    python_text::of(value)
}

/// An argument that can be given by position or by name.
fn argument(positional: Option<Value>, named: &Kwargs, name: &str) -> Result<Option<Value>, Error> {
    Ok(named.get::<Option<Value>>(name)?.or(positional))
}

/// A whole number, or the default (0) where the value is none.
fn int(value: Value, default: Option<Value>, base: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(undefined());
    }
    let default = argument(default, &named, "default")?.unwrap_or(Value::from(0));
    let base = argument(base, &named, "base")?.and_then(|base| u32::try_from(base).ok()).unwrap_or(10);
    named.assert_all_used()?;
    if value.kind() == ValueKind::Bool {
        return Ok(Value::from(u8::from(value.is_true())));
    }
    if value.is_integer() {
        return Ok(value);
    }
    if let Some(text) = value.as_str() {
        let digits = text.trim().replace('_', "");
        if (2..=36).contains(&base)
            && let Ok(number) = i128::from_str_radix(&digits, base)
        {
            return Ok(Value::from(number));
        }
        return Ok(digits.parse().ok().and_then(whole).unwrap_or(default));
    }
    Ok(f64::try_from(value).ok().and_then(whole).unwrap_or(default))
}

fn whole(number: f64) -> Option<Value> {
    (number.is_finite() && number.abs() < 1e30).then(|| Value::from(number.trunc() as i128))
}

/// A number with a fraction, or the default (0.0) where the value is none.
fn float(value: Value, default: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(undefined());
    }
    let default = argument(default, &named, "default")?.unwrap_or(Value::from(0.0));
    named.assert_all_used()?;
    let number = match value.as_str() {
        Some(text) => text.trim().replace('_', "").parse().ok(),
        None if value.kind() == ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        None => f64::try_from(value).ok(),
    };
    Ok(number.map_or(default, |number: f64| Value::from(number)))
}

/// A text as it is, anything else as JSON text in quotes.
fn string(value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::String => Ok(value),
        ValueKind::Undefined => Ok(Value::from("")),
        // In quotes that the literal rule takes away again: the result stays text.
        _ => json_text(&value, false).map(|json| Value::from(format!("{QUOTES}{json}{QUOTES}"))),
    }
}

fn length(value: Value) -> Result<usize, Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(0),
        ValueKind::String => Ok(value.as_str().unwrap_or_default().chars().count()),
        kind => value.len().ok_or_else(|| fail(format!("a {kind} has no length"))),
    }
}

/// The value, or the default where it is undefined; with `true` also where it counts as false.
fn default(value: Value, fallback: Option<Value>, lax: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    let lax = argument(lax, &named, "boolean")?.is_some_and(|lax| lax.is_true());
    let fallback = argument(fallback, &named, "default_value")?.unwrap_or(Value::from(""));
    named.assert_all_used()?;
    if value.is_undefined() || (lax && !value.is_true()) {
        return Ok(fallback);
    }
    Ok(value)
}

fn join(value: Value, separator: Option<Value>, attribute: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    let separator = argument(separator, &named, "d")?.map_or(Ok(String::new()), |separator| text(&separator))?;
    let attribute = argument(attribute, &named, "attribute")?;
    named.assert_all_used()?;
    match attribute {
        Some(name) => {
            let items: Result<Vec<_>, Error> = value.try_iter()?.map(|item| item.get_item(&name)).collect();
            joined(&Value::from(items?), &separator)
        }
        None => joined(&value, &separator),
    }
}

/// The items' texts with a separator between them.
pub(super) fn joined(items: &Value, separator: &str) -> Result<Value, Error> {
    let mut out = String::new();
    for (index, item) in items.try_iter()?.enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        out.push_str(&text(&item)?);
        capped(out.len())?;
    }
    Ok(Value::from(out))
}

/// The text with `old` replaced by `new`, at most `count` times.
pub(super) fn replace(value: Value, old: Value, new: Value, count: Option<i64>) -> Result<Value, Error> {
    let (value, old, new) = (text(&value)?, text(&old)?, text(&new)?);
    let limit = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    let found = value.matches(old.as_str()).take(limit).count();
    capped(value.len().saturating_add(found.saturating_mul(new.len())))?;
    Ok(Value::from(value.replacen(old.as_str(), &new, limit)))
}

fn trim(value: Value, chars: Option<String>) -> Result<String, Error> {
    let value = text(&value)?;
    Ok(match chars {
        Some(chars) => value.trim_matches(|character| chars.contains(character)).to_owned(),
        None => value.trim().to_owned(),
    })
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + &characters.as_str().to_lowercase()
}

/// A text percent-encoded (slashes stay); a mapping as `key=value&…`.
fn urlencode(value: Value) -> Result<String, Error> {
    if value.kind() != ValueKind::Map {
        let text = text(&value)?;
        return capped(text.len() * 3).map(|()| percent_encoded(&text, "/", false));
    }
    let mut pairs = Vec::new();
    for key in value.try_iter()? {
        let (name, item) = (text(&key)?, text(&value.get_item(&key)?)?);
        capped((name.len() + item.len()) * 3)?;
        pairs.push(format!("{}={}", percent_encoded(&name, "", true), percent_encoded(&item, "", true)));
    }
    Ok(pairs.join("&"))
}

/// JSON with sorted keys that is safe inside HTML, as Jinja makes it.
fn tojson(value: Value, _options: Kwargs) -> Result<String, Error> {
    let json = json_text(&value, true)?;
    let safe = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027");
    Ok(safe)
}

/// What Python's `json.dumps` prints: `", "` and `": "` between, everything beyond ASCII escaped.
fn json_text(value: &Value, sorted: bool) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(undefined());
    }
    let mut out = String::new();
    write_json(&mut out, &convert::to_json(value)?, sorted)?;
    Ok(out)
}

fn write_json(out: &mut String, value: &serde_json::Value, sorted: bool) -> Result<(), Error> {
    capped(out.len())?;
    match value {
        serde_json::Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write_json(out, item, sorted)?;
            }
            out.push(']');
        }
        serde_json::Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            if sorted {
                entries.sort_by_key(|(key, _)| *key);
            }
            out.push('{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                push_ascii(out, &serde_json::Value::from(key.as_str()).to_string());
                out.push_str(": ");
                write_json(out, item, sorted)?;
            }
            out.push('}');
        }
        serde_json::Value::Number(number) if number.is_f64() => {
            python_text::float(out, number.as_f64().unwrap_or_default());
        }
        scalar => push_ascii(out, &scalar.to_string()),
    }
    Ok(())
}

fn push_ascii(out: &mut String, json: &str) {
    for character in json.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
}

fn hash(value: Value, kind: Option<Value>, salt: Option<Value>, named: Kwargs) -> Result<String, Error> {
    let kind = argument(kind, &named, "hash_type")?.map_or(Ok("md5".to_owned()), |kind| text(&kind))?;
    let salt = argument(salt, &named, "salt")?.map_or(Ok(String::new()), |salt| text(&salt))?;
    named.assert_all_used()?;
    let salted = text(&value)? + &salt;
    Ok(match kind.as_str() {
        "md5" => digest::<md5::Md5>(&salted),
        "sha1" => digest::<sha1::Sha1>(&salted),
        "sha224" => digest::<sha2::Sha224>(&salted),
        "sha256" => digest::<sha2::Sha256>(&salted),
        "sha384" => digest::<sha2::Sha384>(&salted),
        "sha512" => digest::<sha2::Sha512>(&salted),
        _ => return Err(fail("hash knows md5, sha1, sha224, sha256, sha384 and sha512")),
    })
}

fn digest<D: Digest>(text: &str) -> String {
    hex(&D::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hmac_hex(value: Value, key: Value, kind: Option<&str>) -> Result<String, Error> {
    if kind.is_some_and(|kind| kind != "sha256") {
        return Err(fail("hmac knows sha256 only"));
    }
    let mut mac =
        Hmac::<sha2::Sha256>::new_from_slice(text(&key)?.as_bytes()).map_err(|_| fail("the hmac key is not usable"))?;
    mac.update(text(&value)?.as_bytes());
    Ok(hex(&mac.finalize().into_bytes()))
}

fn base64decode(value: Value) -> Result<String, Error> {
    let bytes = BASE64.decode(text(&value)?.trim()).map_err(|_| fail("the text is not base64"))?;
    String::from_utf8(bytes).map_err(|_| fail("the decoded base64 is not text"))
}

/// The first group of the first match, or nothing.
fn regex_search(value: Value, pattern: &str) -> Result<String, Error> {
    let value = text(&value)?;
    let group = expression(pattern)?.captures(&value).and_then(|found| found.get(1));
    Ok(group.map(|group| group.as_str().to_owned()).unwrap_or_default())
}

/// All matches replaced; `\1` and `\g<name>` in the replacement stand for groups.
fn regex_replace(value: Value, pattern: &str, replacement: &str) -> Result<String, Error> {
    static GROUP: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\\(?:g<(\w+)>|(\d{1,2}))").ok());
    let value = text(&value)?;
    let escaped = replacement.replace('$', "$$");
    let translated = match GROUP.as_ref() {
        Some(group) => group.replace_all(&escaped, "$${$1$2}").into_owned(),
        None => escaped,
    };
    let expression = expression(pattern)?;
    // A group stands for at most the whole value, so this bounds the result.
    let groups = translated.matches("${").count();
    let most = translated.len() + groups * value.len();
    capped(
        value.len().saturating_add(expression.find_iter(&value).count().saturating_mul(most)).min(MAX_TEXT_BYTES + 1),
    )?;
    Ok(expression.replace_all(&value, translated.as_str()).into_owned())
}

/// A compiled expression; the last ones are kept, because filters run for every record.
fn expression(pattern: &str) -> Result<Regex, Error> {
    static KEPT: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = kept.get(pattern) {
        return Ok(found.clone());
    }
    let compiled =
        Regex::new(pattern).map_err(|_| fail("the regular expression is not valid (look-around is not supported)"))?;
    if kept.len() >= KEPT_EXPRESSIONS {
        kept.clear();
    }
    kept.insert(pattern.to_owned(), compiled.clone());
    Ok(compiled)
}
