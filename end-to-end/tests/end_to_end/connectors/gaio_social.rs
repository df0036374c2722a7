//! Gaio Social: two accounts, a request for each day, `next` links, and date-times in three forms.

use super::rows::Tables;
use super::scene::{Scene, ago, hangs, parameter, start_of};
use super::stream::{Kind, Stream, record};
use chrono::{DateTime, TimeDelta, Utc};
use sandbox::fault::{Fault, FaultAction};
use sandbox::gaio_social::{self, Account, GaioSocial, Options};
use std::time::Duration;

const MANIFEST: &str = include_str!("../../../../extract-job/connectors/gaio_social.yaml");
const ACCOUNTS: [(&str, &str, &str); 2] =
    [("brand-one", "E2E_BRAND_ONE", "hush-one+/="), ("brand-two", "E2E_BRAND_TWO", "hush-two+/=")];
const LISTS: [&str; 2] = ["posts", "comments"];
/// The first day, in days before today.
const FIRST: i64 = 5;

struct Brands {
    api: GaioSocial,
    scene: Scene,
    tables: Tables,
}

impl Brands {
    /// Two days of records; every further generation takes one day more.
    fn new(page_size: usize) -> Self {
        let account =
            |(id, _, token): &(&str, &str, &str)| Account { id: (*id).to_owned(), token: (*token).to_owned() };
        let options = Options {
            accounts: ACCOUNTS.iter().map(account).collect(),
            records: 40,
            first_day: start_of(ago(FIRST)),
            days: 2,
            requests_per_second: None,
            ..Options::default()
        };
        let api = futures::executor::block_on(gaio_social::start(options)).unwrap();
        let mut source = "connector: gaio_social\n    accounts:\n".to_owned();
        for (id, variable, _) in ACCOUNTS {
            source.push_str(&format!(
                "      - id: {id}\n        config: {{api_url: \"{}\", token: \"${{env:{variable}}}\", start_date: \"{}\", page_size: {page_size}, \
                 until_is: inclusive}}\n",
                api.url(),
                ago(FIRST)
            ));
        }
        let scene = Scene::new(&source, &ACCOUNTS.map(|(_, variable, token)| (variable, token)));
        let stream = |name, kind| Stream::new(MANIFEST, name, &["id"], kind);
        let mut streams = LISTS.map(|name| stream(name, Kind::Incremental)).to_vec();
        streams.push(stream("profiles", Kind::Snapshot));
        Self { api, scene, tables: Tables::new(streams) }
    }

    /// Takes over what a run of this generation has read: everything that is there, or what has a cursor.
    fn observe(&mut self, generation: u32, with_snapshots: bool) {
        self.tables.begin_run();
        for (account, ..) in ACCOUNTS {
            for (stream, records) in self.api.oracle(account, generation) {
                if with_snapshots || !self.tables.is_snapshot(stream) {
                    self.tables.take(account, stream, records.iter().map(record));
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

    /// The first and the last day that an account's list was asked for.
    fn asked_days(&self, account: &str, list: &str) -> (String, String) {
        let requests = self.api.requests().into_iter();
        let mine = requests.filter(|request| request.tenant.as_deref() == Some(account));
        let mine: Vec<_> = mine.filter(|request| request.path == format!("/{list}")).collect();
        let day = |name: &str| mine.iter().map(|request| parameter(request, name).unwrap()).collect::<Vec<_>>();
        (day("since").into_iter().min().unwrap(), day("until").into_iter().max().unwrap())
    }
}

#[test]
fn two_generations_and_a_backfill() {
    let mut brands = Brands::new(25);
    brands.run_and_check(1);
    brands.api.clear_requests();
    brands.run_and_check(2);
    for (account, ..) in ACCOUNTS {
        for list in LISTS {
            let records = &brands.api.oracle(account, 1)[list];
            let updated = records.iter().map(|record| record["updated_at"].as_str().unwrap());
            let latest = updated.map(|text| text.parse::<DateTime<Utc>>().unwrap()).max().unwrap().date_naive();
            let (first, last) = brands.asked_days(account, list);
            assert_eq!(
                first,
                (latest - TimeDelta::days(1)).to_string(),
                "{account} {list}: a day before the latest update"
            );
            assert!(last >= ago(1).to_string(), "{last}");
        }
    }
    for list in LISTS {
        assert!(brands.tables.count(list, 2, "INSERT") > 0 && brands.tables.count(list, 2, "UPDATE") > 0, "{list}");
        assert_eq!(brands.tables.count(list, 2, "DELETE"), 0, "what is gone stays");
    }
    assert!(brands.tables.count("profiles", 2, "DELETE") > 0);

    // The days of the third generation alone: what is new comes, and no checkpoint moves.
    let before = brands.scene.checkpoints();
    assert_eq!(before.len(), 6);
    brands.api.set_generation(3);
    brands.api.clear_requests();
    let day = ago(FIRST - 3);
    let (from, to) = (format!("{day}T00:00:00Z"), format!("{day}T23:59:59Z"));
    brands.scene.run(&["--stream", &LISTS.join(","), "--from", &from, "--to", &to]).expect(0);
    brands.observe(3, false);
    brands.tables.check(&brands.scene.warehouse());
    assert!(brands.tables.count("posts", 3, "UPDATE") > 0 && brands.tables.count("comments", 3, "INSERT") > 0);
    for (account, ..) in ACCOUNTS {
        for list in LISTS {
            assert_eq!(brands.asked_days(account, list), (day.to_string(), day.to_string()), "{account} {list}");
        }
    }
    assert!(brands.api.requests().iter().all(|request| request.path != "/profiles"));
    assert_eq!(brands.scene.checkpoints(), before);
}

#[test]
fn a_killed_run_loses_nothing() {
    let mut brands = Brands::new(6);
    brands.run_and_check(1);
    let before = brands.scene.checkpoints();
    brands.api.set_generation(4);
    brands.api.clear_requests();
    let hang = Fault {
        tenant: Some("brand-two".to_owned()),
        query_contains: Some("cursor=".to_owned()),
        ..Fault::once("/comments", FaultAction::Hang(Duration::from_secs(600))).after(1)
    };
    brands.api.add_fault(hang);
    let id = brands.scene.next_id();
    let api = brands.api.state();
    brands.scene.cut_short(&id, || hangs(&api.requests(), "/comments"));
    let after = brands.scene.checkpoints();
    assert_eq!(after["gaio_social/brand-two/comments.json"], before["gaio_social/brand-two/comments.json"]);
    brands.api.clear_faults();
    brands.scene.save();
    brands.observe(4, true);
    for id in [id, brands.scene.next_id()] {
        brands.scene.restore();
        brands.scene.run_as(&id, &[]).expect(0);
        brands.tables.check_after_a_break(&brands.scene.warehouse());
    }
    assert!(brands.tables.count("comments", 2, "UPDATE") > 5);
}
