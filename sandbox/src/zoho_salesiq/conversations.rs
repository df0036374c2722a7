//! Conversations: the record as the list and the detail call give it, and the messages in it.
//! A change of a later generation brings two messages and a tag more, or a tag less; what was said never changes.

use serde_json::{Map, Value, json};

use super::records::{self, text};
use crate::lives::{Life, Lives};

const HOUR: i64 = 3_600_000;
/// Between two messages; every fifth comes at the same moment as the one before it.
const PAUSE: i64 = 4_000;

/// Keys that only the detail call gives.
const DETAILS: [&str; 5] = ["participants", "supervisors", "customer_info", "last_message_info", "notes"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Missed,
    Closed,
}

/// One conversation at the moment of a generation.
#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) id: String,
    pub(crate) life: Life,
    pub(crate) department: u32,
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
    pub(crate) modified: i64,
    pub(crate) status: &'static str,
    pub(crate) attender: Option<String>,
    /// What the detail call gives.
    pub(crate) detail: Value,
    /// Oldest first, each with its time.
    pub(crate) messages: Vec<(i64, Value)>,
}

/// What conversations refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around {
    pub(crate) departments: u32,
    pub(crate) operators: u32,
    pub(crate) tags: u32,
    pub(crate) most_messages: u64,
}

impl Conversation {
    pub(crate) fn new(lives: &Lives, slot: u32, around: Around) -> Self {
        let life = lives.life(slot);
        let mut dice = lives.dice(slot, 10);
        // Those of the first generation are over before its present.
        let start = lives.created(slot) - if life.born == 1 { 2 * HOUR } else { 0 };
        let state = match dice.below(10) {
            0 => State::Missed,
            1 => State::Open,
            _ => State::Closed,
        };
        let department = if dice.one_in(2) { 0 } else { 1 + dice.below(2) as u32 }.min(around.departments.max(1) - 1);
        let operator = dice.below(u64::from(around.operators.max(1))) as u32;
        let visitor = records::visitor_name(&mut dice);
        let id = records::conversation_id(slot);
        let changes = lives.changes(slot);
        let mut times: Vec<i64> = (0..=dice.below(around.most_messages.max(1)) as i64)
            .map(|number| start + (number - i64::from(number % 5 == 4)) * PAUSE)
            .collect();
        times.extend(changes.iter().flat_map(|generation| {
            let moment = lives.moment(slot, *generation);
            [moment - 60_000, moment - 30_000]
        }));
        let last = times.last().copied().unwrap_or(start);
        let end = (state == State::Closed).then_some(last + 1000);
        let modified = match changes.last() {
            Some(generation) => lives.moment(slot, *generation),
            None => end.unwrap_or(last) + dice.below(HOUR as u64) as i64,
        };
        let attender = (state != State::Missed).then(|| records::operator_id(operator));
        let person = json!({"id": records::operator_id(operator), "name": records::operator_name(operator),
            "email": format!("operator{operator}@example.com"), "is_bot": false});
        let status = match state {
            State::Open => "open",
            State::Missed => "missed",
            State::Closed => "closed",
        };
        let number = match state {
            State::Open => 1,
            State::Missed => 2,
            State::Closed => 3,
        };
        let mut label = status.to_owned();
        label[..1].make_ascii_uppercase();
        let mut record = json!({
            "id": id, "reference_id": (5021 + slot).to_string(), "chat_id": format!("LD_21900001_{}", 12_001 + slot),
            "type": "chat", "question": format!("Where is my order {}?", 900 + slot), "start_time": text(start),
            "last_modified_time": text(modified), "status_code": number,
            "chat_status": {"state_key": status, "status_code": 0, "state": number, "id": (number * 10).to_string(),
                "label": label, "status_key": status},
            "department": {"id": records::department_id(department), "name": records::department_name(department)},
            "owner": person, "visitor": {"name": visitor, "email": format!("visitor{slot}@example.com"),
                "phone": format!("0{}", 900_000_000 + u64::from(slot))},
            "app_name": "acme.example", "uvid": format!("uv-{slot}"), "reopen": false, "unread_chats": 0,
            "tags": tags(lives, slot, &changes, around.tags), "notes": dice.one_in(4), "participants": [person],
            "supervisors": [], "customer_info": {"Plan": if dice.one_in(3) { "Gold" } else { "Basic" }},
            "last_message_info": {"time": text(last), "by": "visitor"},
        });
        if let Some(fields) = record.as_object_mut() {
            // What does not apply is absent, never null.
            let mut put = |name: &str, value: Option<Value>| value.map(|value| fields.insert(name.to_owned(), value));
            put("attended_time", attender.is_some().then(|| text(start + 12_000)));
            put("attender", attender.is_some().then_some(person));
            put("missed_time", (state == State::Missed).then(|| text(start + 60_000)));
            put("end_time", end.map(text));
        }
        let messages = times.iter().enumerate();
        let messages = messages.map(|(number, time)| (*time, message(&id, number, *time, operator, visitor))).collect();
        Self { id, life, department, start, end, modified, status, attender, detail: record, messages }
    }

    /// The same as the list gives it.
    pub(crate) fn listed(&self) -> Value {
        let fields = self.detail.as_object().into_iter().flatten();
        let listed = fields.filter(|(name, _)| !DETAILS.contains(&name.as_str()));
        Value::Object(listed.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>())
    }
}

/// The tags of a conversation: some at first, then one more or one less with each change.
fn tags(lives: &Lives, slot: u32, changes: &[u32], count: u32) -> Vec<Value> {
    let count = count.max(4);
    let mut dice = lives.dice(slot, 11);
    let mut next = dice.below(u64::from(count)) as u32;
    let mut tags: Vec<u32> = Vec::new();
    let mut add = |tags: &mut Vec<u32>| {
        if !tags.contains(&(next % count)) {
            tags.push(next % count);
        }
        next += 1;
    };
    for _ in 0..dice.pick(&[0, 0, 1, 1, 2, 3]) {
        add(&mut tags);
    }
    for _ in changes {
        if dice.one_in(3) && !tags.is_empty() {
            tags.remove(0);
        } else {
            add(&mut tags);
        }
    }
    tags.iter().map(|tag| json!({"id": records::tag_id(0, *tag), "name": records::tag_name(*tag)})).collect()
}

fn message(conversation: &str, number: usize, time: i64, operator: u32, visitor: &str) -> Value {
    let sender = match number % 3 {
        0 => json!({"id": format!("${conversation}"), "name": visitor}),
        1 => json!({"id": records::operator_id(operator), "name": records::operator_name(operator)}),
        _ => json!({"id": "b403034000999", "name": "Robot"}),
    };
    let mut message = json!({
        "id": format!("{conversation}{number:05}"), "sequence_id": (number + 1).to_string(), "time": text(time), "type": "text",
        "sender": sender, "message": {"text": format!("Line {number}: \"cà phê\" — done?\n👍")},
    });
    if let (Some(fields), true) = (message.as_object_mut(), number % 7 == 3) {
        fields.insert("meta".to_owned(), json!({"card": {"type": "links", "count": number}}));
    }
    message
}
