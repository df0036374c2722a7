//! Marketing's two resources that are asked for by a window of time: attributed leads and the performance of campaigns.
//! What they give follows from the days in the window alone, so that any window can be asked for.

use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::dice::{Dice, key_of, mix};
use super::parameters;
use super::query::Query;
use super::reply::Refusal;
use super::reporting;
use super::resources::Resource;
use super::state::Handle;

const CAMPAIGNS: u64 = 4;
const LONGEST_DAYS: i64 = 400;
const SEGMENTS: [(&str, &str); 3] = [("Campaign", "Campaign"), ("AdGroup", "AdGroup"), ("Keyword", "Keyword")];

type Window = (DateTime<Utc>, DateTime<Utc>);

/// The body of one page.
pub(crate) fn answer(handle: &Handle, tenant: usize, resource: &Resource, query: &Query) -> Result<Vec<u8>, Refusal> {
    parameters::check_list(resource, query)?;
    let window = (moment(query, "fromUtc")?, moment(query, "toUtc")?);
    if window.0 > window.1 || (window.1 - window.0).num_days() > LONGEST_DAYS {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "fromUtc must be before toUtc, by 400 days at most."));
    }
    let segment = query.choice("performanceSegmentationType", &SEGMENTS)?;
    Ok(reporting::page(query, rows(handle, tenant, resource.path, segment, window))?.to_string().into_bytes())
}

/// What a window of whole days (`YYYY-MM-DD`, both ends in) gives; `segment` for the performance.
pub(crate) fn truth(
    handle: &Handle,
    tenant: &str,
    path: &str,
    segment: Option<&str>,
    from: &str,
    to: &str,
) -> Vec<String> {
    let (Some(tenant), Ok(from), Ok(to)) = (handle.tenant_index(tenant), from.parse(), to.parse()) else {
        return Vec::new();
    };
    let (from, to): (NaiveDate, NaiveDate) = (from, to);
    let window = (start(from), start(to) + TimeDelta::days(1) - TimeDelta::microseconds(1));
    rows(handle, tenant, path, segment, window).iter().map(Value::to_string).collect()
}

fn rows(handle: &Handle, tenant: usize, path: &str, segment: Option<&str>, window: Window) -> Vec<Value> {
    let name = handle.options().tenants.get(tenant).map_or("", |tenant| tenant.id.as_str());
    let key = key_of(handle.options().seed, &[name, "marketingads", path, segment.unwrap_or_default()]);
    let generation = u64::from(handle.generation());
    match segment {
        None => leads(key, generation, window),
        Some(segment) => (0..CAMPAIGNS).map(|number| performance(key, generation, segment, number, window)).collect(),
    }
}

fn leads(key: u64, generation: u64, window: Window) -> Vec<Value> {
    let of_day = |day: NaiveDate| {
        let day_key = key_of(key, &[&day.to_string()]);
        (0..2 + Dice::new(day_key).below(4)).map(move |number| lead(mix(day_key, number), generation, day))
    };
    let all = days(window).flat_map(of_day).filter(|(at, _)| (window.0..=window.1).contains(at));
    all.map(|(_, lead)| lead).collect()
}

fn lead(key: u64, generation: u64, day: NaiveDate) -> (DateTime<Utc>, Value) {
    let mut dice = Dice::new(key);
    let at = start(day) + TimeDelta::milliseconds(dice.below(86_400_000) as i64);
    let kind = dice.pick(&["Call", "WebBooking", "WebLeadForm", "ManualJob"]);
    let id = 70_000_000 + dice.below(9_000_000);
    let part = |of: &str, value: Value| if of == kind { value } else { Value::Null };
    // Attribution may change afterwards.
    let campaign = dice.below(CAMPAIGNS) + if dice.one_in(10) { generation } else { 0 };
    let lead = json!({
        "dateTime": at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(), "leadType": kind,
        "attribution": {"utmSource": "google", "stCampaignId": 81_200_001 + campaign, "keywordId": null},
        "job": part("ManualJob", json!({"id": id, "name": "Nº 1"})),
        "customer": {"id": 55_000_001 + dice.below(900), "name": "K. Example"},
        "call": part("Call", json!({"id": id, "duration": "00:03:10", "callerNumber": "0005550100"})),
        "leadForm": part("WebLeadForm", json!({"leadNumber": id, "leadStatus": "Open", "notes": null})),
        "booking": part("WebBooking", json!({"id": id})),
    });
    (at, lead)
}

fn performance(key: u64, generation: u64, segment: &str, number: u64, window: Window) -> Value {
    let clicks = days(window).map(|day| {
        let day_key = key_of(mix(key, number), &[&day.to_string()]);
        let changed = if day_key.is_multiple_of(10) { generation } else { 1 };
        Dice::new(day_key).below(90) + changed
    });
    let clicks: u64 = clicks.sum();
    let part = |name: &str, from: &[&str]| {
        if from.contains(&segment) {
            json!({"id": format!("{name}-{number}"), "name": name, "status": "Live"})
        } else {
            Value::Null
        }
    };
    json!({
        // Campaigns that only the advertiser knows have no id here.
        "campaign": {"id": (number > 0).then_some(81_200_001 + 3 * number), "name": format!("Campaign {number}"), "status": "Live"},
        "adGroup": part("group", &["AdGroup", "Keyword"]),
        "keyword": part("keyword", &["Keyword"]),
        "digitalStats": {"impressions": clicks * 20, "clicks": clicks, "averageCPC": 1.25, "cost": clicks as f64 * 1.25},
        "leadStats": {"leads": clicks / 10, "revenue": clicks * 30},
        "returnOnInvestment": if clicks == 0 { Value::Null } else { json!(0.5) },
    })
}

fn days(window: Window) -> impl Iterator<Item = NaiveDate> {
    window.0.date_naive().iter_days().take_while(move |day| *day <= window.1.date_naive())
}

fn start(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// A date-time, or a date as its midnight.
fn moment(query: &Query, name: &str) -> Result<DateTime<Utc>, Refusal> {
    let text = query.get(name).unwrap_or_default();
    let date = || text.parse::<NaiveDate>().map(start);
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).or_else(|_| date());
    time.map_err(|_| Refusal::parameter(name, text))
}
