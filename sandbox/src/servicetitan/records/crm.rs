//! Customers and locations: addresses with zips that look like numbers, balances, merged records.
//! A location belongs to the customer of the same slot.

use super::super::resources::Kind;
use super::json::{Json, put};
use super::{Record, words};

pub(crate) fn customer(json: &mut Json<'_>, record: &mut Record<'_>) {
    let Record { fixed, fresh, .. } = record;
    let sparse = fixed.one_in(8);
    put!(json, "active", flag, record.active);
    json.raw(",\"name\":");
    words::person(json, fixed);
    put!(json, "type", text, if fixed.one_in(5) { "Commercial" } else { "Residential" });
    json.raw(",\"address\":");
    words::address(json, fixed);
    json.raw(",\"customFields\":");
    words::custom_fields(json, fixed, 2);
    put!(json, "balance", decimal, fixed.below(200_000) as i64 - 50_000 + 25 * record.version);
    put!(json, "taxExempt", flag, fixed.one_in(9));
    put!(json, "tagTypeIds", ints, fixed.sometimes(2, 11));
    put!(json, "doNotMail", flag, fixed.one_in(7));
    put!(json, "doNotService", flag, fresh.one_in(30));
    if !sparse {
        put!(json, "nationalAccount", flag, false);
    }
    put!(json, "createdOn", time, record.created);
    put!(json, "createdById", int, 9_001 + fixed.below(60) as i64);
    put!(json, "modifiedOn", time, record.modified);
    let merged = words::huge(fixed);
    put!(json, "mergedToId", opt_int, fixed.sometimes(20, merged));
    if !sparse {
        put!(json, "paymentTermId", opt_int, fixed.sometimes(2, 14));
        put!(json, "creditLimit", opt_decimal, fixed.sometimes(3, 500_000));
        put!(json, "creditLimitBalance", opt_decimal, fixed.sometimes(3, 123_450));
    }
    json.raw(",\"externalData\":");
    words::external_data(json, fixed);
}

pub(crate) fn location(json: &mut Json<'_>, record: &mut Record<'_>) {
    let Record { fixed, fresh, .. } = record;
    let sparse = fixed.one_in(8);
    put!(json, "customerId", int, record.references.id(Kind::Customers, record.slot));
    put!(json, "active", flag, record.active);
    json.raw(",\"name\":");
    if fixed.one_in(3) {
        json.text("Home 🏠")
    } else {
        words::person(json, fixed)
    }
    json.raw(",\"address\":");
    words::address(json, fixed);
    json.raw(",\"customFields\":");
    words::custom_fields(json, fixed, 2);
    put!(json, "createdOn", time, record.created);
    put!(json, "createdById", int, 9_001 + fixed.below(60) as i64);
    put!(json, "modifiedOn", time, record.modified);
    put!(json, "mergedToId", null);
    put!(json, "zoneId", opt_int, (record.version > 1 || fixed.one_in(2)).then_some(30 + record.version));
    put!(json, "taxExempt", flag, fresh.one_in(9));
    put!(json, "tagTypeIds", ints, (0..fixed.below(3) as i64).map(|tag| 40 + tag));
    json.raw(",\"externalData\":");
    words::external_data(json, fixed);
    if !sparse {
        put!(json, "taxZoneId", opt_int, fixed.sometimes(3, 5));
    }
}
