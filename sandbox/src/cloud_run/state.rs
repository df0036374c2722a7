//! The state behind all requests: executions, operations, the fault script, the request log and the live processes.
//! One lock each; no two are held together, and none while anything is waited for.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::Utc;

use super::Options;
use super::execution::Execution;
use super::fault::Script;
use super::job::{Job, Plan};
use super::name::{Place, suffix, uuid};
use super::request::Request;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) place: Place,
    book: Mutex<Book>,
    script: Mutex<Script>,
    log: Mutex<Vec<Request>>,
    token: Mutex<Option<String>>,
    live: Mutex<Live>,
}

/// Everything that was ever started. Executions are named by their position, which never changes.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) executions: Vec<Execution>,
    operations: HashMap<String, Operation>,
}

/// A long-running operation: it is done when its execution is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    /// The execution's position.
    pub(crate) execution: usize,
    pub(crate) kind: OperationKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OperationKind {
    Run,
    Cancel,
}

/// The process groups that are alive.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// The server is gone: nothing may be started any more.
    pub(crate) stopped: bool,
    pub(crate) groups: HashSet<u32>,
}

impl State {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            place: Place::new(options.project_number, &options.region),
            token: Mutex::new(options.token.clone()),
            options,
            book: Mutex::default(),
            script: Mutex::default(),
            log: Mutex::default(),
            live: Mutex::default(),
        }
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        lock(&self.script)
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Vec<Request>> {
        lock(&self.log)
    }

    pub(crate) fn token(&self) -> MutexGuard<'_, Option<String>> {
        lock(&self.token)
    }

    pub(crate) fn live(&self) -> MutexGuard<'_, Live> {
        lock(&self.live)
    }

    pub(crate) fn job(&self, name: &str) -> Option<&Job> {
        self.options.jobs.iter().find(|job| job.name == name)
    }

    /// Changes an execution and counts the change.
    pub(crate) fn change(&self, position: usize, change: impl FnOnce(&mut Execution)) {
        if let Some(execution) = self.book().executions.get_mut(position) {
            change(execution);
            execution.changes += 1;
            execution.updated = Utc::now();
        }
    }
}

impl Book {
    /// Adds an execution that has not started; its position.
    pub(crate) fn add(&mut self, plan: Plan) -> usize {
        let execution = self.draft(plan);
        self.executions.push(execution);
        self.executions.len() - 1
    }

    /// An execution with a new name that nobody keeps.
    pub(crate) fn draft(&self, plan: Plan) -> Execution {
        let mut id = format!("{}-{}", plan.job, suffix());
        while self.executions.iter().any(|known| known.id == id) {
            id = format!("{}-{}", plan.job, suffix());
        }
        Execution::new(id, plan, Utc::now())
    }

    /// An execution by its short names.
    pub(crate) fn find(&self, job: &str, id: &str) -> Option<usize> {
        self.executions.iter().position(|execution| execution.id == id && execution.plan.job == job)
    }

    /// Adds an operation; its id.
    pub(crate) fn operate(&mut self, operation: Operation) -> String {
        let id = uuid();
        self.operations.insert(id.clone(), operation);
        id
    }

    pub(crate) fn operation(&self, id: &str) -> Option<Operation> {
        self.operations.get(id).copied()
    }
}

/// A lock whose holder panicked still guards usable data here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
