//! Query parameters of the lists. What no client sends is refused, so that a misspelt name cannot pass unseen.

use super::world::Kind;

/// Page, order and bounds of one request; bounds are epoch milliseconds, both ends included.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) page: u64,
    pub(crate) page_size: u64,
    pub(crate) by_update: bool,
    pub(crate) descending: bool,
    pub(crate) created: (i64, i64),
    pub(crate) updated: (i64, i64),
}

impl Query {
    /// # Errors
    /// The message of a 400.
    pub(crate) fn parse(kind: Kind, text: &str, max_page_size: u64) -> Result<Self, String> {
        let always = (i64::MIN, i64::MAX);
        let mut query = Self {
            page: 1,
            page_size: 50.min(max_page_size),
            by_update: false,
            descending: true,
            created: always,
            updated: always,
        };
        let timed = matches!(kind, Kind::Customers | Kind::Calls);
        let mut seen = Vec::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if seen.contains(&name) {
                return Err(format!("{name} is given twice"));
            }
            match name.as_ref() {
                "page" => query.page = number(&name, &value, u64::MAX)?,
                "pageSize" => query.page_size = number(&name, &value, max_page_size)?,
                "sort" if timed => (query.by_update, query.descending) = sort(kind, &value)?,
                "from" if timed => query.created.0 = time(&name, &value)?,
                "to" if timed => query.created.1 = time(&name, &value)?,
                "fromUpdateTime" if kind == Kind::Customers => query.updated.0 = time(&name, &value)?,
                "toUpdateTime" if kind == Kind::Customers => query.updated.1 = time(&name, &value)?,
                _ => return Err(format!("property {name} should not exist")),
            }
            seen.push(name);
        }
        Ok(query)
    }
}

fn number(name: &str, value: &str, most: u64) -> Result<u64, String> {
    let number = value.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("{name} must be a number from 1 to {most}"))
}

fn time(name: &str, value: &str) -> Result<i64, String> {
    value.parse().map_err(|_| format!("{name} must be a time in milliseconds"))
}

/// The field's name directly followed by the direction.
fn sort(kind: Kind, value: &str) -> Result<(bool, bool), String> {
    match value {
        "createTimeDESC" => Ok((false, true)),
        "createTimeASC" => Ok((false, false)),
        "updateTimeDESC" if kind == Kind::Customers => Ok((true, true)),
        "updateTimeASC" if kind == Kind::Customers => Ok((true, false)),
        _ => Err(format!("cannot sort by {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_client_sends_is_refused() {
        let cases = [
            (Kind::Customers, "page=2&pageSize=500&sort=updateTimeDESC&fromUpdateTime=1&toUpdateTime=2", ""),
            (Kind::Calls, "sort=createTimeDESC&from=1&to=2", ""),
            (Kind::Users, "page=1", ""),
            (Kind::Calls, "fromUpdateTime=1", "should not exist"),
            (Kind::Calls, "sort=updateTimeDESC", "cannot sort"),
            (Kind::Users, "from=1", "should not exist"),
            (Kind::Customers, "pageSize=501", "from 1 to 500"),
            (Kind::Customers, "page=0", "page must be"),
            (Kind::Customers, "from=2026-01-01", "in milliseconds"),
            (Kind::Customers, "page=1&page=1", "twice"),
        ];
        for (kind, text, refusal) in cases {
            match Query::parse(kind, text, 500) {
                Ok(_) => assert_eq!(refusal, "", "{text} passes"),
                Err(message) => assert!(!refusal.is_empty() && message.contains(refusal), "{text}: {message}"),
            }
        }
    }
}
