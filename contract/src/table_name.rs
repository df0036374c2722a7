//! What a table may be called, and the name that a stream's table gets by itself: one rule for the extract, the load and `init`.
//! It looks at the stream's name alone, so that a table's name never depends on which other streams there are.

/// The longest name of a table of ours: it becomes part of names in the staging dataset, which BigQuery bounds.
const LONGEST: usize = 200;

/// What our audit columns begin with; as a table's name it would only mislead.
const RESERVED_PREFIX: &str = "_etl_";

/// The tables that the load writes about itself, in the schema of the logs.
pub const LOG_TABLES: [&str; 3] = ["etl_logs", "schema_changes", "applied_batches"];

/// Why a text is no table name, if it is none.
pub fn table_name_problem(name: &str) -> Option<String> {
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !letters || name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        let shown = name.escape_default();
        return Some(format!(
            "`{shown}` is no table name: use letters, digits and underscores, not starting with a digit"
        ));
    }
    if name.len() > LONGEST {
        return Some(format!("a table name has at most {LONGEST} letters, and this one {}", name.len()));
    }
    let is_reserved = name.to_ascii_lowercase().starts_with(RESERVED_PREFIX);
    is_reserved.then(|| format!("`{name}` begins with `{RESERVED_PREFIX}`, which is reserved; use another name"))
}

/// The table of a stream, unless the pipeline file gives it another one. A name that is a table name stays as it is. In others, letters
/// of other alphabets are spelt in ASCII, and whatever else no table name can hold becomes an underscore: `order-items` → `order_items`,
/// `größe` → `grosse`, `1st` → `_1st`.
pub fn table_name(stream: &str) -> String {
    if table_name_problem(stream).is_none() {
        return stream.to_owned();
    }
    let mut name = String::with_capacity(stream.len() + 4);
    for c in deunicode::deunicode_with_tofu(stream, "_").chars() {
        match c {
            c if c.is_ascii_alphanumeric() || c == '_' => name.push(c),
            // Several in a row are one gap.
            _ if name.ends_with('_') => {}
            _ => name.push('_'),
        }
    }
    let is_first = |end: char| stream.starts_with(end);
    let is_last = |end: char| stream.ends_with(end);
    // Underscores at the ends that the stream's own name does not have.
    let name = if is_first('_') { name.as_str() } else { name.trim_start_matches('_') };
    let mut name = if is_last('_') { name } else { name.trim_end_matches('_') }.to_owned();
    if name.bytes().all(|b| b == b'_') {
        name = format!("stream_{}", digest(stream));
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    if name.to_ascii_lowercase().starts_with(RESERVED_PREFIX) {
        name.insert(0, 'x');
    }
    if name.len() > LONGEST {
        let digest = digest(stream);
        name.truncate(LONGEST - 1 - digest.len());
        name = format!("{name}_{digest}");
    }
    name
}

fn digest(text: &str) -> String {
    format!("{:08x}", crc32c::crc32c(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_streams_and_their_tables() {
        for (stream, table) in [
            ("jobs", "jobs"),
            ("Users", "Users"),
            ("_private", "_private"),
            ("a__b", "a__b"),
            ("order-items", "order_items"),
            ("a.b", "a_b"),
            ("a - b", "a_b"),
            ("1st", "_1st"),
            ("größe", "grosse"),
            ("Địa chỉ", "Dia_chi"),
            (" padded ", "padded"),
            ("(all)", "all"),
            ("v1/users", "v1_users"),
            ("_etl_runs", "x_etl_runs"),
            ("_ETL-runs", "x_ETL_runs"),
        ] {
            assert_eq!(table_name(stream), table, "{stream}");
        }
        assert!(table_name("!").starts_with("stream_") && table_name("!") != table_name("?"));
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let (a, b) = ("x".repeat(400) + "a", "x".repeat(400) + "b");
        assert_eq!(table_name(&a).len(), LONGEST);
        assert_ne!(table_name(&a), table_name(&b));
        assert_eq!(table_name(&"y".repeat(200)), "y".repeat(200));
    }

    proptest! {
        #[test]
        fn every_stream_gets_a_table_name_that_stays(stream in any::<String>()) {
            let name = table_name(&stream);
            prop_assert_eq!(table_name_problem(&name), None);
            prop_assert_eq!(table_name(&name), name);
        }
    }
}
