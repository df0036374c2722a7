//! Which names exist in templates: context names and where they are legal, functions, filters, tests and methods.
//! Guarantees: everything else is refused when the manifest is loaded, with the nearest name that exists.

use std::ops::BitOr;

/// A set of context names: those that are legal at one place of a manifest, or the single one that a value is set for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Names(u32);

impl Names {
    /// The user's settings.
    pub(crate) const CONFIG: Names = Names(1);
    /// The merged `$parameters`.
    pub(crate) const PARAMETERS: Names = Names(1 << 1);
    /// Partition and cursor keys; also reached as `stream_partition` and `stream_interval`.
    pub(crate) const STREAM_SLICE: Names = Names(1 << 2);
    /// Mapping with the one key `next_page_token`.
    pub(crate) const NEXT_PAGE_TOKEN: Names = Names(1 << 3);
    /// The decoded body.
    pub(crate) const RESPONSE: Names = Names(1 << 4);
    /// The response's headers.
    pub(crate) const HEADERS: Names = Names(1 << 5);
    /// The page's last record.
    pub(crate) const LAST_RECORD: Names = Names(1 << 6);
    /// How many records came out of the page.
    pub(crate) const LAST_PAGE_SIZE: Names = Names(1 << 7);
    /// The record at hand.
    pub(crate) const RECORD: Names = Names(1 << 8);
    /// The new value of an added field.
    pub(crate) const VALUE: Names = Names(1 << 9);
    /// The path of an added field.
    pub(crate) const PATH: Names = Names(1 << 10);
    /// The value at the path of a removed field.
    pub(crate) const PROPERTY: Names = Names(1 << 11);
    /// The token of a session login.
    pub(crate) const SESSION_TOKEN: Names = Names(1 << 12);

    /// The key of a record that is asked for by it.
    pub(crate) const KEY: Names = Names(1 << 14);

    /// The item of the settings that a dynamic stream is made of.
    pub(crate) const COMPONENTS_VALUES: Names = Names(1 << 13);

    /// Legal everywhere: `config`, `parameters`.
    pub(crate) const ANYWHERE: Names = Names(Self::CONFIG.0 | Self::PARAMETERS.0);
    /// Legal in the mappings of dynamic streams.
    pub(crate) const COMPONENTS: Names = Names(Self::ANYWHERE.0 | Self::COMPONENTS_VALUES.0);
    /// Legal in fields of a requester.
    pub(crate) const REQUEST: Names = Names(Self::ANYWHERE.0 | Self::STREAM_SLICE.0 | Self::NEXT_PAGE_TOKEN.0);
    /// Legal in record filters and in the values of added fields.
    pub(crate) const RECORD_FIELDS: Names = Names(Self::REQUEST.0 | Self::RECORD.0);
    /// Legal in the condition of added fields.
    pub(crate) const ADDED: Names = Names(Self::RECORD_FIELDS.0 | Self::VALUE.0 | Self::PATH.0);
    /// Legal in the condition of removed fields.
    pub(crate) const REMOVED: Names = Names(Self::RECORD_FIELDS.0 | Self::PROPERTY.0);
    /// Legal in a paginator and its strategy.
    pub(crate) const PAGINATION: Names =
        Names(Self::ANYWHERE.0 | Self::RESPONSE.0 | Self::HEADERS.0 | Self::LAST_RECORD.0 | Self::LAST_PAGE_SIZE.0);
    /// Legal in the filters of an error handler.
    pub(crate) const ERROR: Names = Names(Self::ANYWHERE.0 | Self::RESPONSE.0 | Self::HEADERS.0);
    /// Whether every name of `other` is in this set.
    pub(crate) fn contains(self, other: Names) -> bool {
        self.0 & other.0 == other.0
    }

    /// The name as templates write it; an alias resolves to what it stands for.
    pub(crate) fn by_name(name: &str) -> Option<Names> {
        CONTEXT.iter().find(|(known, _)| *known == name).map(|(_, names)| *names)
    }

    /// The names of this set as text, for messages.
    pub(super) fn listed(self) -> Vec<&'static str> {
        CONTEXT.iter().filter(|(_, names)| self.contains(*names)).map(|(name, _)| *name).collect()
    }
}

impl BitOr for Names {
    type Output = Names;

    fn bitor(self, other: Names) -> Names {
        Names(self.0 | other.0)
    }
}

const CONTEXT: [(&str, Names); 17] = [
    ("config", Names::CONFIG),
    ("parameters", Names::PARAMETERS),
    ("stream_slice", Names::STREAM_SLICE),
    ("stream_partition", Names::STREAM_SLICE),
    ("stream_interval", Names::STREAM_SLICE),
    ("next_page_token", Names::NEXT_PAGE_TOKEN),
    ("response", Names::RESPONSE),
    ("headers", Names::HEADERS),
    ("last_record", Names::LAST_RECORD),
    ("last_page_size", Names::LAST_PAGE_SIZE),
    ("record", Names::RECORD),
    ("value", Names::VALUE),
    ("path", Names::PATH),
    ("property", Names::PROPERTY),
    ("session_token", Names::SESSION_TOKEN),
    ("components_values", Names::COMPONENTS_VALUES),
    ("key", Names::KEY),
];

/// Functions that templates may call.
pub(super) const FUNCTIONS: &[&str] = &[
    "now_utc",
    "today_utc",
    "day_delta",
    "duration",
    "format_datetime",
    "timestamp",
    "str_to_datetime",
    "max",
    "min",
    "today_with_timezone",
    "sanitize_url",
    "camel_case_to_snake_case",
    "generate_uuid",
];

/// Filters that templates may apply.
pub(super) const FILTERS: &[&str] = &[
    "int",
    "float",
    "string",
    "length",
    "count",
    "default",
    "d",
    "join",
    "first",
    "last",
    "list",
    "map",
    "select",
    "reject",
    "selectattr",
    "rejectattr",
    "lower",
    "upper",
    "title",
    "capitalize",
    "replace",
    "urlencode",
    "tojson",
    "trim",
    "unique",
    "round",
    "abs",
    "sum",
    "min",
    "max",
    "sort",
    "reverse",
    "items",
    "dictsort",
    "hash",
    "base64encode",
    "base64decode",
    "base64binascii_decode",
    "regex_search",
    "regex_replace",
    "hmac",
];

/// Tests that templates may ask after `is`.
pub(super) const TESTS: &[&str] = &[
    "none",
    "defined",
    "undefined",
    "true",
    "false",
    "boolean",
    "string",
    "mapping",
    "number",
    "integer",
    "float",
    "sequence",
    "iterable",
    "odd",
    "even",
    "divisibleby",
    "in",
    "eq",
    "equalto",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "lessthan",
    "greaterthan",
    "sameas",
    "lower",
    "upper",
];

/// Methods that templates may call on a value.
pub(super) const METHODS: &[&str] = &[
    "get",
    "items",
    "keys",
    "values",
    "split",
    "splitlines",
    "join",
    "replace",
    "strip",
    "lstrip",
    "rstrip",
    "lower",
    "upper",
    "title",
    "capitalize",
    "zfill",
    "startswith",
    "endswith",
    "format",
    "find",
    "count",
    "isdigit",
    "isnumeric",
    "isalpha",
    "isalnum",
    "strftime",
    "isoformat",
    "timestamp",
    "date",
    "weekday",
    "isoweekday",
    "total_seconds",
];

/// The known name that `name` was probably meant to be.
pub(super) fn near<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 5)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_their_names_and_aliases() {
        assert!(Names::REQUEST.contains(Names::by_name("stream_interval").unwrap()));
        assert!(!Names::REQUEST.contains(Names::RECORD));
        assert!((Names::REQUEST | Names::RECORD).contains(Names::RECORD));
        assert_eq!(Names::ERROR.listed(), ["config", "parameters", "response", "headers"]);
        assert_eq!(Names::by_name("stream_state"), None);
    }

    #[test]
    fn near_names_are_found() {
        assert_eq!(near("confg", ["config", "record"]), Some("config"));
        assert_eq!(near("nowutc", FUNCTIONS.iter().copied()), Some("now_utc"));
        assert_eq!(near("zzz", ["config", "record"]), None);
    }
}
