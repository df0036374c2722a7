//! Posts, comments and profiles of one account in one generation. A change sets `updated_at`, which the date filters look at.
//! A record is the same in every generation that does not change it.

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use serde_json::{Value, json};

use super::Options;
use crate::servicetitan::dice::{Dice, key_of, mix};
use crate::stand_in::Oracle;
use crate::stand_in::life::{Life, Lives};

const DAY: i64 = 86_400_000;
const NETWORKS: [&str; 4] = ["instagram", "facebook", "linkedin", "tiktok"];
const TEXTS: [&str; 5] =
    ["Bom dia! ☀️", "Promoção: só hoje", "Novo vídeo \"ao vivo\"", "Obrigado,\ngente!", "👩‍💻 vagas abertas"];

/// The lists of the API, by their last path segment.
pub(crate) const KINDS: [&str; 3] = ["posts", "comments", "profiles"];

/// One record: its JSON text and what lists filter and order by.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) updated: DateTime<Utc>,
    pub(crate) json: String,
}

/// Makes a record from its id, what stays, what changes, and when it was made and updated.
type Build<'a> = dyn Fn(u64, &mut Dice, &mut Dice, [DateTime<Utc>; 2]) -> Value + 'a;

#[derive(Debug)]
pub(crate) struct World {
    lists: [Vec<Record>; 3],
}

impl World {
    pub(crate) fn new(options: &Options, account: usize, generation: u32) -> Self {
        let id = options.accounts.get(account).map(|account| account.id.as_str()).unwrap_or_default();
        let key = key_of(options.seed, &["gaio_social", id]);
        let first = options.first_day.timestamp_millis();
        let profiles = (options.records / 50).max(4);
        let list = |salt: u64, base: usize, build: &Build<'_>| {
            let maker = Maker { key: mix(key, salt), base, first, days: options.days };
            maker.list(generation, build)
        };
        let (posts, comments) = (options.records as u64, options.records * 2);
        Self {
            lists: [
                list(1, options.records, &|id, fixed, now, times| post(id, profiles as u64, fixed, now, times)),
                list(2, comments, &|id, fixed, now, times| comment(id, posts, fixed, now, times)),
                list(3, profiles, &profile),
            ],
        }
    }

    pub(crate) fn list(&self, kind: &str) -> Option<&[Record]> {
        let index = KINDS.iter().position(|known| *known == kind)?;
        self.lists.get(index).map(Vec::as_slice)
    }

    pub(crate) fn oracle(&self) -> Oracle {
        let values = |list: &Vec<Record>| -> Vec<Value> {
            list.iter().filter_map(|record| serde_json::from_str(&record.json).ok()).collect()
        };
        KINDS.iter().copied().zip(self.lists.iter().map(values)).collect()
    }
}

/// What one list is made of.
struct Maker {
    key: u64,
    base: usize,
    first: i64,
    days: u32,
}

impl Maker {
    fn list(&self, generation: u32, build: &Build<'_>) -> Vec<Record> {
        let lives = Lives::new(self.key, self.base, generation);
        let record = |index: u32| {
            let life = lives.life(index)?;
            let mut fixed = Dice::new(mix(self.key, u64::from(index)));
            let mut now = Dice::new(mix(mix(self.key, u64::from(index)), u64::from(life.version)));
            let times = self.times(life, &mut fixed, &mut now);
            let id = u64::from(index) + 1;
            Some(Record { id, updated: times[1], json: build(id, &mut fixed, &mut now, times).to_string() })
        };
        (0..lives.total()).filter_map(record).collect()
    }

    /// When a record was made and last updated: whole seconds in the periods of its generations.
    fn times(&self, life: Life, fixed: &mut Dice, now: &mut Dice) -> [DateTime<Utc>; 2] {
        let within = |generation: u32, dice: &mut Dice| {
            let days = i64::from(self.days);
            let (start, span) = match generation {
                1 => (self.first, days * DAY),
                later => (self.first + (days + i64::from(later) - 2) * DAY, DAY),
            };
            start + dice.below(span as u64) as i64
        };
        let created = within(life.born, fixed);
        let updated = within(life.version, now).max(created);
        [created, updated].map(|time| Utc.timestamp_opt(time / 1000, 0).single().unwrap_or_default())
    }
}

/// As text; the forms that are found in the wild differ.
fn text(time: DateTime<Utc>, dice: &mut Dice) -> String {
    match dice.below(10) {
        0 => time.to_rfc3339_opts(SecondsFormat::Secs, false),
        1 => time.to_rfc3339_opts(SecondsFormat::Micros, true),
        _ => time.to_rfc3339_opts(SecondsFormat::Secs, true),
    }
}

fn post(id: u64, profiles: u64, fixed: &mut Dice, now: &mut Dice, times: [DateTime<Utc>; 2]) -> Value {
    json!({
        "id": id, "profile_id": fixed.below(profiles) + 1, "network": fixed.pick(&NETWORKS), "text": fixed.pick(&TEXTS),
        "published_at": text(times[0], fixed), "updated_at": text(times[1], now),
        "metrics": {"likes": now.below(5000), "comments": now.below(300), "shares": now.below(200), "reach": now.sometimes(2, 12_345)},
        "engagement_rate": now.below(10_000) as f64 / 10_000.0, "tags": if now.one_in(3) { json!([]) } else { json!(["verão", "2026"]) },
    })
}

fn comment(id: u64, posts: u64, fixed: &mut Dice, now: &mut Dice, times: [DateTime<Utc>; 2]) -> Value {
    json!({
        "id": id, "post_id": fixed.below(posts) + 1, "author": format!("@pessoa{}", fixed.below(500)), "text": fixed.pick(&TEXTS),
        "created_at": text(times[0], fixed), "updated_at": text(times[1], now),
        "sentiment": now.sometimes(2, "positivo"), "hidden": now.one_in(12),
    })
}

fn profile(id: u64, fixed: &mut Dice, now: &mut Dice, times: [DateTime<Utc>; 2]) -> Value {
    json!({
        "id": id, "network": fixed.pick(&NETWORKS), "handle": format!("@marca{id}"), "name": format!("Marca {id}"),
        "followers": now.below(2_000_000), "created_at": text(times[0], fixed), "updated_at": text(times[1], now),
    })
}
