//! Gong: calls in both forms, transcripts and their sentences, users; three requests a second, as the connector promises.
//! A run reads calls by their dates alone, so what it must bring follows from the dates: changes of older calls come with a backfill.

use super::rows::Tables;
use super::scene::{Scene, ago, hangs, parameter, start_of};
use super::stream::{Kind, Stream, record};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use sandbox::fault::{Fault, FaultAction};
use sandbox::gong::{self, Gong, Options, OracleRecord};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const MANIFEST: &str = include_str!("../../../../extract-job/connectors/gong.yaml");
const SECRET: &str = "hush-gong+/=";
const CALLS: [&str; 2] = ["calls", "calls_extensive"];
const TRANSCRIPTS: [&str; 2] = ["transcripts", "transcript_sentences"];

struct Company {
    api: Gong,
    scene: Scene,
    tables: Tables,
}

fn moment(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

impl Company {
    /// Twenty days of calls; the present of the first generation is five days ago.
    fn new(page_size: usize) -> Self {
        let options = Options {
            access_key_secret: SECRET.to_owned(),
            calls: 36,
            users: 24,
            until_ms: start_of(ago(5)).timestamp_millis(),
            span: Duration::from_secs(20 * 86_400),
            page_size,
            requests_per_second: None,
            ..Options::default()
        };
        let api = futures::executor::block_on(gong::start(options)).unwrap();
        let source = format!(
            "connector: gong\n    accounts:\n      - id: acme\n        config: {{access_key: GONGSANDBOXKEY, access_key_secret: \"${{env:E2E_GONG}}\", \
             start_date: \"{}\", api_url: \"{}\"}}\n",
            ago(26),
            api.url()
        );
        let scene = Scene::new(&source, &[("E2E_GONG", SECRET)]);
        let stream = |name, keys: &[&str], kind| Stream::new(MANIFEST, name, keys, kind);
        let tables = Tables::new(vec![
            stream("calls", &["id"], Kind::Incremental),
            stream("calls_extensive", &["id"], Kind::Incremental),
            stream("transcripts", &["callId"], Kind::Incremental),
            stream("transcript_sentences", &["callId", "turn", "position"], Kind::Incremental),
            stream("users", &["id"], Kind::Snapshot),
        ]);
        Self { api, scene, tables }
    }

    /// The records of a stream that exist in a generation.
    fn live(&self, generation: u32, stream: &str) -> Vec<OracleRecord> {
        let records = self.api.oracle(generation).streams.remove(stream).unwrap_or_default();
        records.into_iter().filter(|record| record.removed.is_none()).collect()
    }

    /// So many days before the start of the latest call of a generation, to the second: where the next run begins.
    fn since(&self, generation: u32, days: i64) -> DateTime<Utc> {
        let starts = self.live(generation, "calls").into_iter().map(|call| call.started_ms.unwrap());
        let latest = DateTime::from_timestamp_millis(starts.max().unwrap()).unwrap() - TimeDelta::days(days);
        DateTime::from_timestamp(latest.timestamp(), 0).unwrap()
    }

    /// Takes over what a run of this generation has read of the calls since these times, and of their transcripts.
    fn observe(&mut self, generation: u32, calls: DateTime<Utc>, transcripts: DateTime<Utc>, with_users: bool) {
        self.tables.begin_run();
        let ids = |since: DateTime<Utc>| -> BTreeSet<String> {
            let all = self.live(generation, "calls").into_iter().map(|call| call.record);
            // The API holds the dates against the scheduled time.
            all.filter(|call| moment(&call["scheduled"]) >= since).map(|call| call["id"].to_string()).collect()
        };
        for (streams, ids) in [(CALLS, ids(calls)), (TRANSCRIPTS, ids(transcripts))] {
            for stream in streams {
                let of_call = |record: &Value| ids.contains(&record.get("callId").unwrap_or(&record["id"]).to_string());
                let mut records: Vec<Value> = self.live(generation, stream).into_iter().map(|of| of.record).collect();
                records.retain(of_call);
                if stream == "calls_extensive" {
                    // Addresses of media are not asked for.
                    records.iter_mut().for_each(|record| drop(record.as_object_mut().unwrap().remove("media")));
                }
                self.tables.take("acme", stream, records.iter().map(record));
            }
        }
        if with_users {
            let users = self.live(generation, "users");
            self.tables.take("acme", "users", users.iter().map(|user| record(&user.record)));
        }
    }

    /// The first run, which reads everything.
    fn first_run(&mut self) {
        self.scene.run(&[]).expect(0);
        self.observe(1, DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH, true);
        self.tables.check(&self.scene.warehouse());
    }
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[test]
fn two_generations_and_a_backfill() {
    let mut company = Company::new(20);
    company.first_run();
    let requests = company.api.requests();
    for three in requests.windows(4) {
        assert!(three[3].at - three[0].at >= Duration::from_secs(1), "more than three requests a second");
    }
    let first = requests.len();
    company.api.clear_requests();
    company.api.set_generation(2);
    company.scene.run(&[]).expect(0);
    let (calls, transcripts) = (company.since(1, 1), company.since(1, 3));
    company.observe(2, calls, transcripts, true);
    company.tables.check(&company.scene.warehouse());

    // A day back from the latest call; three days for those whose transcripts may have come since.
    let requests = company.api.requests();
    let asked = |path: &str| requests.iter().filter(|request| request.path == path).collect::<Vec<_>>();
    let from: BTreeSet<String> =
        asked("/v2/calls").into_iter().map(|request| parameter(request, "fromDateTime").unwrap()).collect();
    assert_eq!(from, [text(calls), text(transcripts)].into());
    for request in asked("/v2/calls/extensive") {
        assert!(request.query.contains(&format!("\"fromDateTime\":\"{}\"", text(calls))), "{}", request.query);
    }
    let body: Value = serde_json::from_str(&asked("/v2/calls/transcript")[0].query).unwrap();
    let ids = body["filter"]["callIds"].as_array().unwrap().len();
    assert!(ids > 0 && ids < 20, "{ids} of the calls are asked for transcripts again");
    assert!(requests.len() < first);
    for stream in CALLS.into_iter().chain(TRANSCRIPTS) {
        assert!(company.tables.count(stream, 2, "INSERT") > 0, "{stream}");
    }
    assert!(company.tables.count("users", 2, "DELETE") > 0 && company.tables.count("users", 2, "UPDATE") > 0);

    // All days once more: changes of older calls come, and no checkpoint moves.
    let before = company.scene.checkpoints();
    assert_eq!(before.len(), 5);
    company.api.clear_requests();
    let (from, to) = (format!("{}T00:00:00Z", ago(26)), format!("{}T00:00:00Z", ago(0)));
    let streams = CALLS.into_iter().chain(TRANSCRIPTS).collect::<Vec<_>>().join(",");
    company.scene.run(&["--stream", &streams, "--from", &from, "--to", &to]).expect(0);
    company.observe(2, DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH, false);
    company.tables.check(&company.scene.warehouse());
    for stream in CALLS {
        assert!(company.tables.count(stream, 3, "UPDATE") > 0, "{stream}: an older call was changed");
        assert_eq!(company.tables.count(stream, 3, "DELETE"), 0, "{stream}");
    }
    assert!(company.api.requests().iter().all(|request| request.path != "/v2/users"));
    assert_eq!(company.scene.checkpoints(), before);
}

#[test]
fn a_killed_run_loses_nothing() {
    let mut company = Company::new(100);
    company.first_run();
    let before = company.scene.checkpoints();
    company.api.set_generation(4);
    company.api.clear_requests();
    company.api.add_fault(Fault::once("/calls/transcript", FaultAction::Hang(Duration::from_secs(600))).always());
    let id = company.scene.next_id();
    let api = company.api.state();
    company.scene.cut_short(&id, || hangs(&api.requests(), "/calls/transcript"));
    let after = company.scene.checkpoints();
    for stream in TRANSCRIPTS {
        let name = format!("gong/acme/{stream}.json");
        assert_eq!(after[&name], before[&name]);
    }
    company.api.clear_faults();
    company.scene.save();
    let (calls, transcripts) = (company.since(1, 1), company.since(1, 3));
    company.observe(4, calls, transcripts, true);
    for id in [id, company.scene.next_id()] {
        company.scene.restore();
        company.scene.run_as(&id, &[]).expect(0);
        company.tables.check_after_a_break(&company.scene.warehouse());
    }
    assert!(company.tables.count("transcripts", 2, "INSERT") > 0);
}
