//! Invoices: money as text, nested objects and items with nineteen decimals, batch numbers above 2^53.
//! An invoice belongs to the job of the same slot.

use super::super::resources::Kind;
use super::super::time::DAY;
use super::json::{Json, put};
use super::{Record, words};

const SENT: [&str; 3] = ["NotSent", "Sent", "Opened"];
const REVIEW: [&str; 3] = ["NeedsReview", "OnHold", "Reviewed"];

pub(crate) fn invoice(json: &mut Json<'_>, record: &mut Record<'_>) {
    let Record { fixed, fresh, references, .. } = record;
    let sparse = fixed.one_in(8);
    let owner = fixed.roll();
    let net = 5_000 + fixed.below(400_000) as i64 + 100 * record.version;
    let tax = net * 7 / 100;
    let paid = fresh.one_in(2);
    let day = record.created.midnight();

    put!(json, "syncStatus", text, if fresh.one_in(3) { "Pending" } else { "Exported" });
    if !sparse {
        put!(json, "budgetCodeId", null);
    }
    json.raw(",\"referenceNumber\":");
    json.numbered("", record.id, "");
    put!(json, "invoiceDate", time, day);
    put!(json, "dueDate", opt_time, fixed.sometimes(2, day.plus(30 * DAY)));
    put!(json, "subTotal", money_text, net);
    put!(json, "salesTax", money_text, tax);
    json.raw(",\"salesTaxCode\":{\"id\":3,\"name\":\"DE\",\"taxRate\":0.07}");
    put!(json, "taxZoneId", opt_int, fixed.sometimes(3, 5));
    put!(json, "total", money_text, net + tax);
    put!(json, "balance", money_text, if paid { 0 } else { net + tax });
    json.raw(",\"invoiceType\":");
    json.raw(if fixed.one_in(4) { "null" } else { "{\"id\":1,\"name\":\"Standard\"}" });
    json.raw(",\"customer\":{\"id\":");
    json.int(references.id(Kind::Customers, owner));
    json.raw(",\"name\":");
    words::person(json, fixed);
    json.raw("},\"customerAddress\":");
    words::address(json, fixed);
    json.raw(",\"location\":{\"id\":");
    json.int(references.id(Kind::Locations, owner));
    json.raw(",\"name\":\"Home\"}");
    json.raw(",\"locationAddress\":");
    if sparse {
        json.null()
    } else {
        words::address(json, fixed)
    }
    json.raw(",\"businessUnit\":{\"id\":");
    json.int(references.id(Kind::BusinessUnits, fixed.roll()));
    json.raw(",\"name\":");
    json.text(fixed.pick(&words::UNITS));
    json.raw("},\"termName\":\"Due on receipt\"");
    put!(json, "createdBy", text, fixed.pick(&words::FIRST_NAMES));
    json.raw(",\"batch\":");
    let (id, number) = (words::huge(fixed), words::huge(fixed));
    if fixed.one_in(3) {
        json.raw("{\"id\":");
        json.int(id);
        json.raw(",\"number\":");
        json.numbered("", number, "");
        json.raw(",\"name\":\"Week 9\"}");
    } else {
        json.null();
    }
    put!(json, "depositedOn", null);
    put!(json, "createdOn", time, record.created);
    put!(json, "modifiedOn", time, record.modified);
    put!(json, "adjustmentToId", null);
    json.raw(",\"job\":{\"id\":");
    let job = references.id(Kind::Jobs, record.slot);
    json.int(job);
    json.raw(",\"number\":");
    json.numbered("", job, "");
    json.raw(",\"type\":\"No cool\"}");
    put!(json, "projectId", opt_int, fixed.sometimes(6, 880_011 + (owner % 5000) as i64));
    if !sparse {
        put!(json, "royalty", raw, "{\"status\":\"Pending\",\"date\":null,\"sentOn\":null,\"memo\":null}");
    }
    put!(json, "employeeInfo", null);
    put!(json, "commissionEligibilityDate", null);
    put!(json, "sentStatus", text, fresh.pick(&SENT));
    put!(json, "reviewStatus", text, fresh.pick(&REVIEW));
    put!(json, "assignedTo", null);
    json.raw(",\"summary\":");
    if fixed.one_in(3) {
        json.null()
    } else {
        words::summary(json, fixed, 1, record.version)
    }
    json.raw(",\"items\":");
    items(json, record);
    let Record { fixed, .. } = record;
    json.raw(",\"customFields\":");
    if sparse {
        json.null()
    } else {
        words::custom_fields(json, fixed, 2)
    }
    put!(json, "active", flag, record.active);
    put!(json, "discountTotal", text, "0.00");
    put!(json, "importId", opt_text, fixed.sometimes(5, "00017"));
    put!(json, "exportId", null);
    put!(json, "membershipId", null);
    put!(json, "paidOn", opt_time, paid.then_some(record.modified));
    put!(json, "invoiceConfiguration", text, "Standard");
}

fn items(json: &mut Json<'_>, record: &mut Record<'_>) {
    let Record { fixed, fresh, .. } = record;
    json.raw("[");
    for line in 0..fixed.below(4) {
        json.raw(if line == 0 { "{\"id\":" } else { ",{\"id\":" });
        json.int(record.id * 10 + line as i64);
        put!(json, "description", text, fixed.pick(&words::SENTENCES));
        put!(json, "quantity", long_decimal, 100 * (1 + fixed.below(4) as i64));
        put!(json, "cost", long_decimal, fixed.below(9_000) as i64);
        put!(json, "price", money_text, fresh.below(90_000) as i64);
        put!(json, "skuName", numbered, "T-", fixed.below(900) as i64, "");
        json.raw("}");
    }
    json.raw("]");
}
