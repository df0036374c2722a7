//! Activities, job timesheets and gross pay items: many narrow records full of nullable times and codes.
//! Gross pay items carry the odd zips ("-", "n/a"), decimals with nineteen digits and ids above 2^53.

use super::super::resources::Kind;
use super::super::time::{HOUR, SECOND};
use super::json::{Json, put};
use super::{Record, words};

const ITEM_TYPES: [&str; 5] = ["InvoiceRelatedBonus", "TimesheetTime", "CustomBonus", "Salary", "Reimbursement"];
const TIME_TYPES: [&str; 4] = ["Regular", "Overtime", "DoubleOvertime", "PaidTimeOff"];
const ZIPS: [&str; 8] = ["01905", "00501", "-", "85001", "07102", "n/a", "", "04101-0012"];

pub(crate) fn activity(json: &mut Json<'_>, record: &mut Record<'_>) {
    let Record { fixed, fresh, references, .. } = record;
    let on_job = fixed.one_in(2);
    let choice = fixed.roll();
    let person = if on_job { Kind::Technicians } else { Kind::Employees };
    put!(json, "employeeId", int, references.id(person, choice));
    put!(json, "employeeType", text, if on_job { "Technician" } else { "Employee" });
    put!(json, "activityTypeId", int, fixed.below(14) as i64);
    put!(json, "startTime", time, record.created);
    let end = record.created.plus(fixed.below(4 * HOUR / SECOND) * SECOND);
    put!(json, "endTime", opt_time, (!fresh.one_in(9)).then_some(end));
    put!(json, "jobId", opt_int, on_job.then(|| references.id(Kind::Jobs, choice)));
    put!(json, "appointmentId", opt_int, on_job.then_some(410_000_001 + (choice % 100_000) as i64));
    put!(json, "projectId", opt_int, (!on_job).then_some(880_011));
    put!(json, "projectLabel", opt_text, (!on_job).then_some("2025-14"));
    put!(json, "laborTypeId", null);
    put!(json, "budgetCodeId", opt_int, fixed.sometimes(3, 19));
    put!(json, "memo", opt_text, fresh.sometimes(3, "lái xe \\\"đường dài\\\""));
    put!(json, "tagTypes", ints, fixed.sometimes(3, 4));
    json.raw(",\"startCoordinate\":");
    if fixed.one_in(2) {
        json.null();
    } else {
        json.raw("{\"latitude\":");
        json.degrees(39_100_000 + fixed.below(900_000) as i64);
        json.raw(",\"longitude\":");
        json.degrees(-75_400_000 - fixed.below(900_000) as i64);
        json.raw("}");
    }
    put!(json, "endCoordinate", null);
    put!(json, "active", flag, record.active);
    put!(json, "modifiedById", opt_int, (record.version > 1 || fixed.one_in(2)).then_some(990_000 + record.version));
    put!(json, "createdOn", time, record.created);
    put!(json, "modifiedOn", time, record.modified);
}

pub(crate) fn timesheet(json: &mut Json<'_>, record: &mut Record<'_>) {
    let Record { fixed, fresh, references, .. } = record;
    let canceled = fresh.one_in(8);
    let arrived = record.created.plus((60 + fixed.below(3_600) + record.version as u64) * SECOND);
    let done = arrived.plus(fresh.below(5 * HOUR / SECOND) * SECOND);
    put!(json, "jobId", int, references.id(Kind::Jobs, record.slot));
    put!(json, "appointmentId", int, 410_000_001 + 2 * record.slot as i64);
    put!(json, "technicianId", int, references.id(Kind::Technicians, fixed.roll()));
    put!(json, "dispatchedOn", time, record.created);
    put!(json, "arrivedOn", opt_time, (!canceled).then_some(arrived));
    put!(json, "canceledOn", opt_time, canceled.then_some(arrived));
    put!(json, "doneOn", opt_time, (!canceled).then_some(done));
    put!(json, "createdOn", time, record.created);
    put!(json, "modifiedOn", time, record.modified);
    put!(json, "active", flag, record.active);
}

pub(crate) fn gross_pay_item(json: &mut Json<'_>, record: &mut Record<'_>) {
    let Record { fixed, fresh, references, .. } = record;
    let technician = !fixed.one_in(4);
    let choice = fixed.roll();
    let person = if technician { Kind::Technicians } else { Kind::Employees };
    let unit = fixed.pick(&words::UNITS);
    put!(json, "employeeId", int, references.id(person, choice));
    put!(json, "employeeType", text, if technician { "Technician" } else { "Employee" });
    put!(json, "businessUnitName", opt_text, technician.then_some(unit));
    put!(json, "payrollId", int, 3_300 + (choice % 40) as i64);
    json.raw(",\"employeePayrollId\":");
    if fixed.one_in(5) {
        json.null()
    } else {
        json.digits(choice % 900, 4)
    }
    put!(json, "date", time, record.created.midnight());
    put!(json, "activity", opt_text, technician.then_some("Working"));
    if technician {
        json.raw(",\"activityCodeId\":9,\"activityCode\":\"REG\"");
    }
    put!(json, "amount", decimal, fixed.below(60_000) as i64 + 125 * record.version);
    put!(json, "amountAdjustment", opt_decimal, fresh.sometimes(3, -1_250));
    if technician {
        put!(json, "payoutBusinessUnitName", text, unit);
    }
    put!(json, "grossPayItemType", text, fixed.pick(&ITEM_TYPES));
    let started = record.created.plus(HOUR);
    put!(json, "startedOn", opt_time, technician.then_some(started));
    put!(json, "endedOn", opt_time, technician.then_some(started.plus(fixed.below(8 * HOUR))));
    json.raw(",\"paidDurationHours\":");
    match fixed.below(3) {
        0 => json.long_decimal(fixed.below(1_000) as i64),
        1 => json.decimal(fixed.below(1_000) as i64),
        _ => json.null(),
    }
    put!(json, "paidTimeType", opt_text, technician.then_some(fixed.pick(&TIME_TYPES)));
    let source = words::huge(fixed);
    put!(json, "sourceEntityId", opt_int, fixed.sometimes(2, source));
    let job = references.id(Kind::Jobs, record.slot);
    put!(json, "jobId", int, if technician { job } else { 0 });
    if technician {
        put!(json, "jobNumber", numbered, "", job, "");
        put!(json, "jobTypeName", text, "No cool");
        json.raw(",\"projectNumber\":null,\"projectId\":null");
        let invoice = references.id(Kind::Invoices, record.slot);
        put!(json, "invoiceId", int, invoice);
        put!(json, "invoiceNumber", numbered, "", invoice, "");
        put!(json, "invoiceItemId", null);
        put!(json, "customerId", int, references.id(Kind::Customers, choice));
        json.raw(",\"customerName\":");
        words::person(json, fixed);
        put!(json, "locationId", int, references.id(Kind::Locations, choice));
        put!(json, "locationName", text, "Home");
        put!(json, "locationAddress", text, "1 Elm St, Dover, DE");
    }
    put!(json, "locationZip", text, fixed.pick(&ZIPS));
    put!(json, "zoneName", null);
    put!(json, "taxZoneName", opt_text, fixed.sometimes(2, "DE"));
    json.raw(",\"laborTypeId\":null,\"laborTypeCode\":null,\"budgetCodeId\":null");
    put!(json, "isPrevailingWageJob", flag, fixed.one_in(9));
    put!(json, "memo", opt_text, fresh.sometimes(4, "spiff 💸 \\\\ see \\\"note\\\""));
    put!(json, "createdOn", time, record.created);
    put!(json, "modifiedOn", time, record.modified);
}
