//! The routes: log, log in, limit, fault, answer, in this order.

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::page::{self, Bend};
use super::query::Query;
use super::world::Kind;
use super::{Account, Handle, Lists};
use crate::fault::FaultAction;
use crate::stand_in::damage::{damaged, instead, refuse, too_many_requests};

const LOGIN: &str = "/auth/login";
const TOKEN: &str = "token";
const LARGEST_BODY: usize = 64 * 1024;

pub(crate) fn router(handle: Handle) -> Router {
    Router::new().fallback(serve).with_state(handle)
}

/// The API's error object.
fn error(status: StatusCode, message: &str) -> String {
    json!({"statusCode": status.as_u16(), "message": message, "error": status.canonical_reason()}).to_string()
}

type Answer = Result<Response, (StatusCode, String)>;

async fn serve(State(handle): State<Handle>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let number = handle.begin(&parts, parts.headers.contains_key(TOKEN));
    tokio::time::sleep(handle.options().latency).await;
    let answer = if parts.uri.path() == LOGIN {
        let body = to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
        log_in(&handle, number, &parts, &body).await
    } else {
        answer(&handle, number, &parts).await
    };
    let response = answer.unwrap_or_else(|(status, message)| refuse(status, &message, error));
    handle.note(number, |entry| entry.status = response.status().as_u16());
    response
}

async fn log_in(handle: &Handle, number: u64, parts: &Parts, body: &[u8]) -> Answer {
    if parts.method != Method::POST {
        return Err((StatusCode::NOT_FOUND, format!("Cannot {} {LOGIN}", parts.method)));
    }
    let sent: Value = serde_json::from_slice(body)
        .map_err(|_| (StatusCode::BAD_REQUEST, "email and password must be given as JSON".to_owned()))?;
    let field = |name: &str| sent.get(name).and_then(Value::as_str).unwrap_or_default();
    let (email, password) = (field("email"), field("password"));
    let known = |account: &Account| account.email.eq_ignore_ascii_case(email) && account.password == password;
    let Some(index) = handle.options().accounts.iter().position(known) else {
        return Err((StatusCode::UNAUTHORIZED, "Email or password is wrong".to_owned()));
    };
    let id = account_id(handle, index);
    handle.note(number, |entry| entry.tenant = Some(id.to_owned()));
    let mut fault = handle.fault(parts, id);
    if let Some(response) = instead(&mut fault, error).await {
        return Ok(response);
    }
    let token = handle.tokens().issue(index);
    let body = json!({"token": token, "user": {"email": email}});
    Ok(damaged(fault.as_ref(), body.to_string().into_bytes()))
}

async fn answer(handle: &Handle, number: u64, parts: &Parts) -> Answer {
    let token = parts.headers.get(TOKEN).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let account = handle.tokens().account(token);
    let Some(account) = account else {
        return Err((StatusCode::UNAUTHORIZED, "Unauthorized".to_owned()));
    };
    let id = account_id(handle, account);
    handle.note(number, |entry| entry.tenant = Some(id.to_owned()));
    if let Err(seconds) = handle.admit(id) {
        return Ok(too_many_requests(&seconds.to_string(), error));
    }
    let kind = Kind::of_path(parts.uri.path()).filter(|_| parts.method == Method::GET);
    let Some(kind) = kind else {
        return Err((StatusCode::NOT_FOUND, format!("Cannot {} {}", parts.method, parts.uri.path())));
    };
    let mut fault = handle.fault(parts, id);
    if matches!(fault, Some(FaultAction::Unauthorized)) {
        handle.tokens().drop_token(token);
    }
    if let Some(response) = instead(&mut fault, error).await {
        return Ok(response);
    }
    let refused = |message| (StatusCode::BAD_REQUEST, message);
    let options = handle.options();
    let query = Query::parse(kind, parts.uri.query().unwrap_or_default(), options.max_page_size).map_err(refused)?;
    let (state, bend) = (handle.clone(), bend(fault.as_ref()));
    let job = move || {
        let world = state.world(account, state.generation());
        let (records, options) = (world.list(kind), state.options());
        let is_people = matches!(kind, Kind::Users | Kind::Groups);
        match options.users_as {
            Lists::BareArray if is_people => Ok(page::bare(records)),
            _ => page::object(records, &query, options.result_window, bend),
        }
    };
    // Making all records of a generation is pure work: not on the threads that serve the connections.
    let body = tokio::task::spawn_blocking(job)
        .await
        .map_err(|_| (StatusCode::INTERNAL_SERVER_ERROR, "The stand-in failed".to_owned()))?
        .map_err(refused)?;
    Ok(damaged(fault.as_ref(), body))
}

fn account_id(handle: &Handle, index: usize) -> &str {
    handle.options().accounts.get(index).map(|account| account.id.as_str()).unwrap_or_default()
}

fn bend(fault: Option<&FaultAction>) -> Bend {
    Bend {
        first_page_again: matches!(fault, Some(FaultAction::RepeatPage)),
        wrong_total: matches!(fault, Some(FaultAction::WrongTotal)),
    }
}
