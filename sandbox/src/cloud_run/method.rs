//! The API's methods on the state: each reads its request, changes what it must at once, and answers JSON.
//! Only `operations.wait` waits.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::answer;
use super::fields::Fields;
use super::job::{Job, RunOrder};
use super::list::PageQuery;
use super::name::uuid;
use super::refusal::Refusal;
use super::runner;
use super::state::{Book, Operation, OperationKind, State};

/// The longest wait of one `operations.wait`, whatever the client asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

pub(crate) fn get_job(state: &State, name: &str) -> Result<Value, Refusal> {
    let job = find_job(state, name)?;
    let book = state.book();
    let executions: Vec<_> = book.executions.iter().filter(|execution| execution.plan.job == name).collect();
    Ok(answer::job(state, job, &executions))
}

pub(crate) fn run(state: &Arc<State>, name: &str, body: &[u8]) -> Result<Value, Refusal> {
    let job = find_job(state, name)?;
    let order = RunOrder::read(body, job)?;
    let plan = job.plan(order.overrides);
    let mut book = state.book();
    if order.validate_only {
        return Ok(answer::checked(state, &uuid(), &book.draft(plan)));
    }
    let position = book.add(plan);
    let answer = operate(state, &mut book, Operation { execution: position, kind: OperationKind::Run });
    drop(book);
    runner::launch(state, position);
    answer
}

pub(crate) fn get_execution(state: &State, job: &str, id: &str) -> Result<Value, Refusal> {
    let book = state.book();
    let position = find_execution(state, &book, job, id)?;
    at(&book, position).map(|execution| answer::execution(state, execution))
}

pub(crate) fn list_executions(state: &State, job: &str, query: &str) -> Result<Value, Refusal> {
    if job != "-" {
        find_job(state, job)?;
    }
    let page = PageQuery::read(query, "executions")?;
    let book = state.book();
    let of_job = book.executions.iter().enumerate().filter(|(_, execution)| job == "-" || execution.plan.job == job);
    let (page, token) = page.cut(of_job.rev().collect(), "executions");
    let executions: Vec<Value> = page.into_iter().map(|execution| answer::execution(state, execution)).collect();
    Ok(listed("executions", executions, token))
}

pub(crate) fn list_tasks(state: &State, job: &str, id: &str, query: &str) -> Result<Value, Refusal> {
    let book = state.book();
    let position = find_execution(state, &book, job, id)?;
    let page = PageQuery::read(query, id)?;
    let execution = at(&book, position)?;
    let tasks = execution.tasks.iter().enumerate().map(|(index, task)| (index, (index, task))).collect();
    let (page, token) = page.cut(tasks, id);
    let tasks: Vec<Value> = page.into_iter().map(|(index, task)| answer::task(state, execution, index, task)).collect();
    Ok(listed("tasks", tasks, token))
}

pub(crate) fn cancel(state: &State, job: &str, id: &str, body: &[u8]) -> Result<Value, Refusal> {
    let mut fields = Fields::read(body)?;
    let validate_only = fields.flag("validateOnly")?;
    let etag = fields.text("etag")?;
    fields.finish()?;
    let (position, kind) = (find_execution(state, &state.book(), job, id)?, OperationKind::Cancel);
    {
        let book = state.book();
        let execution = at(&book, position)?;
        if !etag.is_empty() && etag != execution.etag() {
            return Err(Refusal::wrong_etag(&state.place.execution(job, id)));
        }
        if execution.completed.is_some() {
            let message = format!("Execution '{id}' has already completed and cannot be cancelled.");
            return Err(Refusal::precondition(message));
        }
        if validate_only {
            return Ok(answer::checked(state, &uuid(), execution));
        }
    }
    // An execution that has ended since then stays as it is: nobody listens any more.
    state.change(position, |execution| {
        execution.cancel.send_replace(true);
    });
    operate(state, &mut state.book(), Operation { execution: position, kind })
}

pub(crate) fn get_operation(state: &State, id: &str) -> Result<Value, Refusal> {
    let book = state.book();
    let operation = book.operation(id).ok_or_else(|| no_operation(state, id))?;
    at(&book, operation.execution).map(|execution| answer::operation(state, id, operation.kind, execution))
}

/// Answers when the operation is done or the time is over, whichever is first.
pub(crate) async fn wait(state: &State, id: &str, body: &[u8]) -> Result<Value, Refusal> {
    let mut fields = Fields::read(body)?;
    let asked = fields.duration("timeout")?;
    fields.finish()?;
    let mut done = {
        let book = state.book();
        let operation = book.operation(id).ok_or_else(|| no_operation(state, id))?;
        at(&book, operation.execution)?.done.subscribe()
    };
    let longest = if asked.is_zero() { LONGEST_WAIT } else { asked.min(LONGEST_WAIT) };
    // Done or not, the latest state is the answer.
    let _ = timeout(longest, done.wait_for(|done| *done)).await;
    get_operation(state, id)
}

fn operate(state: &State, book: &mut Book, operation: Operation) -> Result<Value, Refusal> {
    let id = book.operate(operation);
    at(book, operation.execution).map(|execution| answer::operation(state, &id, operation.kind, execution))
}

fn listed(name: &str, items: Vec<Value>, token: Option<String>) -> Value {
    // An empty list is left out, like every default.
    let mut value = json!({});
    if !items.is_empty() {
        value[name] = json!(items);
    }
    if let Some(token) = token {
        value["nextPageToken"] = json!(token);
    }
    value
}

fn find_job<'a>(state: &'a State, name: &str) -> Result<&'a Job, Refusal> {
    state.job(name).ok_or_else(|| no_resource(state, "JOB", name))
}

fn find_execution(state: &State, book: &Book, job: &str, id: &str) -> Result<usize, Refusal> {
    book.find(job, id).ok_or_else(|| no_resource(state, "EXECUTION", id))
}

fn at(book: &Book, position: usize) -> Result<&super::execution::Execution, Refusal> {
    book.executions.get(position).ok_or_else(|| Refusal::of_status(404))
}

fn no_resource(state: &State, kind: &str, name: &str) -> Refusal {
    let (region, project) = (&state.options.region, &state.options.project);
    Refusal::not_found(format!(
        "Resource '{name}' of kind '{kind}' in region '{region}' in project '{project}' does not exist."
    ))
}

fn no_operation(state: &State, id: &str) -> Refusal {
    Refusal::not_found(format!("Operation '{}' does not exist.", state.place.name(&format!("operations/{id}"))))
}
