//! The smaller records: tags, departments, operators; and the ids that records name each other by.
//! Every record follows from its slot and its life alone. Ids and times are text, as the API gives them.

use serde_json::{Value, json};

use crate::lives::{Life, Lives};
use crate::servicetitan::dice::Dice;

pub(crate) const MODULES: [&str; 4] = ["conversations", "visitors", "contacts", "companies"];
const TAGS: [&str; 8] =
    ["Delivery", "Refund", "Warranty", "Báo giá", "Billing", "Upsell \"gold\"", "Überprüfung", "Follow-up"];
const COLORS: [&str; 4] = ["#ff9807", "#3a7afe", "#12b886", "#e03131"];
const NAMES: [&str; 8] = ["Kim", "Sam", "Ana Lúcia", "Nguyễn Văn An", "Tom O'Neill", "Zoë", "李娜", "Bea"];

pub(crate) fn conversation_id(slot: u32) -> String {
    (19_000_000_041_001 + u64::from(slot) * 2).to_string()
}

pub(crate) fn department_id(slot: u32) -> String {
    (32_308_000_000_002_013 + u64::from(slot) * 2000).to_string()
}

pub(crate) fn operator_id(slot: u32) -> String {
    (403_034_000_001 + u64::from(slot) * 2).to_string()
}

pub(crate) fn tag_id(module: usize, slot: u32) -> String {
    (54_000_000_002_009 + module as u64 * 1_000_000 + u64::from(slot) * 2).to_string()
}

/// Never changes with the tag, because a conversation that names the tag does not change with it.
pub(crate) fn tag_name(slot: u32) -> String {
    let word = TAGS[slot as usize % TAGS.len()];
    if (slot as usize) < TAGS.len() { word.to_owned() } else { format!("{word} {slot}") }
}

pub(crate) fn department_name(slot: u32) -> String {
    format!("Department {}", slot + 1)
}

pub(crate) fn operator_name(slot: u32) -> String {
    NAMES[slot as usize % NAMES.len()].to_owned()
}

pub(crate) fn visitor_name(dice: &mut Dice) -> &'static str {
    dice.pick(&NAMES)
}

pub(crate) fn text(milliseconds: i64) -> Value {
    Value::from(milliseconds.to_string())
}

/// When a record was last written.
fn written(lives: &Lives, slot: u32, life: Life) -> i64 {
    if life.version > life.born { lives.moment(slot, life.version) } else { lives.created(slot) }
}

pub(crate) fn tag(module: usize, lives: &Lives, slot: u32, life: Life) -> Value {
    let mut dice = lives.dice(slot, 20);
    let color = COLORS[(dice.below(4) as usize + life.version as usize) % COLORS.len()];
    let archived = dice.one_in(8);
    let time = text(written(lives, slot, life));
    json!({
        "id": tag_id(module, slot), "name": tag_name(slot), "color": color, "module": MODULES.get(module), "archived": archived,
        "status": if archived { "archived" } else { "unarchived" }, "modified_time": time,
        "modifier": {"id": operator_id(0), "name": operator_name(0), "modified_time": time},
    })
}

pub(crate) fn department(lives: &Lives, slot: u32, life: Life) -> Value {
    let mut dice = lives.dice(slot, 21);
    let revision = if life.version > 1 { format!(", as of revision {}", life.version) } else { String::new() };
    json!({
        "id": department_id(slot), "name": department_name(slot).to_lowercase().replace(' ', "-"),
        "display_name": department_name(slot), "description": format!("What department {} does{revision}", slot + 1),
        // Flags are text here.
        "is_enabled": if dice.one_in(6) { "false" } else { "true" }, "is_public": "true",
        "is_system_generated": if slot == 0 { "true" } else { "false" }, "created_by": operator_id(0),
        "created_time": text(lives.created(slot)), "modified_time": text(written(lives, slot, life)),
    })
}

pub(crate) fn operator(lives: &Lives, slot: u32, life: Life) -> Value {
    let mut dice = lives.dice(slot, 22);
    let title = ["Agent", "Supervisor", "Administrator"][(dice.below(3) as usize + life.version as usize) % 3];
    json!({
        "id": operator_id(slot), "name": operator_name(slot), "email": format!("operator{slot}@example.com"),
        "title": title, "is_bot": false, "image_key": "",
    })
}
