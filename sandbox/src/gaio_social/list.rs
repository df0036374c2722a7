//! One page of a list: its parameters, its rows and the link to the next page, which holds all parameters already.

use chrono::NaiveDate;

use super::Options;
use super::records::Record;

/// Holds the place where the next page begins; only links carry it.
const CURSOR: &str = "cursor";

/// The parameters of one request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query {
    since: Option<NaiveDate>,
    until: Option<NaiveDate>,
    limit: usize,
    place: usize,
}

impl Query {
    /// A parameter may come twice with one value (a client that repeats its own on a link), not with two.
    ///
    /// # Errors
    /// The message of a 400.
    pub(crate) fn parse(options: &Options, text: &str) -> Result<Self, String> {
        let mut query = Self { since: None, until: None, limit: options.default_limit, place: 0 };
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()).into_owned() {
            if pairs.iter().any(|(known, before)| *known == name && *before != value) {
                return Err(format!("{name} has two values"));
            }
            if name == options.since_parameter {
                query.since = Some(date(&name, &value)?);
            } else if name == options.until_parameter {
                query.until = Some(date(&name, &value)?);
            } else if name == options.limit_parameter {
                let limit: usize = value.parse().map_err(|_| format!("{name} must be a number"))?;
                query.limit = limit.clamp(1, options.max_limit);
            } else if name == CURSOR {
                let place = value.strip_prefix('p').and_then(|place| usize::from_str_radix(place, 16).ok());
                query.place = place.ok_or_else(|| format!("{name} is unknown"))?;
            } else {
                return Err(format!("unknown parameter {name}"));
            }
            pairs.push((name, value));
        }
        Ok(query)
    }

    /// The rows of the page, and where the next one begins.
    pub(crate) fn page<'a>(&self, options: &Options, records: &'a [Record]) -> (Vec<&'a Record>, Option<usize>) {
        let fits = |record: &&Record| {
            let day = record.updated.date_naive();
            let before = |until: NaiveDate| if options.until_is_exclusive { day < until } else { day <= until };
            self.since.is_none_or(|since| day >= since) && self.until.is_none_or(before)
        };
        let mut found: Vec<&Record> = records.iter().filter(fits).collect();
        found.sort_by_key(|record| (record.updated, record.id));
        let start = self.place.min(found.len());
        let end = start.saturating_add(self.limit).min(found.len());
        let next = (end < found.len()).then_some(end);
        (found.get(start..end).unwrap_or_default().to_vec(), next)
    }

    /// The full address of the page that begins at a place.
    pub(crate) fn link(&self, options: &Options, address: &str, place: usize) -> String {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        let dates = [(&options.since_parameter, self.since), (&options.until_parameter, self.until)];
        for (name, date) in dates {
            if let Some(date) = date {
                pairs.append_pair(name, &date.to_string());
            }
        }
        pairs.append_pair(&options.limit_parameter, &self.limit.to_string());
        pairs.append_pair(CURSOR, &format!("p{place:x}"));
        format!("{address}?{}", pairs.finish())
    }
}

fn date(name: &str, value: &str) -> Result<NaiveDate, String> {
    value.parse().map_err(|_| format!("{name} must be a date as 2026-01-31"))
}
