//! Pages of lists: their query, and tokens that stay right while new things arrive at the front.
//! A token is opaque to the client; here it is the place of the last item that was given.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::refusal::Refusal;

const DEFAULT_SIZE: usize = 100;
const LARGEST_SIZE: usize = 1000;
/// Parameters that every method takes and that change nothing here.
const STANDARD: [&str; 6] = ["alt", "$alt", "prettyPrint", "key", "quotaUser", "$.xgafv"];

/// The query of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PageQuery {
    size: usize,
    /// Only items behind this place.
    after: Option<usize>,
}

impl PageQuery {
    /// `what` is the list's name, so that a token is not taken for another list's.
    pub(crate) fn read(query: &str, what: &str) -> Result<Self, Refusal> {
        let mut page = Self { size: DEFAULT_SIZE, after: None };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "pageSize" => {
                    let size: i32 = value.parse().map_err(|_| wrong("page_size", &value))?;
                    let size = usize::try_from(size).map_err(|_| wrong("page_size", &value))?;
                    page.size = if size == 0 { DEFAULT_SIZE } else { size.min(LARGEST_SIZE) };
                }
                "pageToken" if value.is_empty() => {}
                "pageToken" => page.after = Some(read_token(&value, what).ok_or_else(|| wrong("page_token", &value))?),
                "showDeleted" if matches!(value.as_ref(), "true" | "false") => {}
                "showDeleted" => return Err(wrong("show_deleted", &value)),
                _ => standard(&name)?,
            }
        }
        Ok(page)
    }

    /// The page of these items, each with its place (in the order of the list), and the next page's token.
    pub(crate) fn cut<T>(&self, items: Vec<(usize, T)>, what: &str) -> (Vec<T>, Option<String>) {
        let start = self.after.map_or(0, |after| {
            items.iter().position(|(place, _)| *place == after).map_or(items.len(), |index| index + 1)
        });
        let more = items.len() > start + self.size;
        let page: Vec<(usize, T)> = items.into_iter().skip(start).take(self.size).collect();
        let token = page.last().filter(|_| more).map(|(place, _)| token(*place, what));
        (page.into_iter().map(|(_, item)| item).collect(), token)
    }
}

/// Refuses any query but the parameters that every method takes.
pub(crate) fn check_plain(query: &str) -> Result<(), Refusal> {
    url::form_urlencoded::parse(query.as_bytes()).try_for_each(|(name, _)| standard(&name))
}

fn standard(name: &str) -> Result<(), Refusal> {
    if STANDARD.contains(&name) {
        return Ok(());
    }
    let problem = format!(
        "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter. Field '{name}' could not be \
         found in request message."
    );
    Err(Refusal::invalid("", problem))
}

fn wrong(field: &str, value: &str) -> Refusal {
    Refusal::invalid(field, format!("Invalid value at '{field}', \"{}\"", value.escape_default()))
}

fn token(place: usize, what: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{what}:{place}"))
}

fn read_token(token: &str, what: &str) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix(what)?.strip_prefix(':')?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_though_the_front_grows() {
        let newest_first = |count: usize| (0..count).rev().map(|place| (place, place)).collect::<Vec<_>>();
        let (first, token) = PageQuery::read("pageSize=2", "x").unwrap().cut(newest_first(3), "x");
        assert_eq!(first, [2, 1]);
        let query = format!("pageSize=2&pageToken={}", token.unwrap());
        let (second, token) = PageQuery::read(&query, "x").unwrap().cut(newest_first(5), "x");
        assert_eq!((second, token), (vec![0], None));
        assert_eq!(PageQuery::read(&query, "another").unwrap_err().code, 400);
    }

    #[test]
    fn a_full_last_page_has_no_token() {
        let page = PageQuery::read("pageSize=2&pageToken=", "x").unwrap();
        assert_eq!(page.cut(vec![(0, 'a'), (1, 'b')], "x"), (vec!['a', 'b'], None));
    }

    #[test]
    fn wrong_queries_are_refused() {
        for query in ["pageSize=-1", "pageSize=x", "pageToken=!", "showDeleted=1", "filter=x"] {
            assert_eq!(PageQuery::read(query, "x").unwrap_err().code, 400, "{query}");
        }
        assert_eq!(check_plain("alt=json").map_err(|refusal| refusal.code), Ok(()));
        assert_eq!(check_plain("jobId=x").unwrap_err().code, 400);
    }
}
