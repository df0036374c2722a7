//! Scripted faults of the BigQuery stand-in: which calls go wrong, how often, and whether they took effect all the same.
//! Faults that say the same of when they strike do so in turn; others are independent.

use std::time::Duration;

/// A call of the REST API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    JobInsert,
    JobGet,
    JobList,
    JobCancel,
    /// `jobs.query`
    Query,
    /// `jobs.getQueryResults`
    QueryResults,
    DatasetInsert,
    DatasetGet,
    DatasetList,
    DatasetPatch,
    DatasetDelete,
    TableInsert,
    TableGet,
    TableList,
    TablePatch,
    TableDelete,
}

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Refused with this HTTP status and reason; nothing is done.
    Refused { status: u16, reason: String, message: String },
    /// Refused with this HTTP status and a page of HTML; nothing is done.
    Html { status: u16 },
    /// The connection is cut; nothing is done.
    CutBefore,
    /// The connection is cut in place of the answer; the call is done.
    CutAfter,
    /// This HTTP status in place of the answer (reason `backendError`); the call is done.
    FailedAfter { status: u16 },
    /// The answer comes so much later.
    Late(Duration),
    /// `jobs.insert`: the job ends with this error without having run.
    JobFails { reason: String, message: String },
    /// `jobs.insert`: the job stays RUNNING for so many polls more than usual.
    MorePolls(u32),
    /// `jobs.insert`: the job stays RUNNING for so long at least.
    Running(Duration),
}

/// One scripted fault. It strikes calls for which all the given conditions hold.
#[derive(Debug, Clone)]
pub struct Fault {
    /// `None`: every call.
    pub operation: Option<Operation>,
    /// Part of the SQL, the job id, the tables, URIs or the path of the call. For a call about a job: of that job too.
    pub contains: Option<String>,
    /// So many calls pass untouched first.
    pub skip: usize,
    /// So many are then struck; `usize::MAX` for ever.
    pub times: usize,
    pub effect: Effect,
}

impl Fault {
    /// A fault that strikes the next call of this kind, once.
    pub fn once(operation: Operation, effect: Effect) -> Self {
        Self { operation: Some(operation), contains: None, skip: 0, times: 1, effect }
    }

    /// The same fault, for calls that speak of `part` alone.
    #[must_use]
    pub fn on(self, part: &str) -> Self {
        Self { contains: Some(part.to_owned()), ..self }
    }

    /// The same fault, striking so many times.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// The same fault, after `skip` calls have passed.
    #[must_use]
    pub fn after(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    fn matches(&self, operation: Operation, text: &str) -> bool {
        self.operation.is_none_or(|wanted| wanted == operation)
            && self.contains.as_deref().is_none_or(|part| text.contains(part))
    }

    fn same_matcher(&self, other: &Fault) -> bool {
        self.operation == other.operation && self.contains == other.contains
    }
}

impl Effect {
    /// 503 with reason `backendError`; nothing is done.
    pub fn unavailable() -> Self {
        Self::refused(503, "backendError", "Error encountered during execution. Retrying may solve the problem.")
    }

    pub fn refused(status: u16, reason: &str, message: &str) -> Self {
        Self::Refused { status, reason: reason.to_owned(), message: message.to_owned() }
    }

    pub fn job_fails(reason: &str, message: &str) -> Self {
        Self::JobFails { reason: reason.to_owned(), message: message.to_owned() }
    }
}

/// The faults still to come.
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

    /// Counts the call and returns what must happen to it.
    pub(crate) fn take(&mut self, operation: Operation, text: &str) -> Option<Effect> {
        for index in 0..self.faults.len() {
            let (earlier, rest) = self.faults.split_at_mut(index);
            let Some(fault) = rest.first_mut() else { continue };
            if !fault.matches(operation, text) || earlier.iter().any(|other| other.same_matcher(fault)) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if fault.times < usize::MAX {
                fault.times -= 1;
            }
            let effect = fault.effect.clone();
            if fault.times == 0 {
                self.faults.remove(index);
            }
            return Some(effect);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_strike_by_kind_and_text_and_in_turn() {
        let mut script = Script::default();
        script.add(Fault::once(Operation::JobInsert, Effect::CutBefore).on("MERGE").after(1));
        script.add(Fault::once(Operation::JobInsert, Effect::CutAfter).on("MERGE"));
        script.add(Fault::once(Operation::TableGet, Effect::Html { status: 502 }).times(2));
        let calls = [
            (Operation::JobGet, "MERGE", None),
            (Operation::JobInsert, "SELECT 1", None),
            (Operation::JobInsert, "MERGE INTO a", None),
            (Operation::TableGet, "t", Some(Effect::Html { status: 502 })),
            (Operation::JobInsert, "MERGE INTO a", Some(Effect::CutBefore)),
            (Operation::JobInsert, "MERGE INTO a", Some(Effect::CutAfter)),
            (Operation::JobInsert, "MERGE INTO a", None),
            (Operation::TableGet, "t", Some(Effect::Html { status: 502 })),
            (Operation::TableGet, "t", None),
        ];
        for (number, (operation, text, effect)) in calls.into_iter().enumerate() {
            assert_eq!(script.take(operation, text), effect, "call {number}");
        }
    }
}
