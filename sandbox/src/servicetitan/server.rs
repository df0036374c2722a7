//! The routes: log, log in, limit, fault, answer, in this order.
//! A fault strikes only requests that would have been served, so that scripts count exactly.

use std::time::Instant;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;

use super::list::Bend;
use super::query::Query;
use super::reply::{self, Refusal};
use super::resources::{self, Dates, Resource};
use super::state::Handle;
use super::world::{Filter, ShiftKind, World};
use super::{ads, export, list, reporting};
use crate::fault::{FaultAction, Seen};
use crate::request_log::RequestSeen;
use reporting::Outcome;

const TOKEN_PATH: &str = "/connect/token";
const LARGEST_FORM: usize = 64 * 1024;
const HTML: &str = "<!DOCTYPE html><html><head><title>Sorry</title></head><body>Scheduled maintenance</body></html>";

pub(crate) fn router(handle: Handle) -> Router {
    Router::new().fallback(serve).with_state(handle)
}

async fn serve(State(handle): State<Handle>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let number = handle.begin(RequestSeen {
        method: parts.method.to_string(),
        path: path.to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        tenant: path.split('/').nth(4).filter(|_| path.contains("/tenant/")).map(str::to_owned),
        status: 0,
        at: Instant::now(),
        has_authorization: parts.headers.contains_key(AUTHORIZATION),
    });
    tokio::time::sleep(handle.options().latency).await;
    let answer = if path == TOKEN_PATH {
        let form = to_bytes(body, LARGEST_FORM).await.unwrap_or_default();
        issue_token(&handle, number, &parts, &form).await
    } else {
        let body = to_bytes(body, LARGEST_FORM).await.unwrap_or_default();
        answer(&handle, &parts, &body).await
    };
    let response = answer.unwrap_or_else(|refusal| refusal.response());
    handle.note(number, |entry| entry.status = response.status().as_u16());
    response
}

async fn issue_token(handle: &Handle, number: u64, parts: &Parts, form: &Bytes) -> Result<Response, Refusal> {
    if parts.method != Method::POST {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "The token endpoint takes POST."));
    }
    let wrong = |error: &str| Ok(reply::json(StatusCode::BAD_REQUEST, format!("{{\"error\":\"{error}\"}}")));
    let is_form = header(parts, CONTENT_TYPE.as_str()).is_some_and(|kind| kind.contains("x-www-form-urlencoded"));
    let Some(form) = std::str::from_utf8(form).ok().filter(|_| is_form).map(Query::parse) else {
        return wrong("invalid_request");
    };
    if form.get("grant_type") != Some("client_credentials") {
        return wrong("unsupported_grant_type");
    }
    let credentials = (form.get("client_id").unwrap_or_default(), form.get("client_secret").unwrap_or_default());
    let Some(tenant) = handle.tenant_of_client(credentials.0, credentials.1) else {
        return wrong("invalid_client");
    };
    handle.note(number, |entry| entry.tenant = Some(tenant.id.clone()));
    let query = parts.uri.query().unwrap_or_default();
    let seen = Seen { path: TOKEN_PATH, query, decoded_query: query, tenant: Some(&tenant.id) };
    let mut fault = handle.fault(&seen);
    if let Some(response) = instead(&mut fault).await {
        return Ok(response);
    }
    let (token, lifetime) = {
        let mut tokens = handle.tokens();
        (tokens.issue(credentials.0), tokens.lifetime().as_secs())
    };
    let body = format!("{{\"access_token\":\"{token}\",\"expires_in\":{lifetime},\"token_type\":\"Bearer\"}}");
    Ok(damaged(fault.as_ref(), body.into_bytes()))
}

async fn answer(handle: &Handle, parts: &Parts, body: &[u8]) -> Result<Response, Refusal> {
    let call = Call::read(handle, parts)?;
    if let Err(seconds) = handle.admit(call.tenant_id) {
        return Ok(reply::too_many_requests(&seconds.to_string()));
    }
    if parts.method != Method::GET && !matches!(call.target, Target::Reporting(_)) {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Only GET is served."));
    }
    let raw_query = parts.uri.query().unwrap_or_default();
    let query = Query::parse(raw_query);
    let decoded_query = query.decoded();
    let seen =
        Seen { path: parts.uri.path(), query: raw_query, decoded_query: &decoded_query, tenant: Some(call.tenant_id) };
    let mut fault = handle.fault(&seen);
    if let Some(FaultAction::Unauthorized) = fault {
        handle.tokens().drop_token(header(parts, AUTHORIZATION.as_str()));
    }
    if let Some(response) = instead(&mut fault).await {
        return Ok(response);
    }
    let (resource, exported) = match call.target {
        Target::List(resource) if resource.dates == Dates::Window => {
            return Ok(damaged(fault.as_ref(), ads::answer(handle, call.tenant, resource, &query)?));
        }
        Target::List(resource) => (resource, false),
        Target::Feed(resource) => (resource, true),
        Target::Reporting(path) => {
            return Ok(match reporting::answer(handle, call.tenant, &parts.method, path, &query, body)? {
                Outcome::Body(body) => damaged(fault.as_ref(), body),
                Outcome::TooSoon(seconds) => reply::too_many_requests(&seconds.to_string()),
            });
        }
    };
    let world = handle.world(call.tenant, resource);
    let job = {
        let (handle, fault, tenant) = (handle.clone(), fault.clone(), call.tenant);
        move || {
            let filter = if exported { Filter::default() } else { list::filter(resource, &query)? };
            let body = if exported {
                let same_token = matches!(fault, Some(FaultAction::RepeatToken));
                export::page(&world, &query, handle.options().export_page_size, same_token)?
            } else {
                let bend = Bend {
                    first_page_again: matches!(fault, Some(FaultAction::RepeatPage)),
                    wrong_total: matches!(fault, Some(FaultAction::WrongTotal)),
                };
                list::page(&world, &filter, &query, handle.options().max_page_size, bend)?
            };
            if let Some(kind) = fault.and_then(|fault| shift(&fault, &world, &filter)) {
                handle.shift(tenant, resource, kind);
            }
            Ok(body)
        }
    };
    // Writing a large page takes milliseconds of pure work: not on the threads that serve the connections.
    let body = tokio::task::spawn_blocking(job)
        .await
        .map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "The stand-in failed."))??;
    Ok(damaged(fault.as_ref(), body))
}

/// A request that has been let in.
struct Call<'a> {
    tenant: usize,
    tenant_id: &'a str,
    target: Target<'a>,
}

/// What it asks for.
enum Target<'a> {
    List(&'static Resource),
    Feed(&'static Resource),
    /// What follows the tenant in the path.
    Reporting(&'a str),
}

impl<'a> Call<'a> {
    fn read(handle: &Handle, parts: &'a Parts) -> Result<Self, Refusal> {
        let unknown = || Refusal::new(StatusCode::NOT_FOUND, "Not found");
        let refused = || Refusal::new(StatusCode::UNAUTHORIZED, "Unauthorized");
        let mut path = parts.uri.path().trim_start_matches('/').splitn(5, '/');
        let mut next = || path.next().unwrap_or_default();
        let (module, version, word, tenant_id, rest) = (next(), next(), next(), next(), next());
        if word != "tenant" {
            return Err(unknown());
        }
        let tenant = handle.tenant_index(tenant_id).ok_or_else(refused)?;
        let allowed = handle
            .options()
            .tenants
            .get(tenant)
            .is_some_and(|tenant| handle.tokens().allows(header(parts, AUTHORIZATION.as_str()), tenant));
        if !allowed || header(parts, "st-app-key") != Some(handle.options().app_key.as_str()) {
            return Err(refused());
        }
        let target = match rest.strip_prefix("export/") {
            _ if module == "reporting" && version == "v2" => Some(Target::Reporting(rest)),
            Some(name) => resources::route(module, version, name, true).map(Target::Feed),
            None => resources::route(module, version, rest, false).map(Target::List),
        };
        Ok(Self { tenant, tenant_id, target: target.ok_or_else(unknown)? })
    }
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

/// The answer of a fault that needs no real one. Waiting faults wait here.
async fn instead(fault: &mut Option<FaultAction>) -> Option<Response> {
    match fault.as_ref()? {
        FaultAction::Status(status) => Some(reply::failure(*status)),
        FaultAction::StatusWithBody(status, body) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Some(reply::json(status, body.clone()))
        }
        FaultAction::TooManyRequests { retry_after } => Some(reply::too_many_requests(retry_after)),
        FaultAction::Html => Some(reply::html(HTML)),
        FaultAction::EmptyBody => Some(reply::json(StatusCode::OK, Bytes::new())),
        FaultAction::Unauthorized => Some(reply::failure(401)),
        FaultAction::Redirect(to) => Some(reply::redirect(to)),
        FaultAction::Hang(wait) => {
            tokio::time::sleep(*wait).await;
            Some(reply::cut(&Bytes::new(), 0))
        }
        FaultAction::Slow(wait) => {
            tokio::time::sleep(*wait).await;
            *fault = None;
            None
        }
        _ => None,
    }
}

/// The right body, or what a fault leaves of it.
fn damaged(fault: Option<&FaultAction>, body: Vec<u8>) -> Response {
    match fault {
        Some(FaultAction::CutBody { after_bytes }) => reply::cut(&Bytes::from(body), *after_bytes),
        Some(FaultAction::WrongJson) => reply::json(StatusCode::OK, reply::spoilt(body)),
        _ => reply::json(StatusCode::OK, body),
    }
}

/// What a shifting fault changes; positions count in the list that was asked for.
fn shift(fault: &FaultAction, world: &World, filter: &Filter) -> Option<ShiftKind> {
    let slot = |index: usize| world.view(filter).get(index).copied();
    match fault {
        FaultAction::RemoveRecord { index } => slot(*index).map(ShiftKind::Remove),
        FaultAction::MoveRecord { index } => slot(*index).map(ShiftKind::Move),
        FaultAction::AddRecord => Some(ShiftKind::Add),
        _ => None,
    }
}
