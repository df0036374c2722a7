//! Answers that several streams ask for, kept as long as one of them may still ask: a parent stream is requested once, however many children
//! it has. They lie compressed in a nameless temporary file for each stream, which nobody else can open and which is gone with its last
//! reader, or when the process ends, however it ends.
//!
//! What is kept is bounded, since in Cloud Run a file is memory: a stream whose answers do not fit is asked for by each of its readers. A
//! reader that has had kept pages and finds no more of them begins its slice anew (`read/seam.rs`), so that no reading is put together of
//! old pages and new ones.

use super::client::Answer;
use super::kept_room::{MOST_KEPT, Room, Share};
use super::packed::{Packed, Shape};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// What it takes in memory to find an answer, beside the text of what was asked for.
const SLOT: usize = 256;

/// The kept answers of one account.
#[derive(Debug, Default)]
pub(crate) struct ResponseCache {
    streams: Mutex<HashMap<String, Shared>>,
    room: Room,
}

#[derive(Debug)]
struct Shared {
    answers: Arc<KeptAnswers>,
    /// How many readings have begun.
    readings: usize,
}

/// The kept answers of one stream, as all its readers see them.
pub(crate) struct KeptAnswers {
    stream: String,
    since: Instant,
    /// Nothing is kept, or found, any more.
    open: Mutex<Option<Open>>,
    closed: Arc<OnceLock<Instant>>,
    given_up: OnceLock<()>,
}

struct Open {
    /// By what was asked for.
    slots: HashMap<String, Slot>,
    file: SharedFile,
    share: Share,
}

type Slot = Arc<tokio::sync::Mutex<Option<Place>>>;
/// Made with the first answer, without a name and readable by this process alone.
type SharedFile = Arc<Mutex<Option<File>>>;

/// A kept answer: who has asked for it, and where it lies.
#[derive(Debug, Clone)]
struct Place {
    asker: Arc<Life>,
    shape: Shape,
    at: u64,
    size: usize,
}

/// Whether a slice is still being read that has asked for answers which are kept.
#[derive(Debug)]
pub(crate) struct Life {
    ended: OnceLock<Instant>,
    /// The same for all that is kept of the stream.
    closed: Arc<OnceLock<Instant>>,
}

/// One slice that asks for pages which others ask for, too.
pub(crate) struct Asker {
    answers: Arc<KeptAnswers>,
    life: Arc<Life>,
}

/// What an asker gets.
#[derive(Debug)]
pub(crate) enum Found<T> {
    /// The answer that an earlier asker has fetched.
    Kept(Answer),
    /// What this asker has fetched.
    Fresh(T),
}

impl std::fmt::Debug for KeptAnswers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptAnswers").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl ResponseCache {
    /// An empty cache that shares this room with others.
    pub(crate) fn within(room: &Room) -> Self {
        Self { room: room.clone(), ..Self::default() }
    }

    /// What is kept of a stream, for one more reading of so many: nothing if its answers do not fit. With the last reading it goes.
    pub(crate) fn join(&self, stream: &str, readings: usize) -> Option<Arc<KeptAnswers>> {
        let new = || Arc::new(KeptAnswers::new(stream, &self.room));
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = streams.entry(stream.to_owned()).or_insert_with(|| Shared { answers: new(), readings: 0 });
        if shared.answers.given_up.get().is_some() {
            return None;
        }
        if shared.answers.closed.get().is_some() {
            shared.answers = new();
        }
        shared.readings += 1;
        let answers = shared.answers.clone();
        if shared.readings >= readings {
            streams.remove(stream);
        }
        Some(answers)
    }
}

impl KeptAnswers {
    fn new(stream: &str, room: &Room) -> Self {
        let open = Open { slots: HashMap::new(), file: SharedFile::default(), share: room.share() };
        Self {
            stream: stream.to_owned(),
            since: Instant::now(),
            open: Mutex::new(Some(open)),
            closed: Arc::default(),
            given_up: OnceLock::new(),
        }
    }

    /// One more slice that is read.
    pub(crate) fn asker(self: &Arc<Self>) -> Asker {
        let life = Life { ended: OnceLock::new(), closed: self.closed.clone() };
        Asker { answers: self.clone(), life: Arc::new(life) }
    }

    /// What is kept is not gone on with: readings that begin later share answers of their own.
    pub(crate) fn close(&self) {
        self.close_as_of(Instant::now());
    }

    /// Who has had a kept answer, and asks for another page after this, begins anew.
    fn close_as_of(&self, instant: Instant) {
        // In this order: who finds nothing kept any more finds it closed.
        self.closed.get_or_init(|| instant);
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(open);
    }

    /// From now on each reading asks by itself.
    fn give_up(&self, as_of: Instant, why: &str) {
        if self.given_up.set(()).is_ok() {
            tracing::warn!(stream = self.stream, "{why}: each of its child streams asks for it by itself");
        }
        self.close_as_of(as_of);
    }

    fn does_not_fit(&self) {
        let why = format!(
            "the answers of this parent stream do not fit into the {} MiB for answers that are kept",
            MOST_KEPT >> 20
        );
        self.give_up(Instant::now(), &why);
    }

    /// Where the answer to this is, or is to be; nothing where none is kept.
    fn slot(&self, key: &str) -> Option<(Slot, SharedFile)> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Open { slots, file, share } = open.as_mut()?;
        if let Some(slot) = slots.get(key) {
            return Some((slot.clone(), file.clone()));
        }
        if share.take(SLOT + key.len()) {
            let slot = slots.entry(key.to_owned()).or_default();
            return Some((slot.clone(), file.clone()));
        }
        drop(open);
        self.does_not_fit();
        None
    }

    /// Whether there is room for so many bytes more.
    fn has_room(&self, bytes: usize) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Open { share, .. }) = open.as_mut() else { return false };
        let fits = share.take(bytes);
        drop(open);
        if !fits {
            self.does_not_fit();
        }
        fits
    }
}

impl Life {
    /// Whether it had ended then: nobody was on the way from the pages that it has asked for to the next one.
    pub(crate) fn had_ended(&self, then: Instant) -> bool {
        [&self.ended, &self.closed].into_iter().any(|end| end.get().is_some_and(|end| *end <= then))
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.life.ended.get_or_init(Instant::now);
    }
}

impl Asker {
    /// Whether answers of this stream are kept.
    pub(crate) fn keeps(&self) -> bool {
        self.answers.closed.get().is_none()
    }

    /// The kept answer under `key`, or else what `fetch` gives; the answer that comes with it is kept. Who asks while the same answer
    /// is being fetched waits for it. A fetch that fails, or that gives no answer to keep, leaves nothing behind: the next one tries.
    ///
    /// # Errors
    /// Those of `fetch`. If the file cannot be written or read the answer is fetched as if there were no cache.
    pub(crate) async fn get_or_fetch<T, E, F>(&self, key: &str, fetch: impl FnOnce() -> F) -> Result<Found<T>, E>
    where
        F: Future<Output = Result<(Option<Packed>, T), E>>,
    {
        let Some((slot, file)) = self.answers.slot(key) else {
            return fetch().await.map(|(_, fresh)| Found::Fresh(fresh));
        };
        let mut slot = slot.lock().await;
        if let Some(place) = slot.clone() {
            // Others may read it meanwhile.
            drop(slot);
            let asker = place.asker.clone();
            match blocking(file, move |file| take(file, &place)).await {
                Ok(answer) => return Ok(Found::Kept(Answer { kept: Some(asker), ..answer })),
                Err(error) => {
                    // Also for who has taken those before it.
                    let why = format!("a kept answer of this parent stream cannot be read ({error})");
                    self.answers.give_up(self.answers.since, &why);
                }
            }
            return fetch().await.map(|(_, fresh)| Found::Fresh(fresh));
        }
        let (packed, fresh) = fetch().await?;
        if let Some(packed) = packed
            && self.answers.has_room(packed.bytes.len())
        {
            let asker = self.life.clone();
            match blocking(file, move |file| keep(file, packed, asker)).await {
                Ok(place) => *slot = Some(place),
                Err(error) => {
                    let why = format!("an answer of this parent stream cannot be kept ({error})");
                    self.answers.give_up(Instant::now(), &why);
                }
            }
        }
        Ok(Found::Fresh(fresh))
    }
}

/// Works with the file off the asynchronous threads.
async fn blocking<R: Send + 'static>(
    file: SharedFile,
    work: impl FnOnce(&mut File) -> std::io::Result<R> + Send + 'static,
) -> std::io::Result<R> {
    let done = tokio::task::spawn_blocking(move || {
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &mut *file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        work(file)
    });
    done.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

fn keep(file: &mut File, packed: Packed, asker: Arc<Life>) -> std::io::Result<Place> {
    let at = file.seek(SeekFrom::End(0))?;
    file.write_all(&packed.bytes)?;
    Ok(Place { asker, shape: packed.shape, at, size: packed.bytes.len() })
}

fn take(file: &mut File, place: &Place) -> std::io::Result<Answer> {
    file.seek(SeekFrom::Start(place.at))?;
    let mut bytes = vec![0; place.size];
    file.read_exact(&mut bytes)?;
    place.shape.unpack(&bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
