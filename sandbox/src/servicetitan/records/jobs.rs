//! Jobs: about 1 KB each, the resource of which there are most.
//! One in eight is sparse: several keys are missing, as in real answers.

use super::super::resources::Kind;
use super::super::time::{DAY, HOUR};
use super::json::{Json, put};
use super::{Record, words};

const STATUSES: [&str; 6] = ["Scheduled", "Dispatched", "InProgress", "Hold", "Completed", "Canceled"];
const PRIORITIES: [&str; 4] = ["Normal", "Low", "High", "Urgent"];

pub(crate) fn job(json: &mut Json<'_>, record: &mut Record<'_>) {
    let Record { fixed, fresh, references, slot, .. } = record;
    let sparse = fixed.one_in(8);
    let owner = fixed.roll();
    let status = if fresh.one_in(4) { fresh.pick(&STATUSES) } else { "Completed" };
    let completed = (status == "Completed").then(|| record.created.plus(fresh.below(3 * DAY)));

    json.raw(",\"jobNumber\":");
    if fixed.one_in(10) {
        json.numbered("R-", record.id % 1000, "-2");
    } else {
        json.numbered("", record.id, "");
    }
    put!(json, "projectId", opt_int, fixed.sometimes(6, 880_011 + (owner % 5000) as i64));
    put!(json, "customerId", int, references.id(Kind::Customers, owner));
    put!(json, "locationId", int, references.id(Kind::Locations, owner));
    put!(json, "jobStatus", text, status);
    put!(json, "completedOn", opt_time, completed);
    put!(json, "businessUnitId", int, references.id(Kind::BusinessUnits, fixed.roll()));
    put!(json, "jobTypeId", int, references.id(Kind::JobTypes, fixed.roll()));
    put!(json, "priority", text, fixed.pick(&PRIORITIES));
    put!(json, "campaignId", int, references.id(Kind::Campaigns, fixed.roll()));
    let appointment = 410_000_001 + 2 * *slot as i64;
    let visits = fixed.below(2) as i64;
    put!(json, "appointmentCount", int, visits + record.version);
    put!(json, "firstAppointmentId", int, appointment);
    put!(json, "lastAppointmentId", int, appointment + visits);
    if !sparse {
        put!(json, "recallForId", null);
        put!(json, "warrantyId", null);
        json.raw(",\"jobGeneratedLeadSource\":{\"jobId\":null,\"employeeId\":");
        let employee = references.id(Kind::Employees, fixed.roll());
        json.opt_int(fixed.sometimes(3, employee));
        json.raw("}");
    }
    put!(json, "noCharge", flag, fixed.one_in(12));
    put!(json, "notificationsEnabled", flag, !fixed.one_in(3));
    put!(json, "createdOn", time, record.created);
    put!(json, "createdById", int, 9_001 + fixed.below(60) as i64);
    put!(json, "modifiedOn", time, record.modified);
    let tags = fixed.below(3) as i64;
    put!(json, "tagTypeIds", ints, (0..tags).map(|tag| 3 + 5 * tag));
    if !sparse {
        let call = words::huge(fixed);
        put!(json, "leadCallId", opt_int, fixed.sometimes(5, call));
        put!(json, "partnerLeadCallId", null);
        put!(json, "bookingId", opt_int, fixed.sometimes(7, 2_200_000 + (owner % 90_000) as i64));
        let seller = references.id(Kind::Technicians, owner >> 7);
        put!(json, "soldById", opt_int, fixed.sometimes(4, seller));
    }
    json.raw(",\"customerPo\":");
    match fixed.below(6) {
        0 => json.numbered("PO-", (owner % 1000) as i64, ""),
        1 => json.digits(owner % 100_000, 7),
        _ => json.null(),
    }
    put!(json, "invoiceId", int, references.id(Kind::Invoices, *slot));
    if !sparse {
        put!(json, "membershipId", null);
    }
    json.raw(",\"total\":");
    match fresh.below(8) {
        0 => json.null(),
        1 | 2 => json.int(fresh.below(4000) as i64),
        _ => json.decimal(fresh.below(500_000) as i64),
    }
    if !sparse {
        put!(json, "createdFromEstimateId", null);
    }
    put!(json, "estimateIds", ints, fixed.sometimes(4, 7_001 + (owner % 900) as i64));
    json.raw(",\"summary\":");
    if fixed.one_in(20) {
        json.null();
    } else {
        let length = 2 + fixed.below(4);
        words::summary(json, fixed, length, fresh.below(90) as i64 + 100 * record.version);
    }
    json.raw(",\"customFields\":");
    words::custom_fields(json, fixed, 3);
    json.raw(",\"externalData\":");
    words::external_data(json, fixed);
    if !sparse {
        let arrival = record.created.plus(HOUR + fresh.below(DAY));
        put!(json, "arrivalWindowStart", time, arrival);
    }
}
