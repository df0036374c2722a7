//! Templates and dates one by one: what the reference engine makes of them, and what we make of them (`templates.yaml`).
//! A difference is allowed where the file names it together with what ours is; an entry that does not differ must go.

use chrono::{DateTime, FixedOffset, Utc};
use extract_job::authoring::{Field, print_date, read_date, render};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// What `now_utc()` answers.
    now: DateTime<Utc>,
    /// The names that all templates see.
    context: Map<String, Value>,
    groups: Vec<Group>,
    dates: Vec<Dates>,
    /// Anchors for the deviations, which share them.
    #[serde(default, rename = "reasons")]
    _reasons: Vec<String>,
    deviations: Vec<Deviation>,
}

/// Templates for the same fields.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    about: String,
    kinds: Vec<Kind>,
    /// Names beside those of the table.
    #[serde(default)]
    context: Map<String, Value>,
    templates: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Value,
    Text,
    Parameter,
    Header,
    Condition,
    Body,
    Date,
}

/// Texts to read and moments to print, in the same formats.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dates {
    formats: Vec<String>,
    #[serde(default)]
    texts: Vec<String>,
    #[serde(default)]
    instants: Vec<DateTime<FixedOffset>>,
}

/// Where ours is another answer on purpose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    /// The template; for dates the text or moment, ` as ` and the format.
    row: String,
    kinds: Vec<Kind>,
    /// {value: …}, {dropped: true} or {error: true}.
    ours: Value,
    reason: String,
}

/// A row and the two answers to it.
struct Checked {
    row: String,
    kind: Kind,
    reference: Value,
    ours: Value,
}

impl Kind {
    fn field(self) -> Field {
        match self {
            Self::Value | Self::Date => Field::Value,
            Self::Text => Field::Text,
            Self::Parameter => Field::Parameter,
            Self::Header => Field::Header,
            Self::Condition => Field::Condition,
            Self::Body => Field::Body,
        }
    }

    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

fn table() -> Table {
    let path = super::folder().join("templates.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let node = contract::yaml::parse(&text).unwrap_or_else(|error| panic!("templates.yaml: {error}"));
    serde_json::from_value(node.to_json()).unwrap_or_else(|error| panic!("templates.yaml: {error}"))
}

/// Errors are all alike: how they are worded is each engine's own.
fn answer(given: Value) -> Value {
    if given.get("error").is_some() { json!({"error": true}) } else { given }
}

fn rendered(table: &Table) -> Vec<Checked> {
    let mut rows = Vec::new();
    for group in &table.groups {
        assert!(!group.about.is_empty());
        for template in &group.templates {
            rows.extend(group.kinds.iter().map(|kind| (template, *kind, &group.context)));
        }
    }
    let asked: Vec<Value> = rows
        .iter()
        .map(|(template, kind, context)| json!({"template": template, "kind": kind.name(), "context": context}))
        .collect();
    let reply = super::ask(&json!({"do": "render", "now": table.now, "context": table.context, "rows": asked}));
    let answers = reply["answers"].as_array().unwrap();
    assert_eq!(answers.len(), rows.len());
    let check = |((template, kind, context), reference): ((&String, Kind, &Map<String, Value>), &Value)| {
        let mut names = table.context.clone();
        names.extend(context.clone());
        let ours = match render(template, kind.field(), &names, table.now) {
            Ok(Some(value)) => json!({"value": value}),
            Ok(None) => json!({"dropped": true}),
            Err(error) => json!({"error": error}),
        };
        Checked { row: template.clone(), kind, reference: reference.clone(), ours }
    };
    rows.into_iter().zip(answers).map(check).collect()
}

fn dated(table: &Table) -> Vec<Checked> {
    let mut checked = Vec::new();
    let mut asked = Vec::new();
    for dates in &table.dates {
        for format in &dates.formats {
            for text in &dates.texts {
                asked.push(json!({"format": format, "text": text}));
                let ours = read_date(text, format)
                    .map_or_else(|error| json!({"error": error}), |value| json!({"value": value}));
                checked.push((format!("{text} as {format}"), ours));
            }
            for instant in &dates.instants {
                asked.push(json!({"format": format, "instant": instant.to_rfc3339()}));
                checked.push((
                    format!("{} as {format}", instant.to_rfc3339()),
                    json!({"value": print_date(*instant, format)}),
                ));
            }
        }
    }
    let reply = super::ask(&json!({"do": "dates", "rows": asked}));
    let answers = reply["answers"].as_array().unwrap();
    assert_eq!(answers.len(), checked.len());
    let check = |((row, ours), reference): ((String, Value), &Value)| Checked {
        row,
        kind: Kind::Date,
        reference: reference.clone(),
        ours,
    };
    checked.into_iter().zip(answers).map(check).collect()
}

#[test]
fn every_row_is_what_the_reference_makes_of_it() {
    let table = table();
    let mut checked = rendered(&table);
    checked.extend(dated(&table));
    assert!(checked.len() >= 150, "the table has shrunk to {} rows", checked.len());
    let show = |row: &Checked| {
        format!("{} {:?}\n    reference {}\n    ours      {}", row.kind.name(), row.row, row.reference, row.ours)
    };
    let mut used = vec![Vec::new(); table.deviations.len()];
    let mut problems = Vec::new();
    for row in &checked {
        let same = answer(row.reference.clone()) == answer(row.ours.clone());
        let entry = table.deviations.iter().position(|entry| entry.row == row.row && entry.kinds.contains(&row.kind));
        match entry {
            None if same => {}
            None => problems.push(show(row)),
            Some(_) if same => problems.push(format!("does not differ, delete it from `deviations`: {}", show(row))),
            Some(at) if table.deviations[at].ours != answer(row.ours.clone()) => {
                problems.push(format!("differs in another way than `deviations` says: {}", show(row)));
            }
            Some(at) => used[at].push(row.kind),
        }
    }
    for (entry, used) in table.deviations.iter().zip(&used) {
        assert!(!entry.reason.is_empty(), "{}: say why", entry.row);
        let unused = entry.kinds.iter().filter(|kind| !used.contains(kind));
        problems.extend(unused.map(|kind| format!("a deviation of no row: {} {:?}", kind.name(), entry.row)));
    }
    assert!(problems.is_empty(), "{} of {} rows:\n{}", problems.len(), checked.len(), problems.join("\n"));
}
