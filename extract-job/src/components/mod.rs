//! The components of the manifest format, one small file each, named as the format names it.
//! A component reads its own fields and knows its own rules; it starts nothing.

pub(crate) mod api_key_authenticator;
pub(crate) mod authenticator;
pub(crate) mod backoff;
pub(crate) mod basic_http_authenticator;
pub(crate) mod bearer_authenticator;
pub(crate) mod check_stream;
pub(crate) mod constant_backoff_strategy;
pub(crate) mod cursor_pagination;
pub(crate) mod datetime_based_cursor;
pub(crate) mod declarative_source;
pub(crate) mod declarative_stream;
pub(crate) mod default_error_handler;
pub(crate) mod default_paginator;
pub(crate) mod dpath_extractor;
pub(crate) mod exponential_backoff_strategy;
pub(crate) mod expression;
pub(crate) mod http_api_budget;
pub(crate) mod http_requester;
pub(crate) mod http_response_filter;
pub(crate) mod inline_schema_loader;
pub(crate) mod min_max_datetime;
pub(crate) mod moving_window_call_rate_policy;
pub(crate) mod oauth_authenticator;
pub(crate) mod offset_increment;
pub(crate) mod page_increment;
pub(crate) mod record_selector;
pub(crate) mod request_body;
pub(crate) mod request_option;
pub(crate) mod simple_retriever;
pub(crate) mod wait_time_from_header;
pub(crate) mod windows;
