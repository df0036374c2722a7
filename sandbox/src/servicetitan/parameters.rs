//! Which query parameters a resource takes, as the API's description lists them; anything else is refused with a 400.
//! What the real API does with a foreign parameter differs from resource to resource, so a good client never sends one.

use super::query::Query;
use super::reply::Refusal;
use super::resources::{Dates, Inactive, Key, Kind, Resource, Shape, Sorting};

/// Refuses what a list does not take, and what it misses.
pub(crate) fn check_list(resource: &Resource, query: &Query) -> Result<(), Refusal> {
    query.allow(&of_list(resource))?;
    query.require(resource.required)
}

/// Refuses what a feed does not take.
pub(crate) fn check_feed(resource: &Resource, query: &Query) -> Result<(), Refusal> {
    let takes_active = resource.feed.is_some_and(|feed| feed.takes_active);
    query.allow(if takes_active {
        &["from", "includeRecentChanges", "active"]
    } else {
        &["from", "includeRecentChanges"]
    })
}

fn of_list(resource: &Resource) -> Vec<&'static str> {
    let mut names = resource.required.to_vec();
    names.extend_from_slice(match resource.shape {
        Shape::Pages => &["page", "pageSize", "includeTotal"],
        Shape::Whole | Shape::Array => &[],
    });
    names.extend_from_slice(match resource.inactive {
        Inactive::Never => &[],
        Inactive::Active => &["active"],
        Inactive::ActiveState => &["activeState"],
        Inactive::ActiveOnly => &["activeOnly"],
        Inactive::Include => &["includeInactive"],
    });
    names.extend_from_slice(match resource.sorting {
        Sorting::Never => &[],
        Sorting::Sort => &["sort"],
        Sorting::OrderBy => &["orderBy", "orderByDirection"],
    });
    names.extend_from_slice(match resource.dates {
        Dates::Never | Dates::Window => &[],
        Dates::Created => &["createdOnOrAfter", "createdBefore"],
        Dates::Modified => &["createdOnOrAfter", "createdBefore", "modifiedOnOrAfter", "modifiedBefore"],
        Dates::Submitted => &["submittedOnOrAfter", "submittedBefore"],
    });
    if resource.key == Key::Id && resource.shape == Shape::Pages {
        names.push("ids");
    }
    if resource.kind == Kind::GrossPayItems {
        names.extend_from_slice(&["modifiedOnOrBefore", "dateOnOrAfter", "dateOnOrBefore"]);
    }
    names
}
