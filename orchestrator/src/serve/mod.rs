//! `orchestrator serve`: runs started and looked at by HTTP, for schedulers and people that have no command line.
//! A run goes on in the background; its end is in `GET /runs/<id>` and in the notifications.

mod address;
mod answer;
mod book;
mod connection;
mod guard;
mod page;
mod report;
mod request;
mod routes;
mod runs;
mod seats;

use crate::error::RunError;
use crate::preflight;
use crate::run::RunOptions;
use crate::trigger;
use address::Wanted;
use book::Book;
use connection::Connections;
use contract::exit::Exit;
use contract::landing::{self, Landing};
use contract::pipeline::Pipeline;
use contract::secret::Secret;
use contract::shutdown::Shutdown;
use contract::telemetry;
use guard::Guard;
use seats::{Activity, Limits};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// The most that an answer takes.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// What callers may take: a run next to them needs file handles for its lease and its jobs.
const LIMITS: Limits = Limits {
    connections: 64,
    head_within: Duration::from_secs(10),
    largest_head: 64 * 1024,
    // Longer than any answer takes.
    answer_within: Duration::from_secs(90),
};
/// How long answers that are being given may take once the server is told to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// What the command line says.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The pipeline file.
    pub(crate) path: String,
    /// Where to listen; `None`: as Cloud Run says, or on this machine alone.
    pub(crate) listen: Option<String>,
    /// What callers must know.
    pub(crate) token: Option<Secret>,
}

/// What the requests share.
#[derive(Debug)]
struct Server {
    path: String,
    guard: Guard,
    shutdown: Shutdown,
    book: Book,
    view: Mutex<View>,
    /// Held while a run begins.
    gate: tokio::sync::Mutex<()>,
    tasks: tokio::sync::Mutex<JoinSet<Option<Exit>>>,
}

/// The pipeline as it was read last.
#[derive(Debug, Clone)]
struct View {
    pipeline: Arc<Pipeline>,
    landing: Arc<dyn Landing>,
}

impl Server {
    fn view(&self) -> View {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note of a new reading of the pipeline file.
    fn look_at(&self, pipeline: &Pipeline) {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        if pipeline.landing != view.pipeline.landing {
            match landing::open(&pipeline.landing) {
                Ok(landing) => view.landing = landing,
                Err(error) => {
                    tracing::warn!(%error, "the new landing zone cannot be used; reports come from the old one");
                    return;
                }
            }
        }
        view.pipeline = Arc::new(pipeline.clone());
    }
}

/// Serves until told to stop; the exit is that of the run that was stopped by it, if there was one.
///
/// # Errors
/// Whatever is wrong from the start with the pipeline file, its connectors, settings and secrets, a landing zone that cannot be opened,
/// or a place where one cannot or must not listen.
pub(crate) async fn serve(settings: Settings, shutdown: &Shutdown) -> Result<Exit, RunError> {
    let pipeline = trigger::read(&settings.path).await?;
    let everything = RunOptions::default();
    tokio::select! {
        checked = preflight::check(&settings.path, &pipeline, &everything) => checked?,
        _ = shutdown.requested() => return Ok(Exit::Done),
    }
    let landing = landing::open(&pipeline.landing)?;
    let set = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let wanted = Wanted {
        listen: settings.listen,
        port: set("PORT"),
        is_cloud_run: set("K_SERVICE").is_some(),
        has_token: settings.token.is_some(),
    };
    let (listener, callers) = wanted.open().await?;
    if let Ok(address) = listener.local_addr() {
        telemetry::print(&format!("listening on http://{address}"));
    }
    let server = Arc::new(Server {
        path: settings.path,
        guard: Guard { token: settings.token, callers },
        shutdown: shutdown.clone(),
        book: Book::default(),
        view: Mutex::new(View { pipeline: Arc::new(pipeline), landing }),
        gate: tokio::sync::Mutex::default(),
        tasks: tokio::sync::Mutex::default(),
    });
    answer(&server, Connections::new(listener, LIMITS)).await;
    if let Some(running) = server.book.running() {
        tracing::info!(run_id = %running.run_id, "waiting for the run to stop");
    }
    Ok(runs::wait(&server).await)
}

/// Answers until told to stop.
async fn answer(server: &Arc<Server>, connections: Connections) {
    let stop = server.shutdown.clone();
    let serving =
        axum::serve(connections, routes::router(server.clone()).into_make_service_with_connect_info::<Activity>());
    let serving = serving.with_graceful_shutdown(async move {
        stop.requested().await;
    });
    let late = async {
        server.shutdown.requested().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::select! {
        // It ends only when told to.
        _ = serving => {}
        () = late => tracing::warn!("some answers were not given to their end"),
    }
}
