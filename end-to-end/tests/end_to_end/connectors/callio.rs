//! Callio: three accounts in one pipeline. Times come in several forms, calls are filled in after they were listed, customers by their
//! last edit.

use super::rows::Tables;
use super::scene::{Scene, ago, hangs, parameter, start_of};
use super::stream::{Kind, Stream, record};
use crate::oracle::Record;
use sandbox::callio::{self, Account, Callio, Options};
use sandbox::fault::{Fault, FaultAction};
use serde_json::{Value, json};
use std::time::Duration;

const MANIFEST: &str = include_str!("../../../../extract-job/connectors/callio.yaml");
const ACCOUNTS: [(&str, &str); 3] =
    [("clinic-hanoi", "E2E_HANOI"), ("clinic-hue", "E2E_HUE"), ("clinic-saigon", "E2E_SAIGON")];
const TIMES: [&str; 7] =
    ["createTime", "updateTime", "assignedTime", "chargeTime", "startTime", "answerTime", "endTime"];
/// The first day, in days before today.
const FIRST: i64 = 8;
const DAY_MS: i64 = 86_400_000;

fn password(account: &str) -> String {
    format!("0042-hush-{account}")
}

struct Clinics {
    api: Callio,
    scene: Scene,
    tables: Tables,
}

impl Clinics {
    /// Four days of records; every further generation takes one day more.
    fn new(records: usize) -> Self {
        let account = |(id, _): &(&str, &str)| Account {
            id: (*id).to_owned(),
            email: format!("etl@{id}.example"),
            password: password(id),
        };
        let options = Options {
            accounts: ACCOUNTS.iter().map(account).collect(),
            records,
            first_day: start_of(ago(FIRST)),
            days: 4,
            ..Options::default()
        };
        let api = futures::executor::block_on(callio::start(options)).unwrap();
        let mut source = "connector: callio\n    accounts:\n".to_owned();
        for (id, variable) in ACCOUNTS {
            source.push_str(&format!(
                "      - id: {id}\n        config: {{email: \"etl@{id}.example\", password: \"${{env:{variable}}}\", start_date: \"{}\", \
                 page_size: 8, api_url: \"{}\"}}\n",
                ago(FIRST),
                api.url()
            ));
        }
        let passwords = ACCOUNTS.map(|(id, variable)| (variable, password(id)));
        let scene = Scene::new(&source, &passwords.each_ref().map(|(name, value)| (*name, value.as_str())));
        let stream = |name, kind| Stream::new(MANIFEST, name, &["_id"], kind);
        let tables = Tables::new(vec![
            stream("customers", Kind::Incremental),
            stream("calls", Kind::Incremental),
            stream("users", Kind::Snapshot),
            stream("user_groups", Kind::Snapshot),
        ]);
        Self { api, scene, tables }
    }

    /// Takes over what a run of this generation has read: everything that is there, or what has a cursor.
    fn observe(&mut self, generation: u32, with_snapshots: bool) {
        self.tables.begin_run();
        for (account, _) in ACCOUNTS {
            for (stream, records) in self.api.oracle(account, generation) {
                if with_snapshots || !self.tables.is_snapshot(stream) {
                    self.tables.take(account, stream, records.iter().map(|value| shaped(stream, value)));
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

    /// The latest time of a stream's records.
    fn latest(&self, account: &str, generation: u32, stream: &str, field: &str) -> i64 {
        let records = &self.api.oracle(account, generation)[stream];
        records.iter().map(|record| whole(&record[field]).as_i64().unwrap()).max().unwrap()
    }

    /// The earliest time that a list was asked from, for an account.
    fn asked_from(&self, account: &str, path: &str, name: &str) -> i64 {
        let requests = self.api.requests().into_iter();
        let mine = requests.filter(|request| request.path == path && request.tenant.as_deref() == Some(account));
        mine.map(|request| parameter(&request, name).unwrap().parse::<i64>().unwrap()).min().unwrap()
    }
}

/// A time as a whole number, whatever form it came in.
fn whole(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(text.parse::<i64>().unwrap()),
        Value::Number(number) if number.is_f64() => json!(number.as_f64().unwrap() as i64),
        other => other.clone(),
    }
}

/// A record with what the connector makes of it.
fn shaped(stream: &str, value: &Value) -> Record {
    let mut value = value.clone();
    let fields = value.as_object_mut().unwrap();
    for name in TIMES {
        if let Some(time) = fields.get_mut(name) {
            *time = whole(time);
        }
    }
    if let (None, Some(id)) = (fields.get("_id"), fields.get("id").cloned()) {
        fields.insert("_id".to_owned(), id);
    }
    if stream == "users" {
        let group = fields["group"].clone();
        fields.insert("groupId".to_owned(), group.get("_id").unwrap_or(&group).clone());
    }
    record(&value)
}

#[test]
fn two_generations_and_a_backfill_of_three_accounts() {
    let mut clinics = Clinics::new(40);
    clinics.run_and_check(1);
    let first = clinics.api.requests().len();
    clinics.api.clear_requests();
    clinics.run_and_check(2);
    for (account, _) in ACCOUNTS {
        let edited = clinics.latest(account, 1, "customers", "updateTime");
        let called = clinics.latest(account, 1, "calls", "createTime");
        assert_eq!(clinics.asked_from(account, "/customer", "fromUpdateTime"), edited - 180_000, "{account}");
        assert_eq!(clinics.asked_from(account, "/call", "from"), called - 2 * DAY_MS, "{account}");
    }
    let logins = clinics.api.requests().iter().filter(|request| request.path == "/auth/login").count();
    assert_eq!(logins, 6, "one for each account in each round, as rows are missing");
    assert!(clinics.api.requests().len() < first, "fewer days are read than by the first run");
    for (table, operation) in [
        ("customers", "INSERT"),
        ("customers", "UPDATE"),
        ("calls", "INSERT"),
        ("calls", "UPDATE"),
        ("users", "DELETE"),
    ] {
        assert!(clinics.tables.count(table, 2, operation) > 0, "{table}: nothing of {operation}");
    }
    assert_eq!(clinics.tables.count("customers", 2, "DELETE"), 0, "who is gone stays");

    // Everything once more, by its days: what is new comes, and no checkpoint moves.
    let before = clinics.scene.checkpoints();
    assert_eq!(before.len(), 12);
    clinics.api.set_generation(3);
    clinics.api.clear_requests();
    let (from, to) = (format!("{}T00:00:00Z", ago(FIRST)), format!("{}T00:00:00Z", ago(0)));
    clinics.scene.run(&["--stream", "customers,calls", "--from", &from, "--to", &to]).expect(0);
    clinics.observe(3, false);
    clinics.tables.check(&clinics.scene.warehouse());
    assert!(clinics.tables.count("customers", 3, "UPDATE") > 0 && clinics.tables.count("calls", 3, "INSERT") > 0);
    assert!(clinics.api.requests().iter().all(|request| !request.path.starts_with("/user")));
    assert_eq!(clinics.scene.checkpoints(), before);
}

#[test]
fn a_killed_run_loses_nothing() {
    let mut clinics = Clinics::new(40);
    clinics.run_and_check(1);
    let before = clinics.scene.checkpoints();
    clinics.api.set_generation(4);
    clinics.api.clear_requests();
    let hang = Fault {
        tenant: Some("clinic-hue".to_owned()),
        ..Fault::once("/customer", FaultAction::Hang(Duration::from_secs(600))).after(2)
    };
    clinics.api.add_fault(hang);
    let id = clinics.scene.next_id();
    let api = clinics.api.state();
    clinics.scene.cut_short(&id, || hangs(&api.requests(), "/customer"));
    let after = clinics.scene.checkpoints();
    assert_eq!(after["callio/clinic-hue/customers.json"], before["callio/clinic-hue/customers.json"]);
    clinics.api.clear_faults();
    clinics.scene.save();
    clinics.observe(4, true);
    for id in [id, clinics.scene.next_id()] {
        clinics.scene.restore();
        clinics.scene.run_as(&id, &[]).expect(0);
        clinics.tables.check_after_a_break(&clinics.scene.warehouse());
    }
    assert!(clinics.tables.count("customers", 2, "UPDATE") > 5);
}
