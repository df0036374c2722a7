//! Fills in the `type` of components that leave it out, from the place where they stand (manifest format, section 9).
//! A node with a `class_name` and no `type` becomes the custom kind of its place, which the reader refuses by name.

use contract::yaml::{Entry, Kind, Node};

/// (type of the parent, field) → type of the child.
const BY_PLACE: [(&str, &str, &str); 30] = [
    ("DeclarativeSource", "check", "CheckStream"),
    ("DeclarativeSource", "streams", "DeclarativeStream"),
    ("DeclarativeSource", "spec", "Spec"),
    ("DeclarativeSource", "api_budget", "HTTPAPIBudget"),
    ("DeclarativeSource", "concurrency_level", "ConcurrencyLevel"),
    ("DeclarativeStream", "retriever", "SimpleRetriever"),
    ("SimpleRetriever", "requester", "HttpRequester"),
    ("SimpleRetriever", "record_selector", "RecordSelector"),
    ("SimpleRetriever", "paginator", "NoPagination"),
    ("SimpleRetriever", "pagination_reset", "PaginationReset"),
    ("SimpleRetriever", "request_window_splitting", "RequestWindowSplitting"),
    ("PaginationReset", "limits", "PaginationResetLimits"),
    ("DpathFlattenFields", "key_transformation", "KeyTransformation"),
    ("SessionTokenAuthenticator", "login_requester", "HttpRequester"),
    ("RecordSelector", "extractor", "DpathExtractor"),
    ("DpathExtractor", "record_expander", "RecordExpander"),
    ("RecordSelector", "record_filter", "RecordFilter"),
    ("DefaultPaginator", "page_size_option", "RequestOption"),
    ("DatetimeBasedCursor", "start_datetime", "MinMaxDatetime"),
    ("DatetimeBasedCursor", "end_datetime", "MinMaxDatetime"),
    ("DatetimeBasedCursor", "start_time_option", "RequestOption"),
    ("DatetimeBasedCursor", "end_time_option", "RequestOption"),
    ("HttpRequester", "error_handler", "DefaultErrorHandler"),
    ("DefaultErrorHandler", "response_filters", "HttpResponseFilter"),
    ("CompositeErrorHandler", "error_handlers", "DefaultErrorHandler"),
    ("SubstreamPartitionRouter", "parent_stream_configs", "ParentStreamConfig"),
    ("ParentStreamConfig", "stream", "DeclarativeStream"),
    ("ParentStreamConfig", "request_option", "RequestOption"),
    ("ListPartitionRouter", "request_option", "RequestOption"),
    ("AddFields", "fields", "AddedFieldDefinition"),
];

/// The same for parts of a request budget, which the format knows without a type.
const IN_BUDGETS: [(&str, &str, &str); 4] = [
    ("MovingWindowCallRatePolicy", "rates", "Rate"),
    ("MovingWindowCallRatePolicy", "matchers", "HttpRequestRegexMatcher"),
    ("FixedWindowCallRatePolicy", "matchers", "HttpRequestRegexMatcher"),
    ("UnlimitedCallRatePolicy", "matchers", "HttpRequestRegexMatcher"),
];

/// Field → custom kind, for nodes that carry a `class_name`.
const CUSTOM: [(&str, &str); 16] = [
    ("authenticator", "CustomAuthenticator"),
    ("backoff_strategies", "CustomBackoffStrategy"),
    ("decoder", "CustomDecoder"),
    ("error_handler", "CustomErrorHandler"),
    ("extractor", "CustomRecordExtractor"),
    ("incremental_sync", "CustomIncrementalSync"),
    ("paginator", "CustomPaginator"),
    ("pagination_strategy", "CustomPaginationStrategy"),
    ("partition_router", "CustomPartitionRouter"),
    ("record_filter", "CustomRecordFilter"),
    ("requester", "CustomRequester"),
    ("retriever", "CustomRetriever"),
    ("schema_loader", "CustomSchemaLoader"),
    ("schema_normalization", "CustomSchemaNormalization"),
    ("state_migrations", "CustomStateMigration"),
    ("transformations", "CustomTransformation"),
];

/// Fields that hold one of several components, and which; the others have their type by their place.
const CHOICES: [(&str, &str); 12] = [
    ("authenticator", "ApiKeyAuthenticator, BearerAuthenticator, BasicHttpAuthenticator, OAuthAuthenticator …"),
    (
        "backoff_strategies",
        "ConstantBackoffStrategy, ExponentialBackoffStrategy, WaitTimeFromHeader, WaitUntilTimeFromHeader",
    ),
    ("decoder", "JsonDecoder, JsonlDecoder, IterableDecoder"),
    ("incremental_sync", "DatetimeBasedCursor"),
    ("page_token_option", "RequestOption, RequestPath"),
    ("pagination_strategy", "PageIncrement, OffsetIncrement, CursorPagination"),
    ("paginator", "DefaultPaginator, NoPagination"),
    ("partition_router", "ListPartitionRouter, SubstreamPartitionRouter, GroupingPartitionRouter"),
    ("policies", "FixedWindowCallRatePolicy, MovingWindowCallRatePolicy, UnlimitedCallRatePolicy"),
    ("request_authentication", "Bearer, ApiKey"),
    ("schema_loader", "InlineSchemaLoader"),
    ("transformations", "AddFields, RemoveFields, KeysToLower, KeysToSnakeCase …"),
];

/// What may stand in a field, for who has left out its type.
pub(super) fn choice(field: &str) -> String {
    let found = CHOICES.iter().find(|(of, _)| *of == field);
    found.map_or_else(String::new, |(_, kinds)| format!("; one of {kinds}"))
}

/// Fields whose content is data, not components.
pub(crate) const DATA_FIELDS: [&str; 4] = ["$parameters", "schema", "connection_specification", "config_overrides"];

/// The whole tree with every type that its place tells.
pub(crate) fn fill(root: Node) -> Node {
    component(root, Some("DeclarativeSource"), None)
}

/// A part of a manifest, which stands where this type is expected.
pub(crate) fn fill_as(part: Node, kind: &str) -> Node {
    component(part, Some(kind), None)
}

fn component(node: Node, default: Option<&str>, custom: Option<&str>) -> Node {
    let Kind::Map(mut entries) = node.kind else { return node };
    if !entries.iter().any(|entry| entry.key == "type") {
        let is_custom = entries.iter().any(|entry| entry.key == "class_name");
        if let Some(found) = if is_custom { custom.or(default) } else { default } {
            let value = Node { kind: Kind::String(found.to_owned()), line: node.line, column: node.column };
            entries.insert(0, Entry { key: "type".into(), line: node.line, value });
        }
    }
    let own = entries.iter().find(|entry| entry.key == "type").and_then(|entry| entry.value.as_str());
    let own = own.unwrap_or_default().to_owned();
    let entries = entries.into_iter().map(|entry| field(&own, entry)).collect();
    Node { kind: Kind::Map(entries), line: node.line, column: node.column }
}

fn field(parent: &str, entry: Entry) -> Entry {
    if DATA_FIELDS.contains(&entry.key.as_str()) {
        return entry;
    }
    let default = BY_PLACE
        .iter()
        .chain(&IN_BUDGETS)
        .find(|(kind, key, _)| *kind == parent && *key == entry.key)
        .map(|(_, _, found)| *found);
    let custom = CUSTOM.iter().find(|(key, _)| *key == entry.key).map(|(_, found)| *found);
    let Node { kind, line, column } = entry.value;
    let kind = match kind {
        Kind::Seq(items) => Kind::Seq(items.into_iter().map(|item| component(item, default, custom)).collect()),
        kind => component(Node { kind, line, column }, default, custom).kind,
    };
    Entry { value: Node { kind, line, column }, ..entry }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(text: &str) -> serde_json::Value {
        fill(contract::yaml::parse(text).unwrap()).to_json()
    }

    #[test]
    fn types_come_from_the_place() {
        let value = filled(
            "streams:\n  - retriever:\n      requester: {error_handler: {response_filters: [{action: FAIL}]}}\n",
        );
        assert_eq!(value["type"], "DeclarativeSource");
        assert_eq!(value["streams"][0]["type"], "DeclarativeStream");
        let requester = &value["streams"][0]["retriever"]["requester"];
        assert_eq!(requester["type"], "HttpRequester");
        assert_eq!(requester["error_handler"]["response_filters"][0]["type"], "HttpResponseFilter");
    }

    #[test]
    fn what_has_a_type_or_is_data_stays() {
        let value = filled(
            "streams:\n  - retriever: {type: AsyncRetriever}\n    schema_loader: {type: InlineSchemaLoader, schema: {properties: {requester: {a: 1}}}}\n",
        );
        assert_eq!(value["streams"][0]["retriever"]["type"], "AsyncRetriever");
        assert_eq!(value["streams"][0]["schema_loader"]["schema"], json!({"properties": {"requester": {"a": 1}}}));
    }

    #[test]
    fn a_class_name_makes_it_custom_and_page_tokens_get_no_type() {
        let value = filled(
            "streams:\n  - retriever: {class_name: a.B, paginator: {type: DefaultPaginator, page_token_option: {field_name: p}, page_size_option: {field_name: s}}}\n",
        );
        assert_eq!(value["streams"][0]["retriever"]["type"], "CustomRetriever");
        let paginator = &value["streams"][0]["retriever"]["paginator"];
        assert_eq!(paginator["page_token_option"].get("type"), None);
        assert_eq!(paginator["page_size_option"]["type"], "RequestOption");
    }
}
