//! Scripted faults of the Cloud Run stand-in: which calls go wrong, how often or how long, and in what way.
//! A fault sees only requests that are logged in and name a known method; each strikes on its own, the first added first.

use std::time::{Duration, Instant};

/// A method of the API, as a fault selects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `jobs.run`
    Run,
    /// `jobs.get`
    GetJob,
    /// `executions.get`
    GetExecution,
    /// `executions.list`
    ListExecutions,
    /// `operations.get` and `operations.wait`
    Operation,
    /// `executions.cancel`
    Cancel,
    /// `tasks.list`
    ListTasks,
}

/// One scripted fault.
#[derive(Debug, Clone)]
pub struct Fault {
    pub call: Call,
    /// So many calls pass untouched before the fault strikes.
    pub skip: usize,
    pub strikes: Strikes,
    /// What happens to the calls that are struck.
    pub action: FaultAction,
}

/// How often a fault strikes.
#[derive(Debug, Clone, Copy)]
pub enum Strikes {
    /// So many calls; `usize::MAX` for ever.
    Next(usize),
    /// Every call for so long, counted from the moment the fault was added.
    During(Duration),
}

/// What a fault does to a call.
#[derive(Debug, Clone)]
pub enum FaultAction {
    /// Google's error body of this status; the call has no effect.
    Status(u16),
    /// This status with this body as HTML, as a proxy answers; the call has no effect.
    StatusWithBody(u16, String),
    /// 403 for want of the method's permission; the call has no effect.
    PermissionDenied,
    /// The connection closes without an answer; the call has no effect.
    Cut,
    /// Google's error body of this status, though the call took effect.
    StatusAfter(u16),
    /// The connection closes without an answer, though the call took effect.
    CutAfter,
    /// The call takes effect at once, whether the client waits or not; the right answer comes so much later.
    Slow(Duration),
}

impl Fault {
    /// A fault that strikes the next such call.
    pub fn once(call: Call, action: FaultAction) -> Self {
        Self { call, skip: 0, strikes: Strikes::Next(1), action }
    }

    /// The same fault, striking so many calls.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { strikes: Strikes::Next(times), ..self }
    }

    /// The same fault, striking every call.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// The same fault, striking every call for so long from now on.
    #[must_use]
    pub fn during(self, period: Duration) -> Self {
        Self { strikes: Strikes::During(period), ..self }
    }

    /// The same fault, after `skip` calls have passed.
    #[must_use]
    pub fn after(self, skip: usize) -> Self {
        Self { skip, ..self }
    }
}

/// The faults still to come.
#[derive(Debug, Default)]
pub(crate) struct Script {
    faults: Vec<(Instant, Fault)>,
}

impl Script {
    pub(crate) fn add(&mut self, fault: Fault, now: Instant) {
        self.faults.push((now, fault));
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    /// Counts the call and returns what must happen to it.
    pub(crate) fn take(&mut self, call: Call, now: Instant) -> Option<FaultAction> {
        self.faults.retain(|(added, fault)| match fault.strikes {
            Strikes::Next(left) => left > 0,
            Strikes::During(period) => now.duration_since(*added) < period,
        });
        let (_, fault) = self.faults.iter_mut().find(|(_, fault)| fault.call == call)?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        if let Strikes::Next(left) = &mut fault.strikes
            && *left < usize::MAX
        {
            *left -= 1;
        }
        Some(fault.action.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(script: &mut Script, call: Call, now: Instant) -> Option<u16> {
        match script.take(call, now) {
            Some(FaultAction::Status(status)) => Some(status),
            _ => None,
        }
    }

    #[test]
    fn faults_of_one_call_strike_in_turn_and_others_are_left_alone() {
        let now = Instant::now();
        let mut script = Script::default();
        script.add(Fault::once(Call::Run, FaultAction::Status(429)).times(2).after(1), now);
        script.add(Fault::once(Call::Run, FaultAction::Status(503)), now);
        assert_eq!(status(&mut script, Call::Cancel, now), None);
        let seen: Vec<_> = (0..5).map(|_| status(&mut script, Call::Run, now)).collect();
        assert_eq!(seen, [None, Some(429), Some(429), Some(503), None]);
    }

    #[test]
    fn a_period_ends() {
        let now = Instant::now();
        let mut script = Script::default();
        script.add(Fault::once(Call::Run, FaultAction::Status(500)).during(Duration::from_secs(5)), now);
        let after = |seconds| now + Duration::from_secs(seconds);
        let seen: Vec<_> = [0, 4, 5, 4].map(|seconds| status(&mut script, Call::Run, after(seconds))).to_vec();
        assert_eq!(seen, [Some(500), Some(500), None, None], "what has ended does not come back");
    }
}
