//! Records of the resources that nobody reads closely: a key, a name, times, an amount, lists and nulls as everywhere in this API.
//! Which of them a record has follows from its resource; a change always shows in the amount.

use super::super::resources::{Dates, Key, Kind};
use super::json::{Json, put};
use super::{Record, words};

const EVENTS: [&str; 4] = ["Scheduled", "Dispatched", "Arrived", "Done"];

/// The first members, where they are not `id`; no two records of a list have the same.
pub(crate) fn key(json: &mut Json<'_>, record: &mut Record<'_>) {
    let Record { fixed, references, id, slot, .. } = record;
    match record.resource.key {
        Key::Id => {}
        Key::Job => {
            json.raw("\"jobId\":");
            json.int(*id);
        }
        Key::TechnicianAndJob => {
            json.raw("\"technicianId\":");
            json.int(references.id(Kind::Technicians, fixed.roll()));
            put!(json, "jobId", int, *id);
        }
        Key::EmployeeAndType => {
            json.raw("\"employeeId\":");
            json.int(*id);
            put!(json, "employeeType", text, if slot.is_multiple_of(2) { "Technician" } else { "Employee" });
        }
        Key::LocationAndLaborType => {
            json.raw("\"locationId\":");
            json.int(references.id(Kind::Locations, *slot / 3));
            put!(json, "laborTypeCode", digits, *slot % 3 + 1, 3);
        }
        Key::Contact => {
            json.raw("\"contactNumber\":");
            json.numbered("+1", 5_550_000_000 + *slot as i64, "");
        }
        Key::Nothing => {
            json.raw("\"reference\":");
            json.digits(*slot, 8);
        }
    }
}

/// Everything behind the key.
pub(crate) fn members(json: &mut Json<'_>, record: &mut Record<'_>) {
    let resource = record.resource;
    let Record { fixed, fresh, .. } = record;
    let sparse = fixed.one_in(8);
    put!(json, "name", numbered, fixed.pick(&["Nº ", "Größe ", "Mục ", "Type \\\"A\\\" "]), record.slot as i64, "");
    if !sparse {
        put!(json, "code", digits, fixed.below(100_000), 6);
    }
    if resource.has_active() {
        put!(json, "active", flag, record.active);
    }
    match resource.dates {
        Dates::Submitted => put!(json, "submittedOn", time, record.created),
        _ => put!(json, "createdOn", time, record.created),
    }
    if resource.shows_modified {
        put!(json, "modifiedOn", time, record.modified);
    }
    put!(json, "amount", decimal, fixed.below(200_000) as i64 - 50_000 + 25 * record.version);
    put!(json, "isDefault", flag, fresh.one_in(2));
    json.raw(",\"memo\":");
    if fixed.one_in(3) {
        json.null();
    } else {
        words::summary(json, fixed, 1, record.version);
    }
    if !matches!(resource.key, Key::Job | Key::TechnicianAndJob) {
        let job = record.references.id(Kind::Jobs, fixed.roll());
        put!(json, "jobId", opt_int, fixed.sometimes(2, job));
    }
    put!(json, "tagTypeIds", ints, (0..fixed.below(3) as i64).map(|tag| 40 + tag));
    if !sparse {
        json.raw(",\"customFields\":");
        words::custom_fields(json, fixed, 2);
        json.raw(",\"externalData\":");
        words::external_data(json, fixed);
    }
    if resource.path == "job-history" {
        history(json, record);
    }
}

/// One entry for each generation that changed the record.
fn history(json: &mut Json<'_>, record: &mut Record<'_>) {
    json.raw(",\"history\":[");
    for entry in 0..record.version {
        json.raw(if entry == 0 { "{\"id\":" } else { ",{\"id\":" });
        json.int(record.id * 10 + entry);
        put!(json, "eventType", text, EVENTS[entry as usize % EVENTS.len()]);
        put!(json, "date", time, record.created.plus(entry as u64));
        json.raw("}");
    }
    json.raw("]");
}
