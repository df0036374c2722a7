//! Export feeds: order, continuation by token within and across generations, deleted rows.

use std::collections::BTreeMap;

use crate::client::{by_id, client, id, value};

#[tokio::test]
async fn a_feed_gives_everything_in_order() {
    let client = client(1050, |_| {}).await;
    for (path, name) in [
        ("jpm/export/jobs", "jobs"),
        ("crm/export/customers", "customers"),
        ("payroll/export/jobs/timesheets", "timesheets"),
    ] {
        let (rows, token) = client.feed(path, None).await;
        let truth = by_id(&client.server.truth("t1", name));
        assert_eq!(by_id(&rows).into_keys().collect::<Vec<_>>(), truth.keys().copied().collect::<Vec<_>>());
        let times: Vec<_> = rows.iter().map(|row| value(row)["modifiedOn"].as_str().unwrap().to_owned()).collect();
        assert!(times.is_sorted_by_key(|time| time.trim_end_matches('Z').to_owned()), "{name}");
        assert!(rows.iter().all(|row| value(row)["active"].is_boolean()));
        let (rest, same) = client.feed(path, Some(&token)).await;
        assert!(rest.is_empty());
        assert_eq!(same, token, "an empty page gives its own token back");
    }
    let pages = client.server.requests().iter().filter(|seen| seen.path.ends_with("/export/jobs")).count();
    assert_eq!(pages, 12, "eleven pages of a hundred and the empty one");
}

#[tokio::test]
async fn tokens_go_on_in_later_generations() {
    let client = client(1000, |_| {}).await;
    let path = "crm/export/customers";
    let (first, token) = client.feed(path, None).await;
    let mut mirror = by_id(&first);
    client.server.set_generation(2);
    let (second, later) = client.feed(path, Some(&token)).await;
    let changes = by_id(&second);
    let deleted: Vec<_> = changes
        .iter()
        .filter(|(id, row)| {
            value(row)["active"] == false
                && value(&mirror.get(id).cloned().unwrap_or("{}".to_owned()))["active"] == true
        })
        .collect();
    let truth = by_id(&client.server.truth("t1", "customers"));
    let gone: Vec<_> = mirror.keys().filter(|id| !truth.contains_key(id)).copied().collect();
    assert_eq!(gone.len(), 5);
    assert!(gone.iter().all(|id| value(&changes[id])["active"] == false));
    assert!(deleted.len() >= gone.len() - 1 && second.len() < 50);
    mirror.extend(changes);
    mirror.retain(|id, _| !gone.contains(id));
    assert_eq!(mirror, truth, "the changes applied to the past give the present");

    assert_eq!(client.feed(path, Some(&token)).await.0, second, "the same token, the same place");
    assert!(client.feed(path, Some(&later)).await.0.is_empty());
    let (everything, _) = client.feed(path, None).await;
    assert_eq!(everything.len(), truth.len() + gone.len(), "deleted rows stay in the feed, once");
    client.server.set_generation(3);
    let (third, _) = client.feed(path, Some(&later)).await;
    assert!(!third.is_empty() && third.iter().all(|row| value(row)["modifiedOn"].as_str() >= Some("2025-03-02")));
}

#[tokio::test]
async fn from_may_be_a_date_but_no_nonsense() {
    let client = client(1000, |_| {}).await;
    client.server.set_generation(2);
    let (rows, _) = client.feed("jpm/export/jobs", Some("2025-03-01")).await;
    let recent = client.records("jpm/jobs?modifiedOnOrAfter=2025-03-01", 500).await;
    let deleted = rows.iter().filter(|row| value(row)["active"] == false).count();
    assert_eq!(rows.len(), recent.len() + deleted);
    assert_eq!(deleted, 10);
    let (_, customers) = client.feed("crm/export/customers", None).await;
    assert_eq!(client.status(&format!("jpm/export/jobs?from={customers}")).await, 400, "another feed's token");
    assert_eq!(client.status("jpm/export/jobs?from=nonsense").await, 400);
    assert_eq!(client.status("jpm/export/jobs?from=2025-03-01&includeRecentChanges=true").await, 200);
    let unique: BTreeMap<_, _> = rows.iter().map(|row| (id(row), ())).collect();
    assert_eq!(unique.len(), rows.len());
}
