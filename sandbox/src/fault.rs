//! Scripted faults: which requests go wrong, how often and in what way; every stand-in takes the same script.
//! A fault sees only requests that would have been served (logged in and within the rate limit), and counts exactly.

use std::time::Duration;

/// One scripted fault. Requests match when all the given conditions hold.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Part of the request's path; empty matches every path.
    pub path_contains: String,
    /// Part of the query, as sent or decoded (`page=3` also matches `page=30`).
    pub query_contains: Option<String>,
    /// The tenant's id; `None` matches every tenant.
    pub tenant: Option<String>,
    /// So many matching requests pass untouched before the fault strikes.
    pub skip: usize,
    /// So many requests are then struck; `usize::MAX` for ever.
    pub times: usize,
    /// What happens to them.
    pub action: FaultAction,
}

impl Fault {
    /// A fault that strikes the next request whose path contains `path_contains`, once.
    pub fn once(path_contains: &str, action: FaultAction) -> Self {
        Self { path_contains: path_contains.to_owned(), query_contains: None, tenant: None, skip: 0, times: 1, action }
    }

    /// The same fault, striking every matching request.
    #[must_use]
    pub fn always(self) -> Self {
        Self { times: usize::MAX, ..self }
    }

    /// The same fault, after `skip` matching requests have passed.
    #[must_use]
    pub fn after(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    fn matches(&self, request: &Seen<'_>) -> bool {
        request.path.contains(&self.path_contains)
            && self.query_contains.as_ref().is_none_or(|part| {
                request.query.contains(part.as_str()) || request.decoded_query.contains(part.as_str())
            })
            && self.tenant.as_deref().is_none_or(|tenant| request.tenant == Some(tenant))
    }

    fn same_matcher(&self, other: &Fault) -> bool {
        self.path_contains == other.path_contains
            && self.query_contains == other.query_contains
            && self.tenant == other.tenant
    }
}

/// What a fault does to a request.
#[derive(Debug, Clone)]
pub enum FaultAction {
    /// This status with the API's own error object.
    Status(u16),
    /// This status with this body (content type JSON).
    StatusWithBody(u16, String),
    /// 429 with this `Retry-After` header.
    TooManyRequests { retry_after: String },
    /// The right answer, but the connection closes after so many bytes of a body whose length promised more.
    CutBody { after_bytes: usize },
    /// The right answer, so much later.
    Slow(Duration),
    /// 200 and a complete HTTP message, but the JSON in it is cut in half and spoilt.
    WrongJson,
    /// 200 and an HTML page.
    Html,
    /// 200 and no body.
    EmptyBody,
    /// 401; the token that was sent is no longer valid.
    Unauthorized,
    /// No answer for so long; then the connection closes.
    Hang(Duration),
    /// Export feeds and next links: the answer's token or link is the one that was sent, and more is promised.
    RepeatToken,
    /// Lists: the first page again, whatever page was asked for, and more is promised.
    RepeatPage,
    /// After the answer the record at this position of the list that was asked for is deleted: later pages move up.
    RemoveRecord { index: usize },
    /// After the answer a new record stands at the front of the list: later pages move down.
    AddRecord,
    /// After the answer the record at this position of the list stands at its end, whatever order is asked for.
    MoveRecord { index: usize },
    /// 302 to this address.
    Redirect(String),
    /// Next links: the link leads to this host (`http://host:port`), and more is promised.
    NextElsewhere(String),
    /// Lists: `totalCount` is too high by seven.
    WrongTotal,
}

/// What a script looks at in a request.
pub(crate) struct Seen<'a> {
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) decoded_query: &'a str,
    pub(crate) tenant: Option<&'a str>,
}

/// The faults still to come. Faults with the same matcher strike one after the other; others are independent.
#[derive(Debug, Default)]
pub(crate) struct Script {
    faults: Vec<Fault>,
}

impl Script {
    pub(crate) fn add(&mut self, fault: Fault) {
        if fault.times > 0 {
            self.faults.push(fault);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    /// Counts the request and returns what must happen to it.
    pub(crate) fn take(&mut self, request: &Seen<'_>) -> Option<FaultAction> {
        for index in 0..self.faults.len() {
            let (earlier, rest) = self.faults.split_at_mut(index);
            let Some(fault) = rest.first_mut() else { continue };
            if !fault.matches(request) || earlier.iter().any(|other| other.same_matcher(fault)) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if fault.times < usize::MAX {
                fault.times -= 1;
            }
            let action = fault.action.clone();
            if fault.times == 0 {
                self.faults.remove(index);
            }
            return Some(action);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(script: &mut Script, path: &str, query: &str, tenant: &str) -> Option<u16> {
        let seen = Seen { path, query, decoded_query: query, tenant: Some(tenant) };
        match script.take(&seen) {
            Some(FaultAction::Status(code)) => Some(code),
            _ => None,
        }
    }

    #[test]
    fn faults_of_one_matcher_strike_in_turn() {
        let mut script = Script::default();
        script.add(Fault { times: 2, ..Fault::once("/jobs", FaultAction::Status(500)) }.after(1));
        script.add(Fault::once("/jobs", FaultAction::Status(503)));
        script.add(Fault { times: 0, ..Fault::once("/jobs", FaultAction::Status(504)) });
        let seen: Vec<_> = (0..5).map(|_| status(&mut script, "/a/jobs", "", "t")).collect();
        assert_eq!(seen, [None, Some(500), Some(500), Some(503), None]);
    }

    #[test]
    fn query_and_tenant_narrow_the_match() {
        let mut script = Script::default();
        script.add(Fault {
            query_contains: Some("page=2".to_owned()),
            tenant: Some("a".to_owned()),
            ..Fault::once("/jobs", FaultAction::Status(500)).always()
        });
        let cases = [
            ("/jobs", "page=2", "a", Some(500)),
            ("/jobs", "page=1", "a", None),
            ("/jobs", "page=2", "b", None),
            ("/job-types", "page=2", "a", None),
            ("/jobs", "page=2&x=1", "a", Some(500)),
        ];
        for (path, query, tenant, expected) in cases {
            assert_eq!(status(&mut script, path, query, tenant), expected, "{path}?{query} of {tenant}");
        }
        script.clear();
        assert_eq!(status(&mut script, "/jobs", "page=2", "a"), None);
    }
}
