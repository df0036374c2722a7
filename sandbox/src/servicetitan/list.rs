//! Paged lists: parameters to a view, a view to a page.
//! Pages are cut from one remembered order, so that they fit together as long as no shift or generation comes between.

use super::parameters;
use super::query::Query;
use super::reply::Refusal;
use super::resources::{Dates, Inactive, Kind, Resource, Shape, Sorting};
use super::world::{Filter, Order, World};

/// How a fault bends a page.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bend {
    pub(crate) first_page_again: bool,
    pub(crate) wrong_total: bool,
}

/// What a list request asks for, apart from the page.
pub(crate) fn filter(resource: &Resource, query: &Query) -> Result<Filter, Refusal> {
    parameters::check_list(resource, query)?;
    let gross = resource.kind == Kind::GrossPayItems;
    let (order, descending) = order(resource, query)?;
    let mut filter = Filter {
        active: active(resource, query)?,
        modified: query.period("modifiedOnOrAfter", "modifiedBefore", gross.then_some("modifiedOnOrBefore"))?,
        created: match resource.dates {
            Dates::Submitted => query.period("submittedOnOrAfter", "submittedBefore", None)?,
            _ => query.period("createdOnOrAfter", "createdBefore", None)?,
        },
        ids: query.ids()?,
        order,
        descending,
        ..Filter::default()
    };
    query.flag("descending")?;
    if gross {
        filter.day = query.period("dateOnOrAfter", "", Some("dateOnOrBefore"))?;
    }
    Ok(filter)
}

fn active(resource: &Resource, query: &Query) -> Result<Option<bool>, Refusal> {
    let chosen = match resource.inactive {
        Inactive::Never => return Ok(None),
        Inactive::Active => query.choice("active", &[("True", Some(true)), ("False", Some(false)), ("Any", None)]),
        Inactive::ActiveState => {
            let choices = [("ActiveOnly", Some(true)), ("InactiveOnly", Some(false)), ("All", None)];
            query.choice("activeState", &choices)
        }
        Inactive::ActiveOnly => {
            let only = query.choice("activeOnly", &[("true", Some(true)), ("false", None)])?;
            return Ok(only.unwrap_or(None));
        }
        Inactive::Include => query.choice("includeInactive", &[("true", None), ("false", Some(true))]),
    };
    Ok(chosen?.unwrap_or(Some(true)))
}

fn order(resource: &Resource, query: &Query) -> Result<(Order, bool), Refusal> {
    let orders = [("Id", Order::Id), ("ModifiedOn", Order::Modified), ("CreatedOn", Order::Created)];
    match resource.sorting {
        Sorting::Never => Ok((Order::Id, false)),
        Sorting::OrderBy => {
            let descending = query.choice("orderByDirection", &[("asc", false), ("desc", true)])?;
            Ok((query.choice("orderBy", &orders)?.unwrap_or(Order::Id), descending.unwrap_or(false)))
        }
        Sorting::Sort => {
            let Some(value) = query.get("sort") else { return Ok((Order::Id, false)) };
            let wrong = || Refusal::parameter("sort", value);
            let descending = match value.bytes().next() {
                Some(b'+') => false,
                Some(b'-') => true,
                _ => return Err(wrong()),
            };
            let field = value.get(1..).unwrap_or_default();
            let found = orders.iter().find(|(name, _)| name.eq_ignore_ascii_case(field));
            found.map(|(_, order)| (*order, descending)).ok_or_else(wrong)
        }
    }
}

/// The body of an answer: one page, or all there is where the resource has no pages.
pub(crate) fn page(
    world: &World,
    filter: &Filter,
    query: &Query,
    largest: usize,
    bend: Bend,
) -> Result<Vec<u8>, Refusal> {
    let shape = world.resource().shape;
    if shape != Shape::Pages {
        let (head, tail): (&[u8], &[u8]) = if shape == Shape::Array { (b"[", b"]") } else { (b"{\"data\":[", b"]}") };
        let mut out = head.to_vec();
        write_records(world, &world.view(filter), &mut out);
        out.extend_from_slice(tail);
        return Ok(out);
    }
    let largest = largest.min(world.resource().largest_page);
    let page = query.number("page", 1, 1..=u64::from(u32::MAX))?;
    let size = query.number("pageSize", 50.min(largest as u64), 1..=largest as u64)?;
    let with_total = query.flag("includeTotal")?;
    let view = world.view(filter);
    let total = view.len() as u64;
    let shown = if bend.first_page_again { 1 } else { page };
    let start = total.min((shown - 1) * size) as usize;
    let end = total.min(shown * size) as usize;
    let has_more = bend.first_page_again || page * size < total;
    let told = match with_total {
        true => (total + if bend.wrong_total { 7 } else { 0 }).to_string(),
        false => "null".to_owned(),
    };

    let slots = view.get(start..end).unwrap_or_default();
    let mut out = Vec::with_capacity(256 + slots.len() * 1280);
    let head = format!("{{\"page\":{page},\"pageSize\":{size},\"hasMore\":{has_more},\"totalCount\":{told},\"data\":[");
    out.extend_from_slice(head.as_bytes());
    write_records(world, slots, &mut out);
    out.extend_from_slice(b"]}");
    Ok(out)
}

fn write_records(world: &World, slots: &[u32], out: &mut Vec<u8>) {
    for (index, slot) in slots.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        world.write(*slot, out);
    }
}
