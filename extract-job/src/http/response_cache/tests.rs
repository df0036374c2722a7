use super::*;
use crate::http::buffers::Buffer;
use reqwest::header::HeaderMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

mod readings;

/// More readings than a test begins.
const MANY: usize = 1000;

fn answer(text: &str) -> Answer {
    let headers = HeaderMap::from_iter([("x-a".parse().unwrap(), "1".parse().unwrap())]);
    Answer {
        status: 200,
        headers,
        body: Buffer::from(text.as_bytes().to_vec()),
        foreign: false,
        named: false,
        kept: None,
        cut: false,
    }
}

/// Text that no compressor makes much smaller than six tenths.
fn noise(seed: u64, length: usize) -> String {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + (state >> 59) as u8 % 26)
    };
    (0..length).map(|_| next()).collect()
}

async fn ask(asker: &Asker, key: &str, count: &AtomicU32) -> String {
    let fetch = || async {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
        let answer = answer(&format!("{key}-{number}"));
        Ok::<_, String>((Some(Packed::of(&answer).unwrap()), answer))
    };
    let (Found::Kept(answer) | Found::Fresh(answer)) = asker.get_or_fetch(key, fetch).await.unwrap();
    assert_eq!((answer.status, answer.headers.len()), (200, 1));
    String::from_utf8(answer.body.to_vec()).unwrap()
}

/// Whether this was asked for, and is kept now if there is room.
async fn is_fetched(asker: &Asker, key: &str, body: &str) -> bool {
    let answer = answer(body);
    let fetch = || async { Ok::<_, String>((Some(Packed::of(&answer).unwrap()), ())) };
    matches!(asker.get_or_fetch(key, fetch).await, Ok(Found::Fresh(())))
}

fn asker(cache: &ResponseCache, stream: &str) -> Option<Asker> {
    Some(cache.join(stream, MANY)?.asker())
}

#[tokio::test]
async fn everyone_gets_the_one_answer() {
    let (cache, count) = (ResponseCache::default(), AtomicU32::new(0));
    let askers: Vec<Asker> = (0..10).map(|_| asker(&cache, "parents").unwrap()).collect();
    let all = futures::future::join_all(askers.iter().map(|asker| ask(asker, "a", &count))).await;
    assert!(all.iter().all(|text| text == "a-1"), "{all:?}");
    assert_eq!(ask(&askers[1], "b", &count).await, "b-2");
    assert_eq!(ask(&askers[2], "a", &count).await, "a-1");
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_failure_and_an_answer_not_to_be_kept_leave_nothing() {
    let count = AtomicU32::new(0);
    let asker = asker(&ResponseCache::default(), "parents").unwrap();
    let failed = asker.get_or_fetch("a", || async { Err::<(Option<Packed>, ()), _>("no") }).await;
    assert_eq!(failed.unwrap_err(), "no");
    let passed = asker.get_or_fetch("a", || async { Ok::<_, String>((None, 7)) }).await;
    assert!(matches!(passed, Ok(Found::Fresh(7))));
    assert_eq!(ask(&asker, "a", &count).await, "a-1");
}

#[tokio::test]
async fn answers_come_back_as_they_were() {
    let asker = asker(&ResponseCache::default(), "parents").unwrap();
    let mut heads = [HeaderMap::new(), HeaderMap::new()];
    heads[1].append("link", "<https://a.example>; rel=\"next\"".parse().unwrap());
    heads[1].append("set-cookie", "a=1".parse().unwrap());
    heads[1].append("set-cookie", HeaderMapValue::from_bytes(b"b=\xfc").unwrap());
    for headers in heads {
        for body in [String::new(), "0123456789".repeat(300_000)] {
            let answer = Answer { headers: headers.clone(), status: 206, foreign: true, ..answer(&body) };
            let packed = Packed::of(&answer).unwrap();
            let key = format!("{} {}", headers.len(), body.len());
            asker.get_or_fetch(&key, || async { Ok::<_, String>((Some(packed), ())) }).await.unwrap();
            let again = asker.get_or_fetch(&key, || async { Err::<(_, ()), _>("not asked") }).await.unwrap();
            let Found::Kept(kept) = again else { panic!("kept") };
            assert!(&*kept.body == body.as_bytes() && kept.kept.is_some());
            assert_eq!((kept.status, kept.foreign, &kept.headers), (206, true, &headers));
        }
    }
}

#[tokio::test]
async fn a_stream_that_does_not_fit_is_asked_for_anew_and_others_stay() {
    // One answer of noise takes about 6,000 bytes.
    let room = Room::of(20_000);
    let (cache, other) = (ResponseCache::within(&room), ResponseCache::within(&room));
    let (small, large) = (asker(&other, "small").unwrap(), asker(&cache, "large").unwrap());
    assert_eq!((is_fetched(&small, "1", &noise(1, 10_000)).await, is_fetched(&small, "1", "").await), (true, false));
    for page in 1..=4 {
        assert!(is_fetched(&large, &page.to_string(), &noise(page, 10_000)).await, "{page}");
    }
    assert!(!large.keeps() && small.keeps() && cache.join("large", MANY).is_none());
    for page in 1..=4 {
        assert!(is_fetched(&large, &page.to_string(), &noise(page, 10_000)).await, "page {page} comes from the API");
    }
    assert!(!is_fetched(&small, "1", "").await, "what fits stays");
}

#[tokio::test]
async fn what_is_given_up_leaves_its_room_to_others() {
    let room = Room::of(20_000);
    let (cache, other) = (ResponseCache::within(&room), ResponseCache::within(&room));
    let large = asker(&cache, "large").unwrap();
    for page in 1..=4 {
        is_fetched(&large, &page.to_string(), &noise(page, 10_000)).await;
    }
    // Though the reading of the large one still goes on.
    let small = asker(&other, "small").unwrap();
    for page in 1..=2 {
        assert!(is_fetched(&small, &page.to_string(), &noise(page, 10_000)).await);
        assert!(!is_fetched(&small, &page.to_string(), "").await, "page {page} of the small one has room");
    }
    assert!(large.answers.open.lock().unwrap().is_none(), "nor does its file stay");
}

#[tokio::test]
async fn the_last_reading_takes_its_answers_with_it() {
    let room = Room::of(10_000);
    let cache = ResponseCache::within(&room);
    let (first, second) = (cache.join("one", 2).unwrap(), cache.join("one", 2).unwrap());
    assert!(is_fetched(&first.asker(), "1", &noise(1, 10_000)).await);
    assert!(!is_fetched(&second.asker(), "1", "").await);
    drop((first, second));
    let another = asker(&cache, "another").unwrap();
    assert!(is_fetched(&another, "1", &noise(2, 10_000)).await && !is_fetched(&another, "1", "").await);
}

#[tokio::test]
async fn small_answers_take_the_room_that_they_take_in_memory() {
    let room = Room::of(200_000);
    let cache = ResponseCache::within(&room);
    let asker = asker(&cache, "grandchildren").unwrap();
    let mut kept = 0;
    while asker.keeps() && kept < 10_000 {
        let key = format!("GET https://api.example/v2/parents/{kept}/children?page=1 {}", "k".repeat(200));
        assert!(is_fetched(&asker, &key, "").await);
        kept += 1;
    }
    // Each has a key of 250 bytes, and a place of its own.
    assert!((200..500).contains(&kept), "{kept}");
    // Nor do answers that are not kept fill the memory.
    let asker = self::asker(&cache, "refused").unwrap();
    let mut asked = 0;
    while asker.keeps() && asked < 10_000 {
        let key = format!("GET https://api.example/v2/parents/{asked}/children?page=1 {}", "k".repeat(200));
        asker.get_or_fetch(&key, || async { Ok::<_, String>((None, ())) }).await.unwrap();
        asked += 1;
    }
    assert!((200..500).contains(&asked), "{asked}");
}

#[tokio::test]
async fn whoever_has_asked_for_a_kept_answer_is_known_to_have_ended() {
    let cache = ResponseCache::default();
    let (first, second) = (asker(&cache, "parents").unwrap(), asker(&cache, "parents").unwrap());
    let life = async |asker: &Asker| {
        let fetch = || async { Err::<(_, ()), _>("not asked") };
        let Found::Kept(Answer { kept: Some(life), .. }) = asker.get_or_fetch("a", fetch).await.unwrap() else {
            panic!("kept")
        };
        life
    };
    is_fetched(&first, "a", "a").await;
    let of_first = life(&second).await;
    assert!(!of_first.had_ended(Instant::now()));
    let before = Instant::now();
    drop(first);
    assert!(of_first.had_ended(Instant::now()) && !of_first.had_ended(before));
    // A file that has lost its bytes: also what was taken from it before is not to be gone on with.
    let open = second.answers.open.lock().unwrap().as_ref().unwrap().file.clone();
    open.lock().unwrap().as_ref().unwrap().set_len(0).unwrap();
    assert!(is_fetched(&second, "a", "a").await && of_first.had_ended(before) && !second.keeps());
}

type HeaderMapValue = reqwest::header::HeaderValue;
