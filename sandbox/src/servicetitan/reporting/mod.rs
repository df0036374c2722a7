//! The reporting API: categories, reports and their descriptions, runs of a report, value sets.
//! A run is checked as strictly as the real one is said to be, and the same report runs once in a span of time.

mod catalogue;
mod rows;

use std::time::Instant;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::query::Query;
use super::reply::Refusal;
use super::state::Handle;
use catalogue::{CATEGORIES, REPORTS, Report};
pub(crate) use rows::truth;

const LARGEST_PAGE: u64 = 5000;

/// A body, or so many seconds to wait.
pub(crate) enum Outcome {
    Body(Vec<u8>),
    TooSoon(u64),
}

/// Answers a call; `path` is what follows the tenant.
pub(crate) fn answer(
    handle: &Handle,
    tenant: usize,
    method: &Method,
    path: &str,
    query: &Query,
    body: &[u8],
) -> Result<Outcome, Refusal> {
    let parts: Vec<&str> = path.split('/').collect();
    let wanted = if matches!(parts[..], [.., "data"]) { Method::POST } else { Method::GET };
    if *method != wanted {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "This call takes another method."));
    }
    query.allow(&["page", "pageSize", "includeTotal"])?;
    let generation = handle.generation();
    let answer = match parts[..] {
        ["report-categories"] => page(query, CATEGORIES.iter().map(|(id, name)| json!({"id": id, "name": name})))?,
        ["report-category", category, "reports"] => {
            let reports = REPORTS.iter().filter(|report| report.category == category);
            page(query, reports.map(Report::summary))?
        }
        ["report-category", category, "reports", id] => find(category, id)?.description(generation),
        ["report-category", category, "reports", id, "data"] => {
            let report = find(category, id)?;
            let values = report.parameters(body)?;
            if let Err(seconds) = handle.admit_report(tenant, report.id, Instant::now()) {
                return Ok(Outcome::TooSoon(seconds));
            }
            let mut answer = page(query, rows::of(handle, tenant, report, &values)?)?;
            answer["fields"] = report.fields(generation, false);
            answer
        }
        ["dynamic-value-sets", "business-units"] => {
            let units = (1..=8).map(|unit| json!([unit, format!("Unit {unit}")]));
            let mut answer = page(query, units)?;
            answer["fields"] = json!([{"name": "Value", "label": "Value"}, {"name": "Name", "label": "Name"}]);
            answer
        }
        _ => return Err(Refusal::new(StatusCode::NOT_FOUND, "Not found")),
    };
    Ok(Outcome::Body(answer.to_string().into_bytes()))
}

fn find(category: &str, id: &str) -> Result<&'static Report, Refusal> {
    let found = REPORTS.iter().find(|report| report.category == category && report.id.to_string() == id);
    found.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "There is no such report."))
}

/// One page of some rows.
pub(crate) fn page(query: &Query, rows: impl IntoIterator<Item = Value>) -> Result<Value, Refusal> {
    let page = query.number("page", 1, 1..=u64::from(u32::MAX))?;
    let size = query.number("pageSize", 1000, 1..=LARGEST_PAGE)?;
    let rows: Vec<Value> = rows.into_iter().collect();
    let total = rows.len() as u64;
    let told = query.flag("includeTotal")?.then_some(total);
    let data: Vec<Value> = rows.into_iter().skip(((page - 1) * size) as usize).take(size as usize).collect();
    Ok(json!({"page": page, "pageSize": size, "hasMore": page * size < total, "totalCount": told, "data": data}))
}
