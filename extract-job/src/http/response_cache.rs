//! Answers that several streams ask for, kept for the length of a run: a parent stream is requested once, however many children it has.
//! They lie compressed in a nameless temporary file, which nobody else can open and which is gone when the process ends, however it ends.
//! The file is bounded, since in Cloud Run it is memory: a stream whose answers do not fit is asked for anew by each of its readers, from the
//! first page to the last, so that no reading is put together of old pages and new ones.

use super::buffers::Buffer;
use super::client::Answer;
use reqwest::header::HeaderMap;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Fast, and small enough for JSON.
const LEVEL: i32 = 1;

/// The most bytes of kept answers, compressed, in a process: about ten times as much JSON.
const MOST_KEPT: u64 = 64 << 20;

/// The room for kept answers of all accounts; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    left: Arc<AtomicU64>,
}

/// The kept answers of one account.
#[derive(Default)]
pub(crate) struct ResponseCache {
    /// By stream; nothing where they do not fit.
    streams: Mutex<HashMap<String, Option<Slots>>>,
    file: Arc<Mutex<Option<File>>>,
    room: Room,
}

/// By what was asked for.
type Slots = HashMap<String, Arc<tokio::sync::Mutex<Option<Place>>>>;

/// An answer, compressed and not yet kept.
#[derive(Debug)]
pub(crate) struct Packed {
    status: u16,
    headers: HeaderMap,
    foreign: bool,
    length: usize,
    bytes: Vec<u8>,
}

/// A kept answer: its head, and where its body lies.
#[derive(Debug, Clone)]
struct Place {
    status: u16,
    headers: HeaderMap,
    foreign: bool,
    length: usize,
    at: u64,
    size: usize,
}

/// What an asker gets.
#[derive(Debug)]
pub(crate) enum Found<T> {
    /// The answer that an earlier asker has fetched.
    Kept(Answer),
    /// What this asker has fetched.
    Fresh(T),
}

impl std::fmt::Debug for ResponseCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResponseCache")
    }
}

impl Packed {
    /// Compresses an answer.
    ///
    /// # Errors
    /// The compressor's.
    pub(crate) fn of(answer: &Answer) -> std::io::Result<Self> {
        let bytes = zstd::bulk::compress(&answer.body, LEVEL)?;
        let (status, headers, foreign) = (answer.status, answer.headers.clone(), answer.foreign);
        Ok(Self { status, headers, foreign, length: answer.body.len(), bytes })
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::of(MOST_KEPT)
    }
}

impl Room {
    /// Room for so many bytes.
    fn of(bytes: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(bytes)) }
    }

    /// Whether so many more bytes fit; then they are taken.
    fn take(&self, bytes: usize) -> bool {
        let less = |left: u64| left.checked_sub(bytes as u64);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

impl ResponseCache {
    /// An empty cache that shares this room with others.
    pub(crate) fn within(room: &Room) -> Self {
        Self { room: room.clone(), ..Self::default() }
    }

    /// Whether answers of this stream are kept.
    pub(crate) fn keeps(&self, stream: &str) -> bool {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.get(stream).is_none_or(Option::is_some)
    }

    /// From now on each reader asks for this stream by itself.
    fn give_up(&self, stream: &str) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.insert(stream.to_owned(), None).is_none_or(|before| before.is_some()) {
            tracing::warn!(
                stream,
                "the answers of this parent stream do not fit into the {} MiB for answers that are kept: each of its child streams asks for \
                 it by itself",
                MOST_KEPT >> 20
            );
        }
    }

    /// The kept answer under `key`, or else what `fetch` gives; the answer that comes with it is kept. Who asks while the same answer
    /// is being fetched waits for it. A fetch that fails, or that gives no answer to keep, leaves nothing behind: the next one tries.
    ///
    /// # Errors
    /// Those of `fetch`. If the file cannot be written or read the answer is fetched as if there were no cache.
    pub(crate) async fn get_or_fetch<T, E, F>(
        &self,
        stream: &str,
        key: &str,
        fetch: impl FnOnce() -> F,
    ) -> Result<Found<T>, E>
    where
        F: Future<Output = Result<(Option<Packed>, T), E>>,
    {
        let slot = {
            let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
            let slots = streams.entry(stream.to_owned()).or_insert_with(|| Some(Slots::new())).as_mut();
            slots.map(|slots| slots.entry(key.to_owned()).or_default().clone())
        };
        let Some(slot) = slot else { return fetch().await.map(|(_, fresh)| Found::Fresh(fresh)) };
        let mut slot = slot.lock().await;
        if let Some(place) = slot.clone() {
            // Others may read it meanwhile.
            drop(slot);
            match self.blocking(move |file| take(file, &place)).await {
                Ok(answer) => return Ok(Found::Kept(answer)),
                Err(error) => tracing::warn!(%error, "a kept answer cannot be read, asking again"),
            }
            return fetch().await.map(|(_, fresh)| Found::Fresh(fresh));
        }
        let (packed, fresh) = fetch().await?;
        if let Some(packed) = packed {
            if !self.room.take(packed.bytes.len()) {
                self.give_up(stream);
                return Ok(Found::Fresh(fresh));
            }
            match self.blocking(move |file| keep(file, packed)).await {
                Ok(place) => *slot = Some(place),
                Err(error) => tracing::warn!(%error, "an answer cannot be kept, the next stream will ask for it again"),
            }
        }
        Ok(Found::Fresh(fresh))
    }

    /// Works with the file off the asynchronous threads.
    async fn blocking<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut File) -> std::io::Result<R> + Send + 'static,
    ) -> std::io::Result<R> {
        let file = self.file.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let file = match &mut *file {
                Some(file) => file,
                // Made with the first answer, without a name and readable by this process alone.
                none => none.insert(tempfile::tempfile()?),
            };
            work(file)
        });
        done.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
    }
}

fn keep(file: &mut File, packed: Packed) -> std::io::Result<Place> {
    let at = file.seek(SeekFrom::End(0))?;
    file.write_all(&packed.bytes)?;
    let Packed { status, headers, foreign, length, bytes } = packed;
    Ok(Place { status, headers, foreign, length, at, size: bytes.len() })
}

fn take(file: &mut File, place: &Place) -> std::io::Result<Answer> {
    file.seek(SeekFrom::Start(place.at))?;
    let mut bytes = vec![0; place.size];
    file.read_exact(&mut bytes)?;
    let body = Buffer::from(zstd::bulk::decompress(&bytes, place.length)?);
    Ok(Answer {
        status: place.status,
        headers: place.headers.clone(),
        body,
        foreign: place.foreign,
        named: false,
        kept: true,
        cut: false,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    fn answer(text: &str) -> Answer {
        let headers = HeaderMap::from_iter([("x-a".parse().unwrap(), "1".parse().unwrap())]);
        Answer {
            status: 200,
            headers,
            body: Buffer::from(text.as_bytes().to_vec()),
            foreign: false,
            named: false,
            kept: false,
            cut: false,
        }
    }

    async fn ask(cache: &ResponseCache, key: &str, count: &AtomicU32) -> String {
        let fetch = || async {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
            let answer = answer(&format!("{key}-{number}"));
            Ok::<_, String>((Some(Packed::of(&answer).unwrap()), answer))
        };
        let (Found::Kept(answer) | Found::Fresh(answer)) = cache.get_or_fetch("parents", key, fetch).await.unwrap();
        assert_eq!((answer.status, answer.headers.len()), (200, 1));
        String::from_utf8(answer.body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn everyone_gets_the_one_answer() {
        let (cache, count) = (ResponseCache::default(), AtomicU32::new(0));
        let all = futures::future::join_all((0..10).map(|_| ask(&cache, "a", &count))).await;
        assert!(all.iter().all(|text| text == "a-1"), "{all:?}");
        assert_eq!(ask(&cache, "b", &count).await, "b-2");
        assert_eq!(ask(&cache, "a", &count).await, "a-1");
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_failure_and_an_answer_not_to_be_kept_leave_nothing() {
        let (cache, count) = (ResponseCache::default(), AtomicU32::new(0));
        let failed = cache.get_or_fetch("parents", "a", || async { Err::<(Option<Packed>, ()), _>("no") }).await;
        assert_eq!(failed.unwrap_err(), "no");
        let passed = cache.get_or_fetch("parents", "a", || async { Ok::<_, String>((None, 7)) }).await;
        assert!(matches!(passed, Ok(Found::Fresh(7))));
        assert_eq!(ask(&cache, "a", &count).await, "a-1");
    }

    #[tokio::test]
    async fn large_and_empty_bodies_come_back_as_they_were() {
        let cache = ResponseCache::default();
        for body in [String::new(), "0123456789".repeat(300_000)] {
            let answer = answer(&body);
            let packed = Packed::of(&answer).unwrap();
            let key = body.len().to_string();
            cache.get_or_fetch("parents", &key, || async { Ok::<_, String>((Some(packed), ())) }).await.unwrap();
            let again = cache.get_or_fetch("parents", &key, || async { Err::<(_, ()), _>("not asked") }).await.unwrap();
            let Found::Kept(kept) = again else { panic!("kept") };
            assert!(&*kept.body == body.as_bytes());
        }
    }

    #[tokio::test]
    async fn a_stream_that_does_not_fit_is_asked_for_anew_and_others_stay() {
        let noise = |seed: u64| {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(b'a' + (state >> 59) as u8 % 26)
            };
            (0..10_000).map(|_| next()).collect::<String>()
        };
        // One answer of noise takes about 6,000 bytes.
        let room = Room::of(20_000);
        let (cache, other) = (ResponseCache::within(&room), ResponseCache::within(&room));
        let asked = AtomicU32::new(0);
        let ask = async |cache: &ResponseCache, stream: &str, page: u64| {
            let answer = answer(&noise(page));
            let fetch = || async {
                asked.fetch_add(1, Ordering::SeqCst);
                Ok::<_, String>((Some(Packed::of(&answer).unwrap()), ()))
            };
            cache.get_or_fetch(stream, &page.to_string(), fetch).await.unwrap();
            asked.swap(0, Ordering::SeqCst)
        };
        assert_eq!((ask(&other, "small", 1).await, ask(&other, "small", 1).await), (1, 0), "kept");
        for page in 1..=4 {
            assert_eq!(ask(&cache, "large", page).await, 1, "{page}");
        }
        assert!(!cache.keeps("large") && other.keeps("small") && other.keeps("large"));
        for page in 1..=4 {
            assert_eq!(
                ask(&cache, "large", page).await,
                1,
                "page {page} of a stream that is not kept comes from the API"
            );
        }
        assert_eq!(ask(&other, "small", 1).await, 0, "what fits stays");
    }
}
