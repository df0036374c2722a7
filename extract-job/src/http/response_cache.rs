//! Answers that several streams ask for, kept for the length of a run: a parent stream is requested once, however many children it has.
//! They lie compressed in a nameless temporary file, which nobody else can open and which is gone when the process ends, however it ends.

use super::buffers::Buffer;
use super::client::Answer;
use reqwest::header::HeaderMap;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Fast, and small enough for JSON.
const LEVEL: i32 = 1;

/// The kept answers of one account.
#[derive(Default)]
pub(crate) struct ResponseCache {
    slots: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Place>>>>>,
    file: Arc<Mutex<Option<File>>>,
}

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

impl ResponseCache {
    /// The kept answer under `key`, or else what `fetch` gives; the answer that comes with it is kept. Who asks while the same answer
    /// is being fetched waits for it. A fetch that fails, or that gives no answer to keep, leaves nothing behind: the next one tries.
    ///
    /// # Errors
    /// Those of `fetch`. If the file cannot be written or read the answer is fetched as if there were no cache.
    pub(crate) async fn get_or_fetch<T, E, F>(&self, key: &str, fetch: impl FnOnce() -> F) -> Result<Found<T>, E>
    where
        F: Future<Output = Result<(Option<Packed>, T), E>>,
    {
        let slot = self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_default().clone();
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
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
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
        }
    }

    async fn ask(cache: &ResponseCache, key: &str, count: &AtomicU32) -> String {
        let fetch = || async {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
            let answer = answer(&format!("{key}-{number}"));
            Ok::<_, String>((Some(Packed::of(&answer).unwrap()), answer))
        };
        let (Found::Kept(answer) | Found::Fresh(answer)) = cache.get_or_fetch(key, fetch).await.unwrap();
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
        let failed = cache.get_or_fetch("a", || async { Err::<(Option<Packed>, ()), _>("no") }).await;
        assert_eq!(failed.unwrap_err(), "no");
        let passed = cache.get_or_fetch("a", || async { Ok::<_, String>((None, 7)) }).await;
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
            cache.get_or_fetch(&key, || async { Ok::<_, String>((Some(packed), ())) }).await.unwrap();
            let again = cache.get_or_fetch(&key, || async { Err::<(_, ()), _>("not asked") }).await.unwrap();
            let Found::Kept(kept) = again else { panic!("kept") };
            assert!(&*kept.body == body.as_bytes());
        }
    }
}
