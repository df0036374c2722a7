//! Windows and cursors at random spans, steps, granularities, states and lookbacks.
//! Every moment from the start to the end is in exactly one window, and the next run starts where this one may have ended.

use super::super::datetime_based_cursor::{DatetimeBasedCursor, Highest, Range};
use super::super::expression::Scope;
use super::*;
use crate::manifest::problem::Problems;
use crate::manifest::reader::Reader;
use crate::template::datetime;
use chrono::{TimeDelta, Utc};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed};
use serde_json::Value;

const STEPS: &[&str] =
    &["P1M", "P2M", "P1Y", "P1M3D", "P1D", "P7D", "P1W", "PT1H", "PT6H30M", "PT25H", "P1DT0.5S", "P30D", "P400D"];
const GRANULARITIES: &[&str] = &["PT1S", "PT0.001S", "PT0.000001S", "PT1M", "PT1H", "P1D", "PT0S"];

fn moment(seconds: i64, offset_minutes: i32) -> DateTime<FixedOffset> {
    let zone = FixedOffset::east_opt(offset_minutes * 60).unwrap();
    DateTime::from_timestamp(seconds, 0).unwrap().with_timezone(&zone)
}

/// The first second of 2016 to the last of 2033, so that leap days and ends of months are met.
fn seconds() -> std::ops::Range<i64> {
    1_451_606_400..2_019_686_400
}

fn check(span: Span, windows: &[Window], granularity: &IsoDuration, at: Index) -> Result<(), TestCaseError> {
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
        prop_assert!(span.start > span.end);
        return Ok(());
    };
    prop_assert_eq!((first.start, last.end), (span.start, span.end));
    prop_assert!(windows.iter().all(|window| window.start <= window.end), "{windows:?}");
    for pair in windows.windows(2) {
        prop_assert!(pair[0].start < pair[1].start);
        let next = granularity.add_to(pair[0].end).unwrap();
        // A step shorter than the granularity gives windows of one moment, which then reach over the next start.
        prop_assert!(next == pair[1].start || (pair[0].start == pair[0].end && next > pair[1].start), "{pair:?}");
    }
    // A moment that the granularity tells apart from its neighbours, counted from the start of its window.
    let window = at.get(windows);
    let inside = windows.iter().filter(|other| other.start <= window.start && window.start <= other.end).count();
    prop_assert!(inside == 1 || granularity.is_zero(), "{window:?} is in {inside} windows");
    Ok(())
}

proptest! {
    #![proptest_config(Config { cases: 300, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..Config::default() })]

    #[test]
    fn windows_of_any_step_cover_the_span_exactly_once(
        start in seconds(), length in 0_i64..100_000_000, zone in -840_i32..=840, step in select(STEPS), granularity in select(GRANULARITIES),
        at in any::<Index>(),
    ) {
        let span = Span { start: moment(start, zone), end: moment(start + length, 0) };
        let (step, granularity) = (IsoDuration::parse(step).unwrap(), IsoDuration::parse(granularity).unwrap());
        check(span, &cut(span, Some(&step), Some(&granularity), false).unwrap(), &granularity, at)?;
    }

    #[test]
    fn cursors_go_on_where_the_state_says(
        start in seconds(), end in -10_000_000_i64..100_000_000, state in proptest::option::of(-20_000_000_i64..100_000_000), read in 0_i64..100_000_000,
        step in select(STEPS), lookback in proptest::option::of(select(STEPS)), format in select(vec![
            ("%Y-%m-%dT%H:%M:%SZ", "PT1S"), ("%Y-%m-%dT%H:%M:%S%z", "PT1S"), ("%s", "PT1S"), ("%ms", "PT0.001S"), ("%Y%m%d%H%M%S.%f", "PT0.000001S"),
        ]),
        at in any::<Index>(),
    ) {
        let (format, granularity) = format;
        // A step finer than the format prints two moments alike, which is the manifest's own doing.
        prop_assume!(!step.contains('.') && !lookback.is_some_and(|lookback| lookback.contains('.')));
        let (end, state, read) = (start + end, state.map(|state| start + state), start + read);
        let print = |seconds| datetime::format(moment(seconds, 0), format);
        let lookback_line = lookback.map(|lookback| format!("lookback_window: {lookback}\n")).unwrap_or_default();
        let text = format!(
            "type: DatetimeBasedCursor\ncursor_field: at\ndatetime_format: '{format}'\nstart_datetime: '{}'\nend_datetime: '{}'\nstep: {step}\ncursor_granularity: {granularity}\n{lookback_line}",
            print(start), print(end),
        );
        let (problems, node) = (Problems::default(), contract::yaml::parse(&text).unwrap());
        let cursor = Reader::new(&node, "test".into(), &problems).and_then(|reader| DatetimeBasedCursor::read(&reader)).unwrap();
        let scope = Scope::new(Utc::now());
        let again = |state: Value| cursor.parse_state(&scope, Some(&state)).unwrap();
        let old = state.and_then(|state| again(cursor.state("at", moment(state, 0))));
        let slices = cursor.slices(&scope, Range::Since { state: old, least_lookback: TimeDelta::zero() }, Utc::now()).unwrap();

        let looked_back = state.map(|state| {
            let state = moment(state, 0);
            lookback.map_or(state, |lookback| IsoDuration::parse(lookback).unwrap().sub_from(state).unwrap())
        });
        let from = looked_back.map_or(moment(start, 0), |looked_back| looked_back.max(moment(start, 0)));
        let granularity = IsoDuration::parse(granularity).unwrap();
        check(Span { start: from, end: moment(end, 0) }, &slices.windows, &granularity, at)?;
        prop_assert_eq!(slices.floor, moment(state.map_or(start, |state| state.max(start)), 0));
        // What a window's boundaries are printed as is the moment itself.
        for window in slices.windows.iter().take(20) {
            let printed = cursor.slice(window);
            for (name, expected) in [("start_time", window.start), ("end_time", window.end)] {
                prop_assert_eq!(datetime::parse(printed[name].as_str().unwrap(), format).unwrap(), expected, "{:?}", printed);
            }
        }
        // The next run reads the highest record again, and nothing before it but the lookback.
        let highest = moment(read, 0);
        let mut seen = Highest::new(&cursor);
        [highest, moment(start, 0)].iter().for_each(|instant| seen.see(datetime::format(*instant, format).into()));
        prop_assert_eq!(seen.instant(), Some(highest.max(moment(start, 0))));
        let state = again(cursor.state("at", highest));
        let next = cursor.slices(&scope, Range::Since { state, least_lookback: TimeDelta::zero() }, Utc::now()).unwrap();
        prop_assert!(next.windows.first().is_none_or(|first| first.start <= highest), "a gap after {highest}");
        prop_assert!(next.windows.is_empty() == (next_start(highest, lookback, start) > moment(end, 0)));
    }
}

fn next_start(highest: DateTime<FixedOffset>, lookback: Option<&str>, start: i64) -> DateTime<FixedOffset> {
    let back = lookback.map_or(highest, |lookback| IsoDuration::parse(lookback).unwrap().sub_from(highest).unwrap());
    back.max(moment(start, 0))
}
