//! SimpleRetriever: how one stream is read: its requester, pages, partitions and records.

use super::decoder::Decoder;
use super::default_paginator::DefaultPaginator;
use super::http_requester::HttpRequester;
use super::pagination_reset::PaginationReset;
use super::partition_router::PartitionRouter;
use super::record_selector::RecordSelector;
use super::request_window_splitting::RequestWindowSplitting;
use crate::manifest::reader::Reader;

#[derive(Debug)]
pub(crate) struct SimpleRetriever {
    pub(crate) requester: HttpRequester,
    pub(crate) selector: RecordSelector,
    pub(crate) paginator: Option<DefaultPaginator>,
    pub(crate) router: Option<PartitionRouter>,
    pub(crate) decoder: Decoder,
    pub(crate) reset: Option<PaginationReset>,
    pub(crate) splitting: Option<RequestWindowSplitting>,
    /// Cursor and partition options go with the first page alone.
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
        let router = PartitionRouter::of(reader);
        let slice_on_first_page_only = reader.boolean("ignore_stream_slicer_parameters_on_paginated_requests", false);
        let decoder = reader.child("decoder").map_or(Decoder::Json, |child| Decoder::read(&child));
        let reset = reader.child("pagination_reset").and_then(|child| PaginationReset::read(&child));
        let splitting = reader.child("request_window_splitting").and_then(|child| RequestWindowSplitting::read(&child));
        reader.refuse(&["page_size_reduction", "additional_query_properties"]);
        reader.accept(&["log_formatter"]);
        requester.iter().for_each(|requester| requester.error_handler.check_paging(reader));
        reader.finish();
        let selector = selector?;
        if reset.is_some_and(|reset| reset.limit.is_some()) && selector.filter.is_some() {
            reader.error_at("pagination_reset", "has limits, which cannot stand with a record filter");
        }
        Some(Self {
            requester: requester?,
            selector,
            paginator: paginator?,
            router: router?,
            decoder,
            reset,
            splitting,
            slice_on_first_page_only,
        })
    }
}
