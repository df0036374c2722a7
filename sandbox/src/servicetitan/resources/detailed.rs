//! The resources whose records are made field by field as the real ones are: what the demo, the tests and the benchmark read most.
//! In the order of [`Kind`], because records refer to each other by it.

use super::super::records::{accounting, crm, jobs, payroll, people, settings};
use super::{Inactive, Kind, Resource, Sorting, list};

pub(super) const DETAILED: [Resource; 12] = [
    Resource {
        kind: Kind::BusinessUnits,
        first_id: 201_000_001,
        count: |records| 8 + records % 5,
        write: settings::business_unit,
        ..list("settings", "business-units").active().fed()
    },
    Resource {
        kind: Kind::JobTypes,
        first_id: 71_000_001,
        count: |_| 40,
        write: settings::job_type,
        ..list("jpm", "job-types").active().sorting(Sorting::OrderBy)
    },
    Resource {
        kind: Kind::Technicians,
        first_id: 120_000_001,
        count: |records| (records / 50).max(20),
        write: people::technician,
        ..list("settings", "technicians").active().fed()
    },
    Resource {
        kind: Kind::Employees,
        first_id: 45_000_001,
        count: |records| (records / 40).max(30),
        write: people::employee,
        ..list("settings", "employees").active().fed()
    },
    Resource {
        kind: Kind::Campaigns,
        first_id: 81_200_001,
        count: |_| 60,
        write: settings::campaign,
        ..list("marketing", "campaigns").active().sorted()
    },
    Resource {
        kind: Kind::Activities,
        first_id: 800_000_001,
        count: |records| records,
        write: payroll::activity,
        ..list("timesheets", "activities").active().sorted().fed()
    },
    Resource {
        kind: Kind::Timesheets,
        first_id: 700_000_001,
        count: |records| records,
        write: payroll::timesheet,
        ..list("payroll", "jobs/timesheets").named("timesheets").active().sorted().fed()
    },
    Resource {
        kind: Kind::Jobs,
        first_id: 310_000_101,
        count: |records| records,
        write: jobs::job,
        ..list("jpm", "jobs").sorted().fed()
    },
    Resource {
        kind: Kind::Customers,
        first_id: 55_000_001,
        count: |records| records / 2,
        write: crm::customer,
        ..list("crm", "customers").active().sorted().fed()
    },
    Resource {
        kind: Kind::Invoices,
        first_id: 510_000_001,
        count: |records| records,
        write: accounting::invoice,
        ..list("accounting", "invoices").inactive(Inactive::ActiveState).sorted().fed()
    },
    Resource {
        kind: Kind::Locations,
        first_id: 66_000_001,
        count: |records| records / 2,
        write: crm::location,
        ..list("crm", "locations").active().sorted().fed()
    },
    Resource {
        kind: Kind::GrossPayItems,
        first_id: 600_000_001,
        count: |records| records,
        write: payroll::gross_pay_item,
        ..list("payroll", "gross-pay-items").sorted().fed()
    },
];
