//! One test for each file of `cases/`, so that a failure names its case.

use super::{check, deviations, folder};
use std::collections::BTreeSet;

macro_rules! cases {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(#[test] fn $name() { check(stringify!($name)); })*
    };
}

cases! {
    add_fields
    add_fields_path_template
    add_fields_undefined
    auth_expired_unannounced
    auth_literal_secret
    auth_oauth
    auth_oauth_expired_at_once
    auth_oauth_expiry
    auth_oauth_failures
    auth_oauth_without_token
    auth_refresh_then_retry
    auth_selective
    auth_session_token
    auth_session_token_no_duration
    auth_simple
    body_form
    body_get
    body_json
    body_not_json
    body_of_slices
    body_typed
    budget
    client_side_incremental
    colliding_keys
    cursor_last_record
    cursor_pagination
    data_feed
    datetime_bounds
    datetime_formats
    datetime_lookback
    datetime_options
    datetime_record_beyond_end
    datetime_same_and_reversed
    datetime_window_at_the_end
    datetime_windows
    decoder_csv
    decoder_xml
    decoders
    dynamic_streams
    errors_composite
    errors_default
    errors_filters
    errors_ignore
    errors_success_on_400
    grouping_router
    header_values
    key_transformations
    list_partition
    missing_types
    next_link_without_size
    next_links
    offset_increment
    offset_increment_told_size
    page_increment
    page_increment_ends
    page_size_capped
    page_token_places
    pagination_reset
    parameter_number
    parameter_string
    parameter_types
    partition_global_cursor
    partition_state
    record_expander
    record_filter
    record_paths
    references
    remove_fields
    remove_fields_condition
    remove_list_item
    repeated_token
    retry_rate_limited
    retry_strategies
    retry_wait_until
    retry_waits
    schema_normalization
    slice_parameters_on_pages
    spec_defaults
    step_without_granularity
    substream
    substream_incremental_dependency
    substream_parents
    substream_second_run
    transform_order
    unknown_component
    url_duplicate_parameter
    url_join
    window_splitting
    yaml_dates
}

#[test]
fn every_file_is_a_case_and_every_deviation_has_one() {
    let files = std::fs::read_dir(folder().join("cases")).unwrap();
    let files: BTreeSet<String> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let names: BTreeSet<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(files, names, "the files of cases/ and the list in cases.rs");
    for entry in deviations::load() {
        assert!(names.contains(&entry.case), "deviations.yaml names {}, which is no case", entry.case);
        assert!(!entry.ours.is_empty() && !entry.reason.is_empty(), "{}: say what ours does, and why", entry.case);
    }
}
