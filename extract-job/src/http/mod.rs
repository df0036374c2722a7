//! Everything that goes over the network: one exchange, its retries, the request budget and the logins of an account.

pub(crate) mod account;
pub(crate) mod budget;
pub(crate) mod buffers;
pub(crate) mod client;
pub(crate) mod retry;
pub(crate) mod send;
pub(crate) mod tokens;
