//! Zoho SalesIQ: two departments of one portal as two accounts; conversations with details, tags and messages, and the small tables.
//! The list tells no totals and no ends; whose details are asked for follows from what was changed.

use super::rows::Tables;
use super::scene::{Scene, ago, hangs, parameter, start_of};
use super::stream::{Kind, Stream, record};
use sandbox::fault::{Fault, FaultAction};
use sandbox::request_log::RequestSeen;
use sandbox::zoho_salesiq::{self, Options, ZohoSalesiq};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const MANIFEST: &str = include_str!("../../../../extract-job/connectors/zoho_salesiq.yaml");
const SECRET: &str = "hush-zoho+/=";
const REFRESH: &str = "1000.hush.refresh";
/// The first one asks for no department: it gets the current one.
const ACCOUNTS: [&str; 2] = ["sales", "support"];
const HOUR_MS: i64 = 3_600_000;

struct Portal {
    api: ZohoSalesiq,
    scene: Scene,
    tables: Tables,
}

impl Portal {
    /// Twelve days of conversations; the present of the first generation is six days ago.
    fn new() -> Self {
        let options = Options {
            client_secret: SECRET.to_owned(),
            refresh_token: REFRESH.to_owned(),
            conversations: 48,
            messages: 26,
            operators: 21,
            until_ms: start_of(ago(6)).timestamp_millis(),
            span: Duration::from_secs(12 * 86_400),
            tokens_per_window: 1000,
            ..Options::default()
        };
        let api = futures::executor::block_on(zoho_salesiq::start(options)).unwrap();
        let mut source = "connector: zoho_salesiq\n    accounts:\n".to_owned();
        for (id, department) in ACCOUNTS.into_iter().zip(api.department_ids()) {
            let department =
                if id == ACCOUNTS[0] { String::new() } else { format!("department_id: \"{department}\", ") };
            source.push_str(&format!(
                "      - id: {id}\n        config: {{screen_name: acme, client_id: 1000.SANDBOX, client_secret: \"${{env:E2E_ZOHO}}\", \
                 refresh_token: \"${{env:E2E_ZOHO_REFRESH}}\", start_date: \"{}\", {department}api_url: \"{url}\", auth_url: \"{url}\"}}\n",
                ago(20),
                url = api.url()
            ));
        }
        let scene = Scene::new(&source, &[("E2E_ZOHO", SECRET), ("E2E_ZOHO_REFRESH", REFRESH)]);
        let stream = |name, keys: &[&str], kind| Stream::new(MANIFEST, name, keys, kind);
        let mut details = stream("conversation_details", &["id"], Kind::Incremental);
        details.hints = super::stream::hints(MANIFEST, "conversations");
        let tables = Tables::new(vec![
            stream("conversations", &["id"], Kind::Incremental),
            details,
            stream("conversation_tags", &["conversation_id", "id"], Kind::Incremental),
            stream("messages", &["conversation_id", "id"], Kind::Incremental),
            stream("tags", &["module", "id"], Kind::Snapshot),
            stream("departments", &["id"], Kind::Snapshot),
            stream("operators", &["id"], Kind::Snapshot),
        ]);
        Self { api, scene, tables }
    }

    /// The conversations of an account's department that a generation has and that are as wanted: id and time of the last change.
    fn conversations(&self, account: &str, generation: u32, is_wanted: impl Fn(&Value) -> bool) -> Vec<(String, i64)> {
        let departments = self.api.department_ids();
        let department = &departments[ACCOUNTS.iter().position(|id| *id == account).unwrap()];
        let oracle = self.api.oracle(generation);
        let mine = oracle.live("conversations").into_iter().filter(|one| one["department"]["id"] == **department);
        let changed = |one: &Value| one["last_modified_time"].as_str().unwrap().parse().unwrap();
        let wanted = mine.filter(|one| is_wanted(one));
        wanted.map(|one| (one["id"].as_str().unwrap().to_owned(), changed(one))).collect()
    }

    /// The latest change of them.
    fn latest(&self, account: &str, generation: u32, is_wanted: impl Fn(&Value) -> bool) -> i64 {
        self.conversations(account, generation, is_wanted).into_iter().map(|(_, changed)| changed).max().unwrap()
    }

    /// Takes over what a run of this generation has read: everything that is there, or what has a cursor.
    fn observe(&mut self, generation: u32, with_snapshots: bool) {
        self.tables.begin_run();
        let oracle = self.api.oracle(generation);
        for account in ACCOUNTS {
            let ids: BTreeSet<String> =
                self.conversations(account, generation, |_| true).into_iter().map(|(id, _)| id).collect();
            for stream in self.tables.names() {
                let is_mine = |one: &&Value| match stream.as_str() {
                    "conversations" | "conversation_details" => ids.contains(one["id"].as_str().unwrap()),
                    "conversation_tags" | "messages" => ids.contains(one["conversation_id"].as_str().unwrap()),
                    _ => true,
                };
                if with_snapshots || !self.tables.is_snapshot(&stream) {
                    self.tables.take(account, &stream, oracle.live(&stream).into_iter().filter(is_mine).map(record));
                }
            }
        }
    }

    fn run_and_check(&mut self, generation: u32) {
        self.api.set_generation(generation);
        self.scene.run(&[]).expect(0);
        self.observe(generation, true);
        self.tables.check(&self.scene.warehouse());
    }

    /// The requests of a kind: `conversations`, `conversations/<id>` (by "detail") or `conversations/<id>/messages` (by "messages").
    fn asked(&self, kind: &str) -> Vec<RequestSeen> {
        let of_kind = |request: &RequestSeen| {
            let place = request.path.strip_prefix("/api/v2/acme/conversations").unwrap_or("no");
            match kind {
                "list" => place.is_empty(),
                "messages" => place.ends_with("/messages"),
                _ => place.starts_with('/') && !place.ends_with("/messages"),
            }
        };
        self.api.requests().into_iter().filter(of_kind).collect()
    }
}

#[test]
fn two_generations_and_a_backfill_of_two_departments() {
    let mut portal = Portal::new();
    portal.run_and_check(1);
    let first = portal.api.requests().len();
    portal.api.clear_requests();
    portal.run_and_check(2);

    // The list of changes is asked for from an hour before the latest change; details and messages of those conversations alone.
    let mut changed = BTreeSet::new();
    for account in ACCOUNTS {
        let since = portal.latest(account, 1, |_| true) - HOUR_MS;
        let own_department =
            |request: &RequestSeen| parameter(request, "department_id").is_some() == (account != ACCOUNTS[0]);
        let lists = portal.asked("list").into_iter().filter(own_department);
        let from: BTreeSet<i64> =
            lists.map(|request| parameter(&request, "updated_from_time").unwrap().parse().unwrap()).collect();
        // Tags have a state of their own: the latest change of a conversation that has some.
        let with_tags = portal.latest(account, 1, |one| one["tags"].as_array().is_some_and(|tags| !tags.is_empty()));
        assert_eq!(from, [since, with_tags - HOUR_MS].into(), "{account}");
        changed.extend(
            portal.conversations(account, 2, |_| true).into_iter().filter(|(_, at)| *at > since).map(|(id, _)| id),
        );
    }
    let ids = |kind: &str| -> BTreeSet<String> {
        let id = |request: RequestSeen| request.path.split('/').nth(5).unwrap().to_owned();
        portal.asked(kind).into_iter().map(id).collect()
    };
    assert!(!changed.is_empty());
    assert_eq!(ids("detail"), changed);
    assert_eq!(ids("messages"), changed);
    assert!(portal.api.requests().len() < first / 2);
    for stream in ["conversations", "conversation_details"] {
        assert!(portal.tables.count(stream, 2, "UPDATE") > 0, "{stream}");
    }
    assert!(portal.tables.count("messages", 2, "INSERT") > 0);
    assert!(portal.tables.count("departments", 2, "DELETE") > 0 && portal.tables.count("operators", 2, "DELETE") > 0);

    // Everything once more from the start: what is new comes, and no checkpoint moves.
    let before = portal.scene.checkpoints();
    assert_eq!(before.len(), 14);
    portal.api.set_generation(3);
    portal.api.clear_requests();
    let (from, to) = (format!("{}T00:00:00Z", ago(20)), format!("{}T00:00:00Z", ago(0)));
    let streams = "conversations,conversation_details,conversation_tags,messages";
    portal.scene.run(&["--stream", streams, "--from", &from, "--to", &to]).expect(0);
    portal.observe(3, false);
    portal.tables.check(&portal.scene.warehouse());
    assert!(portal.tables.count("conversations", 3, "UPDATE") > 0 && portal.tables.count("messages", 3, "INSERT") > 0);
    let start = start_of(ago(20)).timestamp_millis().to_string();
    for request in portal.asked("list") {
        assert_eq!(parameter(&request, "updated_from_time").as_ref(), Some(&start));
    }
    assert_eq!(portal.scene.checkpoints(), before);
}

#[test]
fn a_killed_run_loses_nothing() {
    let mut portal = Portal::new();
    portal.run_and_check(1);
    let before = portal.scene.checkpoints();
    portal.api.set_generation(5);
    portal.api.clear_requests();
    // Two conversations have their messages; then no more come, for either account.
    let hang = Fault::once("/messages", FaultAction::Hang(Duration::from_secs(600))).always().after(2);
    portal.api.add_fault(hang);
    let id = portal.scene.next_id();
    let api = portal.api.state();
    portal.scene.cut_short(&id, || hangs(&api.requests(), "/messages"));
    let after = portal.scene.checkpoints();
    let unmoved = ACCOUNTS.map(|account| format!("zoho_salesiq/{account}/messages.json"));
    assert!(unmoved.iter().any(|name| after[name] == before[name]));
    portal.api.clear_faults();
    portal.scene.save();
    portal.observe(5, true);
    for id in [id, portal.scene.next_id()] {
        portal.scene.restore();
        portal.scene.run_as(&id, &[]).expect(0);
        portal.tables.check_after_a_break(&portal.scene.warehouse());
    }
    assert!(portal.tables.count("messages", 2, "INSERT") > 5);
}
