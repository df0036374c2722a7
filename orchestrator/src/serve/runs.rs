//! Starting runs in the background: one at a time, each on a task of its own that outlives the request which asked for it.
//! The caller is told as soon as the run holds the lease, or why there is none.

use super::Server;
use super::answer::Answer;
use crate::run::RunOptions;
use crate::trigger::{self, Attempt};
use axum::http::StatusCode;
use contract::exit::Exit;
use contract::run_id::RunId;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What the caller is told: the run, or what to answer in its place.
type Told = Result<RunId, Answer>;

/// Starts a run; the answer comes when it holds the lease. Nobody need wait for it.
pub(super) async fn start(server: &Arc<Server>, options: RunOptions) -> oneshot::Receiver<Told> {
    let (tell, told) = oneshot::channel();
    let mut tasks = server.tasks.lock().await;
    // Those that have ended need no keeping.
    while tasks.try_join_next().is_some() {}
    tasks.spawn(go(server.clone(), options, tell));
    told
}

/// Waits for what is still going on, and tells how it ended.
pub(super) async fn wait(server: &Server) -> Exit {
    let mut worst = Exit::Done;
    let mut tasks = server.tasks.lock().await;
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(exit) => worst = worst.max(exit.unwrap_or(Exit::Done)),
            Err(error) => tracing::error!(%error, "a run has ended by a bug"),
        }
    }
    worst
}

/// One run from the request to its end. Its exit counts only if the server was told to stop during it.
async fn go(server: Arc<Server>, options: RunOptions, tell: oneshot::Sender<Told>) -> Option<Exit> {
    // Two that begin at once would both find the lease free.
    let mut gate = Some(server.gate.lock().await);
    if let Some(refusal) = refusal(&server) {
        let _ = tell.send(Err(refusal));
        return None;
    }
    let mut clear = Clear(Some(&server));
    let mut tell = Some(tell);
    let begun = |run_id: &RunId| {
        server.book.begin(run_id, &options);
        if let Some(tell) = tell.take() {
            // Who asked may have gone; the run goes on.
            let _ = tell.send(Ok(run_id.clone()));
        }
        gate = None;
    };
    let attempt = trigger::attempt(&server.path, &options, &server.shutdown, begun).await;
    clear.0 = None;
    server.book.end(&attempt.result);
    drop(gate);
    let stopped = server.shutdown.is_requested();
    let exit = log(&attempt);
    let has_begun = tell.is_none();
    if let (Some(tell), Err(error)) = (tell, &attempt.result) {
        let _ = tell.send(Err(Answer::of(error)));
    }
    let before = server.view().pipeline.clone();
    if let Some(pipeline) = &attempt.pipeline {
        server.look_at(pipeline);
    }
    // Who asked for what cannot be has been told so; it is nobody else's trouble.
    let is_refused = matches!(&attempt.result, Err(error) if exit == Exit::Usage || error.holder().is_some());
    if has_begun || attempt.pipeline.is_none() || !is_refused {
        attempt.tell(Some(&before), &server.shutdown).await;
    }
    (has_begun && stopped).then_some(exit)
}

fn log(attempt: &Attempt) -> Exit {
    match &attempt.result {
        Ok(summary) => {
            tracing::info!(run_id = %summary.run_id, exit_code = summary.exit_code, "the run has ended");
            summary.errors.iter().for_each(|error| tracing::error!(run_id = %summary.run_id, "{error}"));
            summary.exit()
        }
        Err(error) => {
            tracing::error!("there was no run: {error}");
            error.exit()
        }
    }
}

fn refusal(server: &Server) -> Option<Answer> {
    if server.shutdown.is_requested() {
        return Some(Answer::message(StatusCode::SERVICE_UNAVAILABLE, "this server is about to end"));
    }
    server.book.running().map(|running| Answer::busy(&running.run_id, "it was started here and is going on"))
}

/// Forgets the run that is going on if its task panics: another one may begin then.
struct Clear<'a>(Option<&'a Server>);

impl Drop for Clear<'_> {
    fn drop(&mut self) {
        if let Some(server) = self.0 {
            server.book.clear();
        }
    }
}
