//! Column names: `snake_case`, letters, digits and underscores, valid in BigQuery; clashes end the same way in every run.
//! Only names are decided here; which field a column of an existing table belongs to is the plan's knowledge.

/// BigQuery's longest column name (quotas page, "Maximum column name length").
const LONGEST: usize = 300;

/// Prefixes that are reserved: by us for the audit columns, by BigQuery for itself (documentation of column names).
const RESERVED_PREFIXES: [&str; 8] =
    ["_etl_", "_table_", "_file_", "_partition", "_row_timestamp", "__root__", "_colidentifier", "_change_"];

/// The name a field would like to have.
pub(crate) fn column_name(field: &str) -> String {
    let ascii = deunicode::deunicode_with_tofu(field, "_");
    let mut out = String::with_capacity(ascii.len() + 4);
    let chars: Vec<char> = ascii.chars().collect();
    for (index, &c) in chars.iter().enumerate() {
        if !c.is_ascii_alphanumeric() {
            if !out.ends_with('_') {
                out.push('_');
            }
            continue;
        }
        let before = index.checked_sub(1).map(|i| chars[i]);
        let after = chars.get(index + 1);
        let hump = c.is_ascii_uppercase()
            && before.is_some_and(|b| {
                b.is_ascii_lowercase()
                    || b.is_ascii_digit()
                    || (b.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        if hump && !out.ends_with('_') {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    let leading = out.starts_with('_') && field.starts_with('_');
    let trimmed = out.trim_matches('_');
    let mut name = match trimmed.chars().next() {
        None => format!("field_{}", short_hash(field)),
        Some(first) if leading || first.is_ascii_digit() => format!("_{trimmed}"),
        Some(_) => trimmed.to_owned(),
    };
    if RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        name.insert(0, 'x');
    }
    shorten(name, field)
}

/// The name of a field whose wish is taken: the wish and a hash of the field, so that the order of arrival plays no part.
pub(super) fn clashing_name(wish: &str, field: &str) -> String {
    shorten(format!("{wish}_{}", short_hash(field)), field)
}

/// The name of the column beside `column` that holds what does not fit it.
pub(super) fn sibling_name(column: &str, type_name: &str, field: &str) -> String {
    shorten(format!("{column}__{}", type_name.to_lowercase()), &format!("{field} {type_name}"))
}

fn shorten(name: String, unique: &str) -> String {
    if name.len() <= LONGEST {
        return name;
    }
    let hash = short_hash(unique);
    format!("{}_{hash}", &name[..LONGEST - 1 - hash.len()])
}

fn short_hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().as_str()[..8].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        let cases = [
            ("zipCode", "zip_code"),
            ("ZipCode", "zip_code"),
            ("zip_code", "zip_code"),
            ("HTTPServerID", "http_server_id"),
            ("select", "select"),
            ("_id", "_id"),
            ("2fa", "_2fa"),
            ("a b-c.d", "a_b_c_d"),
            ("größe", "grosse"),
            ("Địa chỉ", "dia_chi"),
            ("a__b", "a_b"),
            ("_PARTITIONTIME", "x_partitiontime"),
            ("address2Line", "address2_line"),
        ];
        for (field, expected) in cases {
            assert_eq!(column_name(field), expected, "{field}");
        }
        assert!(column_name("🙃").len() > 3);
        assert!(column_name("").starts_with("field_"));
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let (a, b) = ("x".repeat(400) + "a", "x".repeat(400) + "b");
        assert_eq!(column_name(&a).len(), 300);
        assert_ne!(column_name(&a), column_name(&b));
        assert_eq!(column_name(&"y".repeat(300)), "y".repeat(300));
        assert_eq!(sibling_name(&"y".repeat(300), "STRING", "f").len(), 300);
    }

    proptest! {
        #[test]
        fn every_field_gets_a_valid_name(field in any::<String>()) {
            let name = column_name(&field);
            prop_assert!(!name.is_empty() && name.len() <= LONGEST);
            prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            prop_assert!(!name.as_bytes()[0].is_ascii_digit());
        }
    }
}
