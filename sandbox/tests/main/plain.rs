//! The resources with common fields only: each takes its own parameters, answers in its own shape and has its own key.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::client::{Client, by_id, client, value};

/// Every list with the parameters that a reader needs to see all of it; the second word is its name for `truth`.
const LISTS: [(&str, &str); 16] = [
    ("accounting/ap-bills/custom-fields?sort=%2BId", "ap_bills_custom_fields"),
    ("accounting/payments?activeState=All&sort=%2BId", "payments"),
    ("accounting/journal-entries?sort=-ModifiedOn", "journal_entries"),
    ("dispatch/teams?includeInactive=true", "teams"),
    ("dispatch/non-job-appointments?activeOnly=false", "non_job_appointments"),
    (
        "equipmentsystems/installed-equipment/custom-field-types?descending=false",
        "installed_equipment_custom_field_types",
    ),
    ("forms/submissions?active=Any", "submissions"),
    ("inventory/return-types?activeOnly=false", "return_types"),
    ("jpm/project-types?page=1", "project_types"),
    ("marketing/categories?sort=%2BId", "marketing_categories"),
    ("marketingreputation/reviews?sort=%2BId", "reviews"),
    ("pricebook/categories?active=Any", "pricebook_categories"),
    ("payroll/payroll-settings?active=Any", "payroll_settings"),
    ("taskmanagement/tasks?active=Any", "tasks"),
    ("telecom:v3/calls?active=Any", "calls"),
    ("telecom/calls?activeOnly=false&orderBy=Id", "calls_v2"),
];

fn sorted(mut records: Vec<String>) -> Vec<String> {
    records.sort();
    records
}

#[tokio::test]
async fn lists_give_all_of_the_truth() {
    let client = client(1500, |_| {}).await;
    for (path, name) in LISTS {
        let truth = client.server.truth("t1", name);
        assert_eq!(truth.len(), 15, "{name}");
        assert_eq!(truth.iter().collect::<BTreeSet<_>>().len(), 15, "{name}: records are distinct");
        let path = path.trim_end_matches("?page=1");
        assert_eq!(sorted(client.records(path, 4).await), sorted(truth), "{path}");
    }
}

#[tokio::test]
async fn what_a_resource_does_not_take_is_refused() {
    let client = client(100, |_| {}).await;
    let cases = [
        ("accounting/ap-bills?active=Any", 400),
        ("accounting/ap-bills?sort=%2BId", 400),
        ("accounting/ap-bills?modifiedOnOrAfter=2025-01-01", 200),
        ("accounting/payments?active=Any", 400),
        ("accounting/payment-types?modifiedOnOrAfter=2025-01-01", 400),
        ("accounting/payment-types?createdOnOrAfter=2025-01-01", 200),
        ("accounting/journal-entries?pageSize=501", 400),
        ("accounting/journal-entries?pageSize=500", 200),
        ("accounting/inventory-bills?page=1", 400),
        ("accounting/invoice-items", 404),
        ("accounting/export/ap-bills", 404),
        ("equipmentsystems/installed-equipment/custom-field-types?page=1&pageSize=5", 400),
        ("equipmentsystems/installed-equipment/custom-field-types?page=1&pageSize=5&descending=maybe", 400),
        ("forms/submissions?modifiedOnOrAfter=2025-01-01", 400),
        ("forms/submissions?submittedOnOrAfter=2025-01-01", 200),
        ("inventory/return-types", 400),
        ("inventory/return-types?activeOnly=", 400),
        ("jpm/jobs/cancel-reasons", 400),
        ("jpm/export/jobs?active=Any", 400),
        ("jpm/export/appointments?active=Any", 200),
        ("jpm/export/jobs?pageSize=5", 400),
        ("marketingads/attributed-leads?fromUtc=2025-01-01", 400),
        ("marketingads/attributed-leads?fromUtc=2025-01-01&toUtc=2025-01-02", 200),
        ("marketingads/capacity-warnings?includeTotal=true", 400),
        ("memberships/invoice-templates", 400),
        ("memberships/export/invoice-templates", 200),
        ("telecom:v3/export/calls", 404),
        ("telecom/export/calls", 200),
        ("telecom/optinouts/optouts", 404),
        ("telecom:v3/optinouts/optouts", 200),
    ];
    for (path, status) in cases {
        let response = client.send(path).await;
        assert_eq!(response.status(), status, "{path}");
        let body = value(&response.text().await.unwrap());
        assert!(status != 400 || !body["errors"].as_object().unwrap().is_empty(), "{path}: {body}");
    }
    let reasons = value(&client.get("jpm/jobs/cancel-reasons?ids=310000101,310000104").await);
    assert_eq!(reasons["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn some_answers_have_no_pages() {
    let client = client(1500, |_| {}).await;
    for (path, name) in
        [("crm/contacts/preferences", "contacts_preferences"), ("accounting/inventory-bills", "inventory_bills")]
    {
        let body = value(&client.get(path).await);
        assert_eq!(body.as_array().map(Vec::len), Some(client.server.truth("t1", name).len()), "{path}");
    }
    for (path, key) in [
        ("pricebook/materials/costtypes", "id"),
        ("telecom:v3/optinouts/optouts", "contactNumber"),
        ("marketingads/capacity-warnings", "reference"),
    ] {
        let body = value(&client.get(path).await);
        assert!(body.get("hasMore").is_none() && body["data"].as_array().unwrap().len() == 15, "{path}");
        assert!(body["data"].as_array().unwrap().iter().all(|record| !record[key].is_null()), "{path}");
    }
}

/// The texts of some members of all records of a list or feed.
fn keys(records: &[String], names: &[&str]) -> Vec<Vec<Value>> {
    let key = |record: &String| names.iter().map(|name| value(record)[*name].clone()).collect();
    records.iter().map(key).collect()
}

#[tokio::test]
async fn keys_other_than_id_tell_records_apart() {
    let client = client(1500, |options| {
        options.overrides =
            ["locations/rates", "technician_ratings", "payroll-settings"].map(|name| (name.to_owned(), 40)).into();
    })
    .await;
    for (name, members) in [
        ("technician_ratings", ["technicianId", "jobId"]),
        ("payroll_settings", ["employeeId", "employeeType"]),
        ("locations_rates", ["locationId", "laborTypeCode"]),
        ("job_history_export", ["jobId", "history"]),
        ("optinouts_optouts", ["contactNumber", "name"]),
    ] {
        let keys = keys(&client.server.truth("t1", name), &members);
        assert!(keys.len() >= 15, "{name}");
        assert!(keys.iter().flatten().all(|part| !part.is_null()), "{name}");
        let distinct: BTreeSet<String> = keys.iter().map(|key| format!("{key:?}")).collect();
        assert_eq!(distinct.len(), keys.len(), "{name}");
    }
}

async fn changed(client: &Client, path: &str) -> (usize, usize, usize) {
    client.server.set_generation(1);
    let before = by_id(&client.records(path, 100).await);
    client.server.set_generation(2);
    let after = by_id(&client.records(path, 100).await);
    let gone = before.keys().filter(|id| !after.contains_key(id)).count();
    let new = after.keys().filter(|id| !before.contains_key(id)).count();
    let other = before.iter().filter(|(id, old)| after.get(id).is_some_and(|new| new != *old)).count();
    (other, gone, new)
}

#[tokio::test]
async fn generations_change_them_too() {
    let client =
        client(100, |options| options.overrides = [("tasks".to_owned(), 200), ("vendors".to_owned(), 200)].into())
            .await;
    for path in ["taskmanagement/tasks?active=Any", "inventory/vendors?active=Any"] {
        let (other, gone, new) = changed(&client, path).await;
        assert!((5..=12).contains(&other) && gone == 2 && new == 2, "{path}: {other} {gone} {new}");
    }
}

#[tokio::test]
async fn feeds_show_inactive_rows_only_where_asked() {
    let client = client(100, |options| options.overrides = [("appointments".to_owned(), 300)].into()).await;
    client.server.set_generation(2);
    let rows = |query: &'static str| {
        let client = &client;
        async move { client.feed_with("jpm/export/appointments", query).await }
    };
    let (any, yes, no) = (rows("active=Any").await, rows("active=True").await, rows("active=False").await);
    assert_eq!(any, client.server.truth("t1", "appointments_export"));
    assert_eq!(rows("").await, yes);
    assert!(!no.is_empty() && yes.len() + no.len() == any.len());
    assert!(no.iter().all(|row| value(row)["active"] == false) && yes.iter().all(|row| value(row)["active"] == true));
    let (orders, _) = client.feed("inventory/export/purchase-orders", None).await;
    assert!(orders.iter().all(|row| value(row).get("active").is_none()));
    let (notes, _) = client.feed("jpm/export/job-notes", None).await;
    assert!(notes.iter().all(|row| value(row)["active"] == true));
}
