//! Scripted faults: which requests go wrong, how often and in what way.
//! A fault sees only requests that were let in and mean something here, and counts them exactly.

use std::time::Duration;

use super::call::Operation;

/// One scripted fault. Requests match when all the given conditions hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `GET`, `POST`, …; `None` matches every method.
    pub method: Option<String>,
    /// Part of the object's name; empty matches every request, also one without an object.
    pub object_contains: String,
    /// `None` matches every operation.
    pub operation: Option<Operation>,
    /// So many matching requests pass untouched before the fault strikes.
    pub skip: usize,
    /// So many requests are then struck; `usize::MAX` for ever.
    pub times: usize,
    /// What happens to them.
    pub action: FaultAction,
}

impl Fault {
    /// A fault that strikes the next request for this operation, once.
    pub fn once(operation: Operation, action: FaultAction) -> Self {
        let operation = Some(operation);
        Self { method: None, object_contains: String::new(), operation, skip: 0, times: 1, action }
    }

    /// A fault that strikes the next request, whatever it asks for, once.
    pub fn next(action: FaultAction) -> Self {
        Self { operation: None, ..Self::once(Operation::Query, action) }
    }

    /// The same fault, only for objects whose name contains `part`.
    #[must_use]
    pub fn on(self, part: &str) -> Self {
        Self { object_contains: part.to_owned(), ..self }
    }

    /// The same fault, striking `times` matching requests.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// The same fault, striking every matching request.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// The same fault, after `skip` matching requests have passed.
    #[must_use]
    pub fn after(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    fn matches(&self, request: &Seen<'_>) -> bool {
        self.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(request.method))
            && request.object.unwrap_or_default().contains(&self.object_contains)
            && self.operation.is_none_or(|operation| operation == request.operation)
    }

    fn same_matcher(&self, other: &Fault) -> bool {
        self.method == other.method
            && self.object_contains == other.object_contains
            && self.operation == other.operation
    }
}

/// What a fault does to a request. One that makes no sense for the operation changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultAction {
    /// This status with Google's error body, and nothing done; `retry_after` in seconds.
    Status { code: u16, retry_after: Option<u64> },
    /// The right answer, so much later.
    Slow(Duration),
    /// The connection closes without an answer, and nothing was done.
    Cut,
    /// Everything is done as asked, and then the connection closes without an answer.
    DoneThenCut,
    /// Everything is done as asked, and then this status with Google's error body says that it was not.
    DoneThenStatus(u16),
    /// [`Operation::Chunk`] and [`Operation::Finish`]: of the bytes sent only the first so many are kept (308).
    KeepPart { bytes: u64 },
    /// [`Operation::Download`]: the byte at this position of the answer is wrong; the length and the hashes are right.
    CorruptByte { at: u64 },
    /// [`Operation::Download`]: the connection closes after so many bytes of the answer.
    CutBody { after_bytes: u64 },
}

impl FaultAction {
    /// This status, without `Retry-After`.
    pub fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None }
    }
}

/// What a script looks at in a request.
pub(crate) struct Seen<'a> {
    pub(crate) method: &'a str,
    pub(crate) object: Option<&'a str>,
    pub(crate) operation: Operation,
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

    #[test]
    fn faults_match_and_count() {
        let mut script = Script::default();
        script.add(Fault::once(Operation::Download, FaultAction::status(500)).on("part-1").after(1));
        script.add(Fault::once(Operation::Download, FaultAction::status(503)).on("part-1").times(2));
        script.add(Fault { method: Some("delete".to_owned()), ..Fault::next(FaultAction::Cut) });
        let mut take = |method, object, operation| script.take(&Seen { method, object: Some(object), operation });
        assert_eq!(take("GET", "a/part-0", Operation::Download), None);
        assert_eq!(take("GET", "a/part-1", Operation::Metadata), None);
        let seen: Vec<_> = (0..5).map(|_| take("GET", "a/part-1", Operation::Download)).collect();
        let status = |code| Some(FaultAction::status(code));
        assert_eq!(seen, [None, status(500), status(503), status(503), None]);
        assert_eq!(take("DELETE", "x", Operation::Delete), Some(FaultAction::Cut));
        assert_eq!(take("DELETE", "x", Operation::Delete), None);
    }
}
