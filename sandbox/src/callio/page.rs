//! One page of a list: filtered, ordered, cut out and written as a page object or a bare array.

use super::query::Query;
use super::world::Record;

/// How a fault bends a page.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bend {
    pub(crate) first_page_again: bool,
    pub(crate) wrong_total: bool,
}

/// The page object that a query asks for.
///
/// # Errors
/// The message of a 400, for a page that lies too deep.
pub(crate) fn object(records: &[Record], query: &Query, result_window: u64, bend: Bend) -> Result<Vec<u8>, String> {
    let deepest = query.page.saturating_mul(query.page_size);
    if deepest > result_window {
        return Err(format!(
            "Result window is too large, from + size must be less than or equal to: [{result_window}] but was [{deepest}]"
        ));
    }
    let within = |time: i64, (from, to): (i64, i64)| (from..=to).contains(&time);
    let fits = |record: &&Record| within(record.created, query.created) && within(record.updated, query.updated);
    let mut found: Vec<&Record> = records.iter().filter(fits).collect();
    found.sort_by(|a, b| {
        let key = |record: &Record| if query.by_update { record.updated } else { record.created };
        let order = key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id));
        if query.descending { order.reverse() } else { order }
    });

    let total = found.len() as u64;
    let shown = if bend.first_page_again { 1 } else { query.page };
    let start = total.min((shown - 1) * query.page_size) as usize;
    let end = total.min(shown * query.page_size) as usize;
    let more = bend.first_page_again || deepest < total;
    let mut out = b"{\"docs\":".to_vec();
    array(found.get(start..end).unwrap_or_default(), &mut out);
    let told = total + if bend.wrong_total { 7 } else { 0 };
    let pages = total.div_ceil(query.page_size);
    let (page, size) = (query.page, query.page_size);
    let tail = format!(
        ",\"totalDocs\":{told},\"limit\":{size},\"totalPages\":{pages},\"page\":{page},\"hasPrevPage\":{},\"hasNextPage\":{more}}}",
        page > 1
    );
    out.extend_from_slice(tail.as_bytes());
    Ok(out)
}

/// All records at once; the page that was asked for is not heeded.
pub(crate) fn bare(records: &[Record]) -> Vec<u8> {
    let mut out = Vec::new();
    array(&records.iter().collect::<Vec<_>>(), &mut out);
    out
}

fn array(records: &[&Record], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, record) in records.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(record.json.as_bytes());
    }
    out.push(b']');
}
