//! Technicians and employees: wide records with nested homes, skills and permissions.
//! One technician in eight is sparse: null lists and many missing keys.

use super::super::resources::Kind;
use super::json::{Json, put};
use super::{Record, words};

const ROLES: [&str; 4] = ["Dispatcher", "Owner", "Accounting", "Other"];

pub(crate) fn technician(json: &mut Json<'_>, record: &mut Record<'_>) {
    let Record { fixed, fresh, references, .. } = record;
    let sparse = fixed.one_in(8);
    let (first, last) = (fixed.pick(&words::FIRST_NAMES), fixed.pick(&words::LAST_NAMES));
    put!(json, "userId", int, record.id + 870_000_000);
    put!(json, "name", joined, &[first, " ", last]);
    put!(json, "firstName", opt_text, (!sparse).then_some(first));
    put!(json, "lastName", opt_text, (!sparse).then_some(last));
    put!(json, "active", flag, record.active);
    put!(json, "roleIds", raw, if sparse { "null" } else { "[4]" });
    let unit = references.id(Kind::BusinessUnits, fixed.roll());
    put!(json, "businessUnitId", opt_int, (!sparse).then_some(unit));
    put!(json, "zoneIds", raw, if sparse { "null" } else { "[]" });
    put!(json, "createdOn", time, record.created);
    put!(json, "modifiedOn", time, record.modified);
    put!(json, "email", numbered, "tech", record.slot as i64, "@example.com");
    put!(json, "phoneNumber", digits, fixed.below(10_000_000), 10);
    put!(json, "dailyGoal", decimal, fixed.below(300_000) as i64 + 100 * record.version);
    put!(json, "isManagedTech", flag, !sparse);
    put!(json, "licenseType", text, if sparse { "NonManagedTech" } else { "ManagedTech" });
    json.raw(",\"payrollId\":");
    if fixed.one_in(3) {
        json.numbered("T-", record.slot as i64, "")
    } else {
        json.digits(record.slot, 4)
    }
    put!(json, "status", text, "Idle");
    if sparse {
        json.raw(",\"skills\":[],\"positions\":[],\"permissions\":[]");
        return;
    }
    put!(json, "mainZoneId", null);
    put!(json, "mobilePhone", null);
    put!(json, "loginName", numbered, "login", record.slot as i64, "");
    json.raw(",\"home\":");
    words::address(json, fixed);
    json.raw(",\"customFields\":");
    words::custom_fields(json, fixed, 2);
    put!(json, "aadUserId", null);
    put!(json, "burdenRate", long_decimal, 1_000 + fixed.below(3_000) as i64);
    put!(json, "team", text, fixed.pick(&["North", "South", "Đội 1"]));
    put!(json, "jobFilter", text, "AllScheduledDispatchedWorking");
    json.raw(",\"permissions\":[{\"id\":12,\"value\":\"Allow\"}],\"accountLocked\":false,\"commissionRate\":0.0");
    put!(json, "currentValue", decimal, fresh.below(90_000) as i64);
    put!(json, "hourlyRate", decimal, 1_500 + fixed.below(4_000) as i64);
    json.raw(",\"jobId\":null,\"outboundCallerId\":null,\"payrollProfileId\":3,\"appoitmentId\":null");
    json.raw(",\"shiftStart\":\"08:00:00\",\"shiftEnd\":\"17:00:00\",\"soldByRate\":0.0");
    put!(json, "startDate", time, record.created.midnight());
    json.raw(",\"skills\":[{\"id\":2,\"name\":");
    json.text(fixed.pick(&words::SKILLS));
    json.raw(
        "}],\"positions\":[\"Service\"],\"location\":{\"latitude\":39.2,\"longitude\":-75.5,\"coordinatesUpdatedOn\":",
    );
    json.time(record.modified);
    json.raw("},\"bio\":");
    if fixed.one_in(2) {
        json.null()
    } else {
        words::summary(json, fixed, 1, 0)
    }
    put!(json, "memo", null);
}

pub(crate) fn employee(json: &mut Json<'_>, record: &mut Record<'_>) {
    let Record { fixed, references, .. } = record;
    let (first, last) = (fixed.pick(&words::FIRST_NAMES), fixed.pick(&words::LAST_NAMES));
    put!(json, "userId", int, record.id + 870_000_000);
    put!(json, "name", joined, &[first, " ", last]);
    put!(json, "firstName", text, first);
    put!(json, "lastName", opt_text, fixed.sometimes(2, last));
    put!(json, "managerId", null);
    put!(json, "role", text, fixed.pick(&ROLES));
    put!(json, "roleIds", ints, [fixed.below(9) as i64]);
    let unit = references.id(Kind::BusinessUnits, fixed.roll());
    put!(json, "businessUnitId", opt_int, fixed.sometimes(2, unit));
    put!(json, "createdOn", time, record.created);
    put!(json, "modifiedOn", time, record.modified);
    put!(json, "email", numbered, "office", record.slot as i64, "@example.com");
    put!(json, "phoneNumber", digits, fixed.below(10_000_000), 10);
    put!(json, "loginName", null);
    put!(json, "active", flag, record.active);
    put!(json, "aadUserId", null);
    put!(json, "accountLocked", flag, false);
    json.raw(",\"home\":");
    if fixed.one_in(4) {
        json.null()
    } else {
        words::address(json, fixed)
    }
    put!(json, "agentId", int, record.slot as i64 + 1);
    put!(json, "startDate", opt_time, fixed.sometimes(2, record.created.midnight()));
    put!(json, "terminationDate", opt_time, (!record.active).then_some(record.modified.midnight()));
    put!(json, "hourlyRate", decimal, 1_500 + fixed.below(4_000) as i64 + 25 * record.version);
    put!(json, "overtimeProfileId", null);
    json.raw(",\"customFields\":");
    words::custom_fields(json, fixed, 1);
    put!(json, "permissions", raw, "[]");
}
