//! SimpleRetriever: requester, paginator and selector of one stream.

use super::default_paginator::DefaultPaginator;
use super::http_requester::HttpRequester;
use super::record_selector::RecordSelector;
use crate::manifest::reader::Reader;

#[derive(Debug)]
pub(crate) struct SimpleRetriever {
    pub(crate) requester: HttpRequester,
    pub(crate) selector: RecordSelector,
    pub(crate) paginator: Option<DefaultPaginator>,
    /// Cursor options go with the first page alone.
    pub(crate) slice_on_first_page_only: bool,
}

impl SimpleRetriever {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "SimpleRetriever" {
            reader.unsupported("SimpleRetriever");
            return None;
        }
        let requester = reader.required_child("requester").and_then(|child| HttpRequester::read(&child));
        let selector = reader.required_child("record_selector").and_then(|child| RecordSelector::read(&child));
        let paginator = reader.child("paginator").map_or(Some(None), |child| DefaultPaginator::read(&child));
        let slice_on_first_page_only = reader.boolean("ignore_stream_slicer_parameters_on_paginated_requests", false);
        if let Some(decoder) = reader.child("decoder") {
            if decoder.kind() == "JsonDecoder" {
                decoder.finish();
            } else {
                decoder.unsupported("JsonDecoder");
            }
        }
        reader.refuse(&[
            "partition_router",
            "pagination_reset",
            "request_window_splitting",
            "page_size_reduction",
            "log_formatter",
            "additional_query_properties",
        ]);
        reader.finish();
        Some(Self { requester: requester?, selector: selector?, paginator: paginator?, slice_on_first_page_only })
    }
}
