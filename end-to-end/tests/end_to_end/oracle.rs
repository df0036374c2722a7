//! The oracle's reading of the stand-in: its own login, its own paging, over a plain connection; values stay the text they came as.
//! It knows the streams from the API's description alone and shares no code with the programs.

use crate::world::{APP_KEY, Account, World};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

/// A record: every field with the text of its value.
pub(crate) type Record = BTreeMap<String, String>;

/// A stream: its table's name, its path (module before, resource behind the tenant), and how a reader gets all of it.
pub(crate) struct Stream {
    pub(crate) name: &'static str,
    module: &'static str,
    resource: &'static str,
    filter: &'static str,
    pub(crate) snapshot: bool,
}

const fn stream(
    name: &'static str,
    module: &'static str,
    resource: &'static str,
    filter: &'static str,
    snapshot: bool,
) -> Stream {
    Stream { name, module, resource, filter, snapshot }
}

pub(crate) const STREAMS: [Stream; 13] = [
    stream("business_units", "settings", "business-units", "&active=Any", true),
    stream("job_types", "jpm", "job-types", "&active=Any", true),
    stream("technicians", "settings", "technicians", "&active=Any", true),
    stream("employees", "settings", "employees", "&active=Any", true),
    stream("campaigns", "marketing", "campaigns", "&active=Any", true),
    stream("activities", "timesheets", "activities", "&active=Any", false),
    stream("timesheets", "payroll", "jobs/timesheets", "&active=Any", false),
    stream("jobs", "jpm", "jobs", "", false),
    stream("customers", "crm", "customers", "&active=Any", false),
    stream("invoices", "accounting", "invoices", "&activeState=All", false),
    stream("locations", "crm", "locations", "&active=Any", false),
    stream("gross_pay_items", "payroll", "gross-pay-items", "", false),
    stream("jobs_export", "jpm", "export/jobs", "", false),
];

pub(crate) fn stream_named(name: &str) -> &'static Stream {
    STREAMS.iter().find(|stream| stream.name == name).unwrap()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    has_more: bool,
    #[serde(default)]
    continue_from: String,
    #[serde(borrow)]
    data: Vec<BTreeMap<String, &'a RawValue>>,
}

/// A reader of one tenant.
pub(crate) struct Reader {
    address: String,
    tenant: &'static str,
    token: String,
}

impl Reader {
    pub(crate) fn log_in(world: &World, account: &Account) -> Self {
        let address = world.api.url().trim_start_matches("http://").to_owned();
        let secret = account.secret.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let form = format!("grant_type=client_credentials&client_id={}&client_secret={secret}", account.client_id);
        let request = format!(
            "POST /connect/token HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
            form.len()
        );
        let answer: serde_json::Value = serde_json::from_str(&send(&address, &request)).unwrap();
        Self { address, tenant: account.tenant, token: answer["access_token"].as_str().unwrap().to_owned() }
    }

    /// All records of a stream by their ids; of a record that comes twice (a feed) the last counts.
    pub(crate) fn records(&self, stream: &Stream) -> BTreeMap<i64, Record> {
        let feed = stream.resource.starts_with("export/");
        let (mut records, mut next) = (BTreeMap::new(), if feed { String::new() } else { "1".to_owned() });
        loop {
            let query =
                if feed { format!("from={next}") } else { format!("page={next}&pageSize=500{}", stream.filter) };
            let body = self.get(&format!("/{}/v2/tenant/{}/{}?{query}", stream.module, self.tenant, stream.resource));
            let page: Page<'_> = serde_json::from_str(&body).unwrap();
            for record in page.data {
                let record: Record = record.into_iter().map(|(field, raw)| (field, raw.get().to_owned())).collect();
                records.insert(record["id"].parse().unwrap(), record);
            }
            if !page.has_more {
                return records;
            }
            next = if feed { page.continue_from } else { (next.parse::<u64>().unwrap() + 1).to_string() };
        }
    }

    fn get(&self, path: &str) -> String {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {}\r\nST-App-Key: {APP_KEY}\r\n\r\n",
            self.address, self.token
        );
        send(&self.address, &request)
    }
}

/// The body of the answer, which must be a 200 with a length.
fn send(address: &str, request: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}\n{body}");
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    assert_eq!(length.unwrap().parse::<usize>().unwrap(), body.len());
    body.to_owned()
}
