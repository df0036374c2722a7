//! ConcurrencyLevel: how many slices, over all streams of an account, are in work at once. Two where the manifest says nothing.

use super::expression::{Expression, Scope};
use crate::manifest::reader::Reader;
use crate::template::Names;

/// What the format takes where nothing is said.
const DEFAULT: usize = 2;
/// No account needs more slices at once than this.
const MOST: u64 = 200;

#[derive(Debug, Default)]
pub(crate) struct ConcurrencyLevel {
    default: Option<Expression>,
    most: Option<u64>,
}

impl ConcurrencyLevel {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "ConcurrencyLevel" {
            reader.unsupported("ConcurrencyLevel");
            return None;
        }
        let default = reader.required_expression("default_concurrency", Names::ANYWHERE);
        let most = reader.integer("max_concurrency", 1);
        reader.finish();
        Some(Self { default, most })
    }

    /// The number for an account with these settings.
    pub(crate) fn slices(&self, scope: &Scope) -> usize {
        let told = self.default.as_ref().and_then(|default| default.value(scope).ok()?.as_u64());
        let told = told.map(|told| told.clamp(1, self.most.unwrap_or(MOST).min(MOST)));
        told.and_then(|told| usize::try_from(told).ok()).unwrap_or(DEFAULT)
    }
}
