//! The resources whose records have common fields only: path, feed, parameters and key of each.
//! A row says what differs from a paged list with ids and a filter by modification.

use super::{Dates, Inactive, Key, Resource, Shape, Sorting, list};

/// In the order of the API's description.
pub(super) fn plain() -> impl Iterator<Item = Resource> {
    PLAIN.iter().copied()
}

static PLAIN: [Resource; 124] = [
    list("accounting", "ap-bills"),
    list("accounting", "ap-bills/custom-fields").sorted(),
    list("accounting", "ap-credits").sorted(),
    list("accounting", "ap-credits/custom-fields").sorted(),
    list("accounting", "ap-payments").sorted(),
    list("accounting", "ap-payments/custom-fields").sorted(),
    list("accounting", "credit-memos").active().sorted(),
    list("accounting", "credit-memos/credit-memo-items").active().sorted().dates(Dates::Created).without_modified(),
    list("accounting", "credit-memos/custom-fields").sorted(),
    list("accounting", "bank-deposits").sorted(),
    list("accounting", "invoice-items").fed().unlisted(),
    list("accounting", "payments").inactive(Inactive::ActiveState).sorted().fed(),
    list("accounting", "inventory-bills").shape(Shape::Array).fed(),
    list("accounting", "gl-accounts").active().sorted(),
    list("accounting", "gl-accounts/types").active().sorted(),
    list("accounting", "inventory-bills/paginated"),
    list("accounting", "inventory-bills/custom-fields").sorted(),
    list("accounting", "invoices/custom-fields").sorted(),
    Resource { largest_page: 500, ..list("accounting", "journal-entries").sorted() },
    list("accounting", "payments/custom-fields").sorted(),
    list("accounting", "payment-terms").sorted(),
    list("accounting", "payment-types").active().dates(Dates::Created),
    list("accounting", "remittance-vendors").active().sorted(),
    list("accounting", "tax-zones").active().sorted(),
    list("crm", "booking-provider-tags").sorted(),
    list("crm", "bookings").sorted().fed(),
    list("crm", "contacts").sorted(),
    list("crm", "contacts/preferences").dates(Dates::Never).shape(Shape::Array).without_modified(),
    list("crm", "contacts/contact-methods").sorted(),
    list("crm", "customers/contacts").fed(),
    list("crm", "customers/custom-fields").sorted(),
    list("crm", "locations/contacts").fed(),
    list("crm", "leads").sorted().fed(),
    list("crm", "locations/custom-fields").sorted(),
    Resource {
        first_id: 310_000_101,
        ..list("customer-interactions", "technician-ratings").keyed(Key::TechnicianAndJob).active().sorted().fed()
    },
    list("dispatch", "appointment-assignments").active().sorted().fed_with_active(),
    list("dispatch", "arrival-windows").active().dates(Dates::Created).without_modified(),
    list("dispatch", "non-job-appointments").inactive(Inactive::ActiveOnly).sorted(),
    list("dispatch", "teams").inactive(Inactive::Include).sorted(),
    list("dispatch", "technician-shifts").active().sorted(),
    list("dispatch", "technician-skills").active().sorted(),
    list("dispatch", "zones").active().sorted(),
    list("equipmentsystems", "equipment-types").active().sorted(),
    list("equipmentsystems", "installed-equipment").active().sorted().fed(),
    list("equipmentsystems", "installed-equipment/custom-field-types")
        .required(&["page", "pageSize", "descending"])
        .without_modified(),
    list("findings", "location-findings").active().sorted(),
    list("forms", "forms").active().sorted(),
    list("forms", "submissions").active().sorted().dates(Dates::Submitted).without_modified(),
    list("inventory", "adjustments").active().sorted().fed(),
    list("inventory", "purchase-orders").sorted().fed_without_active(),
    list("inventory", "returns").active().sorted().fed(),
    list("inventory", "transfers").sorted().fed(),
    list("inventory", "inventory-templates").active().sorted(),
    list("inventory", "purchase-orders/requests").sorted(),
    list("inventory", "purchase-order-markups").sorted(),
    list("inventory", "purchase-order-types").active().sorted(),
    list("inventory", "receipts").active().sorted(),
    list("inventory", "return-types").inactive(Inactive::ActiveOnly).sorted().required(&["activeOnly"]),
    list("inventory", "trucks").active().sorted(),
    list("inventory", "vendors").active().sorted(),
    list("inventory", "vendors/custom-fields").sorted(),
    list("inventory", "warehouses").active().sorted(),
    list("jbce", "call-reasons").active().sorted(),
    list("jpm", "appointments").active().sorted().fed_with_active(),
    list("jpm", "work-breakdown-structure/segments").dates(Dates::Never).without_modified(),
    list("jpm", "work-breakdown-structure/budget-codes").dates(Dates::Never).without_modified(),
    list("jpm", "projects").sorted().fed(),
    list("jpm", "job-canceled-logs").without_modified().fed().unlisted(),
    list("jpm", "job-notes").fed().unlisted(),
    list("jpm", "project-notes").fed().unlisted(),
    Resource {
        first_id: 310_000_101,
        ..list("jpm", "job-history").keyed(Key::Job).without_modified().fed_without_active().unlisted()
    },
    list("jpm", "job-cancel-reasons").active().sorted(),
    list("jpm", "job-hold-reasons").active().sorted(),
    Resource {
        first_id: 310_000_101,
        ..list("jpm", "jobs/cancel-reasons").keyed(Key::Job).dates(Dates::Never).required(&["ids"]).without_modified()
    },
    list("jpm", "jobs/custom-fields").sorted(),
    list("jpm", "projects/custom-fields").sorted(),
    list("jpm", "project-statuses").sorted(),
    list("jpm", "project-substatuses").active().sorted(),
    list("jpm", "project-types").dates(Dates::Never).without_modified(),
    list("marketing", "categories").named("marketing_categories").sorted(),
    list("marketing", "costs").sorted().dates(Dates::Never).without_modified(),
    list("marketing", "suppressions").active().sorted(),
    list("marketingads", "attributed-leads")
        .keyed(Key::Nothing)
        .dates(Dates::Window)
        .required(&["fromUtc", "toUtc"])
        .without_modified(),
    list("marketingads", "capacity-warnings")
        .keyed(Key::Nothing)
        .dates(Dates::Never)
        .shape(Shape::Whole)
        .without_modified(),
    list("marketingads", "performance")
        .keyed(Key::Nothing)
        .dates(Dates::Window)
        .required(&["fromUtc", "toUtc", "performanceSegmentationType"])
        .without_modified(),
    list("marketingreputation", "reviews").keyed(Key::Nothing).sorted().without_modified(),
    list("memberships", "memberships").active().sorted().fed(),
    list("memberships", "memberships/custom-fields").sorted(),
    list("memberships", "membership-types").active().sorted().fed(),
    list("memberships", "recurring-service-types").active().sorted().fed(),
    list("memberships", "invoice-templates").dates(Dates::Never).required(&["ids"]).fed(),
    list("memberships", "recurring-services").active().sorted().fed(),
    list("memberships", "recurring-service-events").sorted().fed(),
    list("memberships", "membership-status-changes").without_modified().fed_without_active().unlisted(),
    list("payroll", "jobs/splits").active().sorted().fed(),
    list("payroll", "payroll-adjustments").active().sorted().fed(),
    list("payroll", "activity-codes").active().sorted().fed(),
    list("payroll", "timesheet-codes").active().sorted().fed(),
    list("payroll", "payroll-settings").keyed(Key::EmployeeAndType).active().fed(),
    list("payroll", "locations/rates")
        .keyed(Key::LocationAndLaborType)
        .active()
        .sorted()
        .dates(Dates::Created)
        .without_modified(),
    list("payroll", "payrolls").active().sorted(),
    list("payroll", "non-job-timesheets").active().sorted(),
    list("pricebook", "clientspecificpricing").active().dates(Dates::Never).without_modified(),
    list("pricebook", "categories").named("pricebook_categories").active().sorted().fed(),
    list("pricebook", "discounts-and-fees").active().sorted(),
    list("pricebook", "equipment").active().sorted().fed(),
    list("pricebook", "services").active().sorted().fed(),
    list("pricebook", "materials").active().sorted().fed(),
    list("pricebook", "materials/costtypes").dates(Dates::Never).shape(Shape::Whole).without_modified(),
    list("pricebook", "materialsmarkup").dates(Dates::Never).without_modified(),
    list("sales", "estimates").active().sorted().fed(),
    list("sales", "estimates/items").active().sorted(),
    list("sales", "opportunities").sorted().fed(),
    list("sales", "opportunities/followups").sorted().fed(),
    list("schedulingpro", "schedulers"),
    list("service-agreements", "service-agreements").sorted().fed(),
    list("settings", "user-roles").active().dates(Dates::Created).without_modified(),
    list("settings", "tag-types").active().sorted().fed(),
    list("taskmanagement", "tasks").active().sorted(),
    list("telecom", "calls").version("v3").active().sorted().without_modified().fed(),
    list("telecom", "optinouts/optouts")
        .version("v3")
        .keyed(Key::Contact)
        .dates(Dates::Never)
        .shape(Shape::Whole)
        .without_modified(),
    list("telecom", "calls")
        .named("calls_v2")
        .inactive(Inactive::ActiveOnly)
        .sorting(Sorting::OrderBy)
        .without_modified(),
    list("timesheets", "activity-categories").active().sorted().fed(),
    list("timesheets", "activity-types").active().sorted().fed(),
];
