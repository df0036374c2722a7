//! Paging, filters, orders, generations and the shape of the data in lists.

use std::collections::BTreeSet;

use crate::client::{by_id, client, id, tenant, value};

/// Path, name, the parameter for all rows, count at 2000 records.
const LISTS: [(&str, &str, &str, usize); 12] = [
    ("settings/business-units", "business-units", "?active=Any", 8),
    ("jpm/job-types", "job_types", "?active=Any", 40),
    ("settings/technicians", "technicians", "?active=Any", 40),
    ("settings/employees", "employees", "?active=Any", 50),
    ("marketing/campaigns", "campaigns", "?active=any", 60),
    ("timesheets/activities", "activities", "?active=Any", 2000),
    ("payroll/jobs/timesheets", "timesheets", "?active=Any", 2000),
    ("jpm/jobs", "jobs", "", 2000),
    ("crm/customers", "customers", "?active=Any", 1000),
    ("accounting/invoices", "invoices", "?activeState=All", 2000),
    ("crm/locations", "locations", "?active=Any", 1000),
    ("payroll/gross-pay-items", "gross_pay_items", "", 2000),
];

#[tokio::test]
async fn pages_sum_to_the_total() {
    let client = client(2000, |_| {}).await;
    for (path, name, all, count) in LISTS {
        for size in [count, count / 2, 333] {
            let pages = client.list(&format!("{path}{all}"), size).await;
            assert!(pages.iter().all(|page| page.total == Some(count as u64) && page.records.len() <= size), "{path}");
            let records: Vec<_> = pages.into_iter().flat_map(|page| page.records).collect();
            assert_eq!(by_id(&records).len(), count, "{path}");
            assert_eq!(records, client.server.truth("t1", name), "{path}");
        }
    }
    assert!(client.server.truth("t1", "unicorns").is_empty() && client.server.truth("t9", "jobs").is_empty());
}

#[tokio::test]
async fn parameters() {
    let client = client(200, |options| options.max_page_size = 500).await;
    // path, status, records
    let cases = [
        ("jpm/jobs", 200, 50),
        ("jpm/jobs?pageSize=500", 200, 200),
        ("jpm/jobs?pageSize=501", 400, 0),
        ("jpm/jobs?pageSize=0", 400, 0),
        ("jpm/jobs?pageSize=ten", 400, 0),
        ("jpm/jobs?page=0", 400, 0),
        ("jpm/jobs?page=4000000000&pageSize=500", 200, 0),
        ("jpm/jobs?active=Any", 400, 0),
        ("jpm/jobs?unknown=1", 400, 0),
        ("jpm/jobs?sort=%2BId", 200, 50),
        ("jpm/jobs?sort=-ModifiedOn", 200, 50),
        ("jpm/jobs?sort=+Id", 400, 0),
        ("jpm/jobs?sort=Id", 400, 0),
        ("jpm/jobs?sort=%2BColour", 400, 0),
        ("jpm/jobs?sort=%C3%A9", 400, 0),
        ("jpm/job-types?orderBy=Id&orderByDirection=desc", 200, 0),
        ("jpm/job-types?orderBy=Colour", 400, 0),
        ("settings/technicians?sort=%2BId", 400, 0),
        ("crm/customers?active=Maybe", 400, 0),
        ("accounting/invoices?activeState=Some", 400, 0),
        ("jpm/jobs?includeTotal=perhaps", 400, 0),
        ("jpm/jobs?modifiedOnOrAfter=yesterday", 400, 0),
        ("jpm/jobs?ids=310000101,310000104", 200, 2),
        ("jpm/jobs?ids=310000101,1", 200, 1),
        ("jpm/jobs?ids=a", 400, 0),
    ];
    for (path, status, count) in cases {
        let response = client.send(path).await;
        assert_eq!(response.status(), status, "{path}");
        let body = value(&response.text().await.unwrap());
        if status == 400 {
            assert!(body["title"].is_string() && body["errors"].is_object(), "{path}");
        } else if count > 0 || path.contains("page=4") {
            assert_eq!(body["data"].as_array().unwrap().len(), count, "{path}");
            assert!(body["totalCount"].is_null());
        }
    }
    let many = (0..51).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(client.status(&format!("jpm/jobs?ids={many}")).await, 400);
}

#[tokio::test]
async fn active_and_time_filters() {
    let client = client(1000, |_| {}).await;
    client.server.set_generation(2);
    for (path, yes, no, any) in [
        ("crm/customers", "active=True", "active=False", "active=Any"),
        ("accounting/invoices", "activeState=ActiveOnly", "activeState=InactiveOnly", "activeState=All"),
    ] {
        let [default, yes, no, any] = [
            client.records(path, 300).await,
            client.records(&format!("{path}?{yes}"), 300).await,
            client.records(&format!("{path}?{no}"), 300).await,
            client.records(&format!("{path}?{any}"), 300).await,
        ];
        assert_eq!(default, yes);
        assert!(!no.is_empty() && no.iter().all(|record| value(record)["active"] == false));
        assert!(yes.iter().all(|record| value(record)["active"] == true));
        assert_eq!(yes.len() + no.len(), any.len());
    }
    let all = client.records("jpm/jobs?sort=%2BModifiedOn", 300).await;
    let modified = |record: &String| value(record)["modifiedOn"].as_str().unwrap().to_owned();
    let cursor = modified(&all[600]);
    let after = client.records(&format!("jpm/jobs?sort=%2BModifiedOn&modifiedOnOrAfter={cursor}"), 300).await;
    let before = client.records(&format!("jpm/jobs?sort=%2BModifiedOn&modifiedBefore={cursor}"), 300).await;
    assert_eq!(after, all[600..], "the lower bound is inclusive");
    assert_eq!(before, all[..600], "the upper bound is exclusive");
    let mut descending = client.records("jpm/jobs?sort=-ModifiedOn", 300).await;
    descending.reverse();
    assert_eq!(descending, all);
    let created = value(&all[600])["createdOn"].as_str().unwrap().to_owned();
    let younger = client.records(&format!("jpm/jobs?createdOnOrAfter={created}"), 300).await;
    let older = client.records(&format!("jpm/jobs?createdBefore={created}"), 300).await;
    assert_eq!(younger.len() + older.len(), all.len());
    let until = client.records("payroll/gross-pay-items?modifiedOnOrBefore=2025-03-01", 300).await;
    let from = client.records("payroll/gross-pay-items?modifiedOnOrAfter=2025-03-01", 300).await;
    assert_eq!(until.len() + from.len(), 1000);
}

#[tokio::test]
async fn a_generation_changes_removes_and_adds() {
    let client = client(2000, |_| {}).await;
    for (path, name, all, count) in LISTS {
        client.server.set_generation(1);
        let before = by_id(&client.records(&format!("{path}{all}"), 500).await);
        client.server.set_generation(2);
        let after = by_id(&client.records(&format!("{path}{all}"), 500).await);
        let removed = before.keys().filter(|id| !after.contains_key(id)).count();
        let added: Vec<_> = after.iter().filter(|(id, _)| !before.contains_key(id)).collect();
        let both: Vec<_> = before.iter().filter_map(|(id, old)| Some((old, after.get(id)?))).collect();
        let changed: Vec<_> = both.iter().filter(|(old, new)| old != new).collect();
        assert!(!changed.is_empty() && changed.len() <= count / 20 + 2, "{name}: {} changed", changed.len());
        if count >= 40 {
            assert!(removed > 0 && removed <= count / 100 + 1, "{name}: {removed} removed");
            assert_eq!(added.len(), removed, "{name}");
        }
        if count >= 1000 {
            assert!(changed.len() >= count / 25, "{name}: {} changed", changed.len());
            assert_eq!(removed, count / 100, "{name}");
        }
        for (old, new) in changed {
            let (old, new) = (value(old), value(new));
            assert!(old["modifiedOn"].as_str() < new["modifiedOn"].as_str());
            assert!(new["modifiedOn"].as_str().unwrap().starts_with("2025-03-01T"));
            assert_eq!(old["createdOn"], new["createdOn"]);
            assert!(old.get("riskScore").is_none() && new.get("riskScore").is_some());
            let mut without = new.clone();
            without["modifiedOn"] = old["modifiedOn"].clone();
            without.as_object_mut().unwrap().remove("riskScore");
            assert_ne!(without, old, "{name}: something else changes too");
        }
        for (_, record) in added {
            assert!(value(record).get("riskScore").is_some());
        }
        client.server.set_generation(1);
        assert_eq!(by_id(&client.records(&format!("{path}{all}"), 500).await), before, "the past can be served again");
    }
}

#[tokio::test]
async fn tenants_and_seeds_differ_in_content_not_in_ids() {
    let mut first = client(100, |_| {}).await;
    let again = client(100, |_| {}).await;
    let other = client(100, |options| options.seed = 2).await;
    let mine = first.records("jpm/jobs", 50).await;
    assert_eq!(mine, again.records("jpm/jobs", 50).await);
    assert_ne!(mine, other.records("jpm/jobs", 50).await);
    first.tenant = tenant(2);
    first.token = first.log_in().await;
    let theirs = first.records("jpm/jobs", 50).await;
    assert_ne!(mine, theirs);
    assert_eq!(by_id(&mine).into_keys().collect::<Vec<_>>(), by_id(&theirs).into_keys().collect::<Vec<_>>());
}

#[tokio::test]
async fn data_is_as_odd_as_the_real_one() {
    let client = client(1000, |_| {}).await;
    client.server.set_generation(3);
    let mut texts = Vec::new();
    for (_, name, _, _) in LISTS {
        texts.extend(client.server.truth("t1", name));
    }
    texts.iter().for_each(|text| drop(value(text)));
    let everything = texts.join("\n");
    let expected = [
        "Nguyễn",
        "Müller",
        "📞",
        "\\\"",
        "\\\\",
        "\\n",
        "<br/>",
        "\"00501\"",
        "\"zip\":\"-\"",
        "\"locationZip\":\"-\"",
        ":1.0000000000000000000",
        "[]",
        ":null",
        "\"riskScore\":null",
    ];
    for part in expected {
        assert!(everything.contains(part), "{part}");
    }
    let jobs = client.server.truth("t1", "jobs");
    let average = jobs.iter().map(String::len).sum::<usize>() / jobs.len();
    assert!((900..1300).contains(&average), "{average} bytes");
    let values: Vec<_> = jobs.iter().map(|job| value(job)).collect();
    assert!(values.iter().any(|job| job["total"].is_i64()) && values.iter().any(|job| job["total"].is_f64()));
    assert!(values.iter().any(|job| job.get("warrantyId").is_none()));
    assert!(values.iter().any(|job| job["leadCallId"].as_i64().is_some_and(|id| id > 1 << 53)));
    let decimals: BTreeSet<_> = values
        .iter()
        .map(|job| job["modifiedOn"].as_str().unwrap().split_once('.').map_or(0, |(_, rest)| rest.len() - 1))
        .collect();
    assert_eq!(decimals, [0, 1, 3, 7].into());
    assert!(values.iter().all(|job| job["id"].as_i64().is_some()));
}

#[tokio::test]
async fn null_ids_are_an_option() {
    let with = client(500, |options| options.null_ids = true).await;
    let nulls = with.server.truth("t1", "gross-pay-items").iter().filter(|item| value(item)["id"].is_null()).count();
    assert_eq!(nulls, 3);
    assert!(with.server.truth("t1", "jobs").iter().all(|job| id(job) > 0));
}

#[tokio::test]
async fn two_million_records_are_served_page_by_page() {
    let client = client(10, |options| options.overrides = [("jobs".to_owned(), 2_000_000)].into()).await;
    let last = client.page("jpm/jobs?page=400&pageSize=5000&includeTotal=true").await;
    assert_eq!((last.total, last.has_more, last.records.len()), (Some(2_000_000), false, 5000));
    let first = client.page("jpm/jobs?page=1&pageSize=5000").await;
    assert!(first.has_more && id(&first.records[0]) < id(&last.records[0]));
}
