//! JSON in one form: sorted keys, no white space, texts without needless escapes. Numbers stay as they are written.

use super::hash::{Children, MAX_DEPTH};

/// The value in its one form. What is nested deeper than the hash goes stays as it is.
pub(super) fn canonical_json(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    write(&mut out, raw.trim(), 0);
    out
}

fn write(out: &mut String, raw: &str, depth: usize) {
    match raw.as_bytes().first() {
        Some(b'"') => write_text(out, raw),
        Some(b'{' | b'[') if depth < MAX_DEPTH => match serde_json::from_str::<Children<'_>>(raw) {
            Ok(children) => write_children(out, children, depth + 1),
            Err(_) => out.push_str(raw),
        },
        _ => out.push_str(raw),
    }
}

fn write_children(out: &mut String, children: Children<'_>, depth: usize) {
    match children {
        Children::Object(mut entries) => {
            // Of a key given twice the last value counts; a stable sort keeps it last.
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            out.push('{');
            let mut is_first = true;
            for (index, (name, value)) in entries.iter().enumerate() {
                if entries.get(index + 1).is_some_and(|next| next.0 == *name) {
                    continue;
                }
                if !std::mem::take(&mut is_first) {
                    out.push(',');
                }
                out.push_str(&serde_json::Value::from(name.as_ref()).to_string());
                out.push(':');
                write(out, value.get(), depth);
            }
            out.push('}');
        }
        Children::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(out, item.get(), depth);
            }
            out.push(']');
        }
    }
}

fn write_text(out: &mut String, raw: &str) {
    match serde_json::from_str::<String>(raw) {
        Ok(text) => out.push_str(&serde_json::Value::from(text).to_string()),
        Err(_) => out.push_str(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::canonical_json;

    #[test]
    fn what_has_one_content_has_one_form() {
        let same = [
            r#"{"b":[1.50,{"y":null,"x":"\u00e9"}],"a":"/"}"#,
            "{ \"a\" : \"\\/\",\n \"b\" : [ 1.50, {\"x\":\"é\", \"y\": null } ] }",
            r#"{"a":1,"a":"/","b":[1.50,{"x":"é","y":null}]}"#,
        ];
        for raw in same {
            assert_eq!(canonical_json(raw), r#"{"a":"/","b":[1.50,{"x":"é","y":null}]}"#, "{raw}");
        }
        for raw in ["1.0", "1", "true", r#""a\"b""#, "[]", "{}"] {
            assert_eq!(canonical_json(raw), raw);
        }
    }
}
