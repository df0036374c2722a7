//! Many accounts with many streams of few records each, beside the same number of the same records as one unit: what a unit costs by itself.

use crate::batches;
use crate::measure::{Measured, best};
use crate::place::{Place, WAREHOUSE};
use crate::report;
use crate::stand_in::{StandIn, Stream};
use std::time::Duration;

const ACCOUNTS: usize = 50;
const RECORDS: usize = 200;
/// Streams whose records have the same columns.
const STREAMS: [Stream; 20] = [
    ("credit_memos", "credit-memos"),
    ("gl_accounts", "gl-accounts"),
    ("gl_accounts_types", "gl-accounts/types"),
    ("remittance_vendors", "remittance-vendors"),
    ("tax_zones", "tax-zones"),
    ("technician_shifts", "technician-shifts"),
    ("technician_skills", "technician-skills"),
    ("zones", "zones"),
    ("equipment_types", "equipment-types"),
    ("installed_equipment", "installed-equipment"),
    ("location_findings", "location-findings"),
    ("forms", "forms"),
    ("adjustments", "adjustments"),
    ("inventory_templates", "inventory-templates"),
    ("purchase_order_types", "purchase-order-types"),
    ("receipts", "receipts"),
    ("trucks", "trucks"),
    ("warehouses", "warehouses"),
    ("call_reasons", "call-reasons"),
    ("job_hold_reasons", "job-hold-reasons"),
];

pub(crate) fn fleet(rounds: usize) {
    let units = ACCOUNTS * STREAMS.len();
    let records = units * RECORDS;
    let fleet = Turn::new(StandIn::new(ACCOUNTS, &STREAMS, RECORDS, 5_000, Duration::ZERO), rounds);
    let one = Turn::new(StandIn::new(1, &STREAMS[..1], records, 5_000, Duration::ZERO), rounds);
    report::header(&format!("{ACCOUNTS} accounts x {} streams x {RECORDS} records", STREAMS.len()));
    for (name, turn) in [(format!("{units} units"), &fleet), ("one unit".to_owned(), &one)] {
        report::line(&format!("extract-job, {name}"), &turn.extract, records, turn.bytes);
        report::line(&format!("load-job, new tables, {name}"), &turn.load, records, turn.bytes);
        report::line(&format!("load-job, nothing changed, {name}"), &turn.reload, records, turn.bytes);
    }
    println!("\nextract of {units} units: {:.2} s (aim 2.0)", fleet.extract.seconds);
    println!(
        "{units} units / one unit: load of new tables {:.2} (aim 1.3), nothing changed {:.2} (aim 1.3), extract {:.2}\n",
        fleet.load.over(&one.load),
        fleet.reload.over(&one.reload),
        fleet.extract.over(&one.extract),
    );
}

/// What is measured of the one and of the other.
struct Turn {
    extract: Measured,
    load: Measured,
    reload: Measured,
    bytes: u64,
}

impl Turn {
    fn new(stand_in: StandIn, rounds: usize) -> Self {
        let place = Place::new(&stand_in.source());
        let extract = best(rounds, || place.extract());
        drop(stand_in);
        let first = place.latest();
        let again = batches::again(&place, &first);
        let load = best(rounds, || {
            place.without(WAREHOUSE);
            place.load(&first)
        });
        place.keep(WAREHOUSE);
        let reload = best(rounds, || {
            place.restore(WAREHOUSE);
            place.load(&again)
        });
        Self { extract, load, reload, bytes: batches::bytes(&place, &first) }
    }
}
