//! The resources that the stand-in serves: path, feed, filters, size and the family that writes the records.
//! The one place to add a resource; taken from the facts about the real API.

use super::records::json::Json;
use super::records::{Record, accounting, crm, jobs, payroll, people, settings};

/// The parameter that asks for inactive rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inactive {
    /// Records have no `active`; the parameter is ignored.
    Never,
    /// `active=True|False|Any`.
    Active,
    /// `activeState=ActiveOnly|InactiveOnly|All`.
    ActiveState,
}

/// How an order is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sorting {
    Never,
    /// `sort=+Id`.
    Sort,
    /// `orderBy=Id&orderByDirection=asc`.
    OrderBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BusinessUnits,
    JobTypes,
    Technicians,
    Employees,
    Campaigns,
    Activities,
    Timesheets,
    Jobs,
    Customers,
    Invoices,
    Locations,
    GrossPayItems,
}

#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) kind: Kind,
    pub(crate) module: &'static str,
    /// Path after the tenant; also the resource's name in options and calls.
    pub(crate) path: &'static str,
    /// The stream's usual name, accepted in its place.
    stream: &'static str,
    pub(crate) exported: bool,
    pub(crate) inactive: Inactive,
    pub(crate) sorting: Sorting,
    pub(crate) first_id: i64,
    pub(crate) count: fn(usize) -> usize,
    pub(crate) write: fn(&mut Json<'_>, &mut Record<'_>),
}

impl Resource {
    pub(crate) fn has_active(&self) -> bool {
        self.inactive != Inactive::Never
    }
}

/// The resource of a path (`jobs/timesheets`) or a stream name (`timesheets`, `business_units`).
pub(crate) fn find(name: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| resource.path == name || resource.stream == name)
}

/// The resource that a module serves under a path.
pub(crate) fn route(module: &str, path: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| resource.module == module && resource.path == path)
}

/// In the order of [`Kind`].
pub(crate) static RESOURCES: [Resource; 12] = [
    Resource {
        kind: Kind::BusinessUnits,
        module: "settings",
        path: "business-units",
        stream: "business_units",
        exported: true,
        inactive: Inactive::Active,
        sorting: Sorting::Never,
        first_id: 201_000_001,
        count: |records| 8 + records % 5,
        write: settings::business_unit,
    },
    Resource {
        kind: Kind::JobTypes,
        module: "jpm",
        path: "job-types",
        stream: "job_types",
        exported: false,
        inactive: Inactive::Active,
        sorting: Sorting::OrderBy,
        first_id: 71_000_001,
        count: |_| 40,
        write: settings::job_type,
    },
    Resource {
        kind: Kind::Technicians,
        module: "settings",
        path: "technicians",
        stream: "technicians",
        exported: true,
        inactive: Inactive::Active,
        sorting: Sorting::Never,
        first_id: 120_000_001,
        count: |records| (records / 50).max(20),
        write: people::technician,
    },
    Resource {
        kind: Kind::Employees,
        module: "settings",
        path: "employees",
        stream: "employees",
        exported: true,
        inactive: Inactive::Active,
        sorting: Sorting::Never,
        first_id: 45_000_001,
        count: |records| (records / 40).max(30),
        write: people::employee,
    },
    Resource {
        kind: Kind::Campaigns,
        module: "marketing",
        path: "campaigns",
        stream: "campaigns",
        exported: false,
        inactive: Inactive::Active,
        sorting: Sorting::Sort,
        first_id: 81_200_001,
        count: |_| 60,
        write: settings::campaign,
    },
    Resource {
        kind: Kind::Activities,
        module: "timesheets",
        path: "activities",
        stream: "activities",
        exported: true,
        inactive: Inactive::Active,
        sorting: Sorting::Sort,
        first_id: 800_000_001,
        count: |records| records,
        write: payroll::activity,
    },
    Resource {
        kind: Kind::Timesheets,
        module: "payroll",
        path: "jobs/timesheets",
        stream: "timesheets",
        exported: true,
        inactive: Inactive::Active,
        sorting: Sorting::Sort,
        first_id: 700_000_001,
        count: |records| records,
        write: payroll::timesheet,
    },
    Resource {
        kind: Kind::Jobs,
        module: "jpm",
        path: "jobs",
        stream: "jobs",
        exported: true,
        inactive: Inactive::Never,
        sorting: Sorting::Sort,
        first_id: 310_000_101,
        count: |records| records,
        write: jobs::job,
    },
    Resource {
        kind: Kind::Customers,
        module: "crm",
        path: "customers",
        stream: "customers",
        exported: true,
        inactive: Inactive::Active,
        sorting: Sorting::Sort,
        first_id: 55_000_001,
        count: |records| records / 2,
        write: crm::customer,
    },
    Resource {
        kind: Kind::Invoices,
        module: "accounting",
        path: "invoices",
        stream: "invoices",
        exported: true,
        inactive: Inactive::ActiveState,
        sorting: Sorting::Sort,
        first_id: 510_000_001,
        count: |records| records,
        write: accounting::invoice,
    },
    Resource {
        kind: Kind::Locations,
        module: "crm",
        path: "locations",
        stream: "locations",
        exported: true,
        inactive: Inactive::Active,
        sorting: Sorting::Sort,
        first_id: 66_000_001,
        count: |records| records / 2,
        write: crm::location,
    },
    Resource {
        kind: Kind::GrossPayItems,
        module: "payroll",
        path: "gross-pay-items",
        stream: "gross_pay_items",
        exported: true,
        inactive: Inactive::Never,
        sorting: Sorting::Sort,
        first_id: 600_000_001,
        count: |records| records,
        write: payroll::gross_pay_item,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_stand_in_order() {
        for (index, resource) in RESOURCES.iter().enumerate() {
            assert_eq!(resource.kind as usize, index, "{}", resource.path);
            assert!(find(resource.path).is_some_and(|found| found.kind == resource.kind));
            assert!(find(resource.stream).is_some_and(|found| found.kind == resource.kind));
            assert!(route(resource.module, resource.path).is_some());
        }
        assert!(find("jobs_timesheets").is_none());
    }
}
