//! The resources that the stand-in serves: path, feed, parameters, key, size and the family that writes the records.
//! Taken from the facts about the real API: what a resource takes there it takes here, and nothing else.

mod detailed;
mod plain;

use super::records::json::Json;
use super::records::{self, Record};
use std::borrow::Cow;
use std::sync::LazyLock;

/// The parameter that asks for inactive rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inactive {
    /// Records have no `active` in lists.
    Never,
    /// `active=True|False|Any`.
    Active,
    /// `activeState=ActiveOnly|InactiveOnly|All`.
    ActiveState,
    /// `activeOnly=true|false`.
    ActiveOnly,
    /// `includeInactive=true|false`.
    Include,
}

/// How an order is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sorting {
    Never,
    /// `sort=+Id`.
    Sort,
    /// `orderBy=Id&orderByDirection=asc`.
    OrderBy,
}

/// The times that a list can be filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dates {
    Never,
    /// `createdOnOrAfter`, `createdBefore`.
    Created,
    /// The same and `modifiedOnOrAfter`, `modifiedBefore`.
    Modified,
    /// `submittedOnOrAfter`, `submittedBefore`; records have `submittedOn` and no `createdOn`.
    Submitted,
    /// `fromUtc` and `toUtc`, both required, both ends in.
    Window,
}

/// What a list's answer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Pages,
    /// An object with all of the `data`; no paging.
    Whole,
    /// The bare array; no paging.
    Array,
}

/// What tells records apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Id,
    /// `jobId`.
    Job,
    /// `technicianId` and `jobId`.
    TechnicianAndJob,
    /// `employeeId` and `employeeType`.
    EmployeeAndType,
    /// `locationId` and `laborTypeCode`.
    LocationAndLaborType,
    /// `contactNumber`.
    Contact,
    /// Nothing that the API names.
    Nothing,
}

/// An export feed of a resource.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Feed {
    version: &'static str,
    /// Whether it takes `active`.
    pub(crate) takes_active: bool,
    /// Whether its records have `active`.
    pub(crate) shows_active: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BusinessUnits,
    JobTypes,
    Technicians,
    Employees,
    Campaigns,
    Activities,
    Timesheets,
    Jobs,
    Customers,
    Invoices,
    Locations,
    GrossPayItems,
    /// Any other resource: common fields only.
    Plain,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Resource {
    pub(crate) kind: Kind,
    /// Its place among [`all`].
    pub(crate) index: usize,
    pub(crate) module: &'static str,
    version: &'static str,
    /// Path after the tenant; also the resource's name in options and calls.
    pub(crate) path: &'static str,
    /// The stream's usual name where it is not the path in snake case.
    stream: Option<&'static str>,
    listed: bool,
    pub(crate) feed: Option<Feed>,
    pub(crate) inactive: Inactive,
    pub(crate) sorting: Sorting,
    pub(crate) dates: Dates,
    pub(crate) shape: Shape,
    pub(crate) largest_page: usize,
    pub(crate) required: &'static [&'static str],
    pub(crate) key: Key,
    /// Whether its records have `modifiedOn`.
    pub(crate) shows_modified: bool,
    pub(crate) first_id: i64,
    pub(crate) count: fn(usize) -> usize,
    pub(crate) write: fn(&mut Json<'_>, &mut Record<'_>),
}

/// A paged list with ids, filtered by `modifiedOnOrAfter`; what is different is said behind it.
const fn list(module: &'static str, path: &'static str) -> Resource {
    Resource {
        kind: Kind::Plain,
        index: 0,
        module,
        version: "v2",
        path,
        stream: None,
        listed: true,
        feed: None,
        inactive: Inactive::Never,
        sorting: Sorting::Never,
        dates: Dates::Modified,
        shape: Shape::Pages,
        largest_page: usize::MAX,
        required: &[],
        key: Key::Id,
        shows_modified: true,
        first_id: 0,
        count: |records| (records / 100).clamp(10, 60),
        write: records::plain::members,
    }
}

impl Resource {
    const fn named(self, stream: &'static str) -> Self {
        Self { stream: Some(stream), ..self }
    }

    const fn version(self, version: &'static str) -> Self {
        Self { version, ..self }
    }

    /// With an export feed.
    const fn fed(self) -> Self {
        Self { feed: Some(Feed { version: "v2", takes_active: false, shows_active: true }), ..self }
    }

    /// With an export feed that takes `active`.
    const fn fed_with_active(self) -> Self {
        Self { feed: Some(Feed { version: "v2", takes_active: true, shows_active: true }), ..self }
    }

    /// With an export feed whose records do not have `active`.
    const fn fed_without_active(self) -> Self {
        Self { feed: Some(Feed { version: "v2", takes_active: false, shows_active: false }), ..self }
    }

    /// No list: only the feed.
    const fn unlisted(self) -> Self {
        Self { listed: false, ..self }
    }

    const fn active(self) -> Self {
        self.inactive(Inactive::Active)
    }

    const fn inactive(self, inactive: Inactive) -> Self {
        Self { inactive, ..self }
    }

    const fn sorted(self) -> Self {
        self.sorting(Sorting::Sort)
    }

    const fn sorting(self, sorting: Sorting) -> Self {
        Self { sorting, ..self }
    }

    const fn dates(self, dates: Dates) -> Self {
        Self { dates, ..self }
    }

    const fn shape(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    const fn keyed(self, key: Key) -> Self {
        Self { key, ..self }
    }

    const fn required(self, required: &'static [&'static str]) -> Self {
        Self { required, ..self }
    }

    /// Records without `modifiedOn`.
    const fn without_modified(self) -> Self {
        Self { shows_modified: false, ..self }
    }

    pub(crate) fn has_active(&self) -> bool {
        self.inactive != Inactive::Never
    }

    /// The name of its stream: the path in snake case, unless that would not be unique.
    fn stream(&self) -> Cow<'static, str> {
        match self.stream {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(self.path.replace(['/', '-'], "_")),
        }
    }
}

static ALL: LazyLock<Vec<Resource>> = LazyLock::new(|| {
    let resources = detailed::DETAILED.into_iter().chain(plain::plain());
    let placed = resources.enumerate().map(|(index, resource)| {
        let first_id = if resource.first_id > 0 { resource.first_id } else { 1_000_000_001 + 1_000_000 * index as i64 };
        Resource { index, first_id, ..resource }
    });
    placed.collect()
});

/// The detailed ones in the order of [`Kind`], then the others.
pub(crate) fn all() -> &'static [Resource] {
    &ALL
}

/// The resource of a stream name (`timesheets`, `business_units`) or a path (`jobs/timesheets`).
pub(crate) fn find(name: &str) -> Option<&'static Resource> {
    all().iter().find(|resource| resource.stream() == name).or_else(|| all().iter().find(|other| other.path == name))
}

/// The resource that a module serves under a path, as a list or as a feed.
pub(crate) fn route(module: &str, version: &str, path: &str, exported: bool) -> Option<&'static Resource> {
    all().iter().filter(|resource| resource.module == module && resource.path == path).find(|resource| match exported {
        true => resource.feed.is_some_and(|feed| feed.version == version),
        false => resource.listed && resource.version == version,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn kinds_stand_in_order_and_everything_is_found() {
        let (mut names, mut lists, mut feeds) = (BTreeSet::new(), 0, 0);
        for (index, resource) in all().iter().enumerate() {
            assert!(resource.kind == Kind::Plain || resource.kind as usize == index, "{}", resource.path);
            assert_eq!(resource.index, index);
            assert_eq!(find(&resource.stream()).unwrap().index, index);
            assert!(names.insert(resource.stream()), "{}", resource.path);
            let place = (resource.module, resource.path);
            if resource.listed {
                lists += 1;
                assert_eq!(route(place.0, resource.version, place.1, false).unwrap().index, index);
            }
            if let Some(feed) = resource.feed {
                feeds += 1;
                assert_eq!(route(place.0, feed.version, place.1, true).unwrap().index, index);
            }
        }
        assert_eq!((all().len(), lists, feeds), (136, 130, 54));
        assert_eq!(find("jobs/timesheets").unwrap().kind, Kind::Timesheets);
        assert!(find("jobs_timesheets").is_none() && route("jpm", "v3", "jobs", false).is_none());
    }
}
