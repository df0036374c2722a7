//! ServiceTitan with every stream that the connector has, and a report: two generations, what the second run asks for, and a backfill.
//! The streams are read from the manifest's text, so a stream that is added there is tested here.

use super::rows::Tables;
use super::scene::{Scene, ago, parameter};
use super::stream::{Kind, Stream, hints, record, record_of_text};
use crate::oracle::Record;
use crate::values::Type;
use chrono::{DateTime, DurationRound, NaiveDate, TimeDelta, Timelike, Utc};
use sandbox::servicetitan::{self, Options, ServiceTitan, Tenant};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const MANIFEST: &str = include_str!("../../../../extract-job/connectors/servicetitan.yaml");
const TENANT: &str = "900100";
const SECRET: &str = "cs1.hush+/=";
const APP_KEY: &str = "ak1.hush";
const DETAILED: [&str; 8] =
    ["activities", "timesheets", "jobs", "customers", "invoices", "locations", "gross_pay_items", "technicians"];
const REPORT: &str = "report_weekly";
const REPORT_ID: u64 = 123;
const BY_DAY: [(&str, Option<&str>); 4] = [
    ("attributed_leads", None),
    ("performance", Some("Campaign")),
    ("performance_ad_group", Some("AdGroup")),
    ("performance_keyword", Some("Keyword")),
];

/// A stream of the manifest.
struct Listed {
    stream: Stream,
    /// Behind the host, without a query.
    path: String,
    is_feed: bool,
    /// The parameter that says from when on, and the field that it is held against.
    since: Option<(&'static str, &'static str)>,
}

/// All streams that stand in the manifest's list.
fn listed() -> Vec<Listed> {
    let (_, rest) = MANIFEST.split_once("\nstreams:\n").unwrap();
    let (text, _) = rest.split_once("\ndynamic_streams:").unwrap();
    text.split("\n  - $ref: \"#/definitions/").skip(1).map(listed_in).collect()
}

fn listed_in(text: &str) -> Listed {
    let (kind, _) = text.split_once('"').unwrap();
    let part = |before: &str, after: &[char]| {
        text.split_once(before).map(|(_, rest)| rest.split_once(after).unwrap().0.to_owned())
    };
    let parameter = |name: &str| part(&format!("{name}: "), &[',', '}']).unwrap();
    let (name, module, resource) = (parameter("name"), parameter("module"), parameter("resource"));
    let schema = part("#/schemas/", &['"']).or(match kind {
        // A schema of its own without fields gives no hints.
        _ if text.contains("schema: {type: object}}") => None,
        "incremental_stream" | "export_stream" => Some("record".to_owned()),
        "submitted_stream" => Some("submission".to_owned()),
        _ => None,
    });
    let keys = part("primary_key: [", &[']'])
        .unwrap_or_else(|| if kind == "performance_stream" { "windowFrom, segment" } else { "id" }.to_owned());
    let keys: Vec<String> = keys.split(", ").filter(|key| !key.is_empty()).map(str::to_owned).collect();
    let (is_feed, kind, since) = match kind {
        "snapshot_stream" => (false, if keys.is_empty() { Kind::Replace } else { Kind::Snapshot }, None),
        "incremental_stream" => (false, Kind::Incremental, Some(("modifiedOnOrAfter", "modifiedOn"))),
        "submitted_stream" => (false, Kind::Incremental, Some(("submittedOnOrAfter", "submittedOn"))),
        "export_stream" => (true, Kind::Incremental, None),
        "window_stream" | "performance_stream" => (false, Kind::Incremental, None),
        other => panic!("a stream of kind {other}"),
    };
    let path = format!("/{module}/tenant/{TENANT}/{}{resource}", if is_feed { "export/" } else { "" });
    let hints = schema.map(|schema| hints(MANIFEST, &schema)).unwrap_or_default();
    Listed { stream: Stream { name, keys, kind, hints }, path, is_feed, since }
}

struct Company {
    api: ServiceTitan,
    scene: Scene,
    tables: Tables,
    streams: Vec<Listed>,
}

impl Company {
    /// Forty records of most resources; what is asked for by day begins four days ago.
    fn new() -> Self {
        let tenant =
            Tenant { id: TENANT.to_owned(), client_id: "cid.acme".to_owned(), client_secret: SECRET.to_owned() };
        let options = Options {
            tenants: vec![tenant],
            app_key: APP_KEY.to_owned(),
            records: 4000,
            overrides: DETAILED.iter().map(|name| ((*name).to_owned(), 60)).collect(),
            requests_per_second: None,
            report_interval: Duration::ZERO,
            ..Options::default()
        };
        let api = futures::executor::block_on(servicetitan::start(options)).unwrap();
        let source = format!(
            "connector: servicetitan\n    accounts:\n      - id: acme\n        config:\n          tenant_id: \"{TENANT}\"\n          \
             client_id: cid.acme\n          client_secret: \"${{env:E2E_ST_SECRET}}\"\n          app_key: \"${{env:E2E_ST_KEY}}\"\n          \
             api_url: {url}\n          auth_url: {url}\n          first_day: \"{}\"\n          page_size: 50\n          \
             reports: [{{id: {REPORT_ID}, category: operations, name: weekly, days: 7, keys: [JobNumber]}}]\n",
            ago(4),
            url = api.url()
        );
        let scene = Scene::new(&source, &[("E2E_ST_SECRET", SECRET), ("E2E_ST_KEY", APP_KEY)]);
        let streams = listed();
        let report = Stream {
            name: REPORT.to_owned(),
            keys: vec!["reportFrom".to_owned(), "JobNumber".to_owned()],
            kind: Kind::Incremental,
            hints: ["reportFrom", "reportTo"].map(|field| (field.to_owned(), Type::Date)).into(),
        };
        let tables = Tables::new(streams.iter().map(|of| of.stream.clone()).chain([report]).collect());
        Self { api, scene, tables, streams }
    }

    /// The records of a stream that the API has now, with what the connector adds to them.
    fn records(&self, stream: &str) -> Vec<Record> {
        let (first, last) = (ago(4), ago(1));
        if stream == REPORT {
            let rows = self.api.report_truth(TENANT, REPORT_ID, &first.to_string(), &last.to_string());
            let window = [("reportFrom", first), ("reportTo", last)];
            let added = |row: &String| {
                let window = window.iter().map(|(name, day)| ((*name).to_owned(), json!(day.to_string()).to_string()));
                record_of_text(row).into_iter().chain(window).collect()
            };
            return rows.iter().map(added).collect();
        }
        match BY_DAY.iter().find(|(name, _)| *name == stream) {
            Some((_, segment)) => {
                let days = first.iter_days().take_while(|day| *day <= last);
                days.flat_map(|day| self.of_day(*segment, day)).collect()
            }
            None => self.api.truth(TENANT, stream).iter().map(|text| record_of_text(text)).collect(),
        }
    }

    /// Leads, or the performance by a segment, of one day.
    fn of_day(&self, segment: Option<&str>, day: NaiveDate) -> Vec<Record> {
        let path = if segment.is_some() { "performance" } else { "attributed-leads" };
        let texts = self.api.ads_truth(TENANT, path, segment, &day.to_string(), &day.to_string());
        let added = |text: &String| {
            let mut value: Value = serde_json::from_str(text).unwrap();
            let plain = |part: &str, field: &str| match &value[part][field] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let first = |parts: &[(&str, &str)]| {
                parts.iter().map(|(part, field)| plain(part, field)).find(|text| !text.is_empty()).unwrap_or_default()
            };
            let (name, text) = match segment {
                None => {
                    let id = first(&[("call", "id"), ("booking", "id"), ("leadForm", "leadNumber"), ("job", "id")]);
                    ("leadSource", format!("{}/{id}", value["leadType"].as_str().unwrap()))
                }
                Some(_) => {
                    let campaign = first(&[("campaign", "id"), ("campaign", "name")]);
                    ("segment", format!("{campaign}/{}/{}", plain("adGroup", "id"), plain("keyword", "id")))
                }
            };
            value[name] = json!(text);
            value["windowFrom"] = json!(format!("{day}T00:00:00.000000Z"));
            record(&value)
        };
        texts.iter().map(added).collect()
    }

    /// Takes over what a run has read of these streams; of a list that is filtered by time, what lies after its bound.
    fn observe(&mut self, streams: &[String], bounds: &BTreeMap<String, DateTime<Utc>>) {
        self.tables.begin_run();
        for stream in streams {
            let mut records = self.records(stream);
            assert!(!records.is_empty(), "the stand-in has nothing of {stream}");
            if let Some(bound) = bounds.get(stream) {
                let field = self.streams.iter().find(|of| of.stream.name == *stream).unwrap().since.unwrap().1;
                records.retain(|record| time(&record[field]) >= *bound);
            }
            self.tables.take("acme", stream, records);
        }
    }

    fn run_and_check(&mut self, generation: u32, bounds: &BTreeMap<String, DateTime<Utc>>) {
        self.api.set_generation(generation);
        self.scene.run(&[]).expect(0);
        let all = self.tables.names();
        self.observe(&all, bounds);
        self.tables.check(&self.scene.warehouse());
    }

    /// Of every list that is filtered by time: from when on the run after this moment must ask.
    fn bounds(&self) -> BTreeMap<String, DateTime<Utc>> {
        let of_stream = |listed: &Listed| {
            let (_, field) = listed.since?;
            let records = self.records(&listed.stream.name);
            let latest = records.iter().map(|record| time(&record[field])).max().unwrap();
            let from = latest.duration_trunc(TimeDelta::microseconds(1)).unwrap() - TimeDelta::hours(1);
            Some((listed.stream.name.clone(), from))
        };
        self.streams.iter().filter_map(of_stream).collect()
    }
}

/// The instant that a value's text tells.
fn time(raw: &str) -> DateTime<Utc> {
    serde_json::from_str(raw).unwrap()
}

#[test]
fn every_stream_and_a_report_in_two_generations() {
    // What is asked for by day ends with yesterday: the test must not see two of them.
    while Utc::now().hour() == 23 && Utc::now().minute() >= 58 {
        std::thread::sleep(Duration::from_secs(1));
    }
    let mut company = Company::new();
    assert!(company.streams.len() > 180, "{} streams", company.streams.len());
    company.run_and_check(1, &BTreeMap::new());
    let bounds = company.bounds();
    assert!(bounds.len() > 80, "{}", bounds.len());
    company.api.clear_requests();
    company.run_and_check(2, &bounds);

    let requests = company.api.requests();
    for listed in &company.streams {
        let name = &listed.stream.name;
        let mine: Vec<_> = requests.iter().filter(|request| request.path == listed.path).collect();
        assert!(!mine.is_empty(), "{name}");
        if let Some((parameter_name, _)) = listed.since {
            let from: Vec<_> = mine.iter().filter_map(|request| parameter(request, parameter_name)).collect();
            assert_eq!(from.len(), mine.len(), "{name}");
            let bound = bounds[name].format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
            assert!(from.iter().all(|from| *from == bound), "{name}: {from:?} instead of {bound}");
        }
        if listed.is_feed {
            let goes_on = |token: String| !token.is_empty();
            assert!(
                mine.iter().all(|request| parameter(request, "from").is_some_and(goes_on)),
                "{name}: from the start"
            );
        }
    }
    let changed = |operation: &str| {
        company.tables.names().iter().filter(|name| company.tables.count(name, 2, operation) > 0).count()
    };
    assert!(changed("UPDATE") > 150 && changed("DELETE") > 10, "{} and {}", changed("UPDATE"), changed("DELETE"));

    // A backfill of some lists: what is new comes, and no checkpoint moves.
    let before = company.scene.checkpoints();
    company.api.set_generation(3);
    let streams =
        ["jobs", "invoices", "appointments", "vendors", "technician_ratings", "submissions"].map(str::to_owned);
    let to = format!("{}T00:00:00Z", ago(0));
    company.scene.run(&["--stream", &streams.join(","), "--from", "2022-01-01T00:00:00Z", "--to", &to]).expect(0);
    company.observe(&streams, &BTreeMap::new());
    company.tables.check(&company.scene.warehouse());
    assert!(company.tables.count("jobs", 3, "UPDATE") > 0 && company.tables.count("vendors", 3, "UPDATE") > 0);
    assert_eq!(company.scene.checkpoints(), before);
}
