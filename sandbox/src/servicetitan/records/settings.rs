//! Small reference lists: business units, job types and campaigns.
//! Inactive business units are nearly empty, as in real accounts.

use super::super::resources::Kind;
use super::json::{Json, put};
use super::{Record, words};

const CLASSES: [&str; 3] = ["Service", "Install", "Maintenance"];

pub(crate) fn business_unit(json: &mut Json<'_>, record: &mut Record<'_>) {
    let Record { fixed, .. } = record;
    put!(json, "active", flag, record.active);
    put!(json, "name", text, words::UNITS[(record.slot % 8) as usize]);
    if fixed.one_in(6) {
        put!(json, "officialName", numbered, "Alder Comfort ", record.version, "");
        json.raw(",\"email\":null,\"currency\":null,\"phoneNumber\":null,\"address\":null");
        json.raw(",\"trade\":null,\"division\":null,\"tagTypeIds\":null,\"tenant\":null");
        put!(json, "defaultTaxRate", null);
        put!(json, "createdOn", time, record.created);
        put!(json, "modifiedOn", time, record.modified);
        put!(json, "externalData", null);
        return;
    }
    put!(json, "officialName", text, "Alder Comfort LLC");
    put!(json, "email", numbered, "unit", record.slot as i64, "@example.com");
    put!(json, "currency", text, "USD");
    put!(json, "phoneNumber", digits, fixed.below(10_000_000), 10);
    put!(json, "invoiceHeader", text, "<b>Alder</b>");
    put!(json, "invoiceMessage", null);
    put!(json, "defaultTaxRate", decimal, fixed.below(12) as i64 + record.version);
    json.raw(",\"authorizationParagraph\":null,\"acknowledgementParagraph\":null,\"address\":");
    words::address(json, fixed);
    json.raw(",\"materialSku\":null,\"quickbooksClass\":\"North\"");
    put!(json, "accountCode", digits, fixed.below(900), 4);
    json.raw(",\"franchiseId\":null,\"conceptCode\":null,\"corporateContractNumber\":null");
    json.raw(
        ",\"trade\":{\"id\":1,\"name\":\"HVAC\"},\"division\":{\"id\":2,\"name\":\"Residential\"},\"tagTypeIds\":[]",
    );
    json.raw(",\"tenant\":{\"id\":900100,\"name\":\"alder\",\"accountCode\":\"A1\",\"franchiseId\":null}");
    put!(json, "createdOn", time, record.created);
    put!(json, "modifiedOn", time, record.modified);
    json.raw(",\"externalData\":");
    words::external_data(json, fixed);
}

pub(crate) fn job_type(json: &mut Json<'_>, record: &mut Record<'_>) {
    let Record { fixed, fresh, references, .. } = record;
    put!(json, "name", numbered, "No cool ", record.slot as i64, " ❄");
    let units = fixed.below(3);
    put!(json, "businessUnitIds", ints, (0..units).map(|unit| references.id(Kind::BusinessUnits, unit)));
    json.raw(",\"skills\":[");
    if fixed.one_in(2) {
        json.text(fixed.pick(&words::SKILLS));
    }
    json.raw("],\"tagTypeIds\":[]");
    put!(json, "priority", text, "Normal");
    put!(json, "duration", int, 900 * (fixed.below(16) as i64 + record.version));
    put!(json, "soldThreshold", opt_decimal, fixed.sometimes(2, 9_999));
    put!(json, "class", text, fixed.pick(&CLASSES));
    json.raw(",\"summary\":");
    if fixed.one_in(3) {
        json.null()
    } else {
        words::summary(json, fixed, 1, record.version)
    }
    put!(json, "noCharge", flag, false);
    put!(json, "enforceRecurringServiceEventSelection", null);
    put!(json, "invoiceSignaturesRequired", flag, true);
    put!(json, "modifiedOn", time, record.modified);
    put!(json, "createdOn", time, record.created);
    json.raw(",\"externalData\":");
    words::external_data(json, fixed);
    put!(json, "active", flag, record.active);
    put!(json, "isSmartDispatched", flag, fresh.one_in(2));
}

pub(crate) fn campaign(json: &mut Json<'_>, record: &mut Record<'_>) {
    let Record { fixed, .. } = record;
    put!(json, "name", numbered, "Spring \\\"Tune-Up\\\" ", record.slot as i64, " 🌷");
    put!(json, "modifiedOn", time, record.modified);
    put!(json, "createdOn", time, record.created);
    put!(json, "active", flag, record.active);
    if !fixed.one_in(5) {
        put!(json, "isDefaultCampaign", flag, record.slot == 0);
    }
    json.raw(",\"category\":");
    if fixed.one_in(4) {
        json.null();
    } else {
        json.raw("{\"id\":");
        json.int(fixed.below(6) as i64 + 1);
        json.raw(",\"name\":\"Online\",\"active\":true}");
    }
    put!(json, "source", opt_text, fixed.sometimes(2, "Google"));
    put!(json, "otherSource", null);
    put!(json, "businessUnit", opt_text, fixed.sometimes(2, "Plumbing"));
    json.raw(",\"medium\":");
    if record.version > 1 {
        json.numbered("CPC ", record.version, "")
    } else {
        json.opt_text(fixed.sometimes(2, "CPC"))
    }
    put!(json, "otherMedium", null);
    json.raw(",\"campaignPhoneNumbers\":");
    match fixed.below(3) {
        0 => json.null(),
        1 => json.raw("[]"),
        _ => json.raw("[\"0005550100\",\"+1 555 0101\"]"),
    }
}
