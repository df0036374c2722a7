//! Which streams are read: chosen from a list, or named by flags. A list and the export feed of the same records are seldom both wanted.

use super::ask::{Ask, Question};
use super::stop::Stop;
use contract::pipeline::{StreamMode, did_you_mean};
use contract::table_name::table_name;
use extract_job::StreamDescription;

/// So many names are enough in a message.
const NAMED: usize = 20;

/// Lets a person choose.
///
/// # Errors
/// The person has given up.
pub(crate) fn choose(ask: &mut dyn Ask, all: &[StreamDescription]) -> Result<Vec<StreamDescription>, Stop> {
    let width = all.iter().map(|stream| stream.name.len()).max().unwrap_or_default();
    let options: Vec<String> = all.iter().map(|stream| format!("{:width$}  {}", stream.name, how(stream))).collect();
    let question = Question::new(
        "Which streams?",
        "Type to filter, space to choose, enter when done; → all that are shown, ← none",
    );
    loop {
        let places = ask.choose_some(&question, &options)?;
        let chosen: Vec<StreamDescription> = places.iter().filter_map(|place| all.get(*place)).cloned().collect();
        let twice = twice(&chosen);
        if twice.is_empty() {
            return Ok(chosen);
        }
        twice.iter().for_each(|warning| ask.tell(&format!("warning: {warning}")));
        if ask.confirm(&Question::new("Read them all the same?", ""), false)? {
            return Ok(chosen);
        }
    }
}

/// The streams of these names, in the connector's order.
///
/// # Errors
/// Each name that the connector does not have.
pub(crate) fn named(names: &[&str], all: &[StreamDescription]) -> Result<Vec<StreamDescription>, Vec<String>> {
    let unknown = names.iter().filter(|name| all.iter().all(|stream| stream.name != **name));
    let wrong: Vec<String> = unknown
        .map(|name| {
            let near = did_you_mean(name, all.iter().map(|stream| stream.name.as_str()));
            format!("--stream {name}: the connector has no such stream{near}")
        })
        .collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(all.iter().filter(|stream| names.contains(&stream.name.as_str())).cloned().collect())
}

/// A warning for each list that is chosen together with its export feed.
pub(crate) fn twice(chosen: &[StreamDescription]) -> Vec<String> {
    let has = |name: &str| chosen.iter().any(|stream| stream.name == name);
    let pairs = chosen.iter().map(|list| (&list.name, format!("{}_export", list.name))).filter(|(_, feed)| has(feed));
    pairs
        .map(|(list, feed)| {
            format!("`{list}` and `{feed}` are a list and the feed of its changes: the same records are read twice, into two tables")
        })
        .collect()
}

/// The stream that is quickest to look at: lists that are read whole are mostly small.
pub(crate) fn first_to_load(chosen: &[StreamDescription]) -> usize {
    chosen.iter().position(|stream| stream.mode == StreamMode::Snapshot).unwrap_or_default()
}

/// The table of each stream: the one that its name gives it, numbered where two streams would share it.
pub(crate) fn tables(streams: &[StreamDescription]) -> Vec<String> {
    let mut tables: Vec<String> = Vec::new();
    for stream in streams {
        let wanted = table_name(&stream.name);
        // A stream whose own name it is keeps it.
        let is_taken = |table: &str, tables: &[String]| {
            tables.iter().any(|known| known.eq_ignore_ascii_case(table))
                || (table != stream.name && streams.iter().any(|other| other.name.eq_ignore_ascii_case(table)))
        };
        let numbered = (2..).map(|number| format!("{wanted}_{number}"));
        let free = std::iter::once(wanted.clone()).chain(numbered).find(|table| !is_taken(table, &tables));
        tables.push(free.unwrap_or(wanted));
    }
    tables
}

/// The names of all, shortened where they are many.
pub(crate) fn some_names(all: &[StreamDescription]) -> String {
    let names: Vec<&str> = all.iter().take(NAMED).map(|stream| stream.name.as_str()).collect();
    let more = all.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", names.join(", "))
}

/// How a stream is read, and its key.
pub(crate) fn how(stream: &StreamDescription) -> String {
    let mode = match stream.mode {
        StreamMode::Snapshot => "snapshot",
        StreamMode::Incremental => "incremental",
        StreamMode::Append => "append",
    };
    if stream.primary_key.is_empty() {
        return format!("{mode}, without a key");
    }
    format!("{mode}, key {}", stream.primary_key.join(", "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn streams(names: &[&str]) -> Vec<StreamDescription> {
        let mode = |name: &str| if name == "jobs" { StreamMode::Incremental } else { StreamMode::Snapshot };
        let stream = |name: &&str| StreamDescription {
            name: (*name).to_owned(),
            mode: mode(name),
            primary_key: vec!["id".into()],
        };
        names.iter().map(stream).collect()
    }

    #[test]
    fn a_list_and_its_feed_are_told() {
        for (names, warnings) in [
            (&["jobs", "jobs_export"][..], 1),
            (&["jobs_export", "customers"], 0),
            (&["jobs", "customers_export"], 0),
            (&["a", "a_export", "b", "b_export"], 2),
        ] {
            assert_eq!(twice(&streams(names)).len(), warnings, "{names:?}");
        }
    }

    #[test]
    fn every_stream_has_a_table_of_its_own() {
        for (names, expected) in [
            (&["jobs", "jobs_export"][..], &["jobs", "jobs_export"][..]),
            (&["a-b", "a.b", "a_b", "A_B_2"], &["a_b_3", "a_b_4", "a_b", "A_B_2"]),
            (&["2x"], &["_2x"]),
        ] {
            assert_eq!(tables(&streams(names)), expected, "{names:?}");
        }
    }

    #[test]
    fn names_are_looked_up() {
        let all = streams(&["jobs", "zones", "campaigns"]);
        let found = named(&["campaigns", "jobs"], &all).unwrap();
        assert_eq!(found.iter().map(|stream| stream.name.as_str()).collect::<Vec<_>>(), ["jobs", "campaigns"]);
        assert_eq!(first_to_load(&found), 1);
        let wrong = named(&["campaign", "x"], &all).unwrap_err();
        assert!(wrong.len() == 2 && wrong[0].contains("did you mean `campaigns`"), "{wrong:?}");
        assert_eq!(how(&all[0]), "incremental, key id");
        let many: Vec<String> = (0..25).map(|n| format!("s{n}")).collect();
        assert!(some_names(&streams(&many.iter().map(String::as_str).collect::<Vec<_>>())).ends_with("s19 and 5 more"));
    }
}
