//! Everything that goes over the network: one exchange, its retries, the request budget and the logins of an account.

pub(crate) mod account;
pub(crate) mod budget;
pub(crate) mod buffers;
pub(crate) mod client;
pub(crate) mod fixed_window;
pub(crate) mod homes;
pub(crate) mod http_date;
mod kept_room;
pub(crate) mod login;
pub(crate) mod masks;
pub(crate) mod moving_windows;
mod packed;
pub(crate) mod reach;
pub(crate) mod response_cache;
pub(crate) mod retry;
pub(crate) mod send;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod test_server;
pub(crate) mod tokens;
pub(crate) mod trace;
mod unpack;
