//! The exit codes of all three programs (design, section 8): the only thing a scheduler sees.
//! Every way to end maps onto one of these four.

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// 0: all units are done.
    Done = 0,
    /// 1: some units failed, the others are done.
    SomeFailed = 1,
    /// 2: wrong usage, pipeline file or manifest; nothing was started.
    Usage = 2,
    /// 3: nothing could be done: landing zone or warehouse out of reach, or another run holds the lease.
    Unreachable = 3,
}

impl Exit {
    /// The number the process ends with.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The meaning of a child's exit code; a signal or an unknown code counts as unreachable.
    pub fn from_code(code: Option<i32>) -> Self {
        match code {
            Some(0) => Self::Done,
            Some(1) => Self::SomeFailed,
            Some(2) => Self::Usage,
            _ => Self::Unreachable,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
