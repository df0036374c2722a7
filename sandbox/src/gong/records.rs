//! The records: a call in its short and its long form, its transcript, a user.
//! Every record follows from its slot and its life alone. Ids are text of up to twenty digits.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::lives::{Life, Lives};
use crate::servicetitan::dice::{Dice, mix};

pub(crate) const WORKSPACE: &str = "623457276584334";
const MINUTE: i64 = 60_000;
const COMPANIES: [&str; 6] = ["Alder", "Bạch Đằng", "O'Hara & Sons", "Müller", "Cedar \"West\"", "Dogwood"];
const KINDS: [&str; 4] = ["Discovery", "Demo", "Negotiation", "Check-in"];
const TOPICS: [&str; 4] = ["Intro", "Pricing", "Next Steps", "Small Talk"];
const NAMES: [&str; 6] = ["Kim", "Sam", "Ana Lúcia", "Văn An", "Zoë", "Bea"];
const LINES: [&str; 5] =
    ["Good morning.", "How much is it?", "We said \"maybe\" — didn't we?", "Cảm ơn anh.", "Let us talk on Friday."];

/// One call at the moment of a generation.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) life: Life,
    pub(crate) started: i64,
    /// What the dates of a request are held against: the scheduled time of a web meeting, else the real start.
    pub(crate) date: i64,
    pub(crate) basic: Value,
    /// What the long form can have beside `metaData`, before a request chooses from it.
    pub(crate) parts: Map<String, Value>,
    /// `None` until the call has one; some never do.
    pub(crate) transcript: Option<Value>,
}

pub(crate) fn request_id() -> String {
    "4al018gzaztcr8nbukw".to_owned()
}

pub(crate) fn time_text(milliseconds: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(milliseconds).unwrap_or_default();
    // Whole seconds come without a fraction.
    let form = if milliseconds % 1000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
    time.to_rfc3339_opts(form, true)
}

fn call_id(slot: u32) -> String {
    (7_782_342_274_025_000_001 + u64::from(slot) * 3).to_string()
}

fn user_id(slot: u64) -> String {
    (234_599_484_840_001 + slot).to_string()
}

fn speaker_id(slot: u32, party: u64) -> String {
    (6_432_345_678_555_000_000 + u64::from(slot) * 4 + party).to_string()
}

impl Call {
    /// The call as it is at the moment `now`.
    pub(crate) fn new(lives: &Lives, slot: u32, users: usize, now: i64, transcript_delay: i64) -> Self {
        let life = lives.life(slot);
        let mut dice = lives.dice(slot, 30);
        let mut started = lives.created(slot);
        started -= dice.sometimes(5, started % 1000).unwrap_or(0);
        let is_web = dice.below(10) < 7;
        let scheduled = if is_web { started - dice.below(20) as i64 * MINUTE + 5 * MINUTE } else { started };
        let scheduled = if is_web { scheduled - scheduled.rem_euclid(5 * MINUTE) } else { scheduled };
        let id = call_id(slot);
        let user = dice.below(users.max(1) as u64);
        let company = dice.pick(&COMPANIES);
        let title = format!("{} - {company}", dice.pick(&KINDS));
        let title = if life.version > life.born { format!("{title} (edited {})", life.version) } else { title };
        let basic = json!({
            "id": id, "url": format!("https://app.gong.io/call?id={id}"), "title": title, "scheduled": time_text(scheduled),
            "started": time_text(started), "duration": 60 + dice.below(3600), "primaryUserId": user_id(user),
            "direction": if is_web { "Conference" } else { dice.pick(&["Inbound", "Outbound"]) },
            "system": if is_web { dice.pick(&["Zoom", "Google Meet"]) } else { "Gong Connect" },
            "scope": dice.pick(&["External", "External", "Internal", "Unknown"]), "media": if is_web { "Video" } else { "Audio" },
            "language": "eng", "workspaceId": WORKSPACE, "sdrDisposition": null, "clientUniqueId": null, "customData": null,
            "purpose": dice.sometimes(4, "Renewal"), "meetingUrl": is_web.then(|| format!("https://example.zoom.us/j/{slot}")),
            "isPrivate": dice.one_in(20), "calendarEventId": is_web.then(|| format!("event{slot}")),
        });
        let has_transcript = !dice.one_in(25) && started + transcript_delay <= now;
        let parts = parts(&id, slot, user, company, life, &mut dice);
        let transcript = has_transcript.then(|| transcript(&id, slot, lives.dice(slot, 31)));
        Self { id, life, started, date: scheduled, basic, parts, transcript }
    }
}

fn parts(id: &str, slot: u32, user: u64, company: &str, life: Life, dice: &mut Dice) -> Map<String, Value> {
    let party = |number: u64, name: &str| {
        let inside = number == 0;
        json!({
            "id": (7_000_000_000_000_000_000 + u64::from(slot) * 4 + number).to_string(), "name": name,
            "emailAddress": format!("{}@example.com", if inside { format!("user{user}") } else { format!("customer{slot}") }),
            "title": if inside { "Account Executive" } else { "Owner" }, "phoneNumber": null,
            "userId": inside.then(|| user_id(user)), "speakerId": speaker_id(slot, number),
            "affiliation": if inside { "Internal" } else { "External" }, "methods": ["Invitee", "Attendee"], "context": [],
        })
    };
    let parties = json!([party(0, dice.pick(&NAMES)), party(1, company)]);
    let context = json!([{"system": "HubSpot", "objects": [{"objectType": "Deal",
        "objectId": (9_000_000 + u64::from(slot)).to_string(),
        "fields": [{"name": "amount", "value": 1000 + dice.below(9000)}, {"name": "stage", "value": format!("v{}", life.version)}]}]}]);
    let content = json!({
        "brief": format!("They spoke about {}.", dice.pick(&TOPICS)), "outline": [], "highlights": [], "callOutcome": null,
        "keyPoints": [{"text": "A point."}], "structure": [{"name": "Intro", "duration": dice.below(300)}],
        "topics": [{"name": dice.pick(&TOPICS), "duration": dice.below(600)}],
        "trackers": [{"id": "56825452554556", "name": "Pricing", "count": dice.below(5), "type": "KEYWORD", "occurrences": []}],
        "pointsOfInterest": {"actionItems": []},
    });
    let interaction = json!({
        "speakers": [{"id": speaker_id(slot, 0), "userId": user_id(user), "talkTime": dice.below(900) as f64 / 2.0}],
        "interactionStats": [{"name": "Patience", "value": dice.below(100) as f64 / 64.0}], "video": [],
        "questions": {"companyCount": dice.below(9), "nonCompanyCount": dice.below(9)},
    });
    let collaboration = json!({"publicComments": []});
    let media = json!({"audioUrl": format!("https://example.com/{id}.mp3?expires=1"), "videoUrl": null});
    [
        ("context", context),
        ("parties", parties),
        ("content", content),
        ("interaction", interaction),
        ("collaboration", collaboration),
        ("media", media),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn transcript(id: &str, slot: u32, mut dice: Dice) -> Value {
    let mut clock = 400 + dice.below(300);
    let turns = 1 + dice.below(6);
    let turn = |number: u64| {
        // A turn can be without words, and one without a topic.
        let count = if dice.one_in(10) { 0 } else { 1 + dice.below(4) };
        let sentence = |_| {
            let (start, length) = (clock, 500 + dice.below(4000));
            clock += length + 40;
            json!({"start": start, "end": start + length, "text": dice.pick(&LINES)})
        };
        let sentences: Vec<Value> = (0..count).map(sentence).collect();
        let topic = if mix(u64::from(slot), number).is_multiple_of(4) {
            Value::Null
        } else {
            TOPICS[number as usize % 4].into()
        };
        json!({"speakerId": speaker_id(slot, number % 2), "topic": topic, "sentences": sentences})
    };
    let turns: Vec<Value> = (0..turns).map(turn).collect();
    json!({"callId": id, "transcript": turns})
}

pub(crate) fn user(lives: &Lives, slot: u32, life: Life) -> Value {
    let mut dice = lives.dice(slot, 32);
    let name = dice.pick(&NAMES);
    json!({
        "id": user_id(u64::from(slot)), "emailAddress": format!("user{slot}@example.com"), "created": time_text(lives.created(slot)),
        "active": (life.version - life.born).is_multiple_of(2), "emailAliases": [], "trustedEmailAddress": null, "firstName": name,
        "lastName": format!("No. {slot}"), "title": dice.pick(&["Account Executive", "SDR", "Manager"]), "phoneNumber": null,
        "extension": null, "personalMeetingUrls": [], "managerId": (slot > 0).then(|| user_id(0)), "meetingConsentPageUrl": null,
        "settings": {"webConferencesRecorded": true, "preventWebConferenceRecording": false, "telephonyCallsImported": dice.one_in(2)},
        "spokenLanguages": [{"language": "en-us", "primary": true}],
    })
}
